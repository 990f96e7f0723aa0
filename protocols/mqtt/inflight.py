"""The QoS 1 and 2 messages that are sent to one client and not acknowledged (4.3)."""

from __future__ import annotations

from protocols.mqtt import encode
from protocols.mqtt.backlog import RELEASED, Entry
from protocols.mqtt.common import Common
from protocols.mqtt.errors import ProtocolViolation
from protocols.mqtt.line import Line
from protocols.mqtt.packets import PACKET_IDENTIFIER_NOT_FOUND, SUCCESS, UNSPECIFIED_ERROR, Message

LARGE = 65_536  # bytes of a payload
_RELEASED_MESSAGE = Message("", b"", 2)


class Inflight:
    """What is under way to a client; its acknowledgements end it."""

    __slots__ = ("_common", "_has_freed", "_inflight", "_large", "expiry", "level", "line")

    def __init__(self, common: Common, level: int, expiry: int) -> None:
        self.level = level  # of the connection, or of the last one
        self.expiry = expiry  # seconds that the session lasts after the end of the connection
        self.line: Line | None = None
        self._common = common
        # Messages that are sent and not acknowledged, oldest first, then those that are released.
        self._inflight: dict[int, Entry] = {}
        self._large = 0  # bytes of large messages among them
        self._has_freed = False  # fewer messages are under way than when more were sent last

    def may_receive(self, topic: str) -> bool:
        """Say whether a message that a subscription matches may go out."""
        raise NotImplementedError

    def record_entry(self, entry: Entry) -> None:
        """Have a message recorded; only called for what outlives the connection."""
        raise NotImplementedError

    def forget_entry(self, entry: Entry) -> None:
        """Have a message forgotten."""
        raise NotImplementedError

    def puback(self, packet_id: int, reason: int = 0) -> None:
        """Forget a QoS 1 message that has arrived, or was refused (4.3.2)."""
        entry = self._inflight.get(packet_id)
        if entry is not None:
            if entry.message.qos != 1:
                raise ProtocolViolation("PUBACK for a QoS 2 message")
            del self._inflight[packet_id]
            if self._large:
                self._count(entry, -1)
            if self.expiry:
                self.forget_entry(entry)
            self._has_freed = True

    def pubrec(self, packet_id: int, reason: int = 0) -> None:
        """Forget a QoS 2 message that has arrived, and release its identifier (4.3.3)."""
        entry = self._inflight.get(packet_id)
        if entry is not None and entry.message.qos != 2:
            raise ProtocolViolation("PUBREC for a QoS 1 message")
        if reason >= UNSPECIFIED_ERROR:  # [MQTT5-4.3.3-4] refused: the handshake ends here
            if entry is not None:
                del self._inflight[packet_id]
                self._count(entry, -1)
                self.forget_entry(entry)
            self._has_freed = True
            return
        if entry is not None:
            del self._inflight[packet_id]
            self._inflight[packet_id] = entry  # [MQTT-4.6.0-4] PUBRELs in the order of the PUBRECs
            self._count(entry, -1)
            entry.message, entry.state = _RELEASED_MESSAGE, RELEASED
            if self.expiry:
                self.record_entry(entry)
        if self.line is not None:  # also when unknown: the client's handshake ends
            found = SUCCESS if entry is not None else PACKET_IDENTIFIER_NOT_FOUND
            data = encode.pubrel(packet_id, found, level=self.level)
            self.line.gate.send(data, wait=entry is not None and self.expiry > 0 and self._common.keeper.pending)

    def pubcomp(self, packet_id: int, reason: int = 0) -> None:
        """End a QoS 2 handshake (4.3.3)."""
        entry = self._inflight.get(packet_id)
        if entry is not None:
            if entry.state != RELEASED:
                raise ProtocolViolation("PUBCOMP before PUBREC")
            del self._inflight[packet_id]
            self.forget_entry(entry)
            self._has_freed = True

    def _count(self, entry: Entry, sign: int) -> None:
        """Note that a message is under way, or is no more; small ones are bounded by their number."""
        size = len(entry.message.payload)
        if size > LARGE:
            self._large += sign * size
            self._common.pool.size += sign * size

    @property
    def _may_send_more(self) -> bool:
        """Say whether there is room for a message beside the large ones that are under way."""
        pool = self._common.pool
        return self._large < self._common.limits.queue_bytes and pool.size < pool.limit
