"""Sessions in both versions: clean start, session present, take-over, what is stored (3.1.2.4, 3.1.4, 3.2.2, 4.1)."""

import mqtt_client as mqtt
import pytest
from mqtt_bench import BOTH, HOUR, Bench, kinds, refusal
from mqtt_client import SESSION_EXPIRY, Will


@BOTH
def test_a_new_session_is_not_present_a_stored_one_is_and_a_clean_one_never(level: int) -> None:
    """3.1.1: 3.1.2-4 3.1.2-6 3.1.4-3 3.2.2-1 3.2.2-2 3.2.2-3. 5.0: 3.1.2-4 3.1.2-5 3.1.2-6 3.1.4-4 3.2.2-2 3.2.2-3."""
    bench = Bench()
    present = []
    for durable in (True, True, True, False, True, True):
        client = bench.client("c", level, durable=durable)
        present.append(client.connack.present)
        client.lose()
    assert present == [False, True, True, False, False, True]


@BOTH
def test_a_stored_session_keeps_its_subscriptions_and_what_it_missed(level: int) -> None:
    """3.1.1: 3.1.2-4 3.1.2-5 4.1.0-1 4.5.0-1. 5.0: 3.1.2-5 3.1.2-23 4.5.0-1."""
    bench = Bench()
    client = bench.client("c", level, durable=True)
    client.subscribe(("a/#", 2))
    client.lose()
    writer = bench.client("writer", level)
    for number in (1, 2, 3):
        writer.publish("a/b", bytes([number]), number % 2 + 1, number)
    bench.wait(HOUR - 1)
    client = bench.client("c", level, durable=True)
    assert [(seen.payload, seen.qos, seen.dup) for seen in client.early] == [
        (b"\x01", 2, False),
        (b"\x02", 1, False),
        (b"\x03", 2, False),
    ]
    writer.publish("a/c", b"now")
    assert client.payloads() == [b"now"]


@BOTH
@pytest.mark.parametrize("ended", [True, False], ids=["by the first", "by a clean one"])
def test_a_clean_session_leaves_and_finds_nothing(level: int, ended: bool) -> None:
    """3.1.1: 3.1.2-6. 5.0: 3.1.2-4 3.1.2-23."""
    bench = Bench()
    client = bench.client("c", level, durable=not ended)
    client.subscribe(("a", 1))
    client.lose()
    if not ended:
        bench.client("c", level).lose()
    bench.client("writer", level).publish("a", b"x", 1)
    client = bench.client("c", level, durable=True)
    assert (client.connack.present, client.early) == (False, [])
    bench.client("writer", level).publish("a", b"x", 1)
    assert client.take() == []


@BOTH
def test_retained_messages_outlive_the_session_that_sent_them(level: int) -> None:
    """3.1.1: 3.1.2-7. 5.0: 3.3.1-5."""
    bench = Bench()
    bench.client("c", level).publish("a", b"kept", retain=True).lose()
    bench.client("c", level).lose()
    assert [seen.payload for seen in bench.client("d", level).subscribe(("a", 0))[1:]] == [b"kept"]


@BOTH
def test_take_over_publishes_the_old_will_before_the_new_clients_first_message(
    level: int,
) -> None:
    """3.1.1: 3.1.4-2 3.1.2-8. 5.0: 3.1.4-3 3.1.2-8 3.14.4-1 3.14.4-2."""
    bench = Bench()
    watcher = bench.client("watcher", level)
    watcher.subscribe(("a", 0), ("will", 0))
    old = bench.client("c", level, will=Will("will", b"old"))
    old.publish("a", b"from the old")
    new = bench.knock(mqtt.connect("c", level), mqtt.publish(level, "a", b"from the new"), level=level)
    assert old.closed_with() == refusal(level, 0x8E)
    assert kinds(new.take()) == ["CONNACK"]
    assert watcher.payloads() == [b"from the old", b"old", b"from the new"]
    assert (new.closed, old.send(mqtt.publish(level, "a", b"late")).take(), watcher.take()) == (False, [], [])


@BOTH
def test_take_over_goes_on_with_the_session(level: int) -> None:
    """3.1.1: 3.1.3-2 3.1.4-2 4.1.0-2. 5.0: 3.1.3-2 3.1.4-3 4.1.0-1 3.1.2-5."""
    bench = Bench()
    old = bench.client("c", level, durable=True)
    old.subscribe(("a", 1))
    bench.client("writer", level).publish("a", b"unacknowledged", 1)
    [sent] = old.take()
    new = bench.client("c", level, durable=True)
    assert new.connack.present
    assert [(seen.payload, seen.packet_id, seen.dup) for seen in new.early] == [
        (b"unacknowledged", sent.packet_id, True)
    ]
    old.answer("PUBACK", sent.packet_id)
    new.lose()
    assert len(bench.client("c", level, durable=True).early) == 1, "an answer of the old connection does not count"


@BOTH
def test_a_wrong_password_takes_nobody_over(level: int) -> None:
    """3.1.1: 3.1.4-5. 5.0: 3.1.4-2 3.1.4-6."""
    bench = Bench()
    watcher = bench.client("watcher", level)
    watcher.subscribe(("will", 0))
    client = bench.client("c", level, will=Will("will"))
    client.subscribe(("a", 0))
    bench.knock(mqtt.connect("c", level, password=b"wrong"), level=level)
    watcher.publish("a", b"still here")
    assert (client.closed, client.payloads(), watcher.take()) == (False, [b"still here"], [])


@BOTH
def test_another_client_identifier_is_another_session(level: int) -> None:
    """3.1.1: 3.1.3-2. 5.0: 3.1.3-2."""
    bench = Bench()
    bench.client("c", level, durable=True).lose()
    for other in ("C", "c ", "cc", "\u212a", "k"):
        assert not bench.client(other, level, durable=True).connack.present
    assert bench.client("c", level, durable=True).connack.present


@BOTH
def test_a_session_lasts_while_its_connection_is_open(level: int) -> None:
    """3.1.1: 4.1.0-1 4.1.0-2. 5.0: 4.1.0-1."""
    bench = Bench()
    client = bench.client("c", level, properties={SESSION_EXPIRY: 1})
    client.subscribe(("a", 1))
    for _ in range(5):
        bench.wait(HOUR)
    bench.client("writer", level).publish("a", b"x", 1)
    assert client.payloads() == [b"x"]


def test_a_session_is_resumed_in_the_other_version() -> None:
    """3.1.1: 3.1.2-4. 5.0: 3.1.2-5."""
    bench = Bench()
    old = bench.client("c", 4, durable=True)
    old.subscribe(("a", 1))
    old.lose()
    bench.client("writer").publish("a", b"x", 1)
    new = bench.client("c", 5, durable=True)
    assert (new.connack.present, [seen.payload for seen in new.early]) == (True, [b"x"])
    new.lose()
    back = bench.client("c", 4, durable=True)
    assert (back.connack.present, [(seen.payload, seen.dup) for seen in back.early]) == (True, [(b"x", True)])
