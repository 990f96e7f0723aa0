"""Foreign clients that lose their connection: kicked, kept out for a while, and while the server is started anew."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.opcua import COME_BACK, WAYS, Client, Program
from tests.support.processes import wait_until
from tests.support.stack import Session, Stack

pytestmark = pytest.mark.stack

USERNAME = "line 2/crowd"
FOLDER = "ns=2;s=line 2%2Fcrowd"
Way = tuple[str, str, str]
Crowd = dict[Way, Client]


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory, address_space: Path) -> Iterator[Stack]:
    """A product that the tests of this module share, and start anew; who is kept out and tries on is no guesser."""
    running = Stack(tmp_path_factory.mktemp("returns"), GUESSES_PER_ADDRESS="off", GUESSES_PER_USERNAME="off")
    running.take(address_space)
    try:
        running.start()
        running.add("opcua", username=USERNAME)
        yield running
        running.stop()
        assert "Traceback" not in running.log(), running.log()
    finally:
        running.kill()


@pytest.fixture(scope="module")
def plant(own_stack: Stack) -> dict[str, Any]:
    """Its only integration."""
    return own_stack.json("integrations", "reveal", USERNAME)


@pytest.fixture
def enter(own_stack: Stack, plant, opcua_programs: Callable[[str], Program]) -> Iterator[Callable[[Way], Client]]:
    """Connect clients; they are closed at the end, and seen to be gone."""
    made: list[Client] = []

    def connect(way: Way) -> Client:
        kind, mode, policy = way
        retry = {"retry": True} if kind in COME_BACK else {}
        made.append(opcua_programs(kind).connect(own_stack.opcua_port, plant, mode, policy, **retry))
        return made[-1]

    yield connect
    for client in made:
        client.close()
    wait_until(lambda: count(own_stack) == 0, what="nobody online")


@pytest.fixture
def crowd(own_stack: Stack, enter: Callable[[Way], Client]) -> Crowd:
    """A client of each kind over each mode and policy, with a value of its own that it is notified of."""
    clients = {way: enter(way) for way in WAYS}
    for way, client in clients.items():
        client.write(node(way), 1.0)
        client.subscribe(node(way))
        client.wait_for(1.0)
    wait_until(lambda: count(own_stack) == len(WAYS), what="everybody online")
    return clients


def node(way: Way) -> str:
    return f"{FOLDER}/{'/'.join(way)}"


def count(stack: Stack) -> int:
    """Return how many connections the portal shows."""
    return int(stack.query("SELECT COUNT(*) FROM connection")[0][0])


def all_come_back(stack: Stack, crowd: Crowd, enter: Callable[[Way], Client]) -> None:
    """Hold each client to being there again, with its value as it was and with new ones."""
    lost = {way: client for way, client in crowd.items() if way[0] not in COME_BACK}
    wait_until(lambda: count(stack) == len(WAYS) - len(lost), what="clients to come back by themselves")
    after = {way: enter(way) for way in lost}
    for way, client in after.items():
        client.subscribe(node(way))
    for way, client in (crowd | after).items():
        if way not in lost:
            client.wait_for_return()
        assert client.read(node(way)) == 1.0
        client.publish(FOLDER, "/".join(way), 2.0)
        client.wait_for(2.0)
    wait_until(lambda: count(stack) == len(WAYS), what="everybody online")


def test_all_who_are_disconnected_in_the_portal_come_back_with_their_subscriptions(own_stack, plant, crowd, enter):
    portal = Session(own_stack).log_in()
    kicked = [id for (id,) in own_stack.query("SELECT id FROM connection")]
    for id in kicked:
        assert portal.post(f"/integrations/{plant['id']}/disconnect/{id}").status == 303
    for client in crowd.values():
        client.wait_for_loss()
    all_come_back(own_stack, crowd, enter)
    assert not {id for (id,) in own_stack.query("SELECT id FROM connection")} & set(kicked)


def test_all_come_back_when_the_server_is_stopped_and_started_again(own_stack, crowd, enter):
    own_stack.stop()
    for client in crowd.values():
        client.wait_for_loss()
    assert count(own_stack) == 0
    own_stack.start()
    all_come_back(own_stack, crowd, enter)


def test_all_come_back_when_the_server_is_killed_and_made_again(own_stack, crowd, enter):
    killed = own_stack.opcua_pid()
    for way in crowd:
        own_stack.wait_written("opcua.db", "/".join(way), 1.0)
    os.kill(killed, signal.SIGKILL)
    for client in crowd.values():
        client.wait_for_loss()
    wait_until(lambda: own_stack.opcua_pid() != killed, what="another server")
    all_come_back(own_stack, crowd, enter)


def test_they_try_on_and_are_refused_until_their_integration_is_activated_again(own_stack, opcua_programs):
    portal = Session(own_stack).log_in()
    own = {kind: own_stack.add("opcua", username=f"{kind} tries on") for kind in COME_BACK}
    clients = {}
    for kind, integration in own.items():
        clients[kind] = opcua_programs(kind).connect(own_stack.opcua_port, integration, retry=True)
        clients[kind].write(f"ns=2;s={kind} tries on/valve", 1.0)
        clients[kind].subscribe(f"ns=2;s={kind} tries on/valve")
    for kind, client in clients.items():
        assert portal.post(f"/integrations/{own[kind]['id']}/deactivate").status == 303
        client.wait_for_loss()
    for kind, times in (("node-opcua", 1), ("asyncua", 2)):  # node-opcua tries every eight seconds
        wait_until(lambda kind=kind, times=times: refusals(own_stack, kind) >= times, what=f"{kind} to try on")
        assert not own_stack.is_online(f"{kind} tries on")
    for kind in own:
        assert portal.post(f"/integrations/{own[kind]['id']}/activate").status == 303
    for kind, client in clients.items():
        client.wait_for_return()
        client.write(f"ns=2;s={kind} tries on/valve", 2.0)
        client.wait_for(2.0)
        client.close()


def refusals(stack: Stack, kind: str) -> int:
    """Return how often a client was refused because its integration is inactive."""
    rows = stack.activity(f"username = '{kind} tries on' AND detail = 'integration is inactive'")
    assert {row["kind"] for row in rows} <= {"login.refused"}
    return sum(row["count"] for row in rows)
