"""What streams of events cost and how soon they tell."""

from __future__ import annotations

import time

from benchmarks import processes
from benchmarks.cuts import percentiles
from benchmarks.http import visits
from benchmarks.http.servers import HttpServer
from benchmarks.http.visits import Visit
from benchmarks.report import Table, met, milliseconds, percentile
from benchmarks.seed import Credential
from benchmarks.stack import Gatehouse

STREAMS = 100
SHARE_GOAL = 0.05  # of a core, more than without streams
EVENT_GOAL = 0.050  # seconds, 99th percentile
PACE = 200  # changes a second
SETTLE = 2  # seconds
LIST = "/integrations"


def add_events(table: Table, server: HttpServer, mqtt: Credential, *, quick: bool) -> None:
    """Add how long it takes from PUBLISH to the event."""
    what = "Change by MQTT → event on a stream"
    credential = {"port": server.product.mqtt_port, "username": mqtt.username, "password": mqtt.password}
    server.run(what, "http_events", {"mqtt": credential, "rate": PACE, "messages": PACE if quick else 5 * PACE})
    for answer in server.seen.get(what, []):
        seconds = answer["seconds"]
        reached = met(percentile(seconds, 99) <= EVENT_GOAL)
        goal = f"p99 ≤ {milliseconds(EVENT_GOAL)}"
        table.add(what, f"{len(seconds):,}", *percentiles(seconds), goal, reached)
        table.notes.append(
            f"{what}: {PACE} changes a second at random moments; the load used {answer['load_cpu']:.0%} of a core, "
            f"Gatehouse {answer['broker_cpu']:.0%}."
        )


def add_idle(table: Table, times: Table, server: HttpServer, *, quick: bool) -> None:
    """Add what open streams cost that nothing is told on, and how long pages take meanwhile."""
    gatehouse, watch = server.product, 3 if quick else 10
    assert isinstance(gatehouse, Gatehouse)
    time.sleep(SETTLE)
    without = processes.share_of_a_core(gatehouse.pids, watch)
    with gatehouse.browser() as browser, server.start("http_streams", clients=STREAMS, timeout=300) as streams:
        streams.answer()
        time.sleep(SETTLE)
        beside = processes.share_of_a_core(gatehouse.pids, watch)
        visits.add(
            times,
            browser,
            (
                Visit(f"Integrations, beside {STREAMS} streams", LIST),
                Visit(f"Poll of the integrations, beside {STREAMS} streams", f"{LIST}/rows", True, (200, 204)),
            ),
            quick=quick,
        )
        lost = streams.go_on()["lost"]
    more = beside - without
    cell = f"{more:.1%} of a core ({beside:.1%} with them, {without:.1%} without)"
    reached = more <= SHARE_GOAL and not lost
    table.add(f"{STREAMS} open streams, idle", f"≤ {SHARE_GOAL:.0%} of a core", cell, met(reached))
    table.notes.append(f"All processes of Gatehouse, over {watch} seconds each; {lost} streams were lost.")
