"""The server on real sockets, on asyncio's own loop and on uvloop."""

import asyncio
import gc
import logging
import socket
import struct
import time

import mqtt_wire as wire
import pytest

from protocols.mqtt.inbox import Inbox
from protocols.mqtt.server import MqttServer
from protocols.mqtt.session import Session
from protocols.mqtt.shell import Shell

KIB = 1024


def eventually(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def subscriber(running, client_id: str = "sub", qos: int = 0, **options):
    client = running.client(client_id, **options).send(wire.subscribe(("#", qos)))
    assert client.receive()[0] == 0x90
    return client


def test_messages_of_every_qos_arrive(start) -> None:
    running = start()
    reader, writer = subscriber(running, qos=2), running.client("pub")
    for qos in (0, 1, 2):
        writer.send(wire.publish("a/b", b"x" * 1_000, qos, 5))
        topic, payload, got, packet_id = wire.message(reader.receive())
        assert (topic, payload, got) == ("a/b", b"x" * 1_000, qos)
        if qos == 1:
            reader.send(wire.puback(packet_id))
            assert writer.receive() == (0x40, b"\0\5")
        if qos == 2:
            reader.send(wire.pubrec(packet_id))
            assert reader.receive() == (0x62, packet_id.to_bytes(2, "big"))
            reader.send(wire.pubcomp(packet_id))
            assert writer.receive() == (0x50, b"\0\5")
            writer.send(wire.pubrel(5))
            assert writer.receive() == (0x70, b"\0\5")


def test_a_refused_login_is_answered_then_closed_and_not_logged(start, caplog) -> None:
    running = start()
    client = running.socket(wire.connect(password=b"hunter2"))
    assert client.receive() == wire.connack(4)
    assert client.at_end()
    assert caplog.records == []
    assert running.presence.events == []


@pytest.mark.parametrize("retain", [False, True])
def test_a_topic_for_which_subscribers_might_leave_closes_the_connection_of_who_publishes_it(start, retain) -> None:
    running = start()
    reader = running.client("reader").send(wire.subscribe(("#", 0)))
    reader.receive()
    assert running.client("writer").send(wire.publish("a/\x01", b"x", retain=retain)).at_end()
    running.client("other").send(wire.publish("a/b", b"y"))
    assert wire.message(reader.receive())[:2] == ("a/b", b"y")


def test_presence_says_why_each_connection_ended(start) -> None:
    running = start()
    running.client("polite").send(wire.DISCONNECT).at_end()
    running.client("rude").close()
    eventually(lambda: len(running.presence.events) == 4)
    running.client("broken").send(b"\xf0\x00").at_end()
    running.client("silent", keep_alive=1).at_end()
    reasons = [event[2] for event in running.presence.events if event[0] == "disconnected"]
    assert reasons == [
        "client disconnected",
        "connection lost",
        "protocol error: 0xf0 starts no packet that a client may send",
        "keep alive timed out",
    ]


def test_a_silent_client_is_closed_after_one_and_a_half_keep_alives(start) -> None:
    running = start()  # [MQTT-3.1.2-24]
    watcher = subscriber(running)
    started = time.monotonic()
    client = running.client(keep_alive=1, will=("w", b"gone", 0, False))
    assert client.at_end()
    assert time.monotonic() - started > 1.4
    assert running.presence.events[-1] == ("disconnected", "2", "keep alive timed out")
    assert wire.message(watcher.receive())[:2] == ("w", b"gone")


def test_take_over_closes_the_old_socket(start) -> None:  # [MQTT-3.1.4-2]
    running = start()
    old = running.client("c", will=("w", b"gone", 0, False))
    watcher = subscriber(running)
    new = running.client("c")
    assert old.at_end()
    assert wire.message(watcher.receive())[0] == "w"
    new.send(wire.PINGREQ)
    assert new.receive() == wire.PINGRESP
    assert len(running.presence.open) == 2


def test_a_kick_closes_one_among_many_at_once(start) -> None:
    running = start(sweep_interval=60)
    others = [running.client(f"o{number}", "bob") for number in range(200)]
    client = running.client("c", will=("w", b"", 0, False))

    def cut() -> tuple[str, ...]:
        running.server.disconnect([1], "deactivated", forget=False)
        return running.presence.events[-1]

    assert running.do(cut) == ("disconnected", "201", "deactivated"), "by the same turn of the loop"
    assert client.at_end()
    others[0].send(wire.PINGREQ)
    assert others[0].receive() == wire.PINGRESP
    assert len(running.presence.open) == 200


def fill(running, megabytes: int):
    """Return a subscriber that does not read, and a publisher that has sent it so much."""
    stuck = running.socket(wire.connect("stuck") + wire.subscribe(("flood", 0)))
    eventually(lambda: len(running.presence.open) == 1)
    writer = running.client("flood", "bob")
    for _ in range(megabytes):
        writer.send(wire.publish("flood", bytes(1024 * KIB)))
    writer.send(wire.PINGREQ)
    assert writer.receive() == wire.PINGRESP
    return stuck, writer


def test_a_subscriber_that_does_not_read_is_bounded(start, caplog) -> None:
    running = start(outbound_bytes=1024 * KIB, patience=0.1)
    stuck, _ = fill(running, 20)
    [connection] = [
        client.connection for client in running.server._clients if client.connection.client.session.client_id == "stuck"
    ]
    assert connection.outbox.size < 1100 * KIB
    assert connection.outbox.dropped > 5
    stuck.close()
    eventually(lambda: "were dropped" in caplog.text)


def test_a_kick_closes_a_peer_that_does_not_read_at_once(start) -> None:
    running = start(outbound_bytes=256 * 1024 * KIB, sweep_interval=60)
    fill(running, 20)
    running.do(lambda: running.server.disconnect([1], "deleted", forget=True))
    eventually(lambda: len(running.server._clients) == 1)


def test_a_peer_that_leaves_without_reading_is_closed_soon(start) -> None:
    running = start(outbound_bytes=256 * 1024 * KIB)
    stuck, _ = fill(running, 20)
    stuck.send(wire.DISCONNECT)
    eventually(lambda: len(running.server._clients) == 1)
    assert running.presence.events[-1] == ("disconnected", "1", "client disconnected")


def test_others_are_served_while_one_does_not_read(start) -> None:
    running = start(outbound_bytes=1024 * KIB, patience=0.1)
    _, writer = fill(running, 20)
    reader = subscriber(running)
    for number in range(20):
        writer.send(wire.publish("flood", bytes([number]) * 100_000))
    got = [wire.message(reader.receive())[1][0] for _ in range(20)]
    assert got == list(range(20))


def test_a_fast_publisher_is_slowed_down_and_nothing_is_lost(start) -> None:
    running = start(outbound_bytes=256 * KIB)
    reader, writer = subscriber(running), running.client("pub")
    one = wire.publish("a", bytes(100))
    count = 0
    for _ in range(20):
        writer.send(one * 5_000)
        for _ in range(5_000):
            wire.message(reader.receive())
            count += 1
    assert count == 100_000


def test_a_retained_message_of_a_megabyte_arrives_whole(start) -> None:
    running = start()
    payload = bytes(range(256)) * 4_096
    running.client("pub").send(wire.publish("big", payload, 1, retain=True)).receive()
    reader = subscriber(running, qos=1)
    assert wire.message(reader.receive())[:2] == ("big", payload)


GARBAGE = [
    pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="http"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01", id="tls"),
    pytest.param(b"\x00" * 1_000, id="zeros"),
    pytest.param(b"\x10\xff\xff\xff\xff\x01", id="length of five bytes"),
    pytest.param(b"\x10\xff\xff\xff\x7f", id="oversized CONNECT"),
    pytest.param(wire.connect() + b"\x30\xff\xff\xff\x7f", id="oversized PUBLISH"),
    pytest.param(wire.connect() + b"\x36\x00", id="QoS 3"),
    pytest.param(wire.connect() + b"\x30\x02\x00\x05", id="PUBLISH that ends in its topic"),
    pytest.param(wire.connect() + b"\x30\x01\x00", id="PUBLISH of one byte"),
    pytest.param(wire.connect() * 2, id="second CONNECT"),
    pytest.param(wire.connect() + wire.publish("a/+"), id="wildcard"),
    pytest.param(wire.connect() + wire.publish(b"\xff"), id="no UTF-8"),
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_closed_logged_once_and_disturbs_nobody(start, caplog, garbage) -> None:
    running = start()
    bystander = subscriber(running, "bystander", username="bob")
    client = running.socket(garbage)
    assert client.at_end()
    eventually(lambda: caplog.records)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "127.0.0.1" in record.getMessage()
    running.client("pub").send(wire.publish("a", b"fine"))
    assert wire.message(bystander.receive())[1] == b"fine"


def test_a_half_sent_connect_times_out_and_is_logged(start, caplog) -> None:
    running = start(connect_timeout=0.2)
    client = running.socket(wire.connect()[:-1])
    assert client.at_end()
    assert "no CONNECT in time" in caplog.text
    assert len(caplog.records) == 1


def test_a_connection_lost_in_the_middle_of_a_packet_is_logged(start, caplog) -> None:
    running = start()
    client = running.client()
    client.send(wire.publish("a", bytes(100))[:50])
    client.close()
    eventually(lambda: "in the middle of a packet" in caplog.text)
    eventually(lambda: not running.presence.open)


def test_a_reset_at_every_byte_of_a_connect_leaves_nothing_open(start, caplog) -> None:
    running = start()
    whole = wire.connect("client", will=("w", b"x", 0, False))
    for length in range(len(whole) + 1):
        client = running.socket(whole[:length])
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    running.client("last")  # the others were accepted before it
    eventually(lambda: len(running.server._clients) == 1)
    assert len(caplog.records) <= 20, "bounded per address; one that is gone early is unknown"


def test_a_hammering_client_cannot_flood_the_log(start, caplog) -> None:
    running = start(log_lines=3)
    for _ in range(20):
        running.socket(b"\xff").at_end()
    assert len(caplog.records) == 3


def test_neither_passwords_nor_payloads_are_logged(start, caplog) -> None:
    running = start()
    caplog.set_level(logging.DEBUG)
    running.socket(wire.connect(level=3, password=b"s3cret")).at_end()
    running.client(password=b"right").send(wire.publish("a/#", b"s3cret")).at_end()
    running.socket(wire.packet(0x10, b"s3cret")).at_end()
    eventually(lambda: len(caplog.records) >= 3)
    assert "s3cret" not in caplog.text


def test_what_was_pipelined_after_a_refused_connect_is_not_used(start) -> None:
    running = start()  # [MQTT-3.1.4-5]
    watcher = subscriber(running, username="bob")
    client = running.socket()
    client.send(wire.connect(password=b"no"), wire.publish("a", b"x", retain=True))
    assert client.receive() == wire.connack(4)
    assert client.at_end()
    watcher.send(wire.PINGREQ)
    assert watcher.receive() == wire.PINGRESP


def test_stop_closes_everything_and_publishes_wills(start) -> None:
    running = start()
    running.client("durable", "bob", clean=False).send(wire.subscribe(("w", 1)), wire.DISCONNECT).at_end()
    clients = [running.client(f"c{number}") for number in range(50)]
    running.client("last", will=("w", b"gone", 1, True))
    stuck = running.socket(wire.connect()[:5])
    eventually(lambda: len(running.server._clients) == 52)
    running.run(running.server.stop())
    eventually(lambda: not running.server._clients)
    assert all(client.at_end() for client in [*clients, stuck])
    assert running.server._broker.retained.get("w").payload == b"gone"
    ended = [event for event in running.presence.events if event[2] == "server is stopping"]
    assert len(ended) == 51
    with pytest.raises(ConnectionRefusedError):
        running.socket()


def test_a_connection_accepted_while_stopping_is_closed() -> None:
    server = MqttServer(hub=wire.hub(), authenticate=wire.Door(), presence=wire.Recorder())

    class Socket(asyncio.Transport):
        aborted = False

        def abort(self) -> None:
            self.aborted = True

    async def scenario() -> asyncio.Transport:
        await server.start({}, {})
        await server.stop()
        late = Socket()
        Shell(server).connection_made(late)
        return late

    assert asyncio.run(scenario()).aborted


def test_a_login_under_way_when_the_credential_goes_is_refused(start) -> None:
    running = start()
    whole = wire.connect()
    client = running.socket(whole[:-1])
    del running.door.answers["ada"]
    running.do(lambda: running.server.disconnect([1], "deleted", forget=True))
    client.send(whole[-1:])
    assert client.receive() == wire.connack(4)


def alive(kind: type) -> list:
    """Return the objects of a type that something still holds."""
    return [found for found in gc.get_objects() if type(found) is kind]


def test_a_closed_connection_is_freed_without_a_collection(start) -> None:
    """Full collections are made rare on purpose; the megabytes of a half-sent packet must not wait for one."""
    running = start()
    gc.collect()
    gc.disable()
    try:
        running.client("half").send(b"\x30\xff\xff\xff\x06" + b"x" * (256 * KIB))
        eventually(lambda: any(inbox.size >= 256 * KIB for inbox in alive(Inbox)))
        assert len(alive(Session)) == 1
        running._sockets[-1].close()
        eventually(lambda: not any(inbox.size for inbox in alive(Inbox)))
        eventually(lambda: not alive(Session))
    finally:
        gc.enable()


def test_half_sent_connects_are_bounded_together(start) -> None:
    running = start(unfinished_connects=256 * KIB)
    half = b"\x10\xff\xff\x05" + b"\x00\x04MQTT" + b"x" * (60 * KIB)
    waiting = [running.socket(half) for _ in range(8)]
    eventually(lambda: len(running.do(lambda: list(running.server._clients))) <= 4)
    assert running.do(lambda: running.server._broker.unfinished) <= 256 * KIB
    running.client("whole")  # what arrives in one piece is not affected
    for client in waiting:
        client.close()
    eventually(lambda: running.do(lambda: running.server._broker.unfinished) == 0)
