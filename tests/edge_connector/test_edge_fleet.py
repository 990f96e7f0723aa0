"""A fleet: agents with one configuration, each of which becomes an integration at its first connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal import config, db
from portal.credentials import Sealer
from portal.edge import fleets
from portal.integrations import Actor
from portal.models import EdgeFleet
from tests.edge_connector.edge import DOMAIN, Edge, toml
from tests.support.processes import wait_until
from tests.support.stack import HOST, Stack

pytestmark = pytest.mark.stack

ACTOR = Actor("ada@example.com")
CLOSED = "fleet is closed to new members"


class Fleet:
    """A fleet of a running Gatehouse."""

    def __init__(self, stack: Stack, prefix: str) -> None:
        self._stack = stack
        sealer = Sealer(config.load(stack.environ).secret_key)
        with db.connected():
            self._made: EdgeFleet = fleets.create(
                ACTOR, sealer, prefix=prefix, domain=DOMAIN, connectors=["files"], target="docker"
            )
            self._token = fleets.token(self._made, sealer)

    def member(self, folder: Path, token: str = "") -> Edge:
        """Start an agent with the fleet's configuration."""
        edge = Edge(folder, {}, self._made.prefix)
        server = {"host": HOST, "port": self._stack.mqtt_port, "transport": "tcp"}
        fleet = {"prefix": self._made.prefix, "token": token or self._token}
        edge.config.write_text(toml({"server": server, "agent": {"domain": DOMAIN}, "fleet": fleet}))
        return edge.start()

    def set_open(self, is_open: bool) -> None:
        with db.connected():
            fleets.set_open(self._made.id, is_open, ACTOR)

    def usernames(self) -> list[str]:
        with db.connected():
            return [one.username for one in fleets.members(self._made.id)]


@pytest.fixture
def fleet(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    db.init(config.load(stack.environ))
    yield Fleet(stack, f"hall.{request.node.name[5:20]}")
    db.database.close_all()


@pytest.fixture
def start(fleet: Fleet, tmp_path: Path) -> Iterator[Callable[..., Edge]]:
    made: list[Edge] = []

    def one(token: str = "") -> Edge:
        made.append(fleet.member(tmp_path / str(len(made)), token))
        return made[-1]

    yield one
    for edge in made:
        edge.kill()


def test_each_member_is_an_integration_of_its_own_and_comes_back_as_it(fleet, start, stack) -> None:
    one, two = start().ready(), start().ready()
    usernames = fleet.usernames()
    assert len(usernames) == 2
    wait_until(lambda: all(stack.is_online(name) for name in usernames), what="both to be written down as online")
    assert one.stop() == 0
    one.start().ready(2)
    assert fleet.usernames() == usernames
    joined = stack.activity(f"kind = 'edge.joined' AND username IN ('{usernames[0]}', '{usernames[1]}')")
    assert [row["address"] for row in joined] == [HOST, HOST]
    assert "refuses" not in one.log() + two.log()


def test_a_closed_fleet_says_so_and_takes_its_member_when_it_is_open_again(fleet, start, stack) -> None:
    fleet.set_open(False)
    late = start().says(CLOSED)
    assert fleet.usernames() == []
    assert wait_until(lambda: stack.activity(f"kind = 'login.refused' AND detail = '{CLOSED}'"))
    fleet.set_open(True)
    late.ready()
    assert len(fleet.usernames()) == 1


def test_a_wrong_token_is_refused_as_a_wrong_password_is(fleet, start, stack) -> None:
    start("x" * 32).says("refuses the connection")
    assert fleet.usernames() == []
    refused = wait_until(lambda: stack.activity("detail = 'no fleet has this prefix and token'"))
    assert refused[0]["username"].startswith("hall.")
