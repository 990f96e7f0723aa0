"""How an agent reaches its server, and how it does not reach another one."""

from __future__ import annotations

import hashlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.edge_connector.edge import Edge
from tests.support.stack import Stack
from tests.support.vrpc import Client

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def certificate(stack: Stack) -> str:
    return ssl.get_server_certificate(("127.0.0.1", stack.tls_port), timeout=20)


@pytest.mark.parametrize("transport", ["tcp", "tls", "ws", "wss", "ca"])
def test_it_connects_over_every_transport(
    transport: str,
    make_edge: Callable[..., Edge],
    stack: Stack,
    certificate: str,
    client: Client,
    tmp_path: Path,
) -> None:
    pinned = {"fingerprint": hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()}
    (tmp_path / "ca.pem").write_text(certificate)
    server: dict[str, Any] = {
        "tcp": {"transport": "tcp", "port": stack.mqtt_port},
        "tls": {"transport": "tls", "port": stack.tls_port, **pinned},
        "ws": {"transport": "ws", "port": stack.ws_port},
        "wss": {"transport": "wss", "port": stack.wss_port, **pinned},
        "ca": {"transport": "tls", "port": stack.tls_port, "host": "localhost", "ca": str(tmp_path / "ca.pem")},
    }[transport]
    edge = make_edge(f"by-{transport}", server).start().ready()
    client.sees(edge.name)
    lines = client.call(edge.name, "EdgeConnector", "log")
    assert any("connected to" in line for line in lines)
    assert edge.stop() == 0
    assert "Traceback" not in edge.log()


def test_a_server_with_another_certificate_gets_no_password(
    make_edge: Callable[..., Edge], stack: Stack, hall: dict[str, Any]
) -> None:
    before = stack.activity("kind = 'login'")
    edge = make_edge("pinned", {"transport": "tls", "port": stack.tls_port, "fingerprint": "ab" * 32}).start()
    edge.says("the server's certificate has the fingerprint").says("cannot connect", times=2)
    assert edge.running
    assert stack.activity("kind = 'login'") == before
    unknown = make_edge("unpinned", {"transport": "tls", "port": stack.tls_port}).start()
    unknown.says("CERTIFICATE_VERIFY_FAILED")
    assert unknown.running
    assert edge.stop() == unknown.stop() == 0


@pytest.fixture
def babbler() -> Iterator[int]:
    """A server that answers whatever is sent with garbage."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                taken, _ = server.accept()
            except OSError:
                return
            with taken:
                taken.recv(100)
                taken.sendall(b"\x20\xff\xff\xff\xffHTTP/1.1 400 Bad Request\r\n\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(20)


def test_a_server_that_talks_nonsense_or_refuses_is_tried_again(
    make_edge: Callable[..., Edge], babbler: int, stack: Stack
) -> None:
    lost = make_edge("lost", {"port": babbler}).start()
    refused = make_edge("refused", {"password": "wrong"}).start()
    refused.says("the server refuses the connection")
    lost.says("talks something else than MQTT")
    assert lost.running and refused.running
    assert lost.stop() == refused.stop() == 0
    assert "Traceback" not in lost.log() + refused.log()
