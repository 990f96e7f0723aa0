"""Frames and decoding without a socket, and what else may arrive on the port."""

from __future__ import annotations

import random
import socket
import struct
from contextlib import suppress

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import uatcp_to_binary, variant_from_binary, variant_to_binary

from protocols.opcua import decoding
from protocols.opcua.decoding import Bounded, TooManyElements
from protocols.opcua.errors import FrameError
from protocols.opcua.frames import Frames
from tests.protocols.opcua.attacks import STATE
from tests.protocols.opcua.opcua_wire import Closed, Fault

HELLO = uatcp_to_binary(ua.MessageType.Hello, ua.Hello(EndpointUrl="opc.tcp://127.0.0.1/"))
MESSAGE = struct.pack("<4sIII", b"MSGF", 40, 7, 13) + bytes(24)


@pytest.fixture(autouse=True)
def tightened() -> None:
    decoding.tighten()


def greeted() -> Frames:
    frames = Frames(65_535)
    assert [frame.kind for frame in frames.feed(HELLO)] == [b"HEL"]
    return frames


@pytest.mark.parametrize("size", [1, 3, 8, 39, 1_000])
def test_frames_come_out_as_they_went_in_however_they_are_cut(size: int) -> None:
    frames, stream = Frames(65_535), HELLO + MESSAGE * 3
    found = [frame for at in range(0, len(stream), size) for frame in frames.feed(stream[at : at + size])]
    assert [(frame.kind, frame.data) for frame in found] == [(b"HEL", HELLO)] + [(b"MSG", MESSAGE)] * 3
    assert found[1].channel_id == 7


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"\x10\x0c\x00\x04MQTT",
        b"X",
        b"HEX",
        b"HELC" + struct.pack("<I", 40),
        b"HELF" + struct.pack("<I", 31),
        b"HELF" + struct.pack("<I", 5_000),
        b"HELF" + struct.pack("<I", 0xFFFFFFFF),
        b"ACKF" + struct.pack("<I", 28),
        MESSAGE,
    ],
)
def test_what_begins_no_hello_is_refused_with_its_first_bytes(sent: bytes) -> None:
    with pytest.raises(FrameError):
        Frames(65_535).feed(sent)


@pytest.mark.parametrize(
    "sent",
    [
        HELLO,
        b"M" + b"\0",
        b"MSGX" + struct.pack("<I", 40),
        b"MSGF" + struct.pack("<I", 8),
        b"MSGF" + struct.pack("<I", 65_536),
        b"MSGF" + struct.pack("<I", 2**31),
        b"OPNC" + struct.pack("<I", 132),
        b"ERRF" + struct.pack("<I", 16),
    ],
)
def test_what_may_not_follow_a_hello_is_refused(sent: bytes) -> None:
    with pytest.raises(FrameError):
        greeted().feed(sent)


def test_a_frame_that_is_not_complete_is_waited_for() -> None:
    frames = greeted()
    assert frames.feed(MESSAGE[:-1]) == []
    assert len(frames.feed(MESSAGE[-1:])) == 1


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03", bytes(100)]
)
def test_another_protocol_on_the_port_is_told_so_and_closed(start, sent: bytes) -> None:
    running = start()
    client = running.wire()
    client.send(sent)
    with pytest.raises(Fault, match="BadTcpMessageTypeInvalid"):
        client.receive()
    assert client.is_closed()
    running.client().value(STATE)


def test_random_bytes_close_their_own_connection_and_nothing_else(start) -> None:
    running = start(log_lines=1)
    noise, member = random.Random(7), running.client()
    clients = [running.wire() for _ in range(60)]
    for number, client in enumerate(clients):
        valid = b"" if number % 3 == 0 else HELLO if number % 3 == 1 else HELLO + MESSAGE[:16]
        with suppress(Closed, OSError):
            client.send(valid + noise.randbytes(300))
            client._socket.shutdown(socket.SHUT_WR)
    assert all(client.is_closed() for client in clients)
    member.value(STATE)


def test_requests_that_are_changed_at_random_are_answered_or_closed(start) -> None:
    """Each byte of a request may be any other; whoever asks next notices nothing."""
    running = start(log_lines=1)
    noise, member = random.Random(11), running.client("bob")
    for _ in range(150):
        client = running.client()
        body = bytearray(client.packed(ua.CreateSubscriptionRequest())[24:])
        for _ in range(3):
            body[noise.randrange(len(body))] = noise.randrange(256)
        client.send(client.framed(bytes(body)))
        with suppress(Fault, Closed):
            client.receive()
        client.close()
    member.value(STATE)


# --- decoding


@pytest.mark.parametrize(
    "variant",
    [
        ua.Variant([1, 2, 3], ua.VariantType.Int32),
        ua.Variant([[1, 2], [3, 4], [5, 6]], ua.VariantType.Int64),
        ua.Variant([[["a"], ["b"]], [["c"], ["d"]]], ua.VariantType.String),
        ua.Variant([], ua.VariantType.Double, is_array=True),
        ua.Variant([None, None], ua.VariantType.Null, is_array=True),
        ua.Variant(b"x" * 100_000, ua.VariantType.ByteString),
        ua.Variant(ua.LocalizedText("grün", "de"), ua.VariantType.LocalizedText),
    ],
)
def test_what_clients_send_is_decoded_as_before(variant: ua.Variant) -> None:
    assert variant_from_binary(Bounded(variant_to_binary(variant), 100)) == variant


@pytest.mark.parametrize(
    "encoded",
    [
        b"\x80" + struct.pack("<i", 2**31 - 1),
        b"\x8f" + struct.pack("<ii", 2**31 - 1, -4),
        b"\x98" + struct.pack("<i", 2**31 - 1) + b"\0" * 2_000,
        b"\xc6" + struct.pack("<iii", 0, 1, 1_000_000),
        b"\xc6" + struct.pack("<iiii", 1, 5, 1, -1),
        b"\xc6" + struct.pack("<ii", 0, 0),
        b"\x0c" + struct.pack("<i", -7),
    ],
)
def test_what_would_never_end_is_an_error(encoded: bytes) -> None:
    with pytest.raises(ua.UaError):
        variant_from_binary(Bounded(encoded, 1_000))


def test_copies_count_together() -> None:
    buffer = Bounded(bytes(100), 10)
    for _ in range(5):
        buffer.copy(20).read(1)
        buffer.read(1)
    with pytest.raises(TooManyElements):
        buffer.copy().read(1)


def test_others_decode_as_they_did() -> None:
    assert variant_from_binary(Buffer(b"\x80" + struct.pack("<i", 3))).Value == [None] * 3
