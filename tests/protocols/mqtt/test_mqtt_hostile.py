"""Clients that mean harm, on real sockets: each is cut off or bounded, and nobody else notices."""

import asyncio
import contextlib
import resource
import socket
import ssl
import struct
import time

import mqtt_wire as wire
import pytest
import uvloop
from test_mqtt_server import eventually
from test_mqtt_transports import TRANSPORTS, hand_over, joined, over, plain

from tests.support import tls
from tests.support.websocket import frame, handshake

KIB = 1024
LONG = wire.connect(password=bytes(1_000), level=5, stated={0x26: [("a", "b")] * 10})

pytestmark = pytest.mark.parametrize("start", [uvloop.new_event_loop], indirect=True, ids=["uvloop"])


def bystander(running):
    """Return a client of another integration that subscribes to everything."""
    client = running.client("bystander", "bob").send(wire.subscribe(("#", 0)))
    assert client.receive()[0] == 0x90
    return client


def is_served(client) -> bool:
    return client.send(wire.PINGREQ).receive() == wire.PINGRESP


def exceeded(running) -> dict[str, int]:
    return {one.name: one.exceeded for one in running.do(running.server.usage) if one.exceeded}


def connections(running) -> int:
    return running.do(lambda: len(running.server._clients))


def hello() -> bytes:
    """Return what a TLS client sends first."""
    sent = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        tls.client().wrap_bio(ssl.MemoryBIO(), sent, server_hostname="localhost").do_handshake()
    return sent.read()


def drip(client: socket.socket, data: bytes) -> None:
    """Send a byte at a time until the server has had enough."""
    client.settimeout(0.01)
    for byte in data:
        try:
            client.sendall(bytes((byte,)))
            if client.recv(1_000) == b"":
                return
        except TimeoutError:
            continue
        except (ConnectionResetError, BrokenPipeError):
            return
    raise AssertionError("it was never cut off")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_connect_a_byte_at_a_time_is_cut_off(start, transport, caplog) -> None:
    running = start(connect_timeout=0.3)
    other = bystander(running)
    began = time.monotonic()
    if transport == "web":
        client, data = hand_over(running, handshake()), frame(LONG)
    else:
        client = plain(running, transport)
        data = {"tcp": LONG, "ws": handshake(X_Long="x" * 1_000)}.get(transport, hello())
    with client:
        drip(client, data)
    assert time.monotonic() - began > 0.25
    assert is_served(other) and connections(running) == 1
    assert exceeded(running) == {"MQTT_CONNECT_TIMEOUT": 1}
    [record] = caplog.records
    assert "no CONNECT in time" in record.getMessage()


@pytest.mark.parametrize("transport", ["tls", "wss", "ws", "web"])
def test_a_connect_a_byte_at_a_time_within_another_protocol_is_cut_off(start, transport) -> None:
    running = start(connect_timeout=0.3)
    with contextlib.closing(over(running, transport)) as client, pytest.raises(OSError):
        for byte in LONG:
            client.sendall(bytes((byte,)))
            time.sleep(0.01)
    eventually(lambda: connections(running) == 0)
    assert exceeded(running) == {"MQTT_CONNECT_TIMEOUT": 1}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_connections_that_say_nothing_are_closed_together(start, transport) -> None:
    running = start(connect_timeout=0.3)
    other = bystander(running)
    silent = [hand_over(running, handshake()) if transport == "web" else plain(running, transport) for _ in range(50)]
    assert is_served(other)
    eventually(lambda: exceeded(running) == {"MQTT_CONNECT_TIMEOUT": 50})
    eventually(lambda: connections(running) == 1)
    for client in silent:
        client.close()


