"""How soon a deactivated client is cut off while the server has all the requests that it can serve."""

from __future__ import annotations

import time

from benchmarks import cuts, seed
from benchmarks.opcua.servers import OpcUaServer
from benchmarks.report import Table, met, milliseconds
from benchmarks.seed import Credential
from benchmarks.stack import Gatehouse

CLIENTS, LISTENERS = 50, 20
COUNT = 100
WARM_UP = 1.0  # seconds


def add(table: Table, servers: list[OpcUaServer], _: Credential, quick: bool) -> None:
    """Deactivate integrations one by one beside clients that read and write as fast as they can."""
    seconds = _cut(servers[0], 5 if quick else COUNT)
    p50, p99, longest = cuts.percentiles(seconds)
    cells = [f"{p50}, p99 {p99}, at most {longest}", *("–" for _ in servers[1:])]
    goal = f"each ≤ {milliseconds(cuts.GOAL)}"
    what = f"Deactivate clicked → socket closed, beside {CLIENTS} readers and writers"
    table.add(what, goal, *cells, met(max(seconds) <= cuts.GOAL))


def _cut(server: OpcUaServer, count: int) -> list[float]:
    gatehouse = server.product
    assert isinstance(gatehouse, Gatehouse)
    credentials = seed.fill(gatehouse.settings, count, kind="opcua")
    held = [(credential.username, credential.password) for credential in credentials]
    with (
        gatehouse.browser() as browser,
        server.start("opcua_leave", held=held, listeners=LISTENERS, timeout=300) as leaving,
        server.start("opcua_flood", kind="read+write", clients=CLIENTS, timeout=300) as flood,
    ):
        leaving.answer()
        flood.answer()
        time.sleep(WARM_UP)
        clicked = cuts.click(browser, [credential.id for credential in credentials])
        flood.go_on()
        closed = leaving.go_on()["closed"]
    return [cuts.took(*times) for times in zip(clicked, closed, strict=True)]
