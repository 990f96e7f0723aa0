"""The server's side of a WebSocket (RFC 6455) that carries MQTT (section 6 of both versions): bytes in, bytes out.

The opening handshake is that of the package websockets, frames are taken apart here: MQTT is a stream to which frames
mean nothing, so that what has arrived of one is used at once, and all that arrives together is used together.
"""

from __future__ import annotations

from collections.abc import Sequence

from websockets.exceptions import NegotiationError
from websockets.frames import EXTERNAL_CLOSE_CODES
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from protocols.mqtt.errors import MqttError

try:
    from websockets.speedups import apply_mask
except ImportError:  # no wheel for this machine
    from websockets.utils import apply_mask

PATH = "/mqtt"
SUBPROTOCOLS = (Subprotocol("mqtt"), Subprotocol("mqttv3.1"))
MAX_HEAD = 16 * 1024

NORMAL, GOING_AWAY, PROTOCOL_ERROR, UNSUPPORTED, NO_UTF_8 = 1000, 1001, 1002, 1003, 1007

_FIN = 0x80
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_KNOWN = {_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG}
_MOST_CONTROL = 125  # bytes that a control frame may carry


class WebSocketError(MqttError):
    """What is wrong with the handshake or a frame; `status` is that of the Close frame."""

    def __init__(self, fact: str, status: int = PROTOCOL_ERROR) -> None:
        super().__init__(fact)
        self.status = status


class WebSocket:
    """One WebSocket.  `replies` gathers what is to be written, `error` says why it has to be closed.

    A frame is not held until it is complete: its length needs no limit of its own beside that of an MQTT packet.
    """

    __slots__ = ("_fragmented", "_left", "_mask", "_rest", "closed", "error", "is_open", "replies")

    def __init__(self) -> None:
        self.is_open = False  # the handshake was accepted
        self.closed = False  # the peer has sent its last frame
        self.error: WebSocketError | None = None
        self.replies: list[bytes] = []
        self._rest = b""  # of the handshake, or the start of a frame
        self._left = 0  # bytes still to come of the data frame whose header has been seen
        self._mask = b""  # for the next of them
        self._fragmented = False  # a message has begun whose last frame is still to come

    def receive(self, data: bytes) -> bytes:
        """Take in what arrived; return what it carries of the MQTT stream."""
        if not data or self.error is not None or self.closed:
            return b""
        if self._rest:
            data = self._rest + data
        try:
            if not self.is_open:
                start = self._open(data)
                if start is None:
                    return b""
                data = data[start:]
        except WebSocketError as error:
            self.error, self._rest = error, b""
            return b""
        pieces: list[bytes] = []
        try:
            self._rest = data[self._take(data, pieces) :]
        except WebSocketError as error:
            self.error, self._rest = error, b""
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _open(self, data: bytes) -> int | None:
        """Answer the handshake once it is complete; return where it ends."""
        if not data[:1].isalpha():
            raise WebSocketError(f"0x{data[0]:02x} instead of a WebSocket handshake")
        end = data.find(b"\r\n\r\n")
        if (len(data) if end < 0 else end) > MAX_HEAD:
            self.replies.append(refusal("431 Request Header Fields Too Large", "The request is too long."))
            raise WebSocketError("a WebSocket handshake that is too long")
        if end < 0:
            self._rest = data
            return None
        reply, fact = answer(data[: end + 4])
        self.replies.append(reply)
        if fact:
            raise WebSocketError(fact)
        self.is_open = True
        self._rest = b""
        return end + 4

    def _take(self, data: bytes, pieces: list[bytes]) -> int:
        """Take the frames apart; return where the first one starts that cannot be used yet."""
        position, end = 0, len(data)
        if self._left:
            position = self._go_on(data, pieces)
        while end - position >= 2 and not self.closed:
            first, length = data[position], data[position + 1]
            self._check(first, length)
            body = position + 6
            length &= 127
            if length == 126:
                body += 2
                length = int.from_bytes(data[position + 2 : position + 4], "big")
            elif length == 127:
                body += 8
                length = int.from_bytes(data[position + 2 : position + 10], "big")
            if end < body or (first & 8 and end < body + length):
                return position
            mask = data[body - 4 : body]
            position = body + length
            payload = apply_mask(data[body:position], mask)
            if first & 8:
                self._control(first & 15, payload)
                continue
            self._fragmented = first < _FIN
            pieces.append(payload)
            if position > end:
                self._left, self._mask = position - end, _turned(mask, end - body)
                return end
        return position

    def _go_on(self, data: bytes, pieces: list[bytes]) -> int:
        """Use more of a data frame; return where it ends."""
        taken = min(self._left, len(data))
        pieces.append(apply_mask(data[:taken], self._mask))
        self._left -= taken
        self._mask = _turned(self._mask, taken)
        return taken

    def _check(self, first: int, second: int) -> None:
        """Refuse a frame by its first two bytes (section 5.2)."""
        kind = first & 15
        if first & 0x70 or kind not in _KNOWN:
            raise WebSocketError(f"a WebSocket frame that starts with 0x{first:02x}")
        if second < 0x80:  # section 5.1
            raise WebSocketError("a WebSocket frame without a mask")
        if kind == _TEXT:  # [MQTT-6.0.0-1]
            raise WebSocketError("a WebSocket frame of text; MQTT is binary", UNSUPPORTED)
        if kind & 8 and (first < _FIN or second & 127 > _MOST_CONTROL):  # section 5.5
            raise WebSocketError("a WebSocket control frame that is too long, or in parts")
        if kind < 8 and self._fragmented != (kind == _CONTINUATION):  # section 5.4
            raise WebSocketError("a WebSocket message that begins before the last one has ended, or never began")

    def _control(self, kind: int, payload: bytes) -> None:
        if kind == _PING:
            self.replies.append(bytes((_FIN | _PONG, len(payload))) + payload)
        elif kind == _CLOSE:
            _check_close(payload)
            self.replies.append(close_frame(payload[:2]))
            self.closed = True


