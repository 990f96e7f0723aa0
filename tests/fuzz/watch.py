"""What a client may expect of everything that the server sends it."""

from __future__ import annotations

from typing import Any

from tests.protocols.mqtt import mqtt_wire as wire

_HEADS = {0x20, 0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xD0, 0xE0}
_UNREAD = {0x81, 0x82, 0x90}  # of CONNACK: the client's properties were not understood


class Watch:
    """Reads one connection's packets; an AssertionError says what is wrong with one."""

    def __init__(self, connect: bytes, stated: dict[int, Any]) -> None:
        [(_, body)], _ = wire.split(connect) if connect else ([(0, b"")], b"")
        self.level = 5 if body[6:7] == b"\5" else 4
        if self.level < 5:
            stated = {}
        self.accepted = False
        self.inflight: dict[int, int] = {}  # QoS by packet identifier
        self._window = stated.get(0x21, 65_535)
        self._largest = stated.get(0x27, 0xFFFFFFFF)
        self._most_aliases = stated.get(0x22, 0)
        self._aliases: dict[int, bytes] = {}
        self._rest = b""

    def read(self, data: bytes) -> list[wire.Received]:
        """Take in bytes; return the packets that are complete."""
        found, self._rest = wire.split(self._rest + data)
        for head, body in found:
            size = 1 + len(wire.variable(len(body))) + len(body)
            if head == 0x20 and body[1] in _UNREAD:
                continue
            assert size <= self._largest, f"0x{head:02x} of {size} bytes; the client takes {self._largest}"
            if head >> 4 == 3:
                self._message(head, body)
            else:
                assert head in _HEADS, f"0x{head:02x} from the server"
                self._other(head, body)
        return found

    def _other(self, head: int, body: bytes) -> None:
        if head == 0x20:
            assert not self.accepted, "a second CONNACK"
            self.accepted = body[1] == 0
            if self.level >= 5:
                self._ends(body, 2)
        else:
            assert self.accepted, f"0x{head:02x} before CONNACK"
        if self.level < 5:
            assert head != 0xE0, "DISCONNECT to a client of 3.1.1"
            assert head not in (0x40, 0x50, 0x62, 0x70, 0xB0) or len(body) == 2
        elif head in (0x90, 0xB0):
            wire.read_properties(body, 2)
        elif head in (0x40, 0x50, 0x62, 0x70) and len(body) > 3:
            self._ends(body, 3)
        elif head == 0xE0 and len(body) > 1:
            self._ends(body, 1)

    def _ends(self, body: bytes, at: int) -> None:
        assert wire.read_properties(body, at)[1] == len(body), "bytes after the properties"

    def _message(self, head: int, body: bytes) -> None:
        assert self.accepted, "PUBLISH before CONNACK"
        qos, at = head >> 1 & 3, 2 + int.from_bytes(body[:2], "big")
        topic, stated = body[2:at], {}
        packet_id = int.from_bytes(body[at : at + 2], "big")
        at += 2 if qos else 0
        if self.level >= 5:
            stated, at = wire.read_properties(body, at)
        alias = stated.get(0x23, 0)
        assert alias <= self._most_aliases, f"topic alias {alias}, {self._most_aliases} are allowed"
        assert topic or alias in self._aliases, f"topic alias {alias} was not defined"
        if alias and topic:
            self._aliases[alias] = topic
        assert b"+" not in topic and b"#" not in topic
        if qos:
            assert packet_id, "packet identifier 0"
            assert packet_id not in self.inflight, f"packet identifier {packet_id} is in use"
            self.inflight[packet_id] = qos
            count = len(self.inflight)
            assert count <= self._window, f"{count} messages under way, receive maximum {self._window}"
