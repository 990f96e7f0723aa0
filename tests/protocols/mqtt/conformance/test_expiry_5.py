"""5.0: sessions, Wills and messages that expire, with a clock moved by hand (3.1.2.11, 3.1.3.2, 3.3.2.3, 4.1)."""

import mqtt_client as mqtt
import pytest
from mqtt_bench import Bench, Client, kinds, messages
from mqtt_client import MESSAGE_EXPIRY, SESSION_EXPIRY, USER, WILL_DELAY, Will

FOR_EVER = 0xFFFFFFFF


def left(bench: Bench, expiry: int | None, **options: object) -> Client:
    """Return a client with a subscription whose session lasts so long."""
    values = {} if expiry is None else {SESSION_EXPIRY: expiry}
    client = bench.client("c", clean=False, properties=values, **options)
    client.subscribe(("a", 1))
    return client


def is_kept(bench: Bench) -> bool:
    return bench.client("c", clean=False, properties={SESSION_EXPIRY: FOR_EVER}).connack.present


# --- sessions


@pytest.mark.parametrize(
    ("expiry", "after", "kept"),
    [
        (None, 0, False),
        (0, 0, False),
        (10, 9, True),
        (10, 11, False),
        (100_000, 99_000, True),
        (FOR_EVER - 1, 1e9, True),
        (FOR_EVER, 1e10, True),
    ],
)
def test_a_session_is_kept_for_its_interval(expiry: int | None, after: float, kept: bool) -> None:
    """5.0: 3.1.2-23 4.1.0-2."""
    bench = Bench()
    left(bench, expiry).lose()
    bench.wait(after)
    assert is_kept(bench) is kept


def test_the_interval_begins_when_the_connection_ends_and_a_new_one_counts_anew() -> None:
    """5.0: 3.1.2-23 4.1.0-1 4.1.0-2."""
    bench = Bench()
    client = left(bench, 10)
    bench.wait(100)
    client.lose()
    bench.wait(8)
    client = left(bench, 10)
    assert client.connack.present
    client.lose()
    bench.wait(8)
    assert is_kept(bench)


def test_a_new_connection_may_end_the_session_with_itself() -> None:
    """5.0: 3.1.2-23."""
    bench = Bench()
    left(bench, 1_000).lose()
    left(bench, None).lose()
    assert not is_kept(bench)


@pytest.mark.parametrize(
    ("first", "then", "after", "kept"), [(10, 100, 50, True), (100, 10, 50, False), (10, 0, 0, False)]
)
def test_disconnect_changes_the_interval(first: int, then: int, after: float, kept: bool) -> None:
    """5.0: 3.1.2-23 4.1.0-2."""
    bench = Bench()
    left(bench, first).send(mqtt.disconnect(0, {SESSION_EXPIRY: then}))
    bench.wait(after)
    assert is_kept(bench) is kept


@pytest.mark.parametrize("expiry", [None, 0])
def test_disconnect_cannot_give_a_session_that_was_not_asked_for(expiry: int | None) -> None:
    """5.0: 3.14.2-2."""
    bench = Bench()
    client = left(bench, expiry).send(mqtt.disconnect(0, {SESSION_EXPIRY: 100}))
    assert client.closed_with() == 0x82
    assert not is_kept(bench)


def test_a_server_never_sends_a_session_expiry_in_disconnect() -> None:
    """5.0: 3.14.2-2 3.14.2-1."""
    bench = Bench()
    client = left(bench, 100)
    bench.client("c")
    [seen] = client.take()
    assert (seen.kind, seen.reason, SESSION_EXPIRY in seen.properties) == ("DISCONNECT", 0x8E, False)


# --- Wills


def watched(delay: int, expiry: int | None, **more: object) -> tuple[Bench, Client, Client]:
    bench = Bench()
    watcher = bench.client("watcher")
    watcher.subscribe(("will", 1))
    return bench, watcher, left(bench, expiry, will=Will("will", properties={WILL_DELAY: delay, **more}))


