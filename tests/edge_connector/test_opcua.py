"""Servers of OPC UA: node-opcua-server, over each kind of security, gone and back, and servers that misbehave."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_connector import wire
from edge_connector.connectors.base import Home
from edge_connector.connectors.opcua import OPCUA
from edge_connector.connectors.opcua_identity import identity
from edge_connector.errors import ConfigFault, Refused, TimedOut
from edge_connector.settings import Table
from tests.edge_connector.ear import Ear
from tests.edge_connector.edge import Edge
from tests.edge_connector.machine import Machine
from tests.edge_connector.maker import Maker
from tests.edge_connector.plc import Babbler
from tests.support.processes import free_port, wait_until
from tests.support.stack import Stack
from tests.support.told import Fault
from tests.support.vrpc import Client

Make = Callable[..., OPCUA]

USER = {"username": "hall", "password": "secret"}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    found = Machine(tmp_path_factory.mktemp("machine"))
    yield found
    found.kill()


@pytest.fixture(scope="module")
def line(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OPCUA]:
    """A connector that tests share which leave it as it was; its connection is encrypted."""
    values = {"write": ["/1:Line1"], "methods": ["ns=1;s=Line1*"], "fingerprint": machine.fingerprint, **USER}
    with making(tmp_path_factory.mktemp("line"), machine) as make:
        yield make(**values)


@pytest.fixture
def make(machine: Machine, tmp_path: Path) -> Iterator[Make]:
    with making(tmp_path, machine) as make:
        yield make


@contextmanager
def making(folder: Path, machine: Machine) -> Iterator[Make]:
    with Maker(OPCUA, "line", url=machine.url) as make:

        def connector(**values: Any) -> OPCUA:
            made = make(**values)
            made.begin(Home(folder, "acme.default/hall/line", lambda message: None, lambda topics, hear: None))
            made._session._pauses.next = lambda: 0.1
            return made

        yield connector


def test_nodes_are_found_page_by_page(line: OPCUA) -> None:
    top = line.browse()
    assert {"ns=1;s=Line1", "ns=1;s=Many"} <= {one["node"] for one in top["nodes"]}
    speed = next(one for one in line.browse("/1:Line1")["nodes"] if one["name"] == "1:Speed")
    assert speed == {
        "node": "ns=1;s=Line1.Speed",
        "name": "1:Speed",
        "display": "Speed",
        "class": "Variable",
        "type": "i=63",
    }
    pages = [line.browse("ns=1;s=Many", start, 100) for start in (0, 100, 200)]
    assert [one["name"] for page in pages for one in page["nodes"]] == [f"1:v{index}" for index in range(250)]
    assert [page["more"] for page in pages] == [True, True, False]
    with pytest.raises(Refused, match="start has to be from 0 to 10000"):
        line.browse("/", 20_000)


def test_values_have_their_type_status_and_times(line: OPCUA) -> None:
    found = line.read("/1:Line1/1:Speed")
    assert (found["value"], found["type"], found["status"]) == (1.5, "Double", "Good")
    assert found["source_time"].endswith("+00:00")
    names = ["Name", "On", "Key", "Since", "Temperatures"]
    assert [line.value(f"ns=1;s=Line1.{name}") for name in names] == [
        "mixer",
        True,
        "AP8Q",
        "2026-01-31T12:00:00.250000+00:00",
        [1.5, 2.5],
    ]
    odd = line.read("ns=1;s=Line1.Odd")
    assert math.isnan(odd["value"])
    assert json.loads(wire.encode(odd))["value"] is None


def test_many_values_are_read_at_once_and_bad_ones_hold_up_nothing(line: OPCUA, machine: Machine) -> None:
    many = line.read_many([f"ns=1;s=Many.v{index}" for index in range(250)])
    assert [one["value"] for one in many] == list(range(250))
    machine.do("bad", name="Other")
    wanted = {"speed": "ns=1;s=Line1.Speed", "gone": "ns=1;s=Nothing", "broken": "ns=1;s=Line2.Other"}
    assert line.values(wanted) == {"speed": 1.5, "gone": None, "broken": None}
    assert [one["status"] for one in line.read_many([*wanted.values()])] == [
        "Good",
        "BadNodeIdUnknown",
        "BadSensorFailure",
    ]
    with pytest.raises(Refused, match="is not known: BadSensorFailure"):
        line.value(wanted["broken"])


@pytest.mark.parametrize(
    ("node", "why"),
    [
        ("Speed", "is no node"),
        ("ns=70000;i=1", "is no node of this server"),
        ("/1:Line1/1:Nothing", "there is no node /1:Line1/1:Nothing"),
        ("//", "is no path"),
        ("/" * 40 + "x", "30 levels at most"),
    ],
)
def test_what_is_no_node_is_said(node: str, why: str, line: OPCUA) -> None:
    with pytest.raises(Refused, match=why):
        line.read(node)


@pytest.mark.parametrize(
    ("name", "value", "there"),
    [
        ("Count", 9, {"type": "Int32", "value": 9}),
        ("Count", 9.0, {"type": "Int32", "value": 9}),
        ("Speed", 2, {"type": "Double", "value": 2}),
        ("Big", str(2**62 + 1), {"type": "Int64", "value": [2**30, 1]}),
        ("On", False, {"type": "Boolean", "value": False}),
        ("Key", "AAEC", {"type": "ByteString", "value": [0, 1, 2]}),
        ("Since", "2026-02-01T12:00:00+01:00", {"type": "DateTime", "value": "2026-02-01T11:00:00.000Z"}),
        ("Temperatures", [1, 2.5], {"type": "Float", "value": [1, 2.5]}),
    ],
)
def test_what_is_written_has_the_type_of_the_node(
    name: str, value: Any, there: Any, line: OPCUA, machine: Machine
) -> None:
    before = line.value(f"/1:Line1/1:{name}")
    assert line.write(f"/1:Line1/1:{name}", value) is True
    assert machine.do("get", name=name) == there
    line.write(f"ns=1;s=Line1.{name}", before)  # what is read can be written
    assert line.value(f"/1:Line1/1:{name}") == before


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("Count", 2**31, "is no Int32"),
        ("Count", True, "is no Int32"),
        ("Count", None, "is no Int32"),
        ("Small", 256, "from 0 to 255"),
        ("Speed", "fast", "is no Double"),
        ("Key", "ä", "bytes in base64"),
        ("Since", "2026-02-01", "is no DateTime"),
        ("Temperatures", 1, "has to be a list"),
        ("Speed", [1], "has to be a single one"),
        ("Nothing", 1, "BadNodeIdUnknown|not allowed"),
    ],
)
def test_what_the_node_does_not_take_is_refused(name: str, value: Any, why: str, line: OPCUA) -> None:
    with pytest.raises(Refused, match=why):
        line.write(f"ns=1;s=Line1.{name}", value)


def test_nothing_is_written_or_called_that_the_configuration_does_not_name(make: Make, line: OPCUA) -> None:
    with pytest.raises(Refused, match=r"write of ns=1;s=Line2.Other is not allowed"):
        line.write("ns=1;s=Line2.Other", 1)
    with pytest.raises(Refused, match=r"methods of ns=1;s=Line2 is not allowed"):
        line.call("ns=1;s=Line2", "ns=1;s=Line1.Halt")
    plain = make(security="none", read=["/1:Line1", "ns=1;s=Many.v7"])
    assert plain.value("ns=1;s=Line1.Speed") == 1.5
    assert plain.value("ns=1;s=Many.v7") == 7
    for read in (plain.value, lambda node: plain.watch(node, print)):
        with pytest.raises(Refused, match=r"read of ns=1;s=Many.v8 is not allowed"):
            read("ns=1;s=Many.v8")
    with pytest.raises(Refused, match="write of"):
        plain.write("ns=1;s=Line1.Speed", 1)
    with pytest.raises(Refused, match="methods of"):
        plain.call("ns=1;s=Line1", "ns=1;s=Line1.Halt")
    with pytest.raises(Refused, match="not secured"):
        plain.identity()


def test_a_method_gets_its_arguments_and_says_what_it_makes_of_them(line: OPCUA) -> None:
    assert line.call("/1:Line1", "/1:Line1/1:Add", [2, 3]) == [5]
    assert line.call("ns=1;s=Line1", "ns=1;s=Line1.Halt") == []
    for arguments, why in (
        ([-2, 3], "BadOutOfRange"),
        ([1], r"takes 2 arguments \(a, b\)"),
        (["1", []], "a single one"),
    ):
        with pytest.raises(Refused, match=why):
            line.call("/1:Line1", "/1:Line1/1:Add", arguments)


def test_changes_are_told_as_closely_as_wanted(line: OPCUA, machine: Machine) -> None:
    close: list[Any] = []
    coarse: list[Any] = []
    ends = [
        line.watch_item({"node": "ns=1;s=Many.v0", "interval": 0.05}, close.append),
        line.watch_item({"node": "ns=1;s=Line1.Count", "interval": 0.05, "deadband": 3}, coarse.append),
    ]
    wait_until(lambda: close and coarse, what="the values that there are")
    for value in (8, 9, 10, 11, 12):
        machine.do("set", name="Count", type="Int32", value=value)
        time.sleep(0.06)
    wait_until(lambda: len(coarse) > 1, what="a change that is large enough")
    assert [one["value"] for one in coarse] == [7, 11]
    assert coarse[0]["type"] == "Int32"
    for end in ends:
        end()
    assert machine.do("subscriptions") == 0
    machine.do("set", name="Count", type="Int32", value=7)
    with pytest.raises(Refused, match="BadNodeIdUnknown"):
        line.watch("ns=1;s=Nothing", print)
    for item in ({"node": "i=1", "interval": 0}, {"node": "i=1", "deadband": -1}, {"node": 1}, {"nodes": "i=1"}):
        with pytest.raises(Refused):
            line.watch_item(item, print)


def test_a_password_without_security_is_warned_of(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    make(security="none", **USER)
    assert "the password goes to whoever answers at opc.tcp://127.0.0.1" in caplog.text


@pytest.mark.parametrize(
    ("security", "user"), [("none", {}), ("none", USER), ("sign", USER), ("sign", {}), ("encrypt", {})]
)
def test_every_kind_of_security_is_spoken(security: str, user: dict[str, str], make: Make, machine: Machine) -> None:
    known = {} if security == "none" else {"fingerprint": machine.fingerprint.upper()}
    assert make(security=security, **known, **user).value("ns=1;s=Line1.Speed") == 1.5


def test_the_certificate_is_made_once_and_kept_to_its_owner(make: Make, machine: Machine, tmp_path: Path) -> None:
    trusted = {"certificate": str(machine.folder / "server.pem")}
    first = make(**trusted).identity()
    assert make(**trusted).identity() == first
    assert first["certificate"].startswith("-----BEGIN CERTIFICATE")
    assert (tmp_path / "client.pem").stat().st_mode & 0o777 == 0o600
    assert make(**trusted).value("ns=1;s=Line1.Speed") == 1.5


def test_a_certificate_that_does_not_reach_the_disk_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fail)
        with pytest.raises(ConfigFault, match=r"cannot be made: .*No space left"):
            identity(tmp_path, "acme.default/hall/line")
    assert not {"client.der", "client.pem"} & {one.name for one in tmp_path.iterdir()}
    assert identity(tmp_path, "acme.default/hall/line").told()["certificate"].startswith("-----BEGIN CERTIFICATE")


def test_another_server_gets_no_session_and_no_password(make: Make, machine: Machine) -> None:
    before = machine.do("sessions")
    pinned = make(fingerprint="ab" * 32, **USER)
    with pytest.raises(Refused, match=f"has the fingerprint {machine.fingerprint}, not {'ab' * 32}"):
        pinned.read("i=2256")
    assert machine.do("sessions") == before
    wrong = make(fingerprint=machine.fingerprint, username="hall", password="guess")
    with pytest.raises(Refused, match="BadUserAccessDenied|BadIdentityTokenRejected"):
        wrong.read("i=2256")


def test_a_server_that_hangs_is_said_within_the_time_out_and_watched_again_when_it_is_back(
    make: Make, machine: Machine
) -> None:
    found = make(fingerprint=machine.fingerprint, seconds=1)
    heard: list[Any] = []
    wait_until(lambda: found.status()["connected"], what="the session")
    found.watch_value("ns=1;s=Line1.Speed", heard.append)
    wait_until(lambda: heard == [1.5], what="the value")
    machine.freeze()
    with pytest.raises(TimedOut):
        found.read("ns=1;s=Line1.Speed")
    wait_until(lambda: heard == [1.5, None], what="that nothing is known of it")
    with pytest.raises(Refused, match="there is no connection"):
        found.read("ns=1;s=Line1.Speed")
    machine.kill()
    machine.start()
    machine.do("set", name="Speed", type="Double", value=2.5)
    wait_until(lambda: heard[-1] == 2.5, what="the watch to come back")
    assert found.value("ns=1;s=Line1.Speed") == 2.5
    assert found.status() == {"server": machine.url, "connected": True, "trouble": "", "watches": 1}


def test_a_server_that_is_not_there_or_answers_garbage_is_said(make: Make) -> None:
    with Babbler(b"HTTP/1.1 400 Bad Request\r\n\r\n") as large, Babbler(b"ACKF\x08\0\0\0") as short:
        for place, why in ((free_port(), "cannot be reached"), (large, "connection lost"), (short, "cannot be")):
            with pytest.raises(Refused, match=f"there is no connection: .*{why}"):
                make(security="none", url=f"opc.tcp://127.0.0.1:{place}", seconds=2).read("i=2256")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({}, r"connectors\.line\.fingerprint has to be given"),
        ({"security": "none", "fingerprint": "ab" * 32}, "need sign or encrypt"),
        ({"fingerprint": "ab"}, "64 hexadecimal digits"),
        ({"certificate": "/nothing"}, r"connectors\.line\.certificate cannot be read"),
        ({"security": "none", "url": "http://x"}, "opc.tcp"),
        ({"security": "none", "url": "opc.tcp://a:b@x"}, "no username"),
        ({"security": "none", "write": ["Speed"]}, "is no node"),
        ({"security": "none", "methods": [7]}, "a list of texts"),
    ],
)
def test_a_table_that_cannot_be_used_is_said(values: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigFault, match=why):
        OPCUA("line", Table("connectors.line", {"url": "opc.tcp://x", **values}))


@pytest.mark.stack
def test_a_machine_is_read_watched_and_written_from_afar(
    make_edge: Callable[..., Edge], machine: Machine, client: Client, stack: Stack, hall: dict[str, Any]
) -> None:
    table = {"kind": "opcua", "url": machine.url, "fingerprint": machine.fingerprint, "write": ["ns=1;s=Line1.Name"]}
    edge = make_edge("opc", connectors={"line": table}).start().ready()
    device = client.sees(edge.name).get(edge.name, "OPCUA", "line")
    feed = {"connector": "line", "function": "watch_value", "arguments": ["/1:Line1/1:Name"], "topic": "opc/name"}
    with Ear(stack.mqtt_port, hall, "opc/#") as ear:
        client.call(edge.name, "EdgeConnector", "set_feed", "name", feed)
        wait_until(lambda: ear.payloads == [b'"mixer"'], what="the first value")
        device.call("write", "ns=1;s=Line1.Name", "press")
        wait_until(lambda: ear.payloads[1:] == [b'"press"'], what="the change")
    with pytest.raises(Fault, match="not allowed by the agent's configuration"):
        device.call("write", "ns=1;s=Line1.Speed", 1)
    assert edge.stop() == 0
    assert "Traceback" not in edge.log()
