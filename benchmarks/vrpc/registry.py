"""The registry after a restart: how soon all agents are known again, and how much memory that takes."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgpack

from benchmarks import processes, seed
from benchmarks.generator import wire
from benchmarks.report import Table, met, milliseconds, spread
from benchmarks.seed import Credential
from benchmarks.stack import HOST, READY_WITHIN, Gatehouse
from benchmarks.vrpc import classes
from benchmarks.vrpc.classes import AGENTS, CLASSES, FUNCTIONS
from portal import unix
from portal.worker_client import MQTT

DOMAIN = "bench.default"
READY_GOAL, SIZE_GOAL = 1.0, 50.0  # seconds, MB
MB = 1024 * 1024

_RETAIN = 1  # in the first byte of PUBLISH
_READY, _PARTS = "is ready: ", 2  # what each part of the protocols worker logs at the end of its start
_WINDOW = 200  # messages that are sent before their acknowledgements are read
_SHOWN_WITHIN = 30  # seconds


def measure(*, quick: bool) -> list[Table]:
    """Start Gatehouse again and again: without agents, with those of one software, with some that are all different."""
    count, starts = (AGENTS // 10, 1) if quick else (AGENTS, 5)
    gatehouse = Gatehouse()
    (credential,) = seed.fill(gatehouse.settings, 1)
    with gatehouse:
        bare = [_restart(gatehouse, credential, 0) for _ in range(starts)]
        _retain(gatehouse, credential, count, alike=True)
        alike = [_restart(gatehouse, credential, count) for _ in range(starts)]
        retained = _retain(gatehouse, credential, count, alike=False)
        full = [_restart(gatehouse, credential, count) for _ in range(starts)]
    return [_table(bare, alike, full, count, retained)]


class Start:
    """What was seen of one start."""

    def __init__(self, let_in: float, ready: float, size: int, answers: list[float]) -> None:
        self.let_in = let_in  # seconds until a client of MQTT is let in
        self.ready = ready  # seconds from then until every function of every agent is known
        self.size = size  # bytes of the protocols worker
        self.answers = answers  # seconds, of the list, and of an agent with a class that was not looked at before


def _table(bare: list[Start], alike: list[Start], full: list[Start], count: int, retained: int) -> Table:
    table = Table(("What", "Goal", "Seen", "Met"))
    late = [one.ready for one in full]
    table.add(
        "All agents known after clients are let in",
        f"≤ {READY_GOAL:g} s",
        spread([one * 1000 for one in late], " ms"),
        met(max(late) <= 1),
    )
    more = [one.let_in for one in full]
    table.add("Clients let in after the start", "", spread([one * 1000 for one in more], " ms"), "")
    table.add("the same without agents", "", spread([one.let_in * 1000 for one in bare], " ms"), "")
    before = min(one.size for one in bare)
    for what, starts in (("agents of one software", alike), ("agents that are all different", full)):
        sizes = [(one.size - before) / MB for one in starts]
        reached = met(max(sizes) <= SIZE_GOAL)
        table.add(f"Memory of the protocols worker for {what}", f"≤ {SIZE_GOAL:g} MB", spread(sizes, " MB"), reached)
    for number, what in enumerate(("The list of all agents", "An agent with a class that is opened")):
        table.add(f"{what}, asked first", "", milliseconds(max(one.answers[number] for one in full)), "")
    table.notes.append(
        f"{count} agents with {CLASSES} classes of {FUNCTIONS} documented functions each, who have retained "
        f"{retained / MB:.0f} MB. Median (lowest–highest) of {len(full)} starts; proportional set size."
    )
    return table


def _restart(gatehouse: Gatehouse, credential: Credential, agents: int) -> Start:
    gatehouse.stop()
    ready_before = gatehouse.log().count(_READY)
    begin = time.monotonic()
    gatehouse.launch()
    is_let_in = partial(gatehouse.accepts, credential.username, credential.password)
    processes.wait_until(is_let_in, READY_WITHIN, "MQTT clients to be let in")
    let_in = time.monotonic()
    processes.wait_until(lambda: _functions(gatehouse) == agents * CLASSES * FUNCTIONS, _SHOWN_WITHIN, "the agents")
    ready = time.monotonic()
    # Then what was needed to read everything is given back.
    processes.wait_until(lambda: gatehouse.log().count(_READY) == ready_before + _PARTS, READY_WITHIN, "both parts")
    answers = []
    if agents:
        for question in (("vrpc_agents",), ("vrpc_agent", DOMAIN, "agent000", "Class00")):
            asked = time.monotonic()
            _ask(gatehouse, *question)
            answers.append(time.monotonic() - asked)
    return Start(let_in - begin, ready - let_in, _size(gatehouse), answers)


def _functions(gatehouse: Gatehouse) -> int:
    """Return how many functions are known; -1 while pages are not answered yet."""
    try:
        return sum(one["functions"] for one in _ask(gatehouse, "vrpc_agents"))
    except OSError:
        return -1


def _ask(gatehouse: Gatehouse, action: str, *arguments: object) -> Any:
    """Return what the main part answers."""
    with unix.connect_to(gatehouse.settings.data_dir, MQTT, 10) as client:
        client.sendall(msgpack.packb([1, action, arguments]))
        _, answer = next(iter(msgpack.Unpacker(client.makefile("rb", 0))))
    return answer["answer"]


def _size(gatehouse: Gatehouse) -> int:
    """Return the proportional set size of the protocols worker's main part, the only child of a child."""
    (worker,) = [below for child in processes.children(gatehouse.process.pid) for below in processes.children(child)]
    return processes.proportional_bytes(worker)


def _retain(gatehouse: Gatehouse, credential: Credential, agents: int, *, alike: bool) -> int:
    """Publish what agents say of themselves, and wait until it is stored; return how many bytes that is."""
    retained, waiting = 0, 0
    with socket.create_connection((HOST, gatehouse.mqtt_port)) as client:
        client.sendall(wire.connect("bench", credential.username, credential.password))
        read = client.makefile("rb")
        read.read(4)
        for number, (topic, said) in enumerate(_infos(agents, alike=alike)):
            payload = json.dumps(said, separators=(",", ":")).encode()  # as npm's package does
            packet = wire.publish(topic, payload, 1, number % 65_535 + 1)
            client.sendall(bytes((packet[0] | _RETAIN,)) + packet[1:])
            retained, waiting = retained + len(payload), waiting + 1
            if waiting == _WINDOW:
                read.read(wire.ACK_SIZE * waiting)
                waiting = 0
        read.read(wire.ACK_SIZE * waiting)
    return retained


def _infos(agents: int, *, alike: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    for number in range(agents):
        name = f"{DOMAIN}/agent{number:03}"
        yield f"{name}/__agentInfo__", {"status": "online", "hostname": f"cell{number}", "version": "1.2.3", "v": 3}
        for class_name in (f"Class{one:02}" for one in range(CLASSES)):
            said = classes.said_of(class_name) if alike else classes.said_of(class_name, f"cell{number}")
            yield f"{name}/{class_name}/__classInfo__", said
            del said["meta"]
            yield f"{name}/{class_name}/__classInfoConcise__", said
