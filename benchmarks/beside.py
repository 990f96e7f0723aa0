"""The product of this worktree beside that of another one: what the changes between them cost."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks import seed
from benchmarks.brokers import Broker
from benchmarks.measurements import MEASUREMENTS
from benchmarks.mqtt import cell, options, reasons, times
from benchmarks.report import Table
from benchmarks.seed import Credential
from benchmarks.stack import UNHAMPERED, Gatehouse


class Other(Gatehouse):
    """The product as another worktree has it, perhaps of an older commit."""

    name = "the other"

    def __init__(self, root: Path) -> None:
        super().__init__(UNHAMPERED)
        self.root = root

    def let_in(self, user: Credential) -> None:
        """Add an integration, by the command line: its database is not ours to write."""
        command = ["integrations", "add", "--type", "mqtt", "--username", user.username, "--password", "-"]
        subprocess.run(
            [sys.executable, "-m", "flask", *command],
            cwd=self.root,
            env=self.environ,
            input=user.password.encode(),
            stdout=subprocess.DEVNULL,
            check=True,
        )


def measure(root: Path, *, quick: bool, only: str = "") -> list[Table]:
    """Measure both in turn while both run: whatever else the machine does meets both."""
    rounds, seconds = (1, 0.3) if quick else (5, 1.0)
    chosen = [one for one in MEASUREMENTS if any(only.lower() in figure.what.lower() for figure in one.figures)]
    ours, other = Gatehouse(UNHAMPERED), Other(root)
    users = seed.fill(ours.settings, 1)
    other.let_in(users[0])
    with ours, other:
        both = [Broker(ours, users), Broker(other, users)]
        for number in range(rounds):
            for measurement in chosen:
                for broker in both[:: -1 if number % 2 else 1]:
                    broker.run(measurement.what, measurement.job, options(measurement, seconds, quick=quick))
    table = Table(("What", "This", "The other", "Ratio"))
    for measurement in chosen:
        for figure in measurement.figures:
            seen = [[figure.value(answer) for answer in one.seen.get(measurement.what, [])] for one in both]
            ratio = statistics.median(seen[0]) / statistics.median(seen[1]) if all(seen) else None
            table.add(figure.what, *(cell(values, figure) for values in seen), times(ratio))
    table.notes.append(f"Median (lowest–highest) of {rounds} rounds of {seconds:g} seconds, both running.")
    table.notes.extend(reasons(both))
    return [table]
