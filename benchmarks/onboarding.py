"""Smart onboarding: how soon a client is shown and let in, and what a flood of unknown clients does."""

from __future__ import annotations

import random
import re
import socket
import threading
import time
from contextlib import closing
from html import unescape

from benchmarks import cuts, processes, seed
from benchmarks.browser import Browser
from benchmarks.generator import wire
from benchmarks.load import Load
from benchmarks.report import Table, met, milliseconds, percentile
from benchmarks.seed import Credential
from benchmarks.stack import HOST, Gatehouse

POLL = 0.5  # seconds between two looks of the page; see templates/_onboarding.html
VISIBLE_GOAL, APPROVED_GOAL = 1.0, 0.3  # seconds, 99th percentile
SLOWER_GOAL = 2.0  # times the normal time of a known client's login
CLIENTS, ADDRESSES = 10_000, 1_000
LEFT = 2.0  # seconds until the places of clients that left are free
BATCH = 20  # clients that knock before they are approved one after the other; 32 may come from one address
_VERSION = re.compile(r'data-version="(\w+)"')
_REQUEST = re.compile(r'id="request-([\w.-]+)".*?<bdi class="mono">(.*?)</bdi>', re.S)


def measure(*, quick: bool) -> list[Table]:
    """Return the times of single clients, and those of known ones beside a flood."""
    count, seconds = (10, 5) if quick else (60, 10)
    table = Table(("What", "Clients", "p50", "p99", "Longest", "Goal", "Met"))
    gatehouse = Gatehouse({"GUESSES_PER_ADDRESS": "off"})
    (known,) = seed.fill(gatehouse.settings, 1)
    with gatehouse, gatehouse.browser() as browser:
        browser.post("/onboarding/open")
        time.sleep(0.2)
        _row(
            table,
            "CONNECT sent → on the page, which looks every 0.5 s",
            _visible(gatehouse, browser, count),
            VISIBLE_GOAL,
        )
        _row(
            table,
            "Approve clicked → CONNACK of the client at the door",
            _approved(gatehouse, browser, count),
            APPROVED_GOAL,
        )
        flood = _flood(gatehouse, browser, known, seconds, CLIENTS // 10 if quick else CLIENTS)
    return [table, flood]


def _row(table: Table, what: str, seconds: list[float], goal: float) -> None:
    reached = met(percentile(seconds, 99) <= goal)
    table.add(what, f"{len(seconds):,}", *cuts.percentiles(seconds), f"p99 ≤ {milliseconds(goal)}", reached)


# --- one client after the other


def _visible(gatehouse: Gatehouse, browser: Browser, count: int) -> list[float]:
    """Return the seconds from CONNECT until the page shows the client; it looks as browsers do."""
    sent: dict[str, float] = {}
    opened: list[socket.socket] = []

    def knock() -> None:
        for number in range(count):
            time.sleep(random.uniform(0.05, 0.45))
            name = f"seen-{number}"
            client = _connect(gatehouse.mqtt_port, f"127.0.0.{2 + number // BATCH}")
            sent[name] = time.monotonic()
            client.sendall(wire.connect(name, name, "made-up"))
            opened.append(client)

    seen: dict[str, float] = {}
    thread = threading.Thread(target=knock)
    thread.start()
    version = ""
    while len(seen) < count:
        time.sleep(POLL)
        answer = browser.get(f"/onboarding/box?v={version}")
        if answer.status == 200:
            version = _VERSION.findall(answer.text)[0]
            for name in _listed(answer.text):
                seen.setdefault(name, time.monotonic())
    thread.join()
    for client in opened:
        client.close()
    time.sleep(LEFT)
    return [seen[name] - at for name, at in sent.items()]


def _approved(gatehouse: Gatehouse, browser: Browser, count: int) -> list[float]:
    """Return the seconds from the click until the client that waits is let in."""
    found = []
    for start in range(0, count, BATCH):
        names = [f"waits-{number}" for number in range(start, min(start + BATCH, count))]
        clients = {name: _connect(gatehouse.mqtt_port, f"127.0.1.{2 + start // BATCH}") for name in names}
        for name, client in clients.items():
            client.sendall(wire.connect(name, name, "made-up"))
        ids: dict[str, str] = {}
        while not ids.keys() >= set(names):
            time.sleep(0.05)
            ids = _listed(browser.get("/onboarding/box").text)
        for name, client in clients.items():
            time.sleep(random.uniform(0, 0.1))
            with closing(client):
                began = time.monotonic()
                browser.post(f"/onboarding/requests/{ids[name]}/approve")
                if wire.accepted(client.recv(4)) <= 0:
                    raise RuntimeError(f"{name} was approved and refused")
                found.append(time.monotonic() - began)
    return found


def _connect(port: int, address: str) -> socket.socket:
    return socket.create_connection((HOST, port), timeout=20, source_address=(address, 0))


def _listed(text: str) -> dict[str, str]:
    return {unescape(name): id for id, name in _REQUEST.findall(text)}


# --- a flood


def _flood(gatehouse: Gatehouse, browser: Browser, known: Credential, seconds: int, clients: int) -> Table:
    """Return what known clients notice of very many unknown ones, with the window closed and open."""
    table = Table(("While", "Tries/s", "Answered/s", "Login of a known client, p50", "p99", "Memory", "Listed"))
    times: dict[str, list[float]] = {"closed": [], "open": []}
    alone: dict[str, list[float]] = {}
    for state in times:
        _turn(browser, state)
        alone[state] = _logins(gatehouse.mqtt_port, known, seconds / 2)
        table.add(f"Nobody else comes, the window is {state}", "0", "0", *_both(alone[state]), _memory(gatehouse), "0")
    for state in ("closed", "open", "open", "closed"):  # what drifts meanwhile concerns both
        _turn(browser, state)
        found, rates, listed = _flooded(gatehouse, browser, known, seconds, clients)
        times[state] += found
        what = f"Unknown clients come, the window is {state}"
        table.add(what, *(f"{rate:,.0f}" for rate in rates), *_both(found), _memory(gatehouse), f"{listed}")
    table.notes.append(_told(alone["open"], times, clients))
    return table


def _turn(browser: Browser, state: str) -> None:
    browser.post("/onboarding/open" if state == "open" else "/onboarding/close")


def _told(alone: list[float], times: dict[str, list[float]], clients: int) -> str:
    """Return how the flood compares with the time when nobody else comes, and with the window closed."""
    flooded = percentile(times["open"], 50)
    beside_nobody, beside_closed = flooded / percentile(alone, 50), flooded / percentile(times["closed"], 50)
    return (
        f"{clients:,} unknown clients with {ADDRESSES:,} addresses; each tries once a second, as far as the cores take "
        f"it that they share with Gatehouse. With the window open, half of a known client's logins take "
        f"{beside_nobody:.1f} × as long during the flood as when nobody else comes (goal: ≤ {SLOWER_GOAL:g} ×, met: "
        f"{met(beside_nobody <= SLOWER_GOAL)}), and {beside_closed:.2f} × as long as during the flood with the window "
        f"closed."
    )


def _flooded(
    gatehouse: Gatehouse, browser: Browser, known: Credential, seconds: int, clients: int
) -> tuple[list[float], tuple[float, float], int]:
    """Return a known client's logins, how many tries of others a second were begun and answered, and are listed."""
    options = {"port": gatehouse.mqtt_port, "clients": clients, "addresses": ADDRESSES, "seconds": seconds}
    with Load("knocks", **options) as load:
        time.sleep(2)
        found = _logins(gatehouse.mqtt_port, known, max(1.0, seconds - 3))
        listed = len(_listed(browser.get("/onboarding/box").text))
        answer = load.answer()
    return found, (answer["tries"] / seconds, answer["answers"] / seconds), listed


def _logins(port: int, known: Credential, seconds: float) -> list[float]:
    """Log in again and again; return how long each took, from the open socket to CONNACK."""
    found = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        with _connect(port, "127.0.0.1") as client:
            client.sendall(wire.connect("known", known.username, known.password))
            if wire.accepted(client.recv(4)) <= 0:
                raise RuntimeError("a known client was refused")
        found.append(time.monotonic() - began)
        time.sleep(0.02)
    return found


def _both(seconds: list[float]) -> tuple[str, str]:
    return milliseconds(percentile(seconds, 50)), milliseconds(percentile(seconds, 99))


def _memory(gatehouse: Gatehouse) -> str:
    """Return the memory of all processes but what the load takes."""
    return f"{sum(processes.proportional_bytes(pid) for pid in gatehouse.pids) / 1e6:,.0f} MB"
