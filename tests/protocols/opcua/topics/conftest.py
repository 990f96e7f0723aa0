"""The main part and an OPC UA server that is linked to it, with clients that are closed at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from asyncua.sync import ThreadLoop

from protocols import linking
from protocols.opcua.topics import hub
from protocols.opcua.topics.space import TopicSpace
from tests.protocols.opcua.conftest import Running
from tests.protocols.opcua.topics.topics_bed import Main, Mqtt, OpcUa, space
from tests.support.processes import wait_until


@pytest.fixture
def main(tmp_path: Path) -> Iterator[Main]:
    made = Main(tmp_path).start()
    yield made
    made.stop()


@pytest.fixture
def linked(start: Callable[..., Running], main: Main, monkeypatch: pytest.MonkeyPatch) -> Running:
    """An OPC UA server whose link to the main part is there."""
    return link(start, main, monkeypatch)


def link(start: Callable[..., Running], main: Main, monkeypatch: pytest.MonkeyPatch, **limits: Any) -> Running:
    monkeypatch.setattr(linking, "LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(hub, "_ANSWER", 5)  # a machine that stalls is no hub that is away
    values = space(main.folder, lambda: datetime.now(UTC), **limits)
    running = start(values=values)
    wait_connected(values)
    return running


def wait_connected(values: TopicSpace) -> None:
    wait_until(lambda: values._hub.is_connected, what="the link to the main part")


@pytest.fixture
def mqtt(main: Main) -> Iterator[Callable[..., Mqtt]]:
    """Make MQTT clients: a username, and topic filters to subscribe to."""
    made: list[Mqtt] = []

    def make(username: str = "bob", *filters: str) -> Mqtt:
        made.append(Mqtt(main.port, username, *filters))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def opcua(linked: Running) -> Iterator[Callable[..., OpcUa]]:
    """Make OPC UA clients."""
    made: list[OpcUa] = []
    with ThreadLoop() as threads:

        def make(username: str = "ada") -> OpcUa:
            made.append(OpcUa(linked.url, threads, username))
            return made[-1]

        yield make
        for one in made:
            one.close()
