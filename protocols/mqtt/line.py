"""How one client is spoken to: its protocol level, and what it said in CONNECT that it takes."""

from __future__ import annotations

from math import ceil
from typing import Protocol

from protocols.mqtt import encode
from protocols.mqtt.common import Common
from protocols.mqtt.gate import Gate
from protocols.mqtt.outbox import Outbox
from protocols.mqtt.packets import LEVEL_3_1_1, Message

_ALIAS_WORTH = 6  # bytes of a topic name that an alias costs anyway, or nearly
_ROUNDING = 1e-6  # seconds that the difference of two times may be too large by


class Link(Protocol):
    """The connection that a session is on."""

    outbox: Outbox
    gate: Gate

    def close(self, reason: str, *, gently: bool = False, code: int | None = None) -> None:
        """Close the connection now, its Will is published; `code` is told to a client of 5.0."""
        ...


class Line:
    """One client's side of a connection, as long as that lasts."""

    __slots__ = ("_aliases", "_common", "aliases", "gate", "level", "link", "max_packet", "outbox", "window")

    def __init__(
        self,
        common: Common,
        link: Link,
        level: int = LEVEL_3_1_1,
        *,
        window: int = 65_535,
        max_packet: int = 0,
        aliases: int = 0,
    ) -> None:
        self.link = link
        self.outbox = link.outbox
        self.gate = link.gate
        self.level = level
        self.window = min(window, common.limits.inflight)  # [MQTT5-3.3.4-9]
        # 0 for any; nothing comes in that would go out in twice its size
        self.max_packet = max_packet if max_packet < 2 * common.limits.max_packet else 0
        self.aliases = min(aliases, common.limits.topic_aliases)  # [MQTT5-3.3.2-9]
        self._aliases: dict[str, int] = {}  # those sent most recently are the last
        self._common = common

    @property
    def is_simple(self) -> bool:
        """Say whether every client of this level is sent the same bytes."""
        return not self.max_packet and not self.aliases

    def offer(self, message: Message, identifiers: tuple[int, ...] = ()) -> None:
        """Send a QoS 0 message, or drop and count it."""
        data = self.encode(message, identifiers=identifiers)
        if data is not None and not self.outbox.offer(data, 1):
            self._aliases.clear()  # it may not have learnt of the last one

    def encode(
        self,
        message: Message,
        packet_id: int = 0,
        *,
        dup: bool = False,
        identifiers: tuple[int, ...] = (),
        in_order: bool = True,
    ) -> bytes | None:
        """Encode a message; None when it has expired and was never sent, or is too large for this client.

        What may be overtaken is not `in_order`: no topic alias can depend on it.
        """
        expiry = None
        if message.expires_at is not None:
            left = message.expires_at - self._common.now
            if left < 0 and not dup:  # [MQTT5-3.3.2-5] [MQTT5-4.3.3-7] [MQTT5-4.3.3-13]
                return None
            expiry = max(0, ceil(left - _ROUNDING))  # [MQTT5-3.3.2-6]
        if self.level == LEVEL_3_1_1:
            return encode.publish(message, packet_id, dup=dup)
        if self.aliases and in_order and len(message.topic) > _ALIAS_WORTH:
            return self._encode_with_alias(message, packet_id, dup, identifiers, expiry)
        data = encode.publish(message, packet_id, dup=dup, level=self.level, expiry=expiry, identifiers=identifiers)
        return data if self._fits(data) else None

    def _encode_with_alias(
        self, message: Message, packet_id: int, dup: bool, identifiers: tuple[int, ...], expiry: int | None
    ) -> bytes | None:
        topic = message.topic
        alias = self._aliases.pop(topic, 0)
        bare = alias != 0
        if not bare:
            alias = self._new_alias()
        data = encode.publish(
            message,
            packet_id,
            dup=dup,
            level=self.level,
            expiry=expiry,
            identifiers=identifiers,
            alias=alias,
            bare=bare,
        )
        if not self._fits(data):
            self._aliases.clear()
            return None
        self._aliases[topic] = alias
        return data

    def _new_alias(self) -> int:
        """Return the next alias, or that of the topic that was sent the longest ago."""
        if len(self._aliases) < self.aliases:
            return len(self._aliases) + 1
        return self._aliases.pop(next(iter(self._aliases)))

    def _fits(self, data: bytes) -> bool:
        if not self.max_packet or len(data) <= self.max_packet:
            return True
        self._common.hits.add("max_packet")  # [MQTT5-3.1.2-24] [MQTT5-3.1.2-25] as if it were delivered
        return False
