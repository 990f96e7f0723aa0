"""Tables in Markdown: printed, and written into docs/benchmarks.md."""

from __future__ import annotations

import math
import os
import platform
import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.peers import mosquitto

DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"


@dataclass(slots=True)
class Table:
    """A table; `notes` are printed below it."""

    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """Add a row."""
        self.rows.append(cells)

    def markdown(self) -> str:
        """Return the table with its notes."""
        numbers = ["---" if number == 0 else "---:" for number in range(len(self.columns))]
        lines = [_row(self.columns), _row(numbers), *map(_row, self.rows)]
        return "\n".join([*lines, *(f"\n{note}" for note in self.notes)])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def machine() -> str:
    """Return the line that says what the figures were measured on."""
    load = os.getloadavg()[0]
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores ({_processor()}), "
        f"Python {platform.python_version()}, {mosquitto.version()}, Linux {platform.release()}; "
        f"load average before the start {load:.2f}."
    )


def _processor() -> str:
    board = Path("/proc/device-tree/model")  # a Raspberry Pi names itself there
    if board.exists():
        return board.read_text("utf-8", "replace").strip("\0\n ")
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def write(part: str, text: str) -> None:
    """Replace what stands between a part's two markers in the document."""
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    document = DOCUMENT.read_text("utf-8")
    before, found, rest = document.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise LookupError(f"{DOCUMENT.name} has no markers for {part}")
    DOCUMENT.write_text(f"{before}{begin}\n{text}\n{end}{after}", "utf-8")


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that so many percent are not above (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]


def spread(values: Sequence[float], unit: str = "") -> str:
    """Return the median with the lowest and the highest, in full numbers."""
    median = statistics.median(values)
    return f"{median:,.0f}{unit} ({min(values):,.0f}–{max(values):,.0f})"


def milliseconds(seconds: float) -> str:
    """Return a time with as many digits as mean something."""
    value = seconds * 1000
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.1f} ms" if value >= 10 else f"{value:.2f} ms"


def met(reached: bool) -> str:
    """Return the last cell of a row that has a goal."""
    return "yes" if reached else "**no**"
