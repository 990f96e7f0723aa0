"""`$SYS/broker/...`: what monitoring tools read of a broker, by the names and in the formats of Mosquitto.

The engine counts messages and bytes of connections, not packets of each type: "messages" are application
messages everywhere, and "publish/bytes" are all bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp

from protocols.hub.runs import Source
from protocols.mqtt.broker import Broker
from protocols.mqtt.packets import Message
from release import VERSION

_PREFIX = "$SYS/broker/"
_VERSION = f"gatehouse version {VERSION}"
_SERVER = Source(0, retain=True)
_MINUTE = 60.0
_SPANS = (1, 5, 15)  # minutes


@dataclass(frozen=True, slots=True)
class Ever:
    """What happened since the start; what "load" topics tell the rate of."""

    messages_in: int = 0
    messages_out: int = 0
    dropped: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    sockets: int = 0
    connects: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """What there is now."""

    connected: int = 0
    stored: int = 0  # sessions without a connection
    expired: int = 0  # sessions, ever
    subscriptions: int = 0
    shared: int = 0  # subscriptions
    queued: int = 0  # messages
    queued_bytes: int = 0
    retained: int = 0  # messages
    retained_bytes: int = 0


class Load:
    """Moving averages of a counter's growth in a minute, over 1, 5 and 15 minutes."""

    __slots__ = ("_averages", "_before")

    def __init__(self) -> None:
        self._before = 0
        self._averages = [0.0 for _ in _SPANS]

    def add(self, counter: int, seconds: float) -> list[float]:
        """Take in what was counted after so many more seconds; return the averages."""
        rate = (counter - self._before) * _MINUTE / seconds
        self._before = counter
        for place, span in enumerate(_SPANS):
            kept = exp(-seconds / (span * _MINUTE))
            self._averages[place] = rate + kept * (self._averages[place] - rate)
        return self._averages


class SysTopics:
    """Turns counters into topics, and remembers what was told."""

    def __init__(self, now: float) -> None:
        self._started = self._told_at = now
        self._most = 0
        self._told: dict[str, str] = {}
        self._loads = {name: Load() for name, _ in _rated(Ever())}

    def changed(self, ever: Ever, state: State, now: float) -> list[tuple[str, bytes]]:
        """Return topics and payloads that are not what was told last."""
        self._most = max(self._most, state.connected)
        values = {"version": _VERSION, "uptime": f"{now - self._started:.0f} seconds"}
        values.update(_counts(ever, state, self._most))
        if now > self._told_at:
            values.update(self._averages(ever, now - self._told_at))
            self._told_at = now
        found = {name: value for name, value in values.items() if self._told.get(name) != value}
        self._told.update(found)
        return [(_PREFIX + name, value.encode()) for name, value in found.items()]

    def _averages(self, ever: Ever, seconds: float) -> Iterator[tuple[str, str]]:
        for name, counter in _rated(ever):
            averages = self._loads[name].add(counter, seconds)
            for span, average in zip(_SPANS, averages, strict=True):
                yield f"load/{name}/{span}min", f"{average:.2f}"


def _rated(ever: Ever) -> Iterator[tuple[str, int]]:
    yield "messages/received", ever.messages_in
    yield "messages/sent", ever.messages_out
    yield "publish/received", ever.messages_in
    yield "publish/sent", ever.messages_out
    yield "publish/dropped", ever.dropped
    yield "bytes/received", ever.bytes_in
    yield "bytes/sent", ever.bytes_out
    yield "sockets", ever.sockets
    yield "connections", ever.connects


def _counts(ever: Ever, state: State, most: int) -> dict[str, str]:
    kept = state.queued + state.retained
    counts = {
        "clients/connected": state.connected,
        "clients/disconnected": state.stored,
        "clients/total": state.connected + state.stored,
        "clients/maximum": most,
        "clients/expired": state.expired,
        "clients/active": state.connected,  # older names of the same
        "clients/inactive": state.stored,
        "messages/received": ever.messages_in,
        "messages/sent": ever.messages_out,
        "messages/stored": kept,
        "publish/messages/received": ever.messages_in,
        "publish/messages/sent": ever.messages_out,
        "publish/messages/dropped": ever.dropped,
        "bytes/received": ever.bytes_in,
        "bytes/sent": ever.bytes_out,
        "publish/bytes/received": ever.bytes_in,
        "publish/bytes/sent": ever.bytes_out,
        "subscriptions/count": state.subscriptions,
        "shared_subscriptions/count": state.shared,
        "retained messages/count": state.retained,
        "store/messages/count": kept,
        "store/messages/bytes": state.queued_bytes + state.retained_bytes,
    }
    return {name: str(count) for name, count in counts.items()}


class SysPublisher:
    """Keeps the topics of one broker up to date."""

    def __init__(self, broker: Broker, interval: float, now: float) -> None:
        self._broker = broker
        self._interval = interval  # seconds
        self._due_at = now
        self._topics = SysTopics(now)

    def is_due(self, now: float) -> bool:
        """Say whether it is time to publish; the connections' traffic has to be reported then."""
        return now >= self._due_at

    def publish(self, now: float) -> None:
        """Publish what has changed."""
        self._due_at = now + self._interval
        for topic, payload in self._topics.changed(*read(self._broker), now):
            self._broker.publish(Message(topic, payload, retain=True), _SERVER)


def read(broker: Broker) -> tuple[Ever, State]:
    """Return what a broker has counted."""
    crowd, sessions, subscriptions, retained = broker.crowd, broker.sessions, broker.subscriptions, broker.retained
    total, hits = broker.tally.total, broker.hits.counts
    dropped = broker.flow.dropped + sum(hits[f"queue_{of}"] for of in ("messages", "bytes", "total_bytes"))
    ever = Ever(
        total.messages_in,
        total.messages_out,
        dropped,
        total.bytes_in,
        total.bytes_out,
        crowd.sockets,
        crowd.connects,
    )
    stored, shared = sessions.stored, subscriptions.shared
    state = State(
        connected=len(sessions) - stored,
        stored=stored,
        expired=sessions.expired,
        subscriptions=subscriptions.count - shared,
        shared=shared,
        queued=sum(session.queued for session in sessions),
        queued_bytes=broker.common.pool.size,
        retained=retained.count,
        retained_bytes=retained.size,
    )
    return ever, state
