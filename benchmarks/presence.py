"""How soon a login can be seen by another process, and how soon a deactivated client is cut off."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from benchmarks import cuts, processes, seed
from benchmarks.load import Load, LoadFailed
from benchmarks.report import Table, met, milliseconds, percentile
from benchmarks.seed import Credential
from benchmarks.stack import Gatehouse

RATE = 500  # new clients a second
VISIBLE_GOAL = 0.100  # seconds, 99th percentile
LOOK = 0.002  # seconds between two looks into the database
PATIENCE = 15  # seconds for the last client to be seen


def measure(*, quick: bool) -> list[Table]:
    """Return how long it takes from CONNECT to the database, and from the click to the closed socket."""
    arriving, staying, count = (RATE, 200, 5) if quick else (20 * RATE, 2_000, 50)
    _check_file_limit(arriving)
    gatehouse = Gatehouse()
    credentials = seed.fill(gatehouse.settings, arriving)
    with gatehouse:
        with closing(_reader(gatehouse)) as reader:
            table = Table(("What", "Clients", "p50", "p99", "Longest", "Goal", "Met"))
            visible, late = _arrive(gatehouse, reader, credentials)
            cells = _percentiles(visible)
            goal = f"p99 ≤ {milliseconds(VISIBLE_GOAL)}"
            table.add("CONNECT sent → in the database", *cells, goal, met(percentile(visible, 99) <= VISIBLE_GOAL))
            _wait_until_empty(reader)
            closed, others = _cut(gatehouse, credentials[:staying], count)
            goal = f"each ≤ {milliseconds(cuts.GOAL)}"
            table.add("Deactivate clicked → socket closed", *_percentiles(closed), goal, met(max(closed) <= cuts.GOAL))
    table.notes.append(
        f"{arriving:,} clients came at {RATE}/s, each with credentials of its own, and stayed; the load was at most "
        f"{milliseconds(late)} behind. Then {staying:,} were connected and {count} deactivated one by one; "
        f"{others:,} others lost their connection."
    )
    return [table]


def _check_file_limit(clients: int) -> None:
    limit = processes.raise_file_limit()
    if limit < clients + 500:
        raise SystemExit(f"presence: {clients:,} clients need as many open files; the system allows {limit:,}")


def _reader(gatehouse: Gatehouse) -> sqlite3.Connection:
    path = unquote(urlsplit(gatehouse.settings.database_url).path[1:])
    return sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True, timeout=5)


def _hold(gatehouse: Gatehouse, credentials: list[Credential]) -> Load:
    """Start a load that connects each integration's client and keeps it; its client id is the integration's id."""
    clients = [(str(credential.id), credential.username, credential.password) for credential in credentials]
    return Load("hold", port=gatehouse.mqtt_port, rate=RATE, clients=clients, timeout=300)


def _arrive(
    gatehouse: Gatehouse, reader: sqlite3.Connection, credentials: list[Credential]
) -> tuple[list[float], float]:
    """Return each client's seconds from CONNECT to being seen, and how far the load was behind."""
    with _hold(gatehouse, credentials) as load:
        seen = _watch(reader, load, len(credentials))
        answer = load.answer()
        load.go_on()
    sent: dict[str, float] = dict(zip((str(credential.id) for credential in credentials), answer["sent"], strict=True))
    return [seen[client_id] - at for client_id, at in sent.items()], answer["late"]


def _watch(reader: sqlite3.Connection, load: Load, count: int) -> dict[str, float]:
    """Look into the database until so many connections were seen; return when each first was, by client id."""
    seen: dict[str, float] = {}
    last = 0
    deadline = time.monotonic() + count / RATE + PATIENCE
    while len(seen) < count:
        rows = reader.execute("SELECT rowid, client_id FROM connection WHERE rowid > ?", (last,)).fetchall()
        now = time.monotonic()
        for row_id, client_id in rows:
            seen.setdefault(client_id, now)
            last = row_id
        if now > deadline or load.process.poll() is not None:
            raise LoadFailed(f"{len(seen):,} of {count:,} clients were seen in the database")
        time.sleep(LOOK)
    return seen


def _wait_until_empty(reader: sqlite3.Connection) -> None:
    def empty() -> bool:
        return not reader.execute("SELECT 1 FROM connection LIMIT 1").fetchall()

    processes.wait_until(empty, 30, "every connection to be gone", every=0.2)


def _cut(gatehouse: Gatehouse, credentials: list[Credential], count: int) -> tuple[list[float], int]:
    """Deactivate some integrations; return the seconds from click to closed socket, and how many others were closed."""
    step = len(credentials) // count
    chosen = range(0, step * count, step)
    with gatehouse.browser() as browser, _hold(gatehouse, credentials) as load:
        load.answer()
        time.sleep(1)
        clicked = cuts.click(browser, [credentials[number].id for number in chosen])
        lost: list[float | None] = load.go_on()["lost"]
    closed = [cuts.took(at, lost[number]) for number, at in zip(chosen, clicked, strict=True)]
    return closed, sum(at is not None for at in lost) - len(closed)


def _percentiles(seconds: list[float]) -> tuple[str, ...]:
    return (f"{len(seconds):,}", *cuts.percentiles(seconds))
