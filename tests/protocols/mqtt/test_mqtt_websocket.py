"""RFC 6455 without sockets: what is let in, how frames are taken apart, and what is refused with which status."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from protocols.mqtt import websocket
from protocols.mqtt.websocket import MAX_HEAD, WebSocket
from tests.support.websocket import ACCEPT, BINARY, CLOSE, PING, PONG, TEXT, frame, handshake


def opened() -> WebSocket:
    found = WebSocket()
    assert found.receive(handshake()) == b""
    assert found.is_open and found.error is None
    found.replies.clear()
    return found


def reply(request: bytes) -> tuple[str, str | None]:
    """Return the answer to a handshake, and what is noted of it."""
    found = WebSocket()
    assert found.receive(request) == b""
    return b"".join(found.replies).decode(), str(found.error) if found.error else None


def test_a_handshake_is_answered_as_the_standard_has_it():
    text, error = reply(handshake())
    assert error is None
    assert text.startswith("HTTP/1.1 101 Switching Protocols\r\n")
    assert f"\r\nSec-WebSocket-Accept: {ACCEPT}\r\n" in text
    assert "\r\nSec-WebSocket-Protocol: mqtt\r\n" in text  # [MQTT-6.0.0-4]
    assert "Extensions" not in text
    assert text.endswith("\r\n\r\n")


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ("mqtt", "mqtt"),
        ("mqttv3.1", "mqttv3.1"),
        ("mqttv3.1, mqtt", "mqtt"),
        ("chat, mqttv3.1", "mqttv3.1"),
        (None, None),
    ],
)
def test_the_chosen_subprotocol_is_told(offered, chosen):
    text, error = reply(handshake(protocol=offered))
    assert error is None
    assert (f"\r\nSec-WebSocket-Protocol: {chosen}\r\n" in text) == (chosen is not None)


def test_compression_is_not_agreed_to():
    text, error = reply(handshake(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits"))
    assert error is None
    assert "Extensions" not in text


@pytest.mark.parametrize("path", ["/mqtt?token=1", "/mqtt"])
def test_mqtt_is_at_one_path(path):
    assert reply(handshake(path))[1] is None


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (handshake("/"), "404"),
        (handshake("/mqtt/"), "404"),
        (handshake("/mqttx"), "404"),
        (handshake(protocol="chat"), "400"),
        (handshake(Upgrade=None), "426"),
        (handshake(Upgrade="h2c"), "426"),
        (handshake(Connection="close"), "426"),
        (handshake(Sec_WebSocket_Version="8"), "400"),
        (handshake(Sec_WebSocket_Key=None), "400"),
        (handshake(Sec_WebSocket_Key="short"), "400"),
        (handshake().replace(b"GET", b"POST"), "405"),
        (handshake().replace(b"HTTP/1.1", b"HTTP/1.0"), "505"),
        (b"GET / HTTP/1.1\r\n\r\n", "404"),
        (b"HELLO\r\n\r\n", "400"),
        (handshake(Cookie="x" * MAX_HEAD), "431"),
        (handshake(Cookie="x" * 9_000), "431"),
        (b"GET /" + b"x" * 20_000, "431"),
    ],
)
def test_what_is_no_handshake_is_refused_in_words(request_, status):
    text, error = reply(request_)
    assert text.startswith(f"HTTP/1.1 {status} "), text
    assert error


@pytest.mark.parametrize("data", [b"\x10\x20\x00\x04MQTT", b"\x16\x03\x01\x02\x00"])
def test_what_does_not_begin_like_http_is_refused_by_its_first_byte(data):
    text, error = reply(data)
    assert text == ""
    assert error == f"0x{data[0]:02x} instead of a WebSocket handshake"


def test_a_handshake_byte_by_byte_with_the_first_frame_behind_it():
    found = WebSocket()
    data = handshake() + frame(b"hello")
    got = b"".join(found.receive(data[at : at + 1]) for at in range(len(data)))
    assert got == b"hello"
    assert found.is_open


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 125, 126, 127, 65_535, 65_536, 300_000])
@pytest.mark.parametrize("step", [1, 7, 1_000, 10**6])
def test_a_frame_arrives_whole_however_it_is_cut(size, step):
    payload = bytes(index * 7 & 255 for index in range(size))
    if step == 1 and size > 1_000:
        step = 999
    data = frame(payload) + frame(b"end")
    found = opened()
    got = b"".join(found.receive(data[at : at + step]) for at in range(0, len(data), step))
    assert got == payload + b"end"
    assert found.error is None


@given(
    payloads=st.lists(st.binary(max_size=300), max_size=8),
    cuts=st.lists(st.integers(0, 3_000), max_size=12),
)
def test_any_frames_in_any_pieces_are_the_same_stream(payloads, cuts):
    data = b"".join(frame(payload) + frame(b"", PING) for payload in payloads)
    bounds = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    found = opened()
    got = b"".join(found.receive(data[start:end]) for start, end in zip(bounds, bounds[1:], strict=False))
    assert got == b"".join(payloads)
    assert found.error is None
    assert len(found.replies) == len(payloads)


@given(data=st.binary(max_size=400))
def test_any_bytes_end_in_a_stream_or_an_error(data):
    for found in (opened(), WebSocket()):
        found.receive(data)
        found.receive(data)
        assert found.error is None or str(found.error)


def test_a_message_in_fragments_with_a_ping_between_them():
    found = opened()
    data = frame(b"a", fin=False) + frame(b"p", PING) + frame(b"b", 0, fin=False) + frame(b"c", 0) + frame(b"d")
    assert found.receive(data) == b"abcd"
    assert found.replies == [b"\x8a\x01p"]


def test_a_pong_is_heard_and_ignored():
    found = opened()
    assert found.receive(frame(b"x", PONG) + frame(b"a")) == b"a"
    assert found.replies == []


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe9going", b"\x0b\xb8", b"\x03\xe8" + "ü".encode()])
def test_a_close_is_answered_with_its_status(payload):
    found = opened()
    assert found.receive(frame(b"last") + frame(payload, CLOSE) + frame(b"after")) == b"last"
    assert found.closed and found.error is None
    assert found.replies == [b"\x88" + bytes((len(payload[:2]),)) + payload[:2]]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(frame(b"x", TEXT), 1003, id="text [MQTT-6.0.0-1]"),
        pytest.param(frame(b"x", TEXT, fin=False), 1003, id="text in parts"),
        pytest.param(frame(b"x", mask=b""), 1002, id="no mask"),
        pytest.param(b"\xc2\x81\0\0\0\0x", 1002, id="compressed"),
        pytest.param(frame(b"x", 3), 1002, id="unknown frame"),
        pytest.param(frame(b"x", 11), 1002, id="unknown control frame"),
        pytest.param(frame(b"x", PING, fin=False), 1002, id="Ping in parts"),
        pytest.param(frame(b"x" * 126, PING), 1002, id="long Ping"),
        pytest.param(frame(b"x", 0), 1002, id="continuation of nothing"),
        pytest.param(frame(b"x", BINARY, fin=False) + frame(b"y"), 1002, id="message within a message"),
        pytest.param(frame(b"\x03", CLOSE), 1002, id="half a status"),
        pytest.param(frame(b"\x03\xed", CLOSE), 1002, id="status 1005"),
        pytest.param(frame(b"\x00\x01", CLOSE), 1002, id="status 1"),
        pytest.param(frame(b"\x03\xe8\xff", CLOSE), 1007, id="reason is no UTF-8"),
    ],
)
def test_a_frame_against_the_standard_ends_it_after_what_came_before(data, status):
    found = opened()
    assert found.receive(frame(b"before") + data + frame(b"after")).startswith(b"before")
    assert found.error is not None
    assert found.error.status == status
    assert found.receive(frame(b"later")) == b""


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 1 << 33])
def test_the_header_of_a_frame_tells_its_length(length):
    header = websocket.data_header(length)
    assert header[0] == 0x82
    assert len(header) == (2 if length < 126 else 4 if length < 65_536 else 10)
    assert int.from_bytes(header[2:] or header[1:2], "big") == length