@pytest.mark.parametrize("transport", ["tcp", "ws", "web"])
@pytest.mark.parametrize("part", [b"", LONG[:500], wire.connect("half")], ids=["nothing", "a part", "all of CONNECT"])
def test_a_peer_that_ends_its_half_is_closed_at_once(start, transport, part) -> None:
    running = start(sweep_interval=60)
    client = over(running, transport)
    if part:
        client.sendall(part)
    getattr(client, "below", client).shutdown(socket.SHUT_WR)
    eventually(lambda: connections(running) == 0)
    eventually(lambda: running.presence.open == set())
    client.close()


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize("level", [4, 5])
def test_a_reset_after_every_byte_leaves_nothing(start, caplog, level) -> None:
    running = start()
    other = bystander(running)
    stated = {0x11: 0, 0x26: [("a", "b")]} if level == 5 else None
    whole = wire.connect("c", will=("w", b"x", 1, False), level=level, stated=stated) + wire.subscribe(
        ("a", 1), level=level
    )
    for length in range(len(whole) + 1):
        client = plain(running, "tcp")
        client.sendall(whole[:length])
        reset(client)
    running.client("last", "bob")  # accepted after all of them
    eventually(lambda: connections(running) == 2)
    other.send(wire.publish("end", b"end"))
    while wire.message(other.receive())[0] != "end":
        pass  # Wills of those that were let in
    assert len(running.presence.open) == 2
    assert running.do(lambda: len(running.server._broker.sessions)) == 2
    assert running.do(lambda: running.server._broker.unfinished) == 0
    assert len(caplog.records) <= 20


@pytest.mark.parametrize(("transport", "step"), [("ws", 1), ("web", 9), ("tls", 9)])
def test_a_reset_in_any_handshake_leaves_nothing(start, transport, step) -> None:
    running = start()
    other = bystander(running)
    whole = hello() if transport == "tls" else handshake() + frame(wire.connect("c"), mask=b"abcd")
    for length in range(0, len(whole), step):
        if transport == "web":
            head = len(handshake())
            client = hand_over(running, whole[: max(length, head)])
        else:
            client = plain(running, transport)
            client.sendall(whole[:length])
        reset(client)
    eventually(lambda: connections(running) == 1)
    assert is_served(other) and running.presence.open == {"1"}


def test_five_thousand_connections_in_a_second_are_served_or_refused(start, caplog) -> None:
    wanted, room = _files(5_000), 300
    running = start(max_connections=room, connect_timeout=5)
    other = bystander(running)
    crowd = []
    for number in range(wanted):
        client = socket.create_connection(("127.0.0.1", running.port))
        crowd.append(client)
        try:
            client.sendall(wire.connect(f"crowd{number}"))
        except OSError:
            pass  # turned away already
    assert is_served(other)
    served = sum(_is_let_in(client) for client in crowd)
    assert served == room - 1 == connections(running) - 1
    assert exceeded(running) == {"MQTT_MAX_CONNECTIONS": wanted - served}
    assert len(caplog.records) <= 10
    for client in crowd:
        client.close()
    eventually(lambda: connections(running) == 1)
    running.client("later").close()


