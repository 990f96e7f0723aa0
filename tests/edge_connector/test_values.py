"""Values on their way to the hub: over cuts, kills, refusals and full disks."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge_connector import config
from edge_connector.link import Link
from edge_connector.outbox import Message, Outbox
from edge_connector.sender import Sender
from tests.edge_connector.cut import Way
from tests.edge_connector.ear import Ear
from tests.edge_connector.edge import Edge, toml
from tests.support.processes import free_port, wait_until
from tests.support.stack import Stack
from tests.support.vrpc import Client

pytestmark = pytest.mark.stack


class Sending:
    """A buffer and a connection, without the rest of an agent."""

    def __init__(self, folder: Path, port: int, integration: dict[str, Any]) -> None:
        server = {"host": "127.0.0.1", "port": port, "transport": "tcp"}
        server |= {"username": integration["username"], "password": integration["password"]}
        path = folder / "edge.toml"
        path.write_text(toml({"server": server, "agent": {"domain": "acme.default", "name": "sending"}}))
        self.outbox = Outbox(folder / "outbox.db", 10_000_000)
        self.sender = Sender(self.outbox, lambda message, number: self.link.send(message, number))
        self.link = Link(config.load(path).server, "acme.default/sending", 1_000_000)
        self.link._pauses.next = lambda: 0.1
        self.link.on_up = self.sender.connected
        self.link.on_down = self.sender.disconnected
        self.link.on_acknowledged = self.sender.acknowledged
        self.sender.start()
        self.link.start()

    def add(self, topic: str, *values: int) -> None:
        for value in values:
            self.sender.add(Message(topic, str(value).encode(), False, "2026-01-01T00:00:00.000+00:00"))

    def stop(self) -> None:
        self.sender.drain(1)
        self.link.stop(lambda: None)
        self.sender.stop()


@pytest.fixture
def sending(tmp_path: Path, way: Way, hall: dict[str, Any]) -> Iterator[Sending]:
    found = Sending(tmp_path, way.port, hall)
    yield found
    found.stop()


def test_cuts_under_load_neither_lose_nor_double_nor_reorder(
    sending: Sending, way: Way, stack: Stack, hall: dict[str, Any]
) -> None:
    with Ear(stack.mqtt_port, hall, "cuts/#") as ear:
        for start in range(0, 3000, 500):
            sending.add("cuts/counter", *range(start, start + 500))
            wait_until(lambda start=start: len(ear.heard) > start + 100, what="values to arrive")
            way.cut()
            sending.add("cuts/counter")
            way.mend()
        wait_until(lambda: sending.sender.sent == 3000, what="all to be acknowledged")
        wait_until(lambda: len(ear.heard) >= 3000, what="all to arrive")
        assert sending.link.connections > 2
        assert [int(one) for one in ear.payloads] == list(range(3000))
    wait_until(lambda: sending.outbox.count == 0, what="the buffer to be empty")


def test_each_value_carries_its_number_and_the_time_it_was_read(
    sending: Sending, stack: Stack, hall: dict[str, Any]
) -> None:
    with Ear(stack.mqtt_port, hall, "marks/#") as ear:
        sending.add("marks/a", 1, 2)
        wait_until(lambda: len(ear.heard) == 2)
        marks = [about for _, _, about in ear.heard]
    assert [int(one["number"]) for one in marks] == [1, 2]
    assert marks[0]["time"] == "2026-01-01T00:00:00.000+00:00"


def test_a_full_disk_is_said_and_holds_up_nobody_who_is_connected(
    sending: Sending, stack: Stack, hall: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with Ear(stack.mqtt_port, hall, "full/#") as ear:
        sending.add("full/a", 1)
        wait_until(lambda: sending.outbox.count == 0 and ear.heard)
        pages = sending.outbox._db.execute("PRAGMA page_count").fetchone()[0]
        sending.outbox._db.execute(f"PRAGMA max_page_count = {pages}")
        sending.sender.add(Message("full/a", b"x" * 100_000, False, ""))
        wait_until(lambda: len(ear.heard) == 2, what="the value to arrive all the same")
        assert "disk is full" in str(sending.sender.status()["trouble"])
        sending.outbox._db.execute("PRAGMA max_page_count = 1000000")
        sending.add("full/a", 3)
        wait_until(lambda: sending.sender.status()["trouble"] == "", what="the disk to be written again")
        wait_until(lambda: ear.payloads[2:] == [b"3"], what="the next value")
    assert "the buffer cannot be written" in caplog.text


def test_what_the_server_refuses_is_said_and_holds_up_nothing(
    tmp_path: Path, stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    narrow = stack.add("mqtt")
    words = [word for one in ("narrow/#", "acme.default/#") for word in ("--publish", one, "--subscribe", one)]
    stack.flask("integrations", "permit", narrow["username"], *words)
    sending = Sending(tmp_path, stack.mqtt_port, narrow)
    try:
        with Ear(stack.mqtt_port, narrow, "narrow/#") as ear:
            sending.add("elsewhere", 1)
            sending.add("narrow/a", 2)
            wait_until(lambda: ear.payloads == [b"2"], what="the value that is allowed")
        wait_until(lambda: sending.sender.refused == 1 and sending.outbox.count == 0)
    finally:
        sending.stop()
    assert "refused a value for elsewhere" in caplog.text


def test_what_was_buffered_survives_a_kill_and_is_sent_first(
    make_edge: Callable[..., Edge], way: Way, stack: Stack, hall: dict[str, Any], client: Client
) -> None:
    edge = make_edge("killed", {"port": way.port}, connectors={"box": {"kind": "system"}}).start().ready()
    client.sees(edge.name)
    poll = {"connector": "box", "function": "uptime", "topic": "killed/uptime", "interval": 0.05}
    with Ear(stack.mqtt_port, hall, "killed/#") as ear:
        client.call(edge.name, "EdgeConnector", "set_feed", "uptime", poll)
        wait_until(lambda: len(ear.heard) > 3, what="values of the poll")
        way.cut()
        seen = len(ear.heard)
        edge.says("the connection ended")
        wait_until(lambda: buffered(edge) > 5, what="values in the buffer")
        edge.kill()
        with closing(sqlite3.connect(f"file:{edge.folder}/state/outbox.db?mode=ro", uri=True)) as db:
            rows = db.execute("SELECT number, payload FROM message ORDER BY number").fetchall()
        way.mend()
        edge.start().ready(2)
        wait_until(lambda: len(ear.heard) > seen + len(rows), what="the buffer, and new values")
        later = [(int(about["number"]), payload) for _, payload, about in ear.heard[seen:]]
    assert [one for one in later if one[0] <= rows[-1][0]][-len(rows) :] == rows
    assert sorted(later) == later
    assert json.loads(later[-1][1]) > 0


def buffered(edge: Edge) -> int:
    """Return how many values wait in the file of an agent, which reads it alone: in a copy of it."""
    with tempfile.TemporaryDirectory() as folder:
        for path in edge.folder.glob("state/outbox.db*"):
            shutil.copy(path, folder)
        with closing(sqlite3.connect(f"{folder}/outbox.db")) as db:
            return int(db.execute("SELECT count(*) FROM message").fetchone()[0])


def test_the_buffer_fills_while_the_server_cannot_be_reached(make_edge: Callable[..., Edge]) -> None:
    edge = make_edge("alone", {"port": free_port()}, connectors={"box": {"kind": "system"}})
    (edge.folder / "state").mkdir()
    feed = {"connector": "box", "function": "uptime", "topic": "a", "interval": 0.05}
    (edge.folder / "state" / "feeds.json").write_text(json.dumps({"up": feed, "old": {**feed, "connector": "gone"}}))
    edge.start().says("cannot connect").says("there is no connector 'gone'")
    wait_until(lambda: buffered(edge) > 3, what="values in the buffer")
    assert edge.stop() == 0
    assert buffered(edge) > 3
    assert "old" in json.loads((edge.folder / "state" / "feeds.json").read_text())


def test_agents_of_one_name_say_so_and_are_not_quick_about_it(make_edge: Callable[..., Edge]) -> None:
    one = make_edge("namesake").start().ready()
    other = make_edge("namesake").start().ready()
    one.says("another agent of this name has connected")
    assert one.stop() == other.stop() == 0


def test_a_second_agent_with_the_same_state_is_refused(make_edge: Callable[..., Edge]) -> None:
    edge = make_edge("twin", {"port": free_port()}).start().says("cannot connect")
    assert edge.process is not None
    first = edge.process
    edge.start()
    assert edge.process.wait(20) == 78
    assert "another agent uses" in edge.log()
    first.terminate()
    assert first.wait(20) == 0
