"""Whatever breaks, on both sides and in both versions: QoS 2 arrives once and in order, QoS 1 at least once."""

from __future__ import annotations

import mqtt_client as mqtt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqtt_bench import Bench, Client
from mqtt_client import ALIAS, ALIAS_MAXIMUM, RECEIVE_MAXIMUM, SESSION_EXPIRY

TOPIC = "plant/line1/count"


class Durable:
    """A client that remembers what the standards want it to remember, and comes back in either version."""

    def __init__(self, bench: Bench, name: str) -> None:
        self.bench = bench
        self.name = name
        self.client: Client | None = None
        self.waiting: list[tuple[str, int]] = []  # answers that are due

    def come_back(self, level: int, window: int) -> None:
        if self.client is not None:
            self.client.lose()
        self.waiting.clear()
        stated = {SESSION_EXPIRY: 600, RECEIVE_MAXIMUM: window, ALIAS_MAXIMUM: window - 1}
        self.client = self.bench.client(self.name, level, clean=False, properties=stated)
        self.window = window if level == 5 else 65_535
        self.aliases: dict[int, str] = {}
        self.hear(self.client.early)

    def listen(self) -> None:
        assert self.client is not None
        self.hear(self.client.take())

    def answer(self, count: int) -> None:
        """Send some of the answers that are due, in order."""
        assert self.client is not None
        for kind, number in self.waiting[:count]:
            self.client.answer(kind, number)
        del self.waiting[:count]

    def hear(self, seen: list[mqtt.Seen]) -> None:
        raise NotImplementedError


class Reader(Durable):
    """A subscriber that counts what it got."""

    def __init__(self, bench: Bench, name: str) -> None:
        super().__init__(bench, name)
        self.got: list[int] = []
        self.known: set[int] = set()  # QoS 2 identifiers until their PUBREL

    def come_back(self, level: int, window: int) -> None:
        self.under_way: set[int] = set()
        super().come_back(level, window)

    def hear(self, seen: list[mqtt.Seen]) -> None:
        for one in seen:
            if one.kind == "PUBREL":
                self.known.discard(one.packet_id)
                self.waiting.append(("PUBCOMP", one.packet_id))
                continue
            assert one.kind == "PUBLISH"
            if (alias := one.properties.get(ALIAS)) and one.topic:
                self.aliases[alias] = one.topic
            assert (one.topic or self.aliases[alias]) == TOPIC
            self.under_way.add(one.packet_id)
            assert len(self.under_way) <= self.window
            if one.qos == 1 or one.packet_id not in self.known:
                self.got.append(one.payload[0])
            if one.qos == 2:
                self.known.add(one.packet_id)
            self.waiting.append(("PUBACK" if one.qos == 1 else "PUBREC", one.packet_id))

    def answer(self, count: int) -> None:
        for kind, number in self.waiting[:count]:
            if kind != "PUBREC":
                self.under_way.discard(number)
        super().answer(count)


class Writer(Durable):
    """A publisher that sends again what was not acknowledged."""

    def __init__(self, bench: Bench, name: str, qos: int) -> None:
        super().__init__(bench, name)
        self.qos = qos
        self.open: dict[int, int | None] = {}  # payload by identifier; None once a PUBREC came
        self.sent = 0

    def come_back(self, level: int, window: int) -> None:
        super().come_back(level, window)
        assert self.client is not None
        for number, payload in sorted(self.open.items(), key=lambda entry: entry[1] is None):
            if payload is None:
                self.waiting.append(("PUBREL", number))
            else:
                self.client.publish(TOPIC, bytes([payload]), self.qos, number, dup=True)

    def publish(self) -> None:
        assert self.client is not None
        self.sent += 1
        number = next(number for number in range(1, 65_536) if number not in self.open)
        self.open[number] = self.sent
        self.client.publish(TOPIC, bytes([self.sent]), self.qos, number)

    def hear(self, seen: list[mqtt.Seen]) -> None:
        for one in seen:
            if one.kind == "PUBREC":
                del self.open[one.packet_id]  # to the end: PUBRELs in the order of the PUBRECs
                self.open[one.packet_id] = None
                self.waiting.append(("PUBREL", one.packet_id))
            else:
                assert one.kind == ("PUBACK" if self.qos == 1 else "PUBCOMP")
                self.open.pop(one.packet_id, None)


STEP = st.one_of(
    st.just(("publish",)),
    st.tuples(st.sampled_from(["reader", "writer"]), st.sampled_from([4, 5]), st.integers(1, 4)),
    st.tuples(st.sampled_from(["reader answers", "writer answers"]), st.integers(1, 4)),
    st.just(("listen",)),
)


@pytest.mark.parametrize("qos", [1, 2])
@settings(max_examples=60)
@given(steps=st.lists(STEP, min_size=5, max_size=60), level=st.sampled_from([4, 5]), inflight=st.integers(1, 5))
def test_whatever_breaks_messages_arrive_in_order_and_qos_2_once(
    qos: int, steps: list[tuple], level: int, inflight: int
) -> None:
    """3.1.1: 4.3.2-1 4.3.2-2 4.3.3-1 4.3.3-2 4.4.0-1 4.6.0-1 4.6.0-6.

    5.0: 4.3.2-3 4.3.3-3 4.3.3-5 4.3.3-6 4.3.3-10 4.4.0-1 4.6.0-5 4.9.0-2 3.3.4-9 3.3.2-7.
    """
    bench = Bench(inflight=inflight)
    reader, writer = Reader(bench, "reader"), Writer(bench, "writer", qos)
    reader.come_back(level, 3)
    writer.come_back(level, 3)
    assert reader.client is not None
    reader.client.subscribe((TOPIC, qos))
    sides = {"reader": reader, "writer": writer}
    for step in steps:
        if step[0] == "publish":
            writer.publish()
        elif step[0] == "listen":
            reader.listen()
            writer.listen()
        elif step[0] in sides:
            sides[step[0]].come_back(*step[1:])
        else:
            sides[step[0].split()[0]].answer(step[1])
    for _ in range(500):
        reader.listen()
        writer.listen()
        if not (reader.waiting or writer.waiting or writer.open):
            break
        for side in (reader, writer):
            side.answer(len(side.waiting))
    assert writer.open == {}
    everything = list(range(1, writer.sent + 1))
    if qos == 2:
        assert reader.got == everything
    else:
        firsts = list(dict.fromkeys(reader.got))
        assert firsts == everything
