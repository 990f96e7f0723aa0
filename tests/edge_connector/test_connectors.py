"""Connectors from end to end: real things on one side, a foreign VRPC client and the hub on the other."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.edge_connector.ear import Ear
from tests.edge_connector.edge import Edge
from tests.edge_connector.plc import Babbler, Plc
from tests.support import processes
from tests.support.processes import free_port, wait_until
from tests.support.stack import Stack
from tests.support.told import Fault
from tests.support.vrpc import Client

pytestmark = pytest.mark.stack

LOCK = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1])
db.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(60)
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    db = sqlite3.connect(path)
    with db:
        db.execute("CREATE TABLE part (id INTEGER, name TEXT)")
        db.execute("INSERT INTO part VALUES (1, 'bolt')")
    db.close()
    return path


def test_readings_of_a_device_are_values_of_the_hub(
    make_edge: Callable[..., Edge], client: Client, stack: Stack, hall: dict[str, Any]
) -> None:
    with Plc() as plc, Ear(stack.mqtt_port, hall, "plant/#") as ear:
        press = {"kind": "modbus", "host": "127.0.0.1", "port": plc.port, "write": ["holding:4-5"]}
        edge = make_edge("plant", connectors={"press": press}).start().ready()
        device = client.sees(edge.name).get(edge.name, "Modbus", "press")
        tags = {"pressure": {"address": 4}, "gone": {"address": 900}, "on": {"table": "coil", "address": 0}}
        feed = {"connector": "press", "function": "read_many", "arguments": [tags], "interval": 0.1}
        feed |= {"topic": "plant/press", "spread": True, "send": "change", "retain": True}
        client.call(edge.name, "EdgeConnector", "set_feed", "press", feed)
        wait_until(lambda: len(ear.heard) == 3, what="the first reading")
        device.call("write", "holding", 4, 77)
        wait_until(lambda: ear.heard[-1][:2] == ("plant/press/pressure", b"77"), what="the change")
        first = {topic: payload for topic, payload, _ in ear.heard[:3]}
        assert first == {"plant/press/pressure": b"0", "plant/press/gone": b"null", "plant/press/on": b"true"}
        assert len(ear.heard) == 4
        with pytest.raises(Fault, match="not allowed by the agent's configuration"):
            device.call("write", "holding", 6, 1)
        with pytest.raises(Fault, match="does more than read"):
            client.call(edge.name, "EdgeConnector", "set_feed", "bad", {**feed, "function": "write"})
        assert client.call(edge.name, "EdgeConnector", "feeds")["press"]["sent"] == 4
        page = client.call(edge.name, "EdgeConnector", "some_feeds", "PLANT/", 0, 10)
        (brief,) = page["feeds"]
        assert (page["count"], page["matching"], brief["name"], brief["sent"]) == (1, 1, "press", 4)
        assert "arguments" not in brief and (brief["connector"], brief["interval"]) == ("press", 0.1)
        for search, first in (("absent", 0), ("", 1)):
            assert client.call(edge.name, "EdgeConnector", "some_feeds", search, first)["feeds"] == []
        assert client.call(edge.name, "EdgeConnector", "feed", "press")["arguments"] == [tags]
        assert client.call(edge.name, "EdgeConnector", "feed", "absent") is None
    with Ear(stack.mqtt_port, hall, "plant/#") as later:  # it was retained
        wait_until(lambda: ("plant/press/pressure", b"77") in [one[:2] for one in later.heard])
        assert client.call(edge.name, "EdgeConnector", "remove_feed", "press") is True
        for topic in ("pressure", "gone", "on"):
            later.publish(f"plant/press/{topic}", b"")


def test_a_reading_of_a_file_is_a_value_of_the_hub_within_its_interval(
    make_edge: Callable[..., Edge], client: Client, stack: Stack, hall: dict[str, Any], tmp_path: Path
) -> None:
    files = {"kind": "files", "folders": {"box": {"path": str(tmp_path)}}, "watch_seconds": 0.05}
    edge = make_edge("filer", connectors={"files": files}).start().ready()
    client.sees(edge.name)
    watch = {"connector": "files", "function": "watch_text", "arguments": ["box/live.txt"], "topic": "filer/live"}
    with Ear(stack.mqtt_port, hall, "filer/#") as ear:
        client.call(edge.name, "EdgeConnector", "set_feeds", {"live": watch})
        (tmp_path / "live.txt").write_text("21.5")
        wait_until(lambda: ear.payloads == [b'"21.5"'], what="what is in the file")
        assert edge.stop() == 0
        edge.start().ready(2)
        (tmp_path / "live.txt").write_text("22")
        wait_until(lambda: ear.payloads[-1] == b'"22"', what="the feed to go on after a restart")


def test_whatever_goes_wrong_is_told_and_the_agent_stays_up(
    make_edge: Callable[..., Edge], client: Client, database: Path
) -> None:
    with Babbler(b"garbage") as port:
        modbus = {"kind": "modbus", "host": "127.0.0.1", "port": port, "seconds": 0.2, "retries": 0}
        connectors: dict[str, Any] = {
            "shop": {
                "kind": "sql",
                "url": f"sqlite:///{database}",
                "queries": {"part": "SELECT id FROM part WHERE name = :name"},
            },
            "web": {"kind": "http", "servers": [{"url": f"http://127.0.0.1:{free_port()}"}]},
            "press": modbus,
            "cpu": {"kind": "s7", "host": "127.0.0.1", "port": port, "seconds": 0.2},
            "store": {
                "kind": "sql",
                "url": f"mssql://a:b@127.0.0.1:{free_port()}/x",
                "queries": {"one": "SELECT 1"},
            },
            "stock": {
                "kind": "sql",
                "url": f"mariadb://a:b@127.0.0.1:{port}/x",
                "queries": {"one": "SELECT 1"},
                "seconds": 0.3,
            },
            "files": {"kind": "files", "folders": {"box": {"path": str(database.parent)}}},
        }
        edge = make_edge("wrongs", connectors=connectors).start().ready()
        client.sees(edge.name)
        for class_name, instance, function, arguments, why in [
            ("SQL", "shop", "query", ["part", {"id": 1}], "has the parameters"),
            ("SQL", "shop", "query_text", ["SELECT 1"], "only the queries"),
            ("HTTP", "web", "get", ["http://example.com/"], "not among the servers"),
            ("HTTP", "web", "get", [connectors["web"]["servers"][0]["url"]], "a local address"),
            ("Modbus", "press", "read", ["holding", 0], "does not answer|no answer|answered"),
            ("S7", "cpu", "read", ["DB1.DBD0"], "as it should|ended|cannot be reached"),
            ("S7", "cpu", "write", ["DB1.DBD0", 1], "not allowed by the agent's configuration"),
            ("SQL", "store", "query", ["one"], "refused"),
            ("SQL", "stock", "query", ["one"], "longer than 0.3 s"),
            ("Files", "files", "read", ["box/../../etc/passwd"], "no path"),
            ("Files", "files", "read", [], "takes 1 to 4 arguments"),
        ]:
            with pytest.raises(Fault, match=why):
                client.get(edge.name, class_name, instance).call(function, *arguments)
        assert client.get(edge.name, "SQL", "shop").call("query", "part", {"name": "x' OR '1'='1"})["rows"] == []
        assert client.get(edge.name, "SQL", "shop").call("query", "part", {"name": "bolt"})["rows"] == [[1]]
    lines = client.call(edge.name, "EdgeConnector", "log")
    assert any("web.get, called by acme.default/" in line and "not among the servers" in line for line in lines)
    assert edge.running
    assert "Traceback" not in edge.log()


def test_what_hangs_holds_up_itself_only_and_its_callers_not_for_long(
    make_edge: Callable[..., Edge], client: Client, database: Path
) -> None:
    holder = processes.start([sys.executable, "-c", LOCK, str(database)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None and holder.stdout.readline()
        shop = {"kind": "sql", "url": f"sqlite:///{database}", "queries": {"all": "SELECT id FROM part"}, "seconds": 30}
        limits = {"call_seconds": 1.5, "calls_waiting": 1}
        edge = make_edge("hanging", connectors={"shop": shop, "box": {"kind": "system"}}, limits=limits).start().ready()
        client.sees(edge.name)
        instance = client.get(edge.name, "SQL", "shop")
        waiting = [instance.begin("query", "all") for _ in range(5)]
        with pytest.raises(Fault, match="shop is busy: 5 calls"):
            instance.call("query", "all")
        assert client.get(edge.name, "System", "box").call("versions")["python"]
        for one in waiting:
            with pytest.raises(Fault, match="query took longer than 1.5 s"):
                one.result(20)
        assert edge.stop() == 0
    finally:
        processes.stop(holder)


def test_a_restart_reads_the_configuration_again(make_edge: Callable[..., Edge], client: Client) -> None:
    edge = make_edge("anew").start().ready()
    client.sees(edge.name)
    edge.tables["connectors"] = {"box": {"kind": "system"}}
    edge.write()
    assert client.call(edge.name, "EdgeConnector", "restart") is True
    edge.ready(2)
    wait_until(lambda: "System" in client.agents()[edge.name]["classes"], what="the new connector")
    assert edge.process is not None
    os.kill(edge.process.pid, signal.SIGTERM)
    assert edge.process.wait(20) == 0


def test_a_call_for_an_agent_that_is_away_is_not_done_later(
    make_edge: Callable[..., Edge], stack: Stack, hall: dict[str, Any], client: Client, tmp_path: Path
) -> None:
    files = {"kind": "files", "folders": {"box": {"path": str(tmp_path), "write": True}}}
    edge = make_edge("away", connectors={"files": files}).start().ready()
    client.sees(edge.name)
    edge.kill()
    client.sees(edge.name, "offline")
    request = {"a": ["box/late.txt", "x"], "i": "1", "s": "acme.default/pc/abcd1234", "v": 3}
    with Ear(stack.mqtt_port, hall, "acme.default/pc/abcd1234") as ear:
        ear.publish(f"acme.default/{edge.name}/Files/files/write", json.dumps(request).encode())
        edge.start().ready(2)
        client.sees(edge.name)
        request["a"] = ["box/now.txt", "x"]
        ear.publish(f"acme.default/{edge.name}/Files/files/write", json.dumps(request).encode())
        wait_until(lambda: ear.heard, what="an answer")
    assert (tmp_path / "now.txt").exists()
    assert not (tmp_path / "late.txt").exists()
