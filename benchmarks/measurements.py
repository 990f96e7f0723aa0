"""What is measured of every broker: the jobs of the load, the figures that their answers hold, and the goals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.report import percentile

Answer = Mapping[str, Any]

PAYLOAD = 64  # bytes
KB, MB = 1_000, 1_000_000
DELIVERIES = 200_000  # QoS 0 messages under way to all receivers together
UNDER_WAY = 32 * MB  # and as many bytes at the most
OFFLINE_MESSAGES = 150_000
PACE = 1_000  # messages a second, for the round trip
SLOW = 10  # times fewer messages under way, and connections, for a peer that is slow

NO_LEVEL_5 = "speaks no MQTT 5.0"


@dataclass(frozen=True, slots=True)
class Figure:
    """A value of an answer; the goal bounds Gatehouse's value divided by Mosquitto's."""

    what: str
    value: Callable[[Answer], float]
    goal: float | None = None
    at_most: bool = False
    unit: str = ""

    @property
    def bound(self) -> str:
        """Return the goal in words."""
        return "" if self.goal is None else f"{'≤' if self.at_most else '≥'} {self.goal:g} ×"

    def is_met(self, ratio: float) -> bool:
        """Tell whether a ratio reaches the goal."""
        assert self.goal is not None
        return ratio <= self.goal if self.at_most else ratio >= self.goal


@dataclass(frozen=True, slots=True)
class Measurement:
    """A job of the load, and what is read from its answer."""

    job: str
    options: Mapping[str, Any]
    figures: tuple[Figure, ...]
    without: Mapping[str, str] = field(default_factory=dict)  # peers that cannot do it, with the reason

    @property
    def what(self) -> str:
        return self.figures[0].what


def _rate(answer: Answer) -> float:
    return float(answer["rate"])


def _traffic(
    what: str,
    publishers: int,
    subscribers: int,
    goal: float | None = None,
    *,
    qos: int = 0,
    level: int = 4,
    topics: int = 1,
    size: int = PAYLOAD,
    joined: bool = True,
) -> Measurement:
    """Return a throughput; `joined`: many messages in one write of the publisher."""
    options = {
        "publishers": publishers,
        "subscribers": subscribers,
        "qos": qos,
        "level": level,
        "topics": topics,
        "bytes": size,
        "joined": joined,
        "deliveries": min(DELIVERIES, UNDER_WAY // size),
    }
    figure = Figure(what, _rate, goal)
    if size != PAYLOAD:
        figure = Figure(what, lambda answer: answer["rate"] * size / MB, goal, unit=" MB/s")
    return Measurement("throughput", options, (figure,), {} if level == 4 else dict.fromkeys(PEERS, NO_LEVEL_5))


def _round_trip(percent: int) -> Figure:
    what = f"Round trip at {PACE:,} msg/s, p{percent}"
    return Figure(what, lambda answer: percentile(answer["seconds"], percent) * 1e6, 1.0, at_most=True, unit=" µs")


PEERS = ("aedes", "amqtt")

TRAFFIC = (
    _traffic("QoS 0, 1→1", 1, 1, 3.0),
    _traffic("QoS 0, 50→1", 50, 1, 3.0),
    _traffic("QoS 0, 1→50, messages out", 1, 50, 8.0),
    _traffic("QoS 0, 1→1000, messages out", 1, 1000, 8.0),
    _traffic("QoS 1, 1→1", 1, 1, 2.0, qos=1),
    _traffic("QoS 2, 1→1", 1, 1, 2.0, qos=2),
    Measurement(
        "offline",
        {"bytes": PAYLOAD, "at_most": OFFLINE_MESSAGES},
        (Figure("QoS 1 to a durable offline session, PUBACKs", _rate, 1.0),),
    ),
    _traffic("16 kB, 1→1", 1, 1, 1.0, size=16 * KB),
    _traffic("1 MB, 1→1", 1, 1, 1.0, size=MB),
    _traffic("QoS 0, 1→1, 100 topics in turn", 1, 1, topics=100),
    _traffic("QoS 0, 50→1, one message in a write", 50, 1, joined=False),
    _traffic("QoS 0, 1→1, MQTT 5.0", 1, 1, level=5),
)

MEASUREMENTS = (
    *TRAFFIC,
    Measurement("round_trip", {"bytes": PAYLOAD, "rate": PACE}, (_round_trip(50), _round_trip(99))),
    Measurement("connects", {}, (Figure("Authenticated connects/s", _rate, 1.0),)),
)
