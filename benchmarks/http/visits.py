"""Pages that are opened while something goes on, as a browser's requests over one connection."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from benchmarks.browser import Browser
from benchmarks.cuts import percentiles
from benchmarks.report import Table, met, milliseconds, percentile

GOAL = 0.050  # seconds, 99th percentile
BETWEEN = 0.01  # seconds from an answer to the next request
WARM_UP = 5  # requests
ATTEMPTS = 2  # requests for each that counts
_VERSION = re.compile(r'data-version="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Visit:
    """A request; a poll passes on the version that the last answer had.  Only answers of one of the statuses count."""

    what: str
    path: str
    polls: bool = False
    statuses: tuple[int, ...] = (200,)
    goal: float = GOAL


def add(table: Table, browser: Browser, visits: tuple[Visit, ...], *, quick: bool) -> None:
    """Add how long each takes, one at a time."""
    for visit in visits:
        seconds = _seconds(browser, visit, 20 if quick else 200)
        reached = met(percentile(seconds, 99) <= visit.goal)
        table.add(visit.what, f"{len(seconds):,}", *percentiles(seconds), f"p99 ≤ {milliseconds(visit.goal)}", reached)


def _seconds(browser: Browser, visit: Visit, count: int) -> list[float]:
    version = _version(browser.get(visit.path).text) if visit.polls else ""
    seconds: list[float] = []
    for _ in range(ATTEMPTS * count):
        time.sleep(BETWEEN)
        mark = "&" if "?" in visit.path else "?"
        path = f"{visit.path}{mark}v={version}" if visit.polls else visit.path
        start = time.perf_counter()
        answer = browser.get(path)
        took = time.perf_counter() - start
        if answer.status not in (200, 204):
            raise RuntimeError(f"{path} was answered by {answer.status}, {len(answer.text):,} characters")
        if answer.status == 200:
            version = _version(answer.text)
        if answer.status in visit.statuses:
            seconds.append(took)
        if len(seconds) == WARM_UP + count:
            return seconds[WARM_UP:]
    raise RuntimeError(f"{visit.path} was answered by {visit.statuses} {len(seconds)} times only")


def _version(text: str) -> str:
    found = _VERSION.search(text)
    if found is None:
        raise RuntimeError("an answer without a version")
    return found[1]
