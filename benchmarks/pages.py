"""How long the server takes for the list of integrations when there are ten thousand."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app import create_app
from benchmarks import seed
from benchmarks.browser import Browser
from benchmarks.load import Load
from benchmarks.report import Table, met, milliseconds, percentile
from benchmarks.stack import EMAIL, PASSWORD, Gatehouse
from portal import db

INTEGRATIONS, ONLINE = 10_000, 500
WARM_UP = 5  # requests

Get = Callable[[str], tuple[int, str]]  # a path → status and body


@dataclass(frozen=True, slots=True)
class Request:
    what: str
    query: str
    goal: float  # seconds, median
    status: int = 200


REQUESTS = (
    Request("Rows, default order", "", 0.015),
    Request("Rows, last login first", "sort=-last_login", 0.015),
    Request("Rows, online first", "sort=online", 0.015),
    Request("Rows, a search that matches some", "q=hall+7", 0.015),
    Request("Rows, the last page", "page=200", 0.015),
    Request("Poll, nothing changed", "v={version}", 0.002, 204),
)


def measure(*, quick: bool) -> list[Table]:
    """Return the times of each request, inside the process and through HTTP."""
    count = 20 if quick else 200
    table = Table(("Request", "Goal", "In process, median", "p95", "Over HTTP, median", "p95", "Met"))
    with _running() as gatehouse, gatehouse.browser() as browser, _in_process(gatehouse) as get:
        for request in REQUESTS:
            inside = _times(get, request, count)
            over_http = _times(_over_http(browser), request, count)
            cells = [milliseconds(percentile(times, part)) for times in (inside, over_http) for part in (50, 95)]
            reached = percentile(inside, 50) <= request.goal
            table.add(request.what, f"≤ {milliseconds(request.goal)}", *cells, met(reached))
    table.notes.append(
        f"{INTEGRATIONS:,} integrations, {ONLINE} of them online, 50 rows a page; {count} requests of each kind, "
        "one at a time."
    )
    return [table]


@contextmanager
def _running() -> Iterator[Gatehouse]:
    """Start Gatehouse with its integrations, and the clients that are online."""
    gatehouse = Gatehouse()
    made = seed.fill(gatehouse.settings, INTEGRATIONS, past=True)
    # Of these, seed makes neither another type nor inactive.
    able = [one for one in made if one.id % 4 and one.id % 10][:: len(made) // ONLINE // 2][:ONLINE]
    clients = [(str(one.id), one.username, one.password) for one in able]
    with gatehouse:
        with Load("hold", port=gatehouse.mqtt_port, rate=ONLINE, clients=clients, timeout=300) as load:
            load.answer()
            time.sleep(1)
            yield gatehouse


@contextmanager
def _in_process(gatehouse: Gatehouse) -> Iterator[Get]:
    """Hand out a logged-in test client of the same application on the same database: no sockets, no other process."""
    client = create_app(gatehouse.settings).test_client()

    def get(path: str) -> tuple[int, str]:
        answer = client.get(path)
        return answer.status_code, answer.text

    try:
        token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/login").text)
        assert token is not None
        form = {"csrf_token": token[1], "email": EMAIL, "password": PASSWORD}
        if client.post("/login", data=form).status_code != 303:
            raise RuntimeError("the login inside the process failed")
        yield get
    finally:
        db.database.close_all()


def _over_http(browser: Browser) -> Get:
    def get(path: str) -> tuple[int, str]:
        answer = browser.get(path)
        return answer.status, answer.text

    return get


def _times(get: Get, request: Request, count: int) -> list[float]:
    """Return the seconds of each of many requests; each has to be answered with the expected status."""
    _, text = get("/integrations/rows")
    version = re.search(r'data-version="([^"]+)"', text)
    assert version is not None
    path = f"/integrations/rows?{request.query.format(version=version[1])}"
    seconds = []
    for number in range(WARM_UP + count):
        start = time.perf_counter()
        status, text = get(path)
        took = time.perf_counter() - start
        if status != request.status or (status == 200 and 'class="rows"' not in text):
            raise RuntimeError(f"{path} was answered by {status}, {len(text):,} characters")
        if number >= WARM_UP:
            seconds.append(took)
    return seconds
