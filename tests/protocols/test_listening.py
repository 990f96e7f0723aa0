"""What holds for listening sockets."""

import asyncio
import logging
import resource
import socket

import pytest
import uvloop

from protocols.listening import AT_ONCE, listen, most_connections, notice_dead_peers

LOG = logging.getLogger("protocols.test")


@pytest.mark.parametrize(
    ("files", "most"),
    [(resource.RLIM_INFINITY, 1_000), (1_100, 1_000), (5_000, 1_000), (1_099, 999), (400, 300), (50, 1)],
)
def test_no_more_clients_are_let_in_than_files_can_be_open(
    files: int, most: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (files, files))
    with caplog.at_level(logging.INFO):
        assert most_connections(1_000, LOG) == most
    assert [one.getMessage() for one in caplog.records] == (
        [f"{most} clients can connect, of 1000: {files} open files are allowed"] if most < 1_000 else []
    )


def test_silent_peers_are_probed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        notice_dead_peers(listener)
        with socket.create_connection(listener.getsockname()[:2]):
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


def test_a_busy_loop_accepts_several_connections_in_a_turn() -> None:
    turn, met = 0, []

    class Client(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            met.append(turn)
            transport.abort()

    async def scenario() -> None:
        nonlocal turn
        with socket.create_server(("127.0.0.1", 0)) as listener:
            doors = await listen(listener, Client)
            clients = [socket.create_connection(listener.getsockname()) for _ in range(2 * AT_ONCE)]
            while len(met) < len(clients):
                turn += 1
                await asyncio.sleep(0)
            doors.close()
            for client in clients:
                client.close()

    uvloop.run(scenario())
    assert [met.count(one) for one in sorted(set(met))] == [AT_ONCE, AT_ONCE]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_nobody_is_let_in_through_closed_doors(run) -> None:
    async def scenario() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        address = listener.getsockname()
        doors = await listen(listener, asyncio.Protocol)
        socket.create_connection(address).close()
        doors.close()
        await asyncio.sleep(0.01)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)

    run(scenario())
