"""The page *Agents* with 200 agents of 20 classes with 30 functions each."""

from __future__ import annotations

import json
import socket

from benchmarks import processes, seed
from benchmarks.browser import Browser
from benchmarks.generator import wire
from benchmarks.http import visits
from benchmarks.http.visits import Visit
from benchmarks.report import Table
from benchmarks.seed import Credential
from benchmarks.stack import HOST, READY_WITHIN, Gatehouse
from benchmarks.vrpc import classes
from benchmarks.vrpc.classes import AGENTS, CLASSES, FUNCTIONS
from benchmarks.vrpc.programs import DOMAIN

GOAL = 0.030  # seconds, 99th percentile
SHOWN_WITHIN = 30  # seconds
ONE = f"domain={DOMAIN}&agent=agent000"
VISITS = (
    Visit("All agents", "/agents", goal=GOAL),
    Visit("Its poll, nothing changed", "/agents/rows", True, (204,), GOAL),
    Visit("A search", "/agents?q=agent19", goal=GOAL),
    Visit("An agent", f"/agents/one?{ONE}", goal=GOAL),
    Visit("An agent with a class open", f"/agents/one?{ONE}&class=Class00", goal=GOAL),
    Visit("Its poll, nothing changed", f"/agents/one/parts?{ONE}&class=Class00", True, (204,), GOAL),
    Visit("The form of a function", f"/agents/one?{ONE}&class=Class00&function=function00", goal=GOAL),
)


def measure(*, quick: bool) -> list[Table]:
    """Return how long pages and polls take over HTTP."""
    count = AGENTS // 10 if quick else AGENTS
    table = Table(("Request", "Times", "p50", "p99", "Longest", "Goal", "Met"))
    gatehouse = Gatehouse()
    credentials = seed.fill(gatehouse.settings, count, kind="vrpc")
    with gatehouse, gatehouse.browser() as browser:
        processes.wait_until(gatehouse.acknowledges, READY_WITHIN, "all servers of Gatehouse to be there")
        agents = [_agent(gatehouse.mqtt_port, number, credential) for number, credential in enumerate(credentials)]
        last = f"agent{count - 1:03}"
        processes.wait_until(lambda: _is_whole(browser, last), SHOWN_WITHIN, "every agent to be shown", every=0.2)
        visits.add(table, browser, VISITS, quick=quick)
        for agent in agents:
            agent.close()
    table.notes.append(
        f"{count} agents, all online, each with {CLASSES} classes of {FUNCTIONS} documented functions; "
        "a page has 100 agents."
    )
    return [table]


def _agent(port: int, number: int, credential: Credential) -> socket.socket:
    """Return the connection of an agent that has said what it has."""
    name = f"{DOMAIN}/agent{number:03}"
    state = {"status": "online", "hostname": f"cell{number}", "version": "1.2.3", "v": 3}
    will = (f"{name}/__agentInfo__", json.dumps(state | {"status": "offline"}))
    agent = socket.create_connection((HOST, port))
    agent.sendall(wire.connect(f"va3{number:016x}", credential.username, credential.password, will=will))
    if wire.accepted(agent.recv(4)) != 4:
        raise RuntimeError(f"{name} was not let in")
    said = [wire.publish(will[0], json.dumps(state).encode(), retain=True)]
    for one in range(CLASSES):
        info = json.dumps(classes.said_of(f"Class{one:02}")).encode()
        said.append(wire.publish(f"{name}/Class{one:02}/__classInfo__", info, retain=True))
    agent.sendall(b"".join(said) + wire.PINGREQ)
    agent.recv(2)
    return agent


def _is_whole(browser: Browser, agent: str) -> bool:
    answer = browser.get(f"/agents/one?domain={DOMAIN}&agent={agent}&class=Class{CLASSES - 1:02}")
    return answer.status == 200 and f"function{FUNCTIONS - 1:02}" in answer.text
