"""Who an agent is, and by which password it connects."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from edge_connector import config, keeping
from edge_connector.config import Fleet
from edge_connector.errors import ConfigFault
from edge_connector.identity import Identity
from tests.edge_connector.edge import toml

FLEET = Fleet("hall", "token")


def test_it_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    first = Identity(path, None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Identity(path, None).instance == first.instance
    assert Identity(tmp_path / "other.json", None).instance != first.instance


def test_an_agent_of_its_own_uses_its_password_only(tmp_path: Path) -> None:
    identity = Identity(tmp_path / "identity.json", None)
    assert {identity.password("secret") for _ in range(3)} == {"secret"}
    identity.accepted()
    assert identity.password("secret") == "secret"


def test_a_member_of_a_fleet_makes_its_name_and_password_and_joins_once(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text(
        toml(
            {
                "server": {"host": "gatehouse.example"},
                "agent": {"domain": "acme.default"},
                "fleet": {"prefix": "hall", "token": "token"},
            }
        )
    )
    loaded = config.load(tmp_path / "edge.toml")
    identity = Identity(tmp_path / "identity.json", loaded.fleet)
    found = identity.completed(loaded)
    own = found.server.password
    assert re.fullmatch(r"hall-[a-z0-9]{8}", found.name)
    assert found.server.username == found.name
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", own)
    assert [identity.password(own) for _ in range(2)] == [f"join:token:{own}"] * 2
    identity.accepted()
    assert identity.password(own) == own
    again = Identity(tmp_path / "identity.json", loaded.fleet)
    assert again.completed(loaded) == found
    assert again.password(own) == own


def test_a_member_whose_disk_is_full_asks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = Identity(tmp_path / "identity.json", FLEET)

    def fail(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keeping, "write", fail)
    with pytest.raises(OSError, match="No space left"):
        identity.accepted()
    assert identity.password("own").startswith("join:")


def test_a_member_of_another_fleet_joins_that_one(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    Identity(path, FLEET).accepted()
    assert Identity(path, Fleet("yard", "other")).password("own") == "join:other:own"


def test_what_is_damaged_is_said_and_not_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    path.write_text("{}")
    with pytest.raises(ConfigFault, match="without it, the agent begins as a new one"):
        Identity(path, None)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigFault, match="cannot read"):
        Identity(tmp_path / "folder", None)
    with pytest.raises(ConfigFault, match="cannot write"):
        Identity(tmp_path / "nowhere" / "identity.json", None)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"agent": {"domain": "d", "name": "x"}}, "agent.name cannot be given beside fleet"),
        ({"server": {"host": "h", "username": "x"}}, "server.username and password cannot be given beside fleet"),
        ({"fleet": {"prefix": "a/b", "token": "t"}}, "fleet.prefix cannot be a level"),
        ({"fleet": {"prefix": "a", "token": "a:b"}}, "fleet.token has letters"),
        ({"fleet": {"prefix": "a"}}, "fleet.token is missing"),
    ],
)
def test_a_fleet_is_in_place_of_name_and_credentials(tmp_path: Path, change: dict, why: str) -> None:
    values = {"server": {"host": "h"}, "agent": {"domain": "d"}, "fleet": {"prefix": "hall", "token": "t"}}
    (tmp_path / "edge.toml").write_text(toml({**values, **change}))
    with pytest.raises(ConfigFault, match=why):
        config.load(tmp_path / "edge.toml")
