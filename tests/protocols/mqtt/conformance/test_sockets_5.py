"""5.0 on real sockets: the last packet of the server arrives before the connection is closed (3.14, 4.13)."""

import mqtt_client as mqtt
import pytest

pytestmark = pytest.mark.stack


def joined(running, client_id: str = "c", username: str = "ada", **options):
    client = running.socket(mqtt.connect(client_id, username=username, **options))
    head, body = client.receive()
    assert (head, body[1]) == (0x20, 0)
    return client


def last_words(client) -> list[mqtt.Seen]:
    """Return everything that comes until the server closes."""
    seen = []
    try:
        while True:
            seen.append(mqtt.read(*client.receive(), 5))
    except EOFError:
        return seen


ENDS = {
    "the server stops": (0x8B, lambda running, client: running.run(running.server.stop())),
    "the operator kicks it": (0x98, lambda running, client: running.do(lambda: running.server.kick(["1"], "kicked"))),
    "its integration is gone": (
        0x87,
        lambda running, client: running.do(lambda: running.server.disconnect([1], "deleted", forget=True)),
    ),
    "another takes it over": (0x8E, lambda running, client: joined(running)),
    "it is malformed": (0x81, lambda running, client: client.send(b"\x00\x00")),
    "it breaks the protocol": (0x82, lambda running, client: client.send(mqtt.connect("c"))),
    "it sends too much at once": (0x95, lambda running, client: client.send(mqtt.publish(5, "a", bytes(2_000)))),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_client_is_told_why_its_connection_ends(start, end: str) -> None:
    """5.0: 3.14.2-1 3.14.4-1 3.14.4-2 4.13.2-1 3.1.4-3 4.2.0-1."""
    running = start(max_packet=1_000)
    reason, act = ENDS[end]
    client = joined(running)
    act(running, client)
    assert [(seen.kind, seen.reason) for seen in last_words(client)] == [("DISCONNECT", reason)]


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (mqtt.connect(password=b"wrong"), 0x86),
        (mqtt.connect(username="idle"), 0x87),
        (mqtt.connect(properties={mqtt.AUTH_METHOD: "x"}), 0x8C),
        (mqtt.connect(properties={mqtt.RECEIVE_MAXIMUM: 0}), 0x82),
    ],
)
def test_a_refused_client_is_told_why_then_closed(start, first: bytes, reason: int) -> None:
    """5.0: 3.2.2-7 3.14.0-1 4.12.0-1 4.13.2-1."""
    client = start().socket(first)
    assert [(seen.kind, seen.reason) for seen in last_words(client)] == [("CONNACK", reason)]
