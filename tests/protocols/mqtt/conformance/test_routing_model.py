"""Subscriptions of every kind come, change and go: who gets what is what a plain model says (3.3, 3.8, 4.7)."""

from __future__ import annotations

from dataclasses import dataclass, field

import mqtt_client as mqtt
from hypothesis import given, settings
from hypothesis import strategies as st
from mqtt_bench import Bench, Client
from mqtt_client import ALIAS, ALIAS_MAXIMUM, SUBSCRIPTION_ID, Seen

NAMES = ["a", "a/b", "a/b/c", "b", "/a", "a/", "x/y/z/long/enough/for/an/alias"]
FILTERS = ["a", "a/b", "a/#", "a/+", "+", "#", "+/b", "/+", "+/+/#", "b", "a/", "x/y/z/long/enough/for/an/alias"]
LEVELS = {"old": 4, "new": 5, "aliased": 5}


def matches(wanted: str, name: str) -> bool:
    levels, parts = wanted.split("/"), name.split("/")
    while levels and levels[0] != "#":
        if not parts or levels[0] not in ("+", parts[0]):
            return False
        levels, parts = levels[1:], parts[1:]
    return bool(levels) or not parts


@dataclass
class Wanted:
    qos: int
    no_local: bool = False
    as_published: bool = False
    handling: int = 0
    identifier: int = 0


@dataclass
class Model:
    """What the standards say, told as simply as it can be."""

    subscriptions: dict[str, dict[str, Wanted]] = field(default_factory=lambda: {name: {} for name in LEVELS})
    retained: dict[str, tuple[bytes, int]] = field(default_factory=dict)

    def publish(self, origin: str, name: str, payload: bytes, qos: int, retain: bool) -> dict[str, tuple]:
        """Return for each client that gets it (QoS, identifiers, the RETAIN flags that are allowed)."""
        if retain:
            self.retained.pop(name, None)
            if payload:
                self.retained[name] = (payload, qos)
        due = {}
        for client, subscriptions in self.subscriptions.items():
            hits = [
                one
                for wanted, one in subscriptions.items()
                if matches(wanted, name) and not (one.no_local and client == origin)
            ]
            if hits:
                identifiers = sorted(one.identifier for one in hits if one.identifier)
                flags = {retain and one.as_published for one in hits}
                due[client] = (min(qos, max(one.qos for one in hits)), identifiers, flags)
        return due

    def subscribe(self, client: str, wanted: str, one: Wanted) -> list[tuple]:
        """Return the retained messages that are due as (name, payload, QoS, identifiers)."""
        known = wanted in self.subscriptions[client]
        self.subscriptions[client][wanted] = one
        if one.handling == 2 or (one.handling == 1 and known):
            return []
        identifiers = [one.identifier] if one.identifier else []
        return sorted(
            (name, payload, min(qos, one.qos), identifiers)
            for name, (payload, qos) in self.retained.items()
            if matches(wanted, name)
        )


class Ears:
    """A client that acknowledges everything at once, and knows its topic aliases."""

    def __init__(self, bench: Bench, name: str) -> None:
        stated = {ALIAS_MAXIMUM: 2} if name == "aliased" else {}
        self.client: Client = bench.client(name, LEVELS[name], durable=True, properties=stated)
        assert self.client.early == []
        self.aliases: dict[int, str] = {}

    def hear(self) -> list[tuple[str, Seen]]:
        found = []
        while seen := self.client.take():
            for one in seen:
                if one.kind == "PUBREL":
                    self.client.answer("PUBCOMP", one.packet_id)
                if one.kind != "PUBLISH":
                    continue
                alias = one.properties.get(ALIAS)
                if alias and one.topic:
                    self.aliases[alias] = one.topic
                found.append((one.topic or self.aliases[alias], one))
                if one.qos:
                    self.client.answer("PUBACK" if one.qos == 1 else "PUBREC", one.packet_id)
        return found


def identifiers(seen: Seen) -> list[int]:
    return sorted(seen.properties.get(SUBSCRIPTION_ID, []))


CLIENTS = st.sampled_from(sorted(LEVELS))
WANTED = st.builds(
    Wanted, st.integers(0, 2), st.booleans(), st.booleans(), st.integers(0, 2), st.sampled_from([0, 0, 1, 200])
)
STEP = st.one_of(
    st.tuples(st.just("publish"), CLIENTS, st.sampled_from(NAMES), st.integers(0, 2), st.booleans(), st.booleans()),
    st.tuples(st.just("subscribe"), CLIENTS, st.sampled_from(FILTERS), WANTED),
    st.tuples(st.just("unsubscribe"), CLIENTS, st.sampled_from(FILTERS)),
    st.tuples(st.just("come back"), CLIENTS),
)


@settings(max_examples=80)
@given(steps=st.lists(STEP, min_size=5, max_size=40))
def test_everybody_gets_what_the_model_says(steps: list[tuple]) -> None:
    """3.1.1: 3.3.5-1 3.3.1-6 3.8.4-3 3.8.4-6 3.10.4-1 4.7.3-4.

    5.0: 3.3.4-2 3.3.4-4 3.3.1-9 3.3.1-10 3.3.1-11 3.3.1-12 3.3.1-13 3.8.3-3 3.8.4-3 3.8.4-8 3.10.4-1 4.7.3-4.
    """
    bench, model = Bench(), Model()
    ears = {name: Ears(bench, name) for name in LEVELS}
    for number, step in enumerate(steps):
        name = step[1]
        client = ears[name].client
        if step[0] == "come back":
            client.lose()
            ears[name] = Ears(bench, name)
        elif step[0] == "unsubscribe":
            known = model.subscriptions[name].pop(step[2], None)
            [unsuback] = client.unsubscribe(step[2])
            assert unsuback.codes == (() if client.level == 4 else (0 if known else 0x11,))
        elif step[0] == "subscribe":
            subscribe(model, ears[name], name, step[2], step[3])
        else:
            publish(model, ears, number, *step[1:])


def subscribe(model: Model, ear: Ears, name: str, wanted: str, one: Wanted) -> None:
    if ear.client.level == 4:
        one = Wanted(one.qos)
    options = one.qos | one.no_local << 2 | one.as_published << 3 | one.handling << 4
    stated = {SUBSCRIPTION_ID: one.identifier} if one.identifier else {}
    due = model.subscribe(name, wanted, one)
    ear.client.send(mqtt.subscribe(ear.client.level, (wanted, options), properties=stated))
    heard = [(topic, seen.payload, seen.qos, identifiers(seen)) for topic, seen in ear.hear()]
    assert sorted(heard) == due


def publish(
    model: Model, ears: dict[str, Ears], number: int, origin: str, name: str, qos: int, retain: bool, empty: bool
) -> None:
    payload = b"" if empty else b"%d" % number
    due = model.publish(origin, name, payload, qos, retain)
    ears[origin].client.publish(name, payload, qos, number + 1, retain=retain).answer("PUBREL", number + 1)
    for client, ear in ears.items():
        heard = ear.hear()
        assert len(heard) == (client in due)
        for topic, seen in heard:
            expected, ids, flags = due[client]
            assert (topic, seen.payload, seen.qos, identifiers(seen)) == (name, payload, expected, ids)
            assert seen.retain in flags
            assert not seen.dup
