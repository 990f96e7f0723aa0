"""Fixtures for agents: a Gatehouse for them, and agents that end with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.edge_connector.cut import Way
from tests.edge_connector.edge import DOMAIN, Edge
from tests.support.stack import Stack
from tests.support.vrpc import Client, Clients


@pytest.fixture(scope="module")
def hall(stack: Stack) -> dict[str, Any]:
    """An integration that agents and clients use, also in their domain."""
    made = stack.add("mqtt")
    named = [word for kind in ("publish", "subscribe") for one in ("#", f"{DOMAIN}/#") for word in (f"--{kind}", one)]
    stack.flask("integrations", "permit", made["username"], *named)
    return made


@pytest.fixture
def way(stack: Stack) -> Iterator[Way]:
    """A way to the server that can be cut."""
    found = Way(stack.mqtt_port)
    yield found
    found.close()


@pytest.fixture
def make_edge(tmp_path: Path, stack: Stack, hall: dict[str, Any]) -> Iterator[Callable[..., Edge]]:
    """Make agents, which are not started yet."""
    made: list[Edge] = []

    def make(name: str, server: dict[str, Any] | None = None, **tables: Any) -> Edge:
        wanted = {"port": stack.mqtt_port, "username": hall["username"], "password": hall["password"], **(server or {})}
        made.append(Edge(tmp_path / f"edge{len(made)}", wanted, name, **tables))
        return made[-1]

    try:
        yield make
    finally:
        for edge in made:
            edge.kill()


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Clients]]:
    """Programs of VRPC clients, which the tests of a module share."""
    running: dict[str, Clients] = {}

    def find(kind: str) -> Clients:
        if kind not in running:
            running[kind] = Clients(kind, tmp_path_factory.mktemp(kind))
        return running[kind]

    yield find
    for program in running.values():
        program.kill()


@pytest.fixture
def client(stack: Stack, hall: dict[str, Any], programs: Callable[[str], Clients]) -> Iterator[Client]:
    """A client of npm's vrpc."""
    found = connect(programs("npm"), stack, hall)
    yield found
    found.end()


def connect(program: Clients, stack: Stack, integration: dict[str, Any], **options: Any) -> Client:
    """Log a client in."""
    return program.connect(f"mqtt://127.0.0.1:{stack.mqtt_port}", DOMAIN, integration, **options)
