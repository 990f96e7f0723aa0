"""Calls of agents' functions on sockets that are handed over as web workers do."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable

import pytest
from http_agents import Outcome
from test_http_calls import CONTINUE, parsed
from test_http_server import Running, read_until, rest_of, running

from protocols.contract import Grant
from tests.support.processes import wait_until

__all__ = ["running"]  # the fixture

LARGE = 1024 * 1024  # characters
TOO_LARGE = 30 * LARGE  # for the kernel to keep for a client that does not read


def begun(running: Running, *, interim: bool = True) -> socket.socket:
    """Return the socket of a client whose call the agent has got."""
    before = len(running.agents.calls)
    client = running.call(interim=interim)
    wait_until(lambda: len(running.agents.calls) == before + 1)
    return client


def answer(running: Running, outcome: Outcome) -> None:
    running.on_loop(lambda: running.agents.answer(len(running.agents.calls), outcome))


def test_the_result_is_written_on_the_clients_own_socket(running: Running) -> None:
    client = begun(running)
    assert (running.calls(), running.streams()) == (1, 0)
    answer(running, Outcome(result=f'"{"x" * LARGE}"'))
    status, headers, told = parsed(rest_of(client))
    assert (status, headers["X-Test"], len(told["result"])) == (200, "yes", LARGE)
    wait_until(lambda: running.calls() == 0)


def leaves_with_a_reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize("leave", [socket.socket.close, leaves_with_a_reset])
def test_a_client_that_leaves_is_waited_for_no_more(running: Running, leave: Callable[[socket.socket], object]) -> None:
    leave(begun(running))
    wait_until(lambda: running.calls() == 0)
    assert running.agents.waiting == {} and running.agents.abandoned == [1]


def test_a_client_that_says_no_more_gets_its_answer(running: Running) -> None:
    client = begun(running)
    client.shutdown(socket.SHUT_WR)
    for _ in range(3):
        read_until(client, CONTINUE)
    answer(running, Outcome(result="3"))
    received = rest_of(client)
    while received.startswith(CONTINUE):
        received = received.removeprefix(CONTINUE)
    assert parsed(received)[2]["result"] == 3


def test_a_client_of_http_1_0_that_says_no_more_gets_nothing_but_its_answer(running: Running) -> None:
    client = begun(running, interim=False)
    client.shutdown(socket.SHUT_WR)
    sleeping = begun(running)  # whose end shows that the first one's was seen
    sleeping.close()
    wait_until(lambda: running.calls() == 1)
    running.on_loop(lambda: running.agents.answer(1, Outcome(result="3")))
    assert parsed(rest_of(client))[2]["result"] == 3


def test_a_deactivated_integration_is_cut_while_its_call_waits(running: Running) -> None:
    client = begun(running)
    running.on_loop(lambda: running.server.disconnect([1], "integration deactivated", forget=False))
    assert rest_of(client) == b""
    wait_until(lambda: running.calls() == 0)
    assert running.agents.abandoned == [1]


def test_a_grant_that_is_taken_back_ends_the_call(running: Running) -> None:
    client = begun(running)
    running.on_loop(lambda: running.server.permit({1: Grant(1, "ada")}))
    assert parsed(rest_of(client))[0] == 403
    wait_until(lambda: running.calls() == 0)


def test_a_period_lasts_as_long_as_its_call(running: Running) -> None:
    client = begun(running)
    (info,) = running.on_loop(lambda: running.server.connections(1))
    assert (info.subscription_count, info.subscriptions, info.messages_in) == (0, (), 1)
    running.on_loop(lambda: setattr(next(iter(running.server._periods)), "last", 0.0))
    read_until(_half_closed(client), CONTINUE + CONTINUE)  # the sweep has passed
    assert running.presence.closed == []
    answer(running, Outcome())
    rest_of(client)
    wait_until(lambda: running.presence.closed)


def _half_closed(client: socket.socket) -> socket.socket:
    client.shutdown(socket.SHUT_WR)
    return client


def test_a_result_that_its_client_does_not_take_is_given_up(running: Running) -> None:
    client = begun(running)
    answer(running, Outcome(result=f'"{"x" * TOO_LARGE}"'))
    wait_until(lambda: running.calls() == 0)
    size = 0
    with contextlib.suppress(ConnectionResetError):
        while data := client.recv(1024 * 1024):
            size += len(data)
    assert size < TOO_LARGE


def test_calls_are_no_streams_and_the_other_way_round(running: Running) -> None:
    calls = [begun(running) for _ in range(6)]
    for _ in range(5):
        read_until(running.stream(running.ticket("a")), b"id: ")
    assert (running.calls(), running.streams()) == (6, 5)
    assert rest_of(running.stream(running.ticket("a"))).startswith(b"HTTP/1.1 503 ")
    for number, client in enumerate(calls):
        running.on_loop(lambda number=number: running.agents.answer(number + 1, Outcome()))
        assert parsed(rest_of(client))[0] == 200


def test_the_end_of_the_server_ends_its_calls(running: Running) -> None:
    client = begun(running)
    running.looper.run(running.server.stop(), 5)
    assert rest_of(client) == b""
