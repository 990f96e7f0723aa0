"""Deactivations by the button on the page, and how long each takes to close a socket."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.browser import Browser
from benchmarks.report import milliseconds, percentile

GOAL = 0.250  # seconds, every one
BETWEEN = 0.1


def click(browser: Browser, integration_ids: Sequence[int]) -> list[float]:
    """Deactivate one integration after the other; return when each was clicked."""
    clicked = []
    for integration_id in integration_ids:
        clicked.append(time.monotonic())
        answer = browser.post(f"/integrations/{integration_id}/deactivate")
        if answer.status != 303:
            raise RuntimeError(f"deactivating was answered by {answer.status}")
        time.sleep(BETWEEN)
    time.sleep(1)
    return clicked


def took(clicked_at: float, closed_at: float | None) -> float:
    """Return how long it took; a connection that was never closed took for ever."""
    return float("inf") if closed_at is None else closed_at - clicked_at


def percentiles(seconds: Sequence[float]) -> tuple[str, str, str]:
    """Return the median, the 99th percentile and the longest."""
    p50, p99 = milliseconds(percentile(seconds, 50)), milliseconds(percentile(seconds, 99))
    return p50, p99, milliseconds(max(seconds))