def _files(wanted: int) -> int:
    """Have as many files open as may be; return how many clients in this process that is enough for."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard - 2_000)


def _is_let_in(client: socket.socket) -> bool:
    try:
        return client.recv(4) == b"\x20\x02\x00\x00"
    except ConnectionResetError:
        return False


def test_one_address_has_a_bounded_number_of_connections(start) -> None:
    running = start(max_connections_per_address=3)
    held = [running.client(f"c{number}") for number in range(3)]
    assert running.socket(wire.connect("one too many")).at_end()
    elsewhere = joined(running, "web", "elsewhere")  # of another address, behind a proxy
    assert is_served(elsewhere) and all(map(is_served, held))
    for transport in ("tls", "ws"):
        with plain(running, transport) as client, pytest.raises((ConnectionResetError, BrokenPipeError)):
            for _ in range(100):
                client.sendall(b"x" if transport == "tls" else b"GET")
                time.sleep(0.01)
    assert exceeded(running)["MQTT_MAX_CONNECTIONS_PER_ADDRESS"] == 3
    held.pop().send(wire.DISCONNECT).at_end()
    running.client("room again")


@pytest.mark.parametrize("transport", ["tls", "ws", "web"])
def test_a_subscriber_that_never_reads_holds_a_bounded_number_of_bytes(start, transport) -> None:
    running = start(outbound_bytes=256 * KIB, patience=0.05)
    stuck = joined(running, transport, "stuck").send(wire.subscribe(("flood", 0)))
    assert stuck.receive()[0] == 0x90
    writer = running.client("writer", "bob")
    for _ in range(200):
        writer.send(wire.publish("flood", bytes(100 * KIB)))
    assert is_served(writer)

    def held() -> tuple[int, int]:
        [found] = [one for one in running.server._clients if one.connection.client.session.client_id == "stuck"]
        return found.connection.outbox.size, found.connection.outbox.dropped

    size, dropped = running.do(held)
    assert size <= 512 * KIB and dropped > 50, "what is read at once may be added at once"
    counted = exceeded(running)
    assert counted.pop("MQTT_PATIENCE") >= 1 and counted == {"MQTT_OUTBOUND_BYTES": dropped}


def test_many_half_connects_over_websocket_are_bounded_together(start) -> None:
    running = start(unfinished_connects=256 * KIB)
    half = (b"\x10\xff\xff\x05" + b"\x00\x04MQTT" + bytes(60 * KIB))[: 60 * KIB]
    waiting = [over(running, "ws") for _ in range(8)]
    for client in waiting:
        client.sendall(half)
    eventually(lambda: connections(running) <= 4)
    assert running.do(lambda: running.server._broker.unfinished) <= 256 * KIB
    assert is_served(joined(running, "ws", "whole"))
    for client in waiting:
        client.close()
    eventually(lambda: running.do(lambda: running.server._broker.unfinished) == 0)


async def turns_of_search(session) -> int:
    """Return how many turns others had while retained messages were looked for."""
    turns = 0
    while session._replay is None:  # noqa: ASYNC110 - it is the turns that are counted
        await asyncio.sleep(0.001)
    while session._replay is not None and not session._replay.is_over:
        turns += 1
        await asyncio.sleep(0.001)
    return turns


def test_a_search_among_many_retained_messages_keeps_nobody_waiting(start) -> None:
    running = start()
    writer = running.client("writer")
    writer.send(*[wire.publish(f"r{number}/x", b"1", retain=True) for number in range(5_000)])
    assert is_served(writer)
    seeker = running.client("seeker")
    [session] = [one for one in running.server._broker.sessions if one.client_id == "seeker"]
    turns = asyncio.run_coroutine_threadsafe(turns_of_search(session), running._loop)
    seeker.send(wire.subscribe(*[(f"+/n{number}", 0) for number in range(200)]))
    assert seeker.receive()[0] == 0x90
    assert turns.result(60) >= 200, "a million steps in few turns: nobody else had one"
    assert is_served(seeker)
    seeker.send(wire.unsubscribe(*[f"+/n{number}" for number in range(200)]), wire.subscribe(("r7/+", 0)))
    assert seeker.receive()[0] == 0xB0 and seeker.receive()[0] == 0x90
    assert wire.message(seeker.receive())[0] == "r7/x"


def test_what_is_logged_of_hostile_text_is_printable(start, caplog) -> None:
    running = start()
    evil = "\x1b[31m\u202e\x9b\n"
    for sent in (
        wire.connect(evil, level=5) + wire.publish(evil + "#", level=5),
        wire.connect(level=5) + wire.subscribe((f"{evil}/#/x", 0), level=5),
        wire.connect(level=5, will=(f"$SYS/{evil}", b"", 0, False)),
        wire.packet(0x10, wire.string("MQTT" + evil) + b"\4\2\0\0"),
    ):
        assert running.socket(sent).at_end()
    for request in (handshake(evil.strip()), handshake(Upgrade="web\x9bsocket"), b"G\x1b[31mET / HTTP/1.1\r\n\r\n"):
        with plain(running, "ws") as client:
            client.sendall(request)
            while client.recv(1_000):
                pass
    eventually(lambda: len(caplog.records) >= 6)
    for record in caplog.records:
        assert record.getMessage().isprintable(), ascii(record.getMessage())


@pytest.mark.parametrize("limit", ["max_connections", "max_connections_per_address"])
def test_silent_sockets_do_not_keep_a_client_out(start, limit: str) -> None:
    running = start(**{limit: 40}, connect_timeout=60)
    other = bystander(running)
    silent = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(120)]
    eventually(lambda: connections(running) == 40)
    clients = [running.client(f"c{number}") for number in range(20)]
    assert is_served(other) and all(map(is_served, clients))
    assert exceeded(running) == {f"MQTT_{limit.upper()}": 120 + 20 + 1 - 40}
    for client in silent:
        client.close()


def test_when_everybody_has_logged_in_the_newest_is_turned_away(start) -> None:
    running = start(max_connections=5)
    held = [running.client(f"c{number}") for number in range(5)]
    for number in range(3):
        assert running.socket(wire.connect(f"late{number}")).at_end()
    assert all(map(is_served, held))
