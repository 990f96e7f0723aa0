"""Calls from a client to an agent, through Gatehouse and through Mosquitto in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from benchmarks import processes, seed
from benchmarks.peers.mosquitto import Mosquitto
from benchmarks.report import Table, met, milliseconds, percentile, spread
from benchmarks.stack import READY_WITHIN, Gatehouse, Product
from benchmarks.subject import PAUSE
from benchmarks.vrpc.programs import Agent, Caller

NAMES = (Gatehouse.name, Mosquitto.name)
CASES = (("add", 1), ("add", 10), ("later", 1))
WORDS = {"add": "Calls", "later": "Calls with a promise"}
PERCENTILES = {"add": (50, 99), "later": (50,)}  # of promises there are few in a round


@dataclass(slots=True)
class Side:
    """A running broker with an agent and a client; what was seen, by case, once a round."""

    product: Product
    agent: Agent
    caller: Caller
    rates: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    times: dict[tuple[str, int], list[list[float]]] = field(default_factory=dict)
    shares: dict[tuple[str, int], list[list[float]]] = field(default_factory=dict)

    def warm_up(self, seconds: float) -> None:
        """Let the programs get to know their work: Node compiles its code, and Python specialises its own."""
        for case in CASES:
            self.caller.measure(*case, seconds)

    def run(self, case: tuple[str, int], seconds: float) -> None:
        """Measure one case."""
        time.sleep(PAUSE)
        groups = [self.product.pids, [self.agent.process.pid], [self.caller.process.pid]]
        before = [processes.cpu_seconds(pids) for pids in groups]
        answer = self.caller.measure(*case, seconds)
        used = [processes.cpu_seconds(pids) - start for pids, start in zip(groups, before, strict=True)]
        self.rates.setdefault(case, []).append(len(answer["times"]) / answer["seconds"])
        self.times.setdefault(case, []).append([one / 1000 for one in answer["times"]])
        self.shares.setdefault(case, []).append([one / answer["seconds"] for one in used])


def measure(*, quick: bool) -> list[Table]:
    """Return rates and round trips beside Mosquitto's, and who was busy."""
    rounds, seconds = (1, 0.3) if quick else (9, 1.0)
    with running() as sides:
        for side in sides:
            side.warm_up(seconds)
        for number in range(rounds):
            for case in CASES:
                for side in sides[:: -1 if number % 2 else 1]:
                    side.run(case, seconds)
    return [_figures(sides, rounds, seconds), _shares(sides)]


@contextmanager
def running() -> Iterator[list[Side]]:
    """Run both brokers, each with an agent and a client; in Gatehouse these are two integrations."""
    with ExitStack() as stack:
        gatehouse = Gatehouse()
        users = seed.fill(gatehouse.settings, 2, kind="vrpc")
        mosquitto = Mosquitto(users[0].username, users[0].password)
        products: list[Product] = [gatehouse, mosquitto]
        stack.enter_context(gatehouse)
        processes.wait_until(gatehouse.acknowledges, READY_WITHIN, "all servers of Gatehouse to be there")
        stack.enter_context(mosquitto)
        sides = []
        for product, credentials in zip(products, (users, [users[0]] * 2), strict=True):
            agent = stack.enter_context(Agent(product, credentials[0]))
            sides.append(Side(product, agent, stack.enter_context(Caller(product, credentials[1]))))
        yield sides


def _name(case: tuple[str, int]) -> str:
    call, callers = case
    return f"{WORDS[call]}, {callers} caller{'s' * (callers > 1)}"


def _figures(sides: list[Side], rounds: int, seconds: float) -> Table:
    table = Table(("What", "Goal", *NAMES, "Ratio", "Met"))
    for case in CASES:
        rates = [side.rates[case] for side in sides]
        ratio = statistics.median(rates[0]) / statistics.median(rates[1])
        table.add(f"{_name(case)}, a second", "≥ 1 ×", *map(spread, rates), f"{ratio:.2f} ×", met(ratio >= 1))
        for percent in PERCENTILES[case[0]]:
            seen = [statistics.median(percentile(one, percent) for one in side.times[case]) for side in sides]
            ratio = seen[0] / seen[1]
            what = f"{_name(case)}, round trip p{percent}"
            table.add(what, "≤ 1 ×", *map(milliseconds, seen), f"{ratio:.2f} ×", met(ratio <= 1))
    table.notes.append(
        f"{rounds} rounds of {seconds:g} s, which begin with either in turn: median (lowest–highest) of rates, "
        "median of percentiles. The ratio is Gatehouse's to Mosquitto's."
    )
    return table


def _shares(sides: list[Side]) -> Table:
    columns = [column for name in NAMES for column in (name, "its agent", "its client")]
    table = Table(("Share of a core", *columns))
    for case in CASES:
        cells = [
            f"{statistics.median(values):.0%}" for side in sides for values in zip(*side.shares[case], strict=True)
        ]
        table.add(_name(case), *cells)
    return table
