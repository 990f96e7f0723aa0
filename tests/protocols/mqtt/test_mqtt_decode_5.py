"""Packets of 5.0, decoded; the remaining length is left out of the tables."""

import mqtt_wire as wire
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mqtt.decode import decode
from protocols.mqtt.errors import MqttError
from protocols.mqtt.packets import (
    LEVEL_5,
    Auth,
    Connect,
    Disconnect,
    Filter,
    Message,
    Packet,
    Pingreq,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Unsubscribe,
    frames,
)

WILL = Message("w", b"by", 2, True, b"\1\1")


def parse(data: bytes) -> Packet:
    [(head, _, body, end, _)] = frames(data, 0, 1 << 28, LEVEL_5)
    return decode(head, data[body:end], LEVEL_5)


def parse_hex(row: str) -> Packet:
    data = bytes.fromhex(row)
    return parse(wire.packet(data[0], data[1:]))


MQTT = "10 0004 4d515454 05"
PACKETS = [
    (f"{MQTT} 02 003c 00 0001 61", Connect("a", True, 60, level=5)),
    (f"{MQTT} 00 0000 00 0000", Connect("", False, 0, level=5)),
    (f"{MQTT} 02 0000 05 11 0000000a 0001 61", Connect("a", level=5, properties={0x11: 10})),
    (f"{MQTT} 42 0000 00 0001 63 0001 70", Connect("c", password=b"p", level=5)),  # (3.1.2.9)
    (
        f"{MQTT} f6 0000 00 0001 63 0c 18 00000005 01 01 02 00000009 0001 77 0002 6279 0001 75 0001 70",
        Connect("c", True, 0, "u", b"p", WILL, 5, will_delay=5, will_expiry=9),
    ),
    ("30 0001 61 00", Publish(Message("a", b""))),
    ("31 0001 61 00 78", Publish(Message("a", b"x", 0, True))),
    ("3a 0001 61 0007 00 7879", Publish(Message("a", b"xy", 1), 7, True)),
    ("30 0001 61 07 01 01 02 0000000a", Publish(Message("a", b"", properties=b"\1\1"), expiry=10)),
    ("30 0001 61 03 23 0002 78", Publish(Message("a", b"x"), alias=2)),
    ("32 0000 0001 03 23 0002", Publish(Message("", b"", 1), 1, alias=2)),
    ("30 0001 61 02 01 01 ff", Publish(Message("a", b"\xff", properties=b"\1\1"))),  # (3.3.2.3.2)
    ("40 0001", Puback(1)),
    ("40 0001 10", Puback(1, 0x10)),
    ("40 0001 00 00", Puback(1)),
    ("40 0001 80 04 1f 0001 6e", Puback(1, 0x80, {0x1F: "n"})),
    ("50 0001 97", Pubrec(1, 0x97)),
    ("62 0001 92", Pubrel(1, 0x92)),
    ("70 0001 92 00", Pubcomp(1, 0x92)),
    ("82 0001 00 0001 61 00", Subscribe(1, (Filter("a", 0),))),
    ("82 0001 02 0b 7f 0001 61 2e", Subscribe(1, (Filter("a", 2, True, True, 2),), 127)),
    ("82 0001 00 0001 61 11 0001 62 01", Subscribe(1, (Filter("a", 1, retain_handling=1), Filter("b", 1)))),
    ("82 0001 00 000a 2473686172652f672f23 01", Subscribe(1, (Filter("$share/g/#", 1),))),
    ("a2 0001 00 0001 61", Unsubscribe(1, ("a",))),
    ("a2 0001 07 26 0001 6b 0001 76 0003 612f62", Unsubscribe(1, ("a/b",))),
    ("c0", Pingreq()),
    ("e0", Disconnect()),
    ("e0 04", Disconnect(4)),
    ("e0 00 00", Disconnect()),
    ("e0 00 05 11 00000000", Disconnect(0, {0x11: 0})),
    ("f0 19", Auth(0x19)),
    ("f0 18 04 15 0001 6d", Auth(0x18, {0x15: "m"})),
]


@pytest.mark.parametrize(("data", "packet"), PACKETS)
def test_a_packet_is_decoded(data: str, packet: Packet) -> None:
    assert parse_hex(data) == packet


