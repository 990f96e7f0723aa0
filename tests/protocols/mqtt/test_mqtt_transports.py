"""The same server over TCP, TLS, WebSocket, both, and a WebSocket handed over by a web worker."""

import os
import socket
import ssl
import struct
import subprocess
import threading

import mqtt_wire as wire
import pytest
from test_mqtt_server import eventually

from portal.handover import Courier
from tests.support import tls
from tests.support.websocket import CLOSE, TEXT, WebSocket, frame, handshake

TRANSPORTS = ["tcp", "tls", "ws", "wss", "web"]
PROXIED = "203.0.113.9"
KIB = 1024


def plain(running, transport: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", running.ports[transport]), timeout=10)


def secure(running, transport: str, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
    return (context or tls.client()).wrap_socket(plain(running, transport), server_hostname="localhost")


def hand_over(running, request: bytes) -> socket.socket:
    """Return a client's socket that a web worker has given away after this request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=10)
        accepted, _ = listener.accept()
    with accepted:
        Courier(running.settings).hand_over(accepted, "127.0.0.1", request)
    return client


class HandedOver(WebSocket):
    """A WebSocket whose handshake a web worker has read."""

    def __init__(self, running) -> None:
        request = handshake(X_Forwarded_For=f"198.51.100.1, {PROXIED}")
        super().__init__(_Once(hand_over(running, request)))


class _Once:
    """A socket that swallows what is sent first: it was handed over with the socket."""

    def __init__(self, below: socket.socket) -> None:
        self._below = below
        self._first = True

    def sendall(self, data: bytes) -> None:
        if not self._first:
            self._below.sendall(data)
        self._first = False

    def __getattr__(self, name: str):
        return getattr(self._below, name)


def over(running, transport: str):
    """Return what looks like a socket that carries MQTT."""
    if transport == "web":
        return HandedOver(running)
    below = secure(running, transport) if transport in {"tls", "wss"} else plain(running, transport)
    return WebSocket(below) if transport in {"ws", "wss"} else below


def joined(running, transport: str, client_id: str = "c", username: str = "ada", **options):
    client = wire.SocketClient(0, over=over(running, transport))
    running._sockets.append(client)
    client.send(wire.connect(client_id, username, **options))
    head, body = client.receive()
    assert (head, body[1]) == (0x20, 0), f"refused with {body[1]}"
    return client


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_messages_arrive_and_the_login_says_how(start, transport) -> None:
    running = start()
    reader = joined(running, transport, "reader").send(wire.subscribe(("#", 1)))
    assert reader.receive()[0] == 0x90
    writer = joined(running, transport, "writer")
    for size in (0, 100, 70_000, 1_000_000):
        payload = bytes(index * 7 & 255 for index in range(size))
        writer.send(wire.publish("a", payload, 1, 5))
        topic, got, qos, packet_id = wire.message(reader.receive())
        assert (topic, got, qos) == ("a", payload, 1)
        assert writer.receive() == (0x40, b"\0\5")
        reader.send(wire.puback(packet_id))
    login = running.door.logins[-1]
    assert login.transport == transport
    assert login.address == (PROXIED if transport == "web" else "127.0.0.1")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_cut_closes_it_at_once_and_others_stay(start, transport) -> None:
    running = start(sweep_interval=60)
    client, other = joined(running, transport), joined(running, transport, "o", "bob")
    running.do(lambda: running.server.disconnect([1], "integration deactivated", forget=False))
    assert client.at_end()
    assert running.presence.events[-1][2] == "integration deactivated"
    assert other.send(wire.PINGREQ).receive() == wire.PINGRESP


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_cut_closes_one_that_does_not_read(start, transport) -> None:
    running = start(outbound_bytes=256 * 1024 * KIB, sweep_interval=60)
    stuck = joined(running, transport, "stuck").send(wire.subscribe(("flood", 0)))
    assert stuck.receive()[0] == 0x90
    writer = running.client("flood", "bob")
    for _ in range(16):
        writer.send(wire.publish("flood", bytes(1024 * KIB)))
    assert writer.send(wire.PINGREQ).receive() == wire.PINGRESP
    running.do(lambda: running.server.disconnect([1], "integration deactivated", forget=False))
    eventually(lambda: len(running.server._clients) == 1)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_fast_publisher_is_slowed_down_and_nothing_is_lost(start, transport) -> None:
    running = start(outbound_bytes=256 * KIB)
    reader = joined(running, transport, "reader").send(wire.subscribe(("a", 0)))
    assert reader.receive()[0] == 0x90
    writer = joined(running, transport, "writer")
    burst = wire.publish("a", bytes(100)) * 2_000

    def write() -> None:
        for _ in range(20):
            writer.send(burst)

    thread = threading.Thread(target=write)
    thread.start()
    for _ in range(40_000):
        wire.message(reader.receive())
    thread.join(10)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_refused_login_is_told_then_closed(start, transport, caplog) -> None:
    running = start()
    client = wire.SocketClient(0, wire.connect(password=b"no"), over(running, transport))
    assert client.receive() == wire.connack(4)
    assert client.at_end()
    assert caplog.records == []
    client.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_polite_client_and_a_rude_one_are_told_apart(start, transport) -> None:
    running = start()
    assert joined(running, transport, "polite").send(wire.DISCONNECT).at_end()
    joined(running, transport, "rude").close()
    eventually(lambda: len(running.presence.events) == 4)
    assert [event[2] for event in running.presence.events[1::2]] == ["client disconnected", "connection lost"]
    eventually(lambda: not running.server._clients)


@pytest.mark.parametrize("transport", ["tcp", "tls", "ws", "wss"])
def test_one_byte_at_a_time_is_understood(start, transport) -> None:
    running = start()
    below = over(running, transport)
    for byte in wire.connect() + wire.subscribe(("#", 0)):
        below.sendall(bytes((byte,)))
    client = wire.SocketClient(0, over=below)
    assert [client.receive()[0], client.receive()[0]] == [0x20, 0x90]
    below.close()


@pytest.mark.parametrize("transport", ["tls", "ws", "wss"])
def test_a_silent_or_stalled_handshake_times_out_and_is_logged(start, transport, caplog) -> None:
    running = start(connect_timeout=0.2)
    silent, stalled = plain(running, transport), plain(running, transport)
    stalled.sendall((handshake() if transport == "ws" else hello())[:-3])
    for client in (silent, stalled):
        assert client.recv(100) == b""
        client.close()
    assert [record.getMessage() for record in caplog.records] == [
        "mqtt client at 127.0.0.1: no CONNECT in time",
        "mqtt client at 127.0.0.1: no CONNECT in time",
    ]


def hello() -> bytes:
    """Return the first bytes of a client that speaks TLS."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        tls.client().wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("transport", ["tls", "ws", "wss", "web"])
def test_a_reset_at_every_byte_of_a_handshake_leaves_nothing_open(start, transport, caplog) -> None:
    running = start()
    whole = hello() if transport in {"tls", "wss"} else handshake()
    for length in range(1, len(whole) + 1):
        if transport == "web":  # a web worker hands over what is complete; what it sent may still be cut
            client = hand_over(running, whole[:length])
        else:
            client = plain(running, transport)
            client.sendall(whole[:length])
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    joined(running, transport, "last")
    eventually(lambda: len(running.server._clients) == 1)
    assert len(caplog.records) <= 20
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    ("transport", "sent", "fact"),
    [
        ("tls", wire.connect(), "plain MQTT on a port that speaks TLS"),
        ("tls", b"GET / HTTP/1.1\r\n\r\n", "plain HTTP on a port that speaks TLS"),
        ("wss", handshake(), "plain HTTP on a port that speaks TLS"),
        ("tls", b"\x00" * 100, "0x00 instead of a TLS handshake"),
        ("tls", b"\x16\x03\x01\x00\x05hello", "TLS failed: "),
        ("ws", wire.connect(), "0x10 instead of a WebSocket handshake"),
        ("ws", b"\x16\x03\x01\x02\x00", "0x16 instead of a WebSocket handshake"),
        ("ws", b"GET / HTTP/1.1\r\n\r\n", "a WebSocket handshake for '/'"),
        ("ws", handshake(Cookie="x" * 20_000), "a WebSocket handshake that is too long"),
        ("ws", handshake() + frame(wire.connect(), TEXT), "a WebSocket frame of text"),
        ("ws", handshake() + frame(wire.connect(), mask=b""), "a WebSocket frame without a mask"),
        ("ws", handshake() + frame(b"hello"), "0x68 instead of CONNECT"),
    ],
)
def test_what_does_not_belong_here_is_closed_and_logged_once(start, caplog, transport, sent, fact) -> None:
    running = start()
    bystander = joined(running, transport, "bystander", "bob")
    with plain(running, transport) as client:
        client.sendall(sent)
        with_end(client)
    eventually(lambda: caplog.records)
    [record] = caplog.records
    assert record.getMessage().startswith(f"mqtt client at 127.0.0.1: {fact}")
    assert bystander.send(wire.PINGREQ).receive() == wire.PINGRESP


def with_end(client: socket.socket) -> bytes:
    """Read until the server closes."""
    received = b""
    try:
        while data := client.recv(65_536):
            received += data
    except ConnectionResetError:
        pass
    return received


@pytest.mark.parametrize(("kind", "mask", "status"), [(TEXT, None, 1003), (2, b"", 1002)])
def test_a_wrong_frame_is_answered_with_its_status(start, kind, mask, status) -> None:
    running = start()
    below = over(running, "ws")
    below.below.sendall(frame(wire.connect(), kind, mask=mask))
    assert below.recv(100) == b""
    assert below.closed == status.to_bytes(2, "big")
    below.close()


def test_a_closing_handshake_is_answered_and_ends_the_connection(start) -> None:
    running = start()
    client = joined(running, "ws")
    client.socket.below.sendall(frame(b"\x03\xe8bye", CLOSE))
    assert client.at_end()
    assert client.socket.closed == b"\x03\xe8"
    eventually(lambda: running.presence.events[-1][2] == "connection lost")


def test_many_pings_of_a_peer_that_does_not_read_cost_nothing(start) -> None:
    running = start()
    client = plain(running, "ws")
    client.sendall(handshake() + frame(wire.connect()))
    burst = frame(b"x" * 125, 9) * 8_000
    client.settimeout(0.5)
    try:
        for _ in range(20):
            client.sendall(burst)
    except TimeoutError:
        pass
    [one] = running.server._clients
    waiting = running.do(lambda: one._transport._lower.get_write_buffer_size())
    assert waiting < 2 * 1024 * KIB
    client.close()


def test_tls_1_1_is_refused(start, caplog) -> None:
    running = start()
    done = subprocess.run(
        [
            "openssl",
            "s_client",
            "-tls1_1",
            "-cipher",
            "ALL:@SECLEVEL=0",
            "-connect",
            f"127.0.0.1:{running.ports['tls']}",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=10,
    )
    assert done.returncode != 0
    eventually(lambda: caplog.records)
    assert "the client speaks no TLS 1.2 or later" in caplog.text


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_verifies_the_certificate_made_here(start, version) -> None:
    running = start()
    options = ["-CAfile", tls.pem(), "-verify_return_error", "-x509_strict", "-verify_hostname", "localhost"]
    done = subprocess.run(
        ["openssl", "s_client", version, *options, "-connect", f"127.0.0.1:{running.ports['tls']}"],
        input=wire.connect() + wire.DISCONNECT,
        capture_output=True,
        timeout=10,
    )
    assert b"Verify return code: 0 (ok)" in done.stdout or b"Verification: OK" in done.stdout, done


def test_a_client_that_does_not_trust_the_certificate_is_logged_in_words(start, caplog) -> None:
    running = start()
    with pytest.raises(ssl.SSLCertVerificationError):
        secure(running, "tls", ssl.create_default_context())
    eventually(lambda: caplog.records)
    assert "the client does not trust the certificate" in caplog.text


def test_a_new_certificate_is_used_for_the_next_handshake_and_open_connections_stay(start) -> None:
    running = start()
    old = joined(running, "tls", "old")
    fresh = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    fresh.load_cert_chain(tls.pem())
    running.certificate = lambda: fresh
    joined(running, "tls", "new", "bob")
    running.certificate = lambda: None
    with pytest.raises((ssl.SSLError, ConnectionError)):
        secure(running, "tls")
    assert old.send(wire.PINGREQ).receive() == wire.PINGRESP


def test_stop_closes_every_transport(start) -> None:
    running = start()
    clients = [joined(running, transport, transport) for transport in TRANSPORTS]
    half = [plain(running, transport) for transport in ("tls", "ws", "wss")]
    eventually(lambda: len(running.server._clients) == 8)
    running.run(running.server.stop())
    eventually(lambda: not running.server._clients)
    assert all(client.at_end() for client in clients)
    for client in half:
        assert with_end(client) == b""
        client.close()


def test_a_courier_that_brings_nothing_is_sent_away(start) -> None:
    running = start()
    path = str(running.settings.data_dir / "web.sock")
    for message in (b"", b"192.0.2.1\nGET /mqtt HTTP/1.1\r\n\r\n"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as courier:
            courier.connect(path)
            if message:
                courier.send(message)
    joined(running, "web")
    assert len(running.server._clients) == 1


def test_what_is_brought_and_is_no_client_is_closed(start) -> None:
    running = start()
    path = str(running.settings.data_dir / "web.sock")
    read, write = os.pipe()
    for _ in range(3):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as courier, open("/dev/null", "rb") as null:
            courier.connect(path)
            socket.send_fds(courier, [b"192.0.2.1\nGET /mqtt"], [write, null.fileno()])
    os.close(write)
    with open(read, "rb") as pipe:
        assert pipe.read() == b"", "nobody has the other end any more"
    joined(running, "web")
    assert len(running.server._clients) == 1
