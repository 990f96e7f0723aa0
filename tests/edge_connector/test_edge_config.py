"""The configuration file, and how the agent says what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_connector import config
from edge_connector.errors import ConfigFault
from tests.edge_connector.edge import Edge, toml

GOOD: dict[str, Any] = {
    "server": {"host": "gatehouse.example", "username": "hall", "password": "secret"},
    "agent": {"domain": "acme.default", "name": "hall"},
}


def load(tmp_path: Path, **tables: dict[str, Any]) -> config.Config:
    path = tmp_path / "edge.toml"
    path.write_text(toml({key: GOOD.get(key, {}) | tables.get(key, {}) for key in {*GOOD, *tables}}))
    return config.load(path)


def test_little_needs_to_be_said(tmp_path: Path) -> None:
    found = load(tmp_path)
    assert (found.server.transport, found.server.port, found.state) == ("tls", 8883, tmp_path / "state")
    assert found.connectors == {}


def test_a_fingerprint_may_be_written_as_it_is_shown(tmp_path: Path) -> None:
    shown = ":".join(["AB"] * 32)
    assert load(tmp_path, server={"fingerprint": shown}).server.fingerprint == "ab" * 32


@pytest.mark.parametrize(
    ("tables", "why"),
    [
        ({"server": {"hots": "x"}}, "server.hots is unknown"),
        ({"server": {"port": 0}}, "server.port has to be from 1 to 65535"),
        ({"server": {"port": "8883"}}, "server.port has to be a whole number"),
        ({"server": {"port": True}}, "server.port has to be a whole number"),
        ({"server": {"transport": "udp"}}, "server.transport has to be one of tcp, tls, ws, wss"),
        ({"server": {"fingerprint": "abc"}}, "server.fingerprint has to be the SHA-256"),
        ({"server": {"fingerprint": "ab" * 32, "transport": "tcp"}}, "is not encrypted"),
        ({"server": {"fingerprint": "ab" * 32, "ca": "x"}}, "cannot be given beside fingerprint"),
        ({"agent": {"domain": "a/b"}}, "agent.domain cannot be a level of a topic"),
        ({"agent": {"name": "__static__"}}, "agent.name cannot be a level of a topic"),
        ({"limits": {"request_bytes": 1}}, "limits.request_bytes has to be from 1024"),
        ({"connectors": {"a/b": {"kind": "system"}}}, "connectors.a/b is no name"),
        ({"other": {}}, "other is unknown"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, tables: dict[str, Any], why: str) -> None:
    path = tmp_path / "edge.toml"
    merged = {key: GOOD.get(key, {}) | tables.get(key, {}) for key in {*GOOD, *tables}}
    path.write_text(toml(merged).replace("[connectors.a/b]", '[connectors."a/b"]'))
    with pytest.raises(ConfigFault, match=why):
        config.load(path)


def test_an_agent_that_cannot_be_configured_ends_with_one_line(tmp_path: Path) -> None:
    for connectors, why in [
        ({"x": {"kind": "toaster"}}, "connectors.x.kind has to be one of files,"),
        ({"x": {"kind": "system", "disk": ["/"]}}, "connectors.x.disk is unknown"),
        ({"x": {"kind": "files", "folders": {"a": {"path": "relative"}}}}, "connectors.x.folders.a.path is no folder"),
    ]:
        edge = Edge(tmp_path / str(len(why)), {"port": 1}, "wrong", connectors=connectors).start()
        assert edge.process is not None
        assert edge.process.wait(10) == 78
        assert edge.log().startswith(f"edge_connector: {why}")
        assert edge.log().count("\n") == 1


def test_a_configuration_can_be_checked_without_connecting(tmp_path: Path) -> None:
    edge = Edge(tmp_path, {"port": 1}, "checked", connectors={"box": {"kind": "system"}}).start("--check")
    assert edge.process is not None
    assert edge.process.wait(10) == 0
    assert edge.log() == ""
    edge.config.chmod(0o640)
    assert edge.start("--check").process.wait(10) == 0
    assert "holds a password, and others than its owner may use it" in edge.log()