SHARE = "82 0001 00"  # and a filter
REFUSED = [
    ("CONNECT without properties", f"{MQTT} 02 003c", 0x81),
    ("reserved flag of CONNECT", f"{MQTT} 03 0000 00 0001 61", 0x81),
    ("Will of QoS 3", f"{MQTT} 1e 0000 00 0001 61 00 0001 77 0001 6d", 0x81),
    ("Will retain without a Will", f"{MQTT} 22 0000 00 0001 61", 0x81),
    ("Will without its properties", f"{MQTT} 06 0000 00 0001 61 0001 77 0001 6d", 0x81),
    ("MQIsdp of level 5", "10 0006 4d5149736470 05 02 0000 00 0001 61", 0x81),
    ("data without a method", f"{MQTT} 02 0000 04 16 0001 61 0001 61", 0x82),
    ("CONNECT with bytes after its end", f"{MQTT} 02 0000 00 0001 61 00", 0x81),
    ("PUBLISH without properties", "30 0001 61", 0x81),
    ("PUBLISH without a topic or an alias", "30 0000 00", 0x90),
    ("PUBLISH without a topic, with other properties", "30 0000 02 01 01", 0x90),
    ("PUBLISH to + with an alias", "30 0001 2b 03 23 0001", 0x90),
    ("PUBLISH with an alias of 0", "30 0001 61 03 23 0000", 0x94),
    ("PUBLISH whose properties never end", "30 0001 61 09 01 01", 0x81),
    ("PUBLISH with a long length of properties", "30 0001 61 8000", 0x81),
    ("PUBLISH with a subscription identifier", "30 0001 61 02 0b 01", 0x82),
    ("QoS 1 PUBLISH with identifier 0", "32 0001 61 0000 00", 0x81),
    ("PUBACK with another packet's reason", "40 0001 92", 0x82),
    ("PUBREL with another packet's reason", "62 0001 10", 0x82),
    ("PUBACK with bytes after its end", "40 0001 00 00 00", 0x81),
    ("PUBACK whose properties are cut off", "40 0001 00 05", 0x81),
    ("PUBACK with a session expiry", "40 0001 00 05 11 00000001", 0x81),
    ("SUBSCRIBE without properties", "82 0001", 0x81),
    ("SUBSCRIBE without a filter", "82 0001 00", 0x82),
    ("SUBSCRIBE with identifier 0", "82 0001 02 0b 00 0001 61 00", 0x82),
    ("SUBSCRIBE for QoS 3", f"{SHARE} 0001 61 03", 0x82),
    ("SUBSCRIBE with retain handling 3", f"{SHARE} 0001 61 30", 0x82),
    ("SUBSCRIBE with a reserved option", f"{SHARE} 0001 61 40", 0x81),
    ("SUBSCRIBE with the other reserved option", f"{SHARE} 0001 61 80", 0x81),
    ("shared without a filter", f"{SHARE} 0008 2473686172652f67 00", 0x8F),
    ("shared with an empty filter", f"{SHARE} 0009 2473686172652f672f 00", 0x8F),
    ("shared without a name", f"{SHARE} 0009 2473686172652f2f61 00", 0x8F),
    ("shared with a wildcard name", f"{SHARE} 000a 2473686172652f2b2f61 00", 0x8F),
    ("shared with no local", f"{SHARE} 000a 2473686172652f672f61 04", 0x82),
    ("SUBSCRIBE to a#", f"{SHARE} 0002 6123 00", 0x8F),
    ("UNSUBSCRIBE without a filter", "a2 0001 00", 0x82),
    ("UNSUBSCRIBE from a shared one without a name", "a2 0001 00 0009 2473686172652f2f61", 0x8F),
    ("PINGREQ with a body", "c0 00", 0x81),
    ("DISCONNECT with the server's reason", "e0 8e", 0x82),
    ("DISCONNECT with bytes after its end", "e0 00 00 00", 0x81),
    ("AUTH without a reason", "f0", 0x82),
    ("AUTH with bytes after its end", "f0 18 00 00", 0x81),
]


@pytest.mark.parametrize(("what", "data", "code"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_packet_that_is_not_allowed_is_refused_with_its_reason(what: str, data: str, code: int) -> None:
    with pytest.raises(MqttError) as caught:
        parse_hex(data)
    assert caught.value.code == code, str(caught.value)


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
NAMES = st.text(
    st.characters(exclude_characters="\0+#", exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=50
)
FORWARDED = st.fixed_dictionaries(
    {},
    optional={
        0x01: st.integers(0, 1),
        0x03: TEXT,
        0x08: NAMES,
        0x09: st.binary(max_size=100),
        0x26: st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4),
    },
)
EXPIRY = st.none() | st.integers(0, 0xFFFFFFFF)


@given(NAMES, st.binary(max_size=200), st.integers(0, 2), FORWARDED, EXPIRY, st.integers(0, 65_535))
def test_a_publish_is_read_as_the_client_meant_it(topic, payload, qos, stated, expiry, alias):
    every = {**stated, **({} if expiry is None else {0x02: expiry}), **({0x23: alias} if alias else {})}
    packet_id = 9 if qos else 0
    data = wire.publish(topic, payload, qos, packet_id, level=5, stated=every)
    message = Message(topic, payload, qos, properties=wire.property_fields(stated))
    assert parse(data) == Publish(message, packet_id, False, expiry, alias)


@given(TEXT, NAMES, st.binary(max_size=40), FORWARDED, EXPIRY, st.none() | st.integers(0, 0xFFFFFFFF))
def test_a_will_is_read_as_the_client_meant_it(client_id, topic, payload, stated, expiry, delay):
    every = {**stated, **({} if expiry is None else {0x02: expiry}), **({} if delay is None else {0x18: delay})}
    data = wire.connect(client_id, "u", None, will=(topic, payload, 1, True), level=5, will_stated=every)
    will = Message(topic, payload, 1, True, wire.property_fields(stated))
    assert parse(data) == Connect(client_id, True, 0, "u", None, will, 5, will_delay=delay or 0, will_expiry=expiry)


@given(
    st.integers(1, 65_535),
    st.lists(
        st.tuples(NAMES, st.integers(0, 2), st.booleans(), st.booleans(), st.integers(0, 2)), min_size=1, max_size=4
    ),
    st.integers(0, 268_435_455),
)
def test_a_subscribe_is_read_as_the_client_meant_it(packet_id, wanted, identifier):
    filters = [(name, qos | local << 2 | keep << 3 | handling << 4) for name, qos, local, keep, handling in wanted]
    if any(name.startswith("$share/") for name, _ in filters):
        return
    data = wire.subscribe(*filters, packet_id=packet_id, level=5, stated={0x0B: identifier} if identifier else None)
    assert parse(data) == Subscribe(packet_id, tuple(Filter(*row) for row in wanted), identifier)
