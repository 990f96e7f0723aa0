"""The page *Live data* with as many topics as are kept, of which many change all the time."""

from __future__ import annotations

from typing import Any

from benchmarks import processes, seed
from benchmarks.browser import Browser
from benchmarks.generator.http.changes import BELOW
from benchmarks.http import visits
from benchmarks.http.visits import Visit
from benchmarks.load import Load
from benchmarks.report import Table
from benchmarks.stack import READY_WITHIN, Gatehouse

TOPICS, CHANGING, RATE = 100_000, 1_000, 10
KEPT_WITHIN = 60  # seconds
VISITS = (
    Visit("Live data, a level whose topics change", "/topics?at=live/000/"),
    Visit("Its poll", "/topics/table?at=live/000/", True),
    Visit("Poll of a level that does not change", "/topics/table?at=live/050/", True, (204,)),
    Visit("Search in all topics", "/topics/table?q=99/9"),
)


def add(table: Table, *, quick: bool) -> None:
    """Add how long the page and its polls take."""
    topics = TOPICS // 10 if quick else TOPICS
    gatehouse = Gatehouse()
    (user,) = seed.fill(gatehouse.settings, 1)
    login = {"port": gatehouse.mqtt_port, "username": user.username, "password": user.password}
    options = {"topics": topics, "changing": CHANGING, "rate": RATE, "timeout": 300}
    with gatehouse, gatehouse.browser() as browser:
        processes.wait_until(gatehouse.acknowledges, READY_WITHIN, "all servers of Gatehouse to be there")
        with Load("http_changes", **login, pids=gatehouse.pids, **options) as changes:
            answer = _visit(table, browser, changes, topics, quick=quick)
    table.notes.append(
        f"Live data: {topics:,} topics, of which {CHANGING:,} changed {RATE} times a second each, "
        f"{answer['rate']:,.0f} messages a second in all; that load used {answer['load_cpu']:.0%} of a core, "
        f"Gatehouse {answer['broker_cpu']:.0%}."
    )


def _visit(table: Table, browser: Browser, changes: Load, topics: int, *, quick: bool) -> dict[str, Any]:
    changes.answer()
    last = f"live/{topics // BELOW - 1:03}/{BELOW - 1:03}"
    processes.wait_until(lambda: _is_kept(browser, last), KEPT_WITHIN, "every topic to be kept", every=0.2)
    visits.add(table, browser, VISITS, quick=quick)
    return changes.go_on()


def _is_kept(browser: Browser, topic: str) -> bool:
    return browser.get(f"/topics/value?topic={topic}").status == 200