@pytest.mark.parametrize(
    ("delay", "expiry", "due"),
    [(0, 100, 0), (10, 100, 10), (100, 10, 10), (10, FOR_EVER, 10), (10, None, 0), (10, 0, 0)],
)
def test_a_will_waits_for_its_delay_or_the_sessions_end(delay: int, expiry: int | None, due: int) -> None:
    """5.0: 3.1.2-8 3.1.2-7 3.1.2-10."""
    bench, watcher, client = watched(delay, expiry)
    client.lose()
    if due:
        bench.wait(due - 1)
        assert watcher.take() == []
        bench.wait(1.1)
    assert watcher.payloads() == [b"gone"]
    bench.wait(1_000)
    assert watcher.take() == []


@pytest.mark.parametrize("taken_over", [False, True])
def test_coming_back_in_time_drops_the_will(taken_over: bool) -> None:
    """5.0: 3.1.3-9 3.1.2-8."""
    bench, watcher, client = watched(10, 100)
    if not taken_over:
        client.lose()
        bench.wait(9)
    left(bench, 100)
    assert client.closed
    bench.wait(1_000)
    assert watcher.take() == []


def test_a_clean_start_ends_the_session_and_publishes_its_will() -> None:
    """5.0: 3.1.2-8 3.1.2-4."""
    bench, watcher, client = watched(10, 100)
    client.lose()
    bench.client("c")
    assert watcher.payloads() == [b"gone"]


def test_disconnect_with_will_publishes_it_and_without_discards_it() -> None:
    """5.0: 3.14.4-3 3.1.2-8 3.1.2-10."""
    for reason, expected in ((0x04, [b"gone"]), (0x80, [b"gone"]), (0x00, [])):
        bench, watcher, client = watched(5, 100)
        client.send(mqtt.disconnect(reason))
        assert (client.closed, client.take(), watcher.take()) == (True, [], [])
        bench.wait(6)
        assert watcher.payloads() == expected


def test_a_will_has_its_properties_with_user_properties_in_order_and_its_own_expiry() -> None:
    """5.0: 3.1.3-10 3.3.2-17 3.3.2-18 3.3.2-6."""
    pairs = [("b", "2"), ("a", "1"), ("b", "2"), ("", "é")]
    bench, watcher, client = watched(10, 100)
    client = bench.client("d", will=Will("will", b"d", 1, properties={USER: pairs, MESSAGE_EXPIRY: 60}))
    bench.wait(1_000)
    client.lose()
    [seen] = watcher.take()
    assert seen.properties == {USER: pairs, MESSAGE_EXPIRY: 60}


# --- messages


@pytest.mark.parametrize(("waited", "told"), [(0, 60), (1, 59), (59, 1), (60, None), (1_000, None)])
def test_a_queued_messages_expiry_counts_down_and_an_expired_one_is_gone(waited: int, told: int | None) -> None:
    """5.0: 3.3.2-5 3.3.2-6."""
    bench = Bench()
    left(bench, FOR_EVER).lose()
    writer = bench.client("writer")
    writer.publish("a", b"x", 1, 1, properties={MESSAGE_EXPIRY: 60}).publish("a", b"y", 1, 2)
    bench.wait(waited)
    client = bench.client("c", clean=False, properties={SESSION_EXPIRY: FOR_EVER})
    expected = [] if told is None else [(b"x", {MESSAGE_EXPIRY: told})]
    assert [(seen.payload, seen.properties) for seen in client.early] == [*expected, (b"y", {})]


@pytest.mark.parametrize(("waited", "told"), [(0, 60), (10, 50), (60, None)])
def test_a_retained_messages_expiry_counts_down_and_an_expired_one_is_gone(waited: int, told: int | None) -> None:
    """5.0: 3.3.2-5 3.3.2-6."""
    bench = Bench()
    bench.client("writer").publish("a", b"x", 1, retain=True, properties={MESSAGE_EXPIRY: 60})
    bench.wait(waited)
    seen = bench.client("late").subscribe(("a", 0))[1:]
    assert [one.properties for one in seen] == ([] if told is None else [{MESSAGE_EXPIRY: told}])


