"""An agent in odd conditions: a clock that jumps, nobody to listen to, readings that hardly differ."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.edge_connector.ear import Ear
from tests.edge_connector.edge import Edge
from tests.edge_connector.s7_cpu import Cpu
from tests.support.processes import wait_until
from tests.support.stack import Stack
from tests.support.vrpc import Client

pytestmark = pytest.mark.stack

# Runs the agent with a wall clock that is ahead by as many seconds as a file says.
CLOCK = """
import datetime, pathlib, runpy, sys, time

ahead, real = pathlib.Path(sys.argv.pop(1)), time.time
time.time = lambda: real() + float(ahead.read_text() or 0)

class Jumping(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)

datetime.datetime = Jumping
runpy.run_module("edge_connector", run_name="__main__", alter_sys=True)
"""
YEAR = 365 * 86_400


def test_a_clock_that_jumps_holds_up_no_poll_no_call_and_no_connection(
    make_edge: Callable[..., Edge], client: Client, stack: Stack, hall: dict[str, Any], tmp_path: Path
) -> None:
    ahead = tmp_path / "ahead"
    ahead.write_text("0")
    edge = make_edge("jumping", connectors={"box": {"kind": "system"}})
    edge.program = ["-c", CLOCK, str(ahead)]
    edge.start().ready()
    client.sees(edge.name)
    feed = {"connector": "box", "function": "memory", "interval": 0.05, "topic": "jumping/memory"}
    with Ear(stack.mqtt_port, hall, "jumping/#") as ear:
        client.call(edge.name, "EdgeConnector", "set_feed", "memory", feed)
        for seconds in (0, 10 * YEAR, -10 * YEAR):
            ahead.write_text(str(seconds))
            before = len(ear.heard)
            wait_until(lambda before=before: len(ear.heard) > before + 20, what="values after the clock has jumped")
            assert client.get(edge.name, "System", "box").call("versions")["python"]
    marks = [about for _, _, about in ear.heard]
    years = [int(one["time"][:4]) for one in marks]
    assert max(years) - min(years) in (19, 20)
    assert [int(one["number"]) for one in marks] == list(range(1, len(marks) + 1))
    assert edge.log().count("connected to") == 1
    assert edge.stop() == 0
    assert "Traceback" not in edge.log()


def test_it_has_the_one_connection_and_listens_on_nothing(
    make_edge: Callable[..., Edge], stack: Stack, tmp_path: Path
) -> None:
    connectors = {
        "box": {"kind": "system"},
        "files": {"kind": "files", "folders": {"box": {"path": str(tmp_path)}}},
        "web": {"kind": "http", "servers": [{"url": "http://example.com"}]},
        "press": {"kind": "modbus", "host": "127.0.0.1"},
        "cpu": {"kind": "s7", "host": "127.0.0.1"},
    }
    edge = make_edge("silent", connectors=connectors).start().ready()
    assert edge.process is not None
    found = psutil.Process(edge.process.pid).net_connections("inet")
    assert [(one.status, one.raddr.port) for one in found] == [(psutil.CONN_ESTABLISHED, stack.mqtt_port)]


def test_a_reading_of_a_controller_is_sent_when_it_differs_by_more_than_its_deadband(
    make_edge: Callable[..., Edge], client: Client, stack: Stack, hall: dict[str, Any]
) -> None:
    with Cpu() as cpu, Ear(stack.mqtt_port, hall, "s7/#") as ear:
        edge = make_edge("siemens", connectors={"cpu": {"kind": "s7", "host": "127.0.0.1", "port": cpu.port}})
        edge.start().ready()
        client.sees(edge.name)

        def readings() -> int:
            return client.call(edge.name, "EdgeConnector", "feeds")["level"]["readings"]

        def becomes(value: int) -> None:
            cpu.db[4:6] = struct.pack(">H", value)
            before = readings()
            wait_until(lambda: readings() > before + 2, what="the device to be read")

        feed = {"connector": "cpu", "function": "read", "arguments": ["DB1.DBW4"], "topic": "s7/level"}
        feed |= {"interval": 0.05, "send": "change", "deadband": 5}
        client.call(edge.name, "EdgeConnector", "set_feed", "level", feed)
        wait_until(lambda: ear.payloads == [b"65535"], what="the first reading")
        for value in (65_533, 65_529, 65_525):
            becomes(value)
        assert ear.payloads == [b"65535", b"65529"]
        assert edge.stop() == 0
        edge.start().ready(2)
        wait_until(lambda: ear.payloads[2:] == [b"65525"], what="the first reading after a restart")
