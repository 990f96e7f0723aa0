"""What holds for listening sockets."""

import logging
import resource
import socket

import pytest

from protocols.listening import most_connections, notice_dead_peers

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