def test_a_message_that_expires_behind_a_full_window_is_not_sent() -> None:
    """5.0: 3.3.2-5."""
    bench = Bench(inflight=1)
    reader, writer = bench.client("reader"), bench.client("writer")
    reader.subscribe(("a", 1))
    for number, values in ((1, {}), (2, {MESSAGE_EXPIRY: 5}), (3, {})):
        writer.publish("a", bytes([number]), 1, number, properties=values)
    [first] = reader.take()
    bench.wait(5)
    assert [seen.payload for seen in reader.answer("PUBACK", first.packet_id).take()] == [b"\x03"]


def test_expiry_never_stops_a_qos_2_handshake() -> None:
    """5.0: 4.3.3-7 4.3.3-13."""
    bench = Bench()
    reader = bench.client("reader", properties={SESSION_EXPIRY: FOR_EVER}, clean=False)
    reader.subscribe(("a", 2))
    writer = bench.client("writer").publish("a", b"x", 2, 9, properties={MESSAGE_EXPIRY: 1})
    [first] = reader.take()
    bench.wait(100)
    assert kinds(writer.take()) == ["PUBREC"]
    assert [(seen.kind, seen.reason) for seen in writer.answer("PUBREL", 9).take()] == [("PUBCOMP", 0)]
    reader.lose()
    reader = bench.client("reader", properties={SESSION_EXPIRY: FOR_EVER}, clean=False)
    assert [(seen.packet_id, seen.dup) for seen in messages(reader.early)] == [(first.packet_id, True)]
    released = reader.answer("PUBREC", first.packet_id).take()
    assert [(seen.kind, seen.reason) for seen in released] == [("PUBREL", 0)]
    assert reader.answer("PUBCOMP", first.packet_id).take() == []


def test_a_message_for_an_open_connection_has_its_whole_expiry() -> None:
    """5.0: 3.3.2-6."""
    bench = Bench()
    reader = bench.client("reader")
    reader.subscribe(("a", 0))
    bench.wait(1_000)
    for expiry in (1, 60, FOR_EVER):
        bench.client("writer").publish("a", b"x", properties={MESSAGE_EXPIRY: expiry})
        assert [seen.properties for seen in reader.take()] == [{MESSAGE_EXPIRY: expiry}]


# --- between two sweeps


@pytest.mark.parametrize("late", [0.2, 0.9, 7])
def test_what_has_expired_is_not_sent_before_a_sweep_has_found_it(late: float) -> None:
    """5.0: 3.3.2-5."""
    bench = Bench()
    left(bench, FOR_EVER).lose()
    writer = bench.client("writer")
    for number, retain in ((1, False), (2, True)):
        writer.publish("a", b"short", 1, number, retain=retain, properties={MESSAGE_EXPIRY: 5})
    writer.publish("a", b"long", 1, 3, properties={MESSAGE_EXPIRY: 60})
    bench.now += 5 + late
    client = bench.client("c", clean=False, properties={SESSION_EXPIRY: FOR_EVER})
    assert [seen.payload for seen in client.early] == [b"long"]
    assert kinds(client.subscribe(("a", 1))) == ["SUBACK"]


def test_a_session_that_has_expired_is_not_resumed_before_a_sweep_has_found_it() -> None:
    """5.0: 4.1.0-2 3.2.2-3."""
    bench = Bench()
    left(bench, 10).lose()
    bench.now += 10.3
    assert not is_kept(bench)


def test_a_will_that_was_due_is_published_though_no_sweep_has_found_it() -> None:
    """5.0: 3.1.2-8."""
    bench, watcher, client = watched(10, 100)
    client.lose()
    bench.now += 10.3
    left(bench, 100)
    assert watcher.payloads() == [b"gone"]