def data_header(length: int) -> bytes:
    """Return what stands in front of so many bytes of MQTT, as one binary frame."""
    if length < 126:
        return bytes((_FIN | _BINARY, length))
    if length < 65_536:
        return bytes((_FIN | _BINARY, 126)) + length.to_bytes(2, "big")
    return bytes((_FIN | _BINARY, 127)) + length.to_bytes(8, "big")


def close_frame(status: bytes) -> bytes:
    """Return a Close frame with a status in two bytes, or without one."""
    return bytes((_FIN | _CLOSE, len(status))) + status


def refusal(status: str, text: str) -> bytes:
    """Return an HTTP answer of plain text, after which the connection is closed."""
    lines = (f"HTTP/1.1 {status}", "Connection: close", "Content-Type: text/plain; charset=utf-8")
    return "\r\n".join((*lines, f"Content-Length: {len(text) + 1}", "", f"{text}\n")).encode()


def answer(head: bytes) -> tuple[bytes, str]:
    """Return the answer to a complete handshake, and why it is a refusal."""
    protocol = ServerProtocol(subprotocols=SUBPROTOCOLS, select_subprotocol=_select)
    protocol.receive_data(head)
    requests = protocol.events_received()
    if not requests:
        reply = b"".join(protocol.data_to_send()) or refusal("400 Bad Request", "This is no HTTP request.")
        return reply, f"no WebSocket handshake: {protocol.handshake_exc}"
    request = requests[0]
    assert isinstance(request, Request)  # noqa: S101 - nothing else comes first
    if request.path.partition("?")[0] != PATH:
        return refusal("404 Not Found", f"MQTT is at {PATH}."), f"a WebSocket handshake for {request.path[:60]!r}"
    response: Response = protocol.accept(request)
    if response.status_code != 101:
        return bytes(response.serialize()), f"no WebSocket handshake: {protocol.handshake_exc}"
    return bytes(response.serialize()), ""


def _select(protocol: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Choose a subprotocol.  A client must offer one [MQTT-6.0.0-3]; one that offers none is let in all the same."""
    for ours in SUBPROTOCOLS:  # [MQTT-6.0.0-4]
        if ours in offered:
            return ours
    if offered:
        raise NegotiationError(f"the subprotocol is none of {', '.join(SUBPROTOCOLS)}")
    return None


def _check_close(payload: bytes) -> None:
    """Refuse a Close frame by what it carries (sections 5.5.1 and 7.4)."""
    if not payload:
        return
    status = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or (status not in EXTERNAL_CLOSE_CODES and not 3000 <= status < 5000):
        raise WebSocketError("a WebSocket Close frame without a proper status")
    try:
        payload[2:].decode("utf-8")
    except UnicodeDecodeError:
        raise WebSocketError("a WebSocket Close frame whose reason is no UTF-8", NO_UTF_8) from None


def _turned(mask: bytes, used: int) -> bytes:
    """Return the mask for what follows so many bytes."""
    used &= 3
    return mask[used:] + mask[:used]
