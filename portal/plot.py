"""The picture of a topic's recent numbers: a line over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

WIDE, TALL = 600, 120  # of the drawing, in its own units
EDGE = 6  # above the largest and below the smallest number


@dataclass(frozen=True, slots=True)
class Point:
    """One number: where it stands, from where to where the pointer is nearest to it, and what it says."""

    x: float
    y: float
    left: float
    width: float
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """The line, and what it says in words."""

    path: str
    points: tuple[Point, ...]
    least: str
    most: str
    start: datetime
    end: datetime

    @property
    def summary(self) -> str:
        """Say in a sentence what the picture shows."""
        if self.least == self.most:
            return f"The last {len(self.points)} numbers are all {self.most}."
        return f"The last {len(self.points)} numbers lie between {self.least} and {self.most}."


def draw(numbers: Sequence[tuple[datetime, float]]) -> Plot | None:
    """Return the picture of numbers in the order of their times; None of fewer than two."""
    if len(numbers) < 2:
        return None
    values = [value for _, value in numbers]
    xs = _across([at for at, _ in numbers])
    ys = _down(values)
    edges = [0.0, *((one + other) / 2 for one, other in zip(xs, xs[1:], strict=False)), float(WIDE)]
    points = tuple(
        Point(x, y, round(left, 1), round(right - left, 1), at, _spell(value))
        for x, y, left, right, (at, value) in zip(xs, ys, edges, edges[1:], numbers, strict=False)
    )
    path = "M" + "L".join(f"{x} {y}" for x, y in zip(xs, ys, strict=True))
    return Plot(path, points, _spell(min(values)), _spell(max(values)), numbers[0][0], numbers[-1][0])


def _across(times: Sequence[datetime]) -> list[float]:
    """Return where the times stand; evenly, if they are one or go backwards."""
    start, span = times[0], (times[-1] - times[0]).total_seconds()
    if span <= 0 or any(later < earlier for earlier, later in zip(times, times[1:], strict=False)):
        return [round(WIDE * place / (len(times) - 1), 1) for place in range(len(times))]
    return [round(WIDE * (at - start).total_seconds() / span, 1) for at in times]


def _down(values: Sequence[float]) -> list[float]:
    """Return how deep the numbers lie; in the middle, if they are one.  They are scaled first, so none overflows."""
    scale = max(abs(value) for value in values) or 1.0
    scaled = [value / scale for value in values]
    least, most = min(scaled), max(scaled)
    if most == least:
        return [TALL / 2] * len(values)
    height = TALL - 2 * EDGE
    return [round(EDGE + height * (most - value) / (most - least), 1) for value in scaled]


def _spell(value: float) -> str:
    """Return a number as short as it can be read."""
    return f"{value:.10g}"
