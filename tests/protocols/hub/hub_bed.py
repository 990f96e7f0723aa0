"""A hub without a broker, a clock to set, and who listens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from protocols.hub.hub import Hub
from protocols.hub.keeping import Keeper
from protocols.hub.limits import HubLimits
from protocols.hub.messages import Message
from protocols.hub.runs import Source

START = 1_000.0


class Clock:
    """The time, as it is set."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class Ear:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.turns = 0

    def heard(self, messages: Sequence[Message]) -> None:
        self.messages += messages
        self.turns += 1

    @property
    def told(self) -> list[tuple[str, bytes]]:
        return [(message.topic, message.payload) for message in self.messages]


class Bed:
    """A hub that is told what a broker would tell it."""

    def __init__(self, keeper: Keeper | None = None, **limits: Any) -> None:
        self.clock = Clock()
        self.hub = Hub(HubLimits(**{"expiry_interval": 0.0, **limits}), self.clock, keeper)
        self.woken = 0
        self.hub.wake = self._wake

    def _wake(self) -> None:
        self.woken += 1

    def run(self, topic: str, *payloads: bytes, who: int = 1) -> Bed:
        """Note packets of one topic and one size, as they arrive together."""
        head = b"\x30\x00" + len(topic).to_bytes(2, "big") + topic.encode()
        before, size = len(head), len(head) + len(payloads[0])
        data = b"before" + b"".join(head + payload for payload in payloads) + b"behind"
        end = 6 + size * len(payloads)
        entry = self.hub.entry(topic)
        if not self.hub.heard:
            self.hub.wake()
        self.hub.waiting += len(data)
        self.hub.heard += (entry, data, 6, 6 + before, end, len(payloads), who)
        return self

    def one(self, topic: str, payload: bytes, who: int = 1, **source: Any) -> Bed:
        """Note a single message with a retain flag, or an expiry."""
        self.hub.hear(self.hub.entry(topic), payload, Source(who, **source))
        return self

    def listen(self, *filters: str) -> Ear:
        ear = Ear()
        self.hub.listen(filters, ear, anything)
        return ear

    def history(self, topic: str, limit: int = 1_000) -> list[bytes]:
        return [message.payload for message in self.hub.history(topic, limit)]


def anything(topic: str) -> bool:
    return True
