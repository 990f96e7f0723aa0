"""An Edge Connector beside its goals: polled tags, changes, calls through the portal, and what was buffered."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from pymodbus.client import ModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from benchmarks import processes, seed
from benchmarks.load import ROOT
from benchmarks.report import Table, met, milliseconds, percentile
from benchmarks.seed import Credential
from benchmarks.stack import HOST, READY_WITHIN, Gatehouse
from edge_connector.outbox import Message, Outbox

DOMAIN = "bench.default"  # seed.fill makes its Edge Connectors for this domain
TAGS = 1000
INTERVAL = 0.1  # seconds between two looks for a change
CHANGED_WITHIN = 5
MB = 1e6
BUFFER_BYTES = 2**28


class Heard:
    """A subscriber that keeps what it hears, and when."""

    def __init__(self, gatehouse: Gatehouse, user: Credential) -> None:
        self.messages: list[tuple[float, bytes]] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.username_pw_set(user.username, user.password)
        self._client.on_connect = lambda client, *_: client.subscribe("plant/#")
        self._client.on_message = lambda client, data, one: self.messages.append((time.monotonic(), one.payload))
        self._client.connect(HOST, gatehouse.mqtt_port)
        self._client.loop_start()

    def wait(self, count: int, seconds: float) -> None:
        processes.wait_until(lambda: len(self.messages) >= count, seconds, f"{count} values")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Edge:
    """A running agent, in a folder of its own."""

    def __init__(self, gatehouse: Gatehouse, user: Credential, name: str, connectors: str = "") -> None:
        self.folder = gatehouse.folder / name
        (self.folder / "state").mkdir(parents=True)
        self._file = self.folder / "edge.toml"
        self._file.touch(0o600)
        server = f'host = "{HOST}"\nport = {gatehouse.mqtt_port}\ntransport = "tcp"\n'
        server += f'username = "{user.username}"\npassword = "{user.password}"\n'
        limits = f"[limits]\nbuffer_bytes = {BUFFER_BYTES}\n"
        agent = f'[agent]\ndomain = "{DOMAIN}"\nname = "{user.username}"\n'
        self._file.write_text(f"[server]\n{server}{agent}{limits}{connectors}")

    def start(self) -> Edge:
        command = [sys.executable, "-m", "edge_connector", "--config", str(self._file)]
        with (self.folder / "log").open("wb") as log:
            self.process: subprocess.Popen[bytes] = processes.start(command, cwd=ROOT, stdout=log, stderr=log)
        log = self.folder / "log"
        processes.wait_until(lambda: b"connected to" in log.read_bytes(), READY_WITHIN, "the agent to connect")
        return self

    @property
    def memory(self) -> float:
        return processes.proportional_bytes(self.process.pid) / MB

    def stop(self) -> None:
        processes.stop(self.process)


class Portal:
    """The REST API: calls the agent, each time with a connection of its own, and looks at live values."""

    def __init__(self, gatehouse: Gatehouse, user: Credential, agent: str) -> None:
        self._port = gatehouse.port
        self._agent = agent
        self._kept = http.client.HTTPConnection(HOST, self._port, timeout=10)
        login = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}

    def call(self, class_name: str, function: str, *arguments: Any, instance: str | None = None) -> Any:
        body = {"arguments": arguments} | ({"instance": instance} if instance else {})
        connection = http.client.HTTPConnection(HOST, self._port, timeout=10)
        path = f"/api/v1/agents/{self._agent}/{class_name}/{function}"
        connection.request("POST", path, json.dumps(body), self._headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{function}: {answer.status} {text!r}")
        return json.loads(text)["result"]

    def value(self, topic: str) -> bytes:
        """Return the live value of a topic, or nothing where there is none."""
        self._kept.request("GET", f"/api/v1/values/{topic}", headers=self._headers)
        answer = self._kept.getresponse()
        text = answer.read()
        return text if answer.status == 200 else b""

    def close(self) -> None:
        self._kept.close()


@contextmanager
def plc() -> Iterator[int]:
    """Run a Modbus device with a register for each tag; give its port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    registers = SimDevice(1, [SimData(0, values=list(range(TAGS)), datatype=DataType.REGISTERS)])
    port = processes.free_port()

    async def serve() -> Any:
        server = ModbusTcpServer(registers, address=(HOST, port))
        await server.listen()
        return server

    server = asyncio.run_coroutine_threadsafe(serve(), loop).result(10)
    try:
        yield port
    finally:
        asyncio.run_coroutine_threadsafe(server.shutdown(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def measure(*, quick: bool) -> list[Table]:
    """Return the goals of the Edge Connector, and what was seen."""
    seconds, calls, changes, buffered = (2, 50, 10, 5_000) if quick else (12, 1_000, 100, 100_000)
    table = Table(("What", "Goal", "Edge Connector", "Met"))
    with ExitStack() as stack:
        gatehouse = Gatehouse()
        (user,) = seed.fill(gatehouse.settings, 1)
        (caller,) = seed.fill(gatehouse.settings, 1, kind="http")
        (of_edge,) = seed.fill(gatehouse.settings, 1, kind="edge")
        stack.enter_context(gatehouse)
        processes.wait_until(gatehouse.acknowledges, READY_WITHIN, "all servers of Gatehouse to be there")
        heard = Heard(gatehouse, user)
        stack.callback(heard.close)
        box = gatehouse.folder / "box"
        box.mkdir()
        device = stack.enter_context(plc())
        connectors = f'[connectors.plc]\nkind = "modbus"\nhost = "{HOST}"\nport = {device}\n'
        connectors += f'[connectors.box]\nkind = "files"\nwatch_seconds = {INTERVAL}\nfolders.box.path = "{box}"\n'
        edge = Edge(gatehouse, of_edge, "polling", connectors).start()
        stack.callback(edge.stop)
        portal = stack.enter_context(closing(Portal(gatehouse, caller, of_edge.username)))
        processes.wait_until(lambda: _answers(portal), READY_WITHIN, "the portal to know the agent")
        _polls(table, edge, portal, heard, seconds)
        _changes(table, portal, box / "live.txt", device, changes)
        _calls(table, portal, calls)
        edge.stop()
        _buffered(table, Edge(gatehouse, of_edge, "buffered"), heard, buffered)
    table.notes.append(
        f"Memory is the proportional set size. Polls: {seconds} s. Changes: {changes} of each, looked at "
        f"every {INTERVAL:g} s, until the REST API has the value, which is asked without a pause. "
        f"Calls: {calls}, one after the other, over HTTP, each with a connection of its own."
    )
    return [table]


def _polls(table: Table, edge: Edge, portal: Portal, heard: Heard, seconds: float) -> None:
    tags = {f"t{number}": {"address": number} for number in range(TAGS)}
    poll = {"connector": "plc", "interval": 1}
    one = {"all": {**poll, "function": "read_many", "arguments": [tags], "topic": "plant/all", "spread": True}}
    many = {
        name: {**poll, "function": "read", "arguments": ["holding", tag["address"]], "topic": f"plant/{name}"}
        for name, tag in tags.items()
    }
    for feeds, what, goal in ((one, "one poll of 1,000 tags", 0.15), (many, "1,000 polls of one tag", None)):
        portal.call("EdgeConnector", "set_feeds", feeds)
        time.sleep(3)
        before = len(heard.messages)
        start = time.monotonic()
        share = processes.share_of_a_core([edge.process.pid], seconds)
        rate = (len(heard.messages) - before) / (time.monotonic() - start)
        judged = (f"≤ {goal:.0%}", met(share <= goal)) if goal else ("", "")
        table.add(f"Processor use, {what} each second ({rate:,.0f} values/s)", judged[0], f"{share:.1%}", judged[1])
    memory = edge.memory
    table.add("Memory, 1,000 tags", "≤ 80 MB", f"{memory:.0f} MB", met(memory <= 80))
    portal.call("EdgeConnector", "set_feeds", {})
    time.sleep(1)


def _changes(table: Table, portal: Portal, path: Path, device: int, count: int) -> None:
    live = {"connector": "box", "function": "watch_text", "arguments": ["box/live.txt"], "topic": "plant/file"}
    tag = {"connector": "plc", "function": "read", "arguments": ["holding", 0], "topic": "plant/tag"}
    portal.call("EdgeConnector", "set_feeds", {"file": live, "tag": {**tag, "interval": INTERVAL, "send": "change"}})

    def replace(number: int) -> None:
        made = path.with_suffix(".new")
        made.write_text(str(number))
        os.replace(made, path)

    with ModbusTcpClient(HOST, port=device) as client:

        def write(number: int) -> None:
            client.write_register(0, number)

        for what, change, form in (("file", replace, b'"%d"'), ("tag", write, b"%d")):
            took = _until_seen(portal, f"plant/{what}", change, form, count)
            name = f"From a change of a {what} to the portal's live value, beyond the interval, p99"
            table.add(name, "≤ 300 ms", milliseconds(took), met(took <= 0.3))


def _until_seen(portal: Portal, topic: str, change: Callable[[int], None], form: bytes, count: int) -> float:
    """Return how long it takes beyond the interval until a change is a live value, 99th percentile."""
    took = []
    for number in range(1, count + 1):
        start = time.monotonic()
        change(number)
        while portal.value(topic) != form % number:
            if time.monotonic() - start > CHANGED_WITHIN:
                raise TimeoutError(f"{topic} was not {number} after {CHANGED_WITHIN} s")
        took.append(max(time.monotonic() - start - INTERVAL, 0))
        time.sleep(0.013)  # so that changes come at any time between two looks
    return percentile(took, 99)


def _calls(table: Table, portal: Portal, count: int) -> None:
    took = []
    for _ in range(count):
        start = time.monotonic()
        portal.call("Files", "folders", instance="box")
        took.append(time.monotonic() - start)
    for percent, goal in ((50, 20), (99, None)):
        found = percentile(took, percent)
        judged = (f"≤ {goal} ms", met(found <= goal / 1000)) if goal else ("", "")
        table.add(f"A call through the portal, p{percent}", judged[0], milliseconds(found), judged[1])


def _buffered(table: Table, edge: Edge, heard: Heard, count: int) -> None:
    outbox = Outbox(edge.folder / "state" / "outbox.db", BUFFER_BYTES)
    outbox.add([Message(f"plant/t{number % TAGS}", b"%d" % number, False, "") for number in range(count)])
    outbox.close()
    before = len(heard.messages)
    edge.start()
    start = time.monotonic()
    heard.wait(before + count, 120)
    took = time.monotonic() - start
    edge.stop()
    in_order = [int(payload) for _, payload in heard.messages[before:]] == list(range(count))
    goal = 30 * count / 100_000
    cell = f"{took:.1f} s{'' if in_order else ', not in order'}"
    table.add(
        f"{count:,} buffered values sent, each once and in order", f"≤ {goal:g} s", cell, met(took <= goal and in_order)
    )


def _answers(portal: Portal) -> bool:
    try:
        return bool(portal.call("EdgeConnector", "status"))
    except RuntimeError:
        return False
