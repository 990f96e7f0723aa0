"""Fixtures of the worker's own tests: answers and who asks, a door, and a house with a doorman."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal import clock
from portal.onboarding import window
from tests.protocols.answers_bed import Client, Server
from tests.protocols.doorman_bed import House
from tests.protocols.onboarding_bed import Door


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Answers, which are stopped at the end."""
    made = Server(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def connect(server: Server) -> Iterator[Callable[[], Client]]:
    """Have another process connect to them."""
    made: list[Client] = []

    def connect() -> Client:
        made.append(Client(server))
        return made[-1]

    yield connect
    for client in made:
        client.socket.close()


@pytest.fixture
def door() -> Door:
    """Requests behind a window that is open."""
    return Door()


@pytest.fixture
def house(database, sealer, monkeypatch) -> House:
    """A house with its window closed, and a clock of its own."""
    made = House(sealer, clock.now())
    monkeypatch.setattr(clock, "now", lambda: made.now)
    return made


@pytest.fixture
def opened(house, actor) -> House:
    """A house with its window open."""
    window.open_one(actor)
    house.follow()
    return house
