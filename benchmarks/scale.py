"""What many clients that do little cost: their memory, their pings, and their subscriptions."""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks import brokers, processes
from benchmarks.brokers import NAMES, Broker
from benchmarks.load import Load, LoadFailed
from benchmarks.measurements import DELIVERIES, PAYLOAD
from benchmarks.report import Table, met

MEMORY_GOAL = 6.0  # kB for each idle connection
CPU_GOAL = 0.05  # of a core
FLAT_GOAL = 1.2  # times the cost with the fewest subscriptions
KEEP_ALIVE = 60  # seconds
KB = 1e3
CONNECT_RATES = {"amqtt": 400}  # clients a second
CONNECT_RATE = 1_000
SETTLE = 2  # seconds
TOPICS = 5_000  # in turn: more than Gatehouse's cache of routes keeps
HOPELESS = 100  # microseconds of a message from where on more subscriptions are not tried


@dataclass(slots=True)
class Idle:
    memory: float  # bytes for each connection
    share: float = 0.0  # of a core


def measure(*, quick: bool) -> list[Table]:
    """Return the cost of idle clients, and of publishing beside many subscriptions."""
    clients, watch = (500, 3) if quick else (10_000, KEEP_ALIVE)
    with brokers.running(clients) as (found, notes):
        idle = _idle(found, clients, watch)
    idle.notes.extend(notes)
    steps, runs, seconds = ((10, 100), 1, 0.3) if quick else ((10, 1_000, 10_000, 100_000), 3, 0.8)
    with brokers.running() as (found, _):
        crowded = _crowded(found, steps, runs, seconds)
    return [idle, crowded]


def _idle(found: list[Broker], clients: int, watch: float) -> Table:
    """Connect clients to one broker after the other; then watch all of them for a keep alive."""
    idle: dict[str, Idle] = {}
    failed: dict[str, str] = {}
    with ExitStack() as held:
        for broker in found:
            before = _memory(broker)
            users = [broker.credentials[number % len(broker.credentials)] for number in range(clients)]
            job = {
                "port": broker.product.mqtt_port,
                "rate": CONNECT_RATES.get(broker.name, CONNECT_RATE),
                "keep_alive": KEEP_ALIVE,
                "clients": [(f"idle-{number}", user.username, user.password) for number, user in enumerate(users)],
            }
            try:
                held.enter_context(Load("hold", timeout=400, **job)).answer()
            except LoadFailed as error:
                failed[broker.name] = str(error)
                continue
            time.sleep(SETTLE)
            idle[broker.name] = Idle((_memory(broker) - before) / clients)
        _watch([broker for broker in found if broker.name in idle], idle, watch)
    return _idle_table(idle, failed, clients)


def _watch(found: list[Broker], idle: dict[str, Idle], seconds: float) -> None:
    """Note how much processor time each broker uses while its clients do nothing but ping."""
    start = time.monotonic()
    before = {broker.name: processes.cpu_seconds(broker.product.pids) for broker in found}
    time.sleep(seconds)
    for broker in found:
        used = processes.cpu_seconds(broker.product.pids) - before[broker.name]
        idle[broker.name].share = used / (time.monotonic() - start)


def _memory(broker: Broker) -> int:
    return sum(processes.proportional_bytes(pid) for pid in broker.product.pids)


def _idle_table(idle: dict[str, Idle], failed: dict[str, str], clients: int) -> Table:
    table = Table((f"{clients:,} idle clients", "Goal", *NAMES, "Met"))
    memory = [f"{idle[name].memory / KB:.1f} kB" if name in idle else "–" for name in NAMES]
    share = [f"{idle[name].share:.1%}" if name in idle else "–" for name in NAMES]
    ours = idle[NAMES[0]]
    table.add("Memory for each connection", f"≤ {MEMORY_GOAL:g} kB", *memory, met(ours.memory / KB <= MEMORY_GOAL))
    goal = f"≤ {CPU_GOAL:.0%} of a core"
    table.add(f"Processor use, keep alive {KEEP_ALIVE} s", goal, *share, met(ours.share <= CPU_GOAL))
    table.notes.extend(f"{name}: {reason}." for name, reason in failed.items())
    return table


def _crowded(found: list[Broker], steps: tuple[int, ...], runs: int, seconds: float) -> Table:
    """Publish beside more and more subscriptions of others."""
    job = {
        "publishers": 1,
        "subscribers": 1,
        "qos": 0,
        "level": 4,
        "topics": TOPICS,
        "bytes": PAYLOAD,
        "joined": True,
        "seconds": seconds,
        "deliveries": DELIVERIES,
    }
    for broker in found:
        with ExitStack() as held:
            for first, last in zip((0, *steps), steps, strict=False):
                try:
                    held.enter_context(Load("crowd", timeout=400, first=first, last=last, **broker.address)).answer()
                except LoadFailed as error:
                    broker.failed[_key(last)] = str(error)
                    break
                for _ in range(runs if broker in found[:2] else 1):
                    broker.run(_key(last), "throughput", job)
                cost = _microseconds(broker.values(_key(last), "rate"))
                if cost is not None and cost > HOPELESS:
                    broker.failed[f"more than {_key(last)}"] = "not tried, for each message is compared with every one"
                if cost is None or cost > HOPELESS:
                    break
    return _crowded_table(found, steps, runs)


def _key(subscriptions: int) -> str:
    return f"{subscriptions:,} other subscriptions"


def _crowded_table(found: list[Broker], steps: tuple[int, ...], runs: int) -> Table:
    table = Table(("µs of each message, 1→1", "Goal", *NAMES, "Met"))
    costs = {broker.name: [_microseconds(broker.values(_key(step), "rate")) for step in steps] for broker in found}
    for number, step in enumerate(steps):
        cells = [_cost(costs[name][number]) if name in costs else "–" for name in NAMES]
        table.add(_key(step), "", *cells, "")
    growths = {name: seen[-1] / seen[0] if seen[0] and seen[-1] else None for name, seen in costs.items()}
    cells = [f"{growth:.2f} ×" if (growth := growths.get(name)) else "–" for name in NAMES]
    ours = growths[NAMES[0]]
    reached = ours is not None and ours <= FLAT_GOAL
    table.add(f"{steps[-1]:,} beside {steps[0]:,}", f"≤ {FLAT_GOAL:g} ×", *cells, met(reached))
    table.notes.append(f"{TOPICS:,} topics in turn; median of {runs} runs, aedes and amqtt once each.")
    table.notes.extend(f"{broker.name}, {what}: {why}." for broker in found for what, why in broker.failed.items())
    return table


def _microseconds(rates: list[float]) -> float | None:
    return 1e6 / statistics.median(rates) if rates else None


def _cost(microseconds: float | None) -> str:
    return "–" if microseconds is None else f"{microseconds:.2f}"
