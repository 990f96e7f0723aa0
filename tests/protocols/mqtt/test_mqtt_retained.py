"""Retained messages."""

import json
import logging
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_mqtt_subscriptions import FILTER, NAME

from protocols.hits import Hits
from protocols.mqtt.keeping import NoKeeper
from protocols.mqtt.limits import Limits
from protocols.mqtt.packets import Filter, Message
from protocols.mqtt.replay import Replay
from protocols.mqtt.retained import Retained
from protocols.mqtt.routes import Subscription
from protocols.topics import matches


def store(messages: int = 1_000, size: int = 1 << 20, levels: int = 100) -> Retained:
    limits = Limits(retained_messages=messages, retained_bytes=size, topic_levels=levels)
    return Retained(limits, NoKeeper(), Hits())


@given(st.lists(st.tuples(NAME, st.binary(max_size=2)), max_size=20), FILTER)
def test_a_filter_finds_the_last_message_of_each_topic(kept, topic_filter) -> None:
    retained, model = store(), {}
    for name, payload in kept:
        retained.keep(Message(name, payload, retain=True))
        model[name] = payload
    model = {name: payload for name, payload in model.items() if payload}  # [MQTT-3.3.1-11]
    assert retained.count == sum(not name.startswith("$") for name in model)  # those are the server's own
    found = retained.names(topic_filter)
    assert sorted(found) == sorted(name for name in model if matches(topic_filter, name))
    assert all(retained.get(name).payload == model[name] for name in found)


def test_deleting_everything_leaves_nothing_behind() -> None:
    retained = store()
    for number in range(50):
        retained.keep(Message(f"a/{number}/b", b"x", retain=True))
    for number in range(50):
        retained.keep(Message(f"a/{number}/b", b"", retain=True))  # [MQTT-3.3.1-10]
    assert (retained.count, retained.size) == (0, 0)
    assert retained._root.children == {}
    assert retained.get("a/1/b") is None


def test_what_does_not_fit_is_refused_and_told_a_bounded_number_of_times(caplog) -> None:
    retained = store(messages=2)
    with caplog.at_level(logging.WARNING):
        for number in range(150):
            retained.keep(Message(f"t/{number}", b"x", retain=True))
    assert retained.count == 2
    assert retained.refused == 148
    assert len(caplog.records) == 3


@pytest.mark.parametrize("message", [Message("t", bytes(2_000)), Message("a/b/c", b"new")])
def test_a_value_that_does_not_fit_replaces_the_old_one_by_none(message: Message) -> None:
    retained = store(size=1_500, levels=2)
    retained.keep(Message("t", b"old"))
    retained.keep(message)
    assert retained.get(message.topic) is None


def test_a_replay_sends_what_is_retained_when_its_turn_comes() -> None:
    retained = store()
    for name in ("a", "b", "c"):
        retained.keep(Message(name, b"old", 1, True))
    replay = Replay(retained)
    replay.add([Subscription(Filter("#", 2)), Subscription(Filter("b", 0))])
    first, _ = replay.next()
    assert first.retain and first.qos == 1  # [MQTT-3.3.1-8]
    others = {"a", "b", "c"} - {first.topic}
    changed, deleted = sorted(others)
    retained.keep(Message(changed, b"new", 1, True))
    retained.keep(Message(deleted, b"", 1, True))
    second, _ = replay.next()
    assert (second.topic, second.payload) == (changed, b"new")
    rest = replay.next()
    assert (rest is None) == (deleted == "b")
    assert replay.next() is None


def test_expired_messages_go_with_the_next_sweep() -> None:  # [MQTT5-3.3.2-5]
    retained = store()
    retained.keep(Message("short", b"x", retain=True, expires_at=10.0))
    retained.keep(Message("long", b"x", retain=True, expires_at=20.0))
    retained.keep(Message("ever", b"x", retain=True))
    retained.keep(Message("renewed", b"x", retain=True, expires_at=10.0))
    retained.keep(Message("renewed", b"x", retain=True))
    retained.sweep(10.0)
    assert sorted(retained.names("#")) == ["ever", "long", "renewed"]


def test_agents_of_one_software_have_their_class_infos_in_memory_once() -> None:
    retained = store()
    topics = [f"acme.default/press{number}/Press/__classInfo__" for number in range(3)]
    payload = b'{"className":"Press"}'
    for topic in topics:
        retained.keep(Message(topic, payload, retain=True))
    assert [retained.get(topic).payload for topic in topics] == [payload] * 3
    assert len(retained._documents) == 1
    assert retained.size > 3 * len(payload)  # and each counts as a whole


def test_class_infos_that_are_all_different_take_a_part_of_their_bytes() -> None:
    retained, sent = store(), 0
    tracemalloc.start()
    try:
        for number in range(100):
            functions = {f"function{one}": {"description": f"Does {number} times {one}"} for one in range(100)}
            payload = json.dumps({"className": "Press", "meta": functions}).encode()
            retained.keep(Message(f"acme.default/press{number}/Press/__classInfo__", payload, retain=True))
            sent += len(payload)
        del payload, functions
        assert tracemalloc.get_traced_memory()[0] < sent / 3
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [1, 1_000, 65_536, 65_537, 1_000_000])
def test_a_class_info_comes_back_as_it_was_sent(size: int) -> None:
    retained = store()
    sent = Message("acme.default/press/Press/__classInfo__", b"x" * size, 1, True, b"\x01\x01", 20.0)
    retained.keep(replace(sent))
    assert retained.get(sent.topic) == sent
    assert [one for one in retained.find("acme.default/#") if one is not None] == [sent]


def test_a_class_info_that_changes_leaves_those_that_were_like_it() -> None:
    retained = store()
    one, other = (f"acme.default/{name}/Press/__classInfo__" for name in ("left", "right"))
    for topic, payload in ((one, b"old"), (other, b"old"), (one, b"new"), (other, b"old")):
        retained.keep(Message(topic, payload, retain=True))
    assert (retained.get(one).payload, retained.get(other).payload) == (b"new", b"old")
    for topic in (one, other):
        retained.keep(Message(topic, b"", retain=True))
    assert (retained.get(one), retained.get(other), retained.size) == (None, None, 0)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([b"", b"a", b"b", b"c" * 65_537])), max_size=30))
def test_what_is_held_of_class_infos_goes_with_the_last_that_has_it(changes) -> None:
    retained, model = store(), {}
    for agent, payload in changes:
        topic = f"acme.default/{agent}/Press/__classInfo__"
        retained.keep(Message(topic, payload, retain=True))
        model[topic] = payload
        assert len(retained._documents) == len({found for found in model.values() if found in (b"a", b"b")})
        assert all(retained.get(name).payload == found for name, found in model.items() if found)
