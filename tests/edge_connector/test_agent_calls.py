"""An agent as clients of VRPC's own packages see it, over Gatehouse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.edge_connector.conftest import connect
from tests.edge_connector.edge import Edge
from tests.support.processes import wait_until
from tests.support.stack import Stack
from tests.support.told import Fault
from tests.support.vrpc import KINDS, Client, Clients, listener

pytestmark = pytest.mark.stack


@pytest.fixture
def edge(make_edge: Callable[..., Edge], tmp_path: Path) -> Edge:
    """An agent with two folders, of which one may be written to."""
    for name in ("inbox", "manuals"):
        (tmp_path / name).mkdir()
    (tmp_path / "manuals" / "press.txt").write_text("Turn it off first.")
    connectors = {
        "files": {
            "kind": "files",
            "folders": {
                "inbox": {"path": str(tmp_path / "inbox"), "write": True},
                "manuals": {"path": str(tmp_path / "manuals")},
            },
        },
        "more": {"kind": "files", "folders": {"inbox": {"path": str(tmp_path / "manuals")}}},
        "box": {"kind": "system"},
    }
    return make_edge("press-hall", connectors=connectors).start().ready()


@pytest.mark.parametrize("kind", KINDS)
def test_clients_of_both_packages_call_connectors(
    kind: str,
    edge: Edge,
    stack: Stack,
    hall: dict[str, Any],
    programs: Callable[[str], Clients],
) -> None:
    client = connect(programs(kind), stack, hall).sees(edge.name)
    assert set(client.agents()[edge.name]["classes"]) >= {"EdgeConnector", "Files", "System"}
    files = client.get(edge.name, "Files", "files")
    assert files.call("read", "manuals/press.txt") == "Turn it off first."
    assert files.call("write", "inbox/order.txt", "20 plates") == 9
    assert [one["name"] for one in files.call("list", "inbox")] == ["order.txt"]
    with pytest.raises(Fault, match="nothing may be written to manuals"):
        files.call("write", "manuals/press.txt", "")
    assert client.call(edge.name, "EdgeConnector", "status")["connectors"] == {
        "files": "Files",
        "more": "Files",
        "box": "System",
    }
    client.end()


def test_functions_are_documented_with_types(edge: Edge, stack: Stack, hall: dict[str, Any], programs) -> None:
    client = connect(programs("npm"), stack, hall, requiresSchema=True).sees(edge.name)
    wait_until(lambda: "System" in client.agents()[edge.name]["classes"])
    read = client.agents()[edge.name]["classes"]["Files"]["meta"]["read"]
    assert read["description"] == "Reads a file, or a part of it"
    assert [(one["name"], one["type"], one["optional"]) for one in read["params"]] == [
        ("path", "string", False),
        ("encoding", "string", True),
        ("offset", "integer", True),
        ("length", "integer | null", True),
    ]
    assert read["ret"] == {"type": "string", "description": "What is in it"}
    client.end()


def test_a_function_is_called_on_all_instances(edge: Edge, client: Client) -> None:
    client.sees(edge.name)
    found = client.call_all(edge.name, "Files", "read", "inbox/press.txt")
    assert found["more"]["val"] == "Turn it off first."
    assert found["files"]["err"] == "there is no press.txt"


def test_what_is_not_offered_is_refused_to_the_caller(edge: Edge, client: Client) -> None:
    client.sees(edge.name)
    with pytest.raises(Fault):
        client.create(edge.name, "Files", "mine", {})
    with pytest.raises(Fault, match="has no function 'close'"):
        client.call(edge.name, "EdgeConnector", "close")
    with pytest.raises(Fault, match="takes 1 arguments"):
        client.call(edge.name, "EdgeConnector", "remove_feed")
    with pytest.raises(Fault, match="lines has to be of type integer"):
        client.call(edge.name, "EdgeConnector", "log", "many")
    assert client.call(edge.name, "EdgeConnector", "status")["name"] == edge.name
    edge.says("has no function 'close'")


def test_a_client_is_told_of_changes_until_it_goes(
    edge: Edge, stack: Stack, hall: dict[str, Any], programs: Callable[[str], Clients], tmp_path: Path
) -> None:
    for kind in KINDS:
        client = connect(programs(kind), stack, hall).sees(edge.name)
        files = client.get(edge.name, "Files", "files")
        function = "vrpcOn" if kind == "npm" else "vrpc_on"
        assert files.call(function, "watch", "inbox", listener("inbox")) is True
        (tmp_path / "inbox" / f"{kind}.txt").write_text("new")
        wait_until(lambda client=client: client.heard("inbox"), what=f"{kind} to be told")
        ((change,),) = client.heard("inbox")[:1]
        assert (change["path"], change["event"], change["size"]) == (f"inbox/{kind}.txt", "created", 3)
        client.end()


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_listens_as_to_an_emitter_and_has_heard_enough(
    kind: str, edge: Edge, stack: Stack, hall: dict[str, Any], programs: Callable[[str], Clients], tmp_path: Path
) -> None:
    client = connect(programs(kind), stack, hall).sees(edge.name)
    files = client.get(edge.name, "Files", "files")
    assert files.call("on", "watch:inbox", listener("inbox")) is True
    with pytest.raises(Fault, match="there is no event 'read'; there are watch, watch_text"):
        files.call("on", "read:inbox", listener("other"))
    (tmp_path / "inbox" / "a.txt").write_text("1")
    wait_until(lambda: client.heard("inbox"), what=f"{kind} to be told")
    files.call("off", "watch:inbox", listener("inbox"))
    assert files.call("unwatch") == 0
    client.end()


def test_an_agent_that_stops_says_so_and_one_that_is_killed_is_seen_offline(edge: Edge, client: Client) -> None:
    client.sees(edge.name)
    assert edge.stop() == 0
    client.sees(edge.name, "offline")
    edge.start().ready(2)
    client.sees(edge.name, "online")
    edge.kill()
    client.sees(edge.name, "offline")
    assert "Traceback" not in edge.log()
