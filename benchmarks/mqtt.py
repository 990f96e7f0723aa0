"""Messages and connections, beside Mosquitto in the same run."""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from benchmarks import load, seed
from benchmarks.report import Table, met, percentile, spread
from benchmarks.stack import Gatehouse, Mosquitto, Product

PAYLOAD = 64  # bytes
PAUSE = 0.5  # seconds between two measurements, for a broker to put its house in order


@dataclass(frozen=True, slots=True)
class Traffic:
    """A throughput: how many publish to how many, and how many times Mosquitto's figure is the goal."""

    what: str
    publishers: int
    subscribers: int
    goal: float | None = None
    qos: int = 0
    topics: int = 1
    joined: bool = True  # many messages in one write of the publisher


TRAFFIC = (
    Traffic("QoS 0, 1→1", 1, 1, 2.0),
    Traffic("QoS 0, 50→1", 50, 1, 2.0),
    Traffic("QoS 0, 1→50, messages out", 1, 50, 5.0),
    Traffic("QoS 1, 1→1", 1, 1, 1.5, qos=1),
    Traffic("QoS 0, 1→1, 100 topics in turn", 1, 1, topics=100),
    Traffic("QoS 0, 50→1, one message in a write", 50, 1, joined=False),
)


@dataclass(slots=True)
class Broker:
    """A running broker with the credentials to use, and what was seen of it by figure."""

    product: Product
    username: str
    password: str
    seen: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def run(self, what: str, job: str, **options: Any) -> None:
        """Run a job of the load against it, and keep the answer."""
        time.sleep(PAUSE)
        address = {"port": self.product.mqtt_port, "username": self.username, "password": self.password}
        self.seen.setdefault(what, []).append(load.run(job, **address, **options))

    def values(self, what: str, name: str) -> list[float]:
        """Return one value of a figure, of each round."""
        return [answer[name] for answer in self.seen[what]]

    def total(self, name: str) -> int:
        """Return the sum of one value over all throughputs and rounds."""
        return int(sum(sum(self.values(traffic.what, name)) for traffic in TRAFFIC))


def measure(*, quick: bool) -> list[Table]:
    """Return the figures, and where each broker and the load spent the processors."""
    rounds, seconds, count = (1, 0.5, 300) if quick else (5, 2.0, 3000)
    with ExitStack() as running:
        gatehouse = Gatehouse()
        (user,) = seed.fill(gatehouse.settings, 1)
        brokers = [
            Broker(running.enter_context(product), user.username, user.password)
            for product in (gatehouse, Mosquitto(user.username, user.password))
        ]
        for number in range(rounds):
            order = brokers[:: -1 if number % 2 else 1]
            _round(order, seconds, count)
    ours, theirs = brokers
    return [_figures(ours, theirs, rounds), _shares(ours, theirs)]


def _round(brokers: list[Broker], seconds: float, count: int) -> None:
    """Take each measurement with one broker right after the other."""
    for traffic in TRAFFIC:
        for broker in brokers:
            broker.run(
                traffic.what,
                "throughput",
                publishers=traffic.publishers,
                subscribers=traffic.subscribers,
                topics=traffic.topics,
                joined=traffic.joined,
                qos=traffic.qos,
                bytes=PAYLOAD,
                seconds=seconds,
                pids=broker.product.pids,
            )
    for broker in brokers:
        broker.run("round trip", "round_trip", messages=count, bytes=PAYLOAD)
    for broker in brokers:
        broker.run("connects", "connects", clients=count)


def _figures(ours: Broker, theirs: Broker, rounds: int) -> Table:
    table = Table(("What", "Goal", "Gatehouse", "Mosquitto", "Ratio", "Met"))
    for traffic in TRAFFIC:
        own, other = ours.values(traffic.what, "rate"), theirs.values(traffic.what, "rate")
        ratio = statistics.median(own) / statistics.median(other)
        goal, reached = "", ""
        if traffic.goal is not None:
            goal, reached = f"{traffic.goal:g} ×", met(ratio >= traffic.goal)
        table.add(traffic.what, goal, spread(own), spread(other), f"{ratio:.1f} ×", reached)
    for percent in (50, 99):
        own, other = (_microseconds(broker, percent) for broker in (ours, theirs))
        ratio = statistics.median(own) / statistics.median(other)
        table.add(f"Round trip, p{percent}", "", spread(own, " µs"), spread(other, " µs"), f"{ratio:.1f} ×", "")
    own, other = ours.values("connects", "rate"), theirs.values("connects", "rate")
    ratio = statistics.median(own) / statistics.median(other)
    table.add("Authenticated connects/s", "", spread(own), spread(other), f"{ratio:.1f} ×", "")
    table.notes.append(
        f"Messages a second, median (lowest–highest) of {rounds} rounds, {PAYLOAD} bytes each. {_lost(ours, theirs)}"
    )
    return table


def _microseconds(broker: Broker, percent: float) -> list[float]:
    return [percentile(answer["seconds"], percent) * 1e6 for answer in broker.seen["round trip"]]


def _lost(*brokers: Broker) -> str:
    """Say how many messages did not arrive."""
    facts = [f"{broker.product.name} {broker.total('lost'):,} of {broker.total('sent'):,} sent" for broker in brokers]
    return f"Lost messages: {', '.join(facts)}."


def _shares(ours: Broker, theirs: Broker) -> Table:
    """Return who was busy: a load near 100 % of a core is the limit itself."""
    table = Table(("Share of a core", "Gatehouse", "its load", "Mosquitto", "its load"))
    for traffic in TRAFFIC:
        cells = [
            f"{statistics.median(broker.values(traffic.what, name)):.0%}"
            for broker in (ours, theirs)
            for name in ("broker_cpu", "load_cpu")
        ]
        table.add(traffic.what, *cells)
    return table
