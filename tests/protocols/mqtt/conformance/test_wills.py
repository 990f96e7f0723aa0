"""The Will in both versions (3.1.2.5, 3.14.4)."""

import mqtt_client as mqtt
import pytest
from mqtt_bench import BOTH, Bench, Client, refusal
from mqtt_client import Will

ENDS = {
    "the network": lambda client: client.lose(),
    "a broken packet": lambda client: client.send(b"\x00\x00"),
    "silence": lambda client: client.bench.wait(16),
    "another connection": lambda client: client.bench.client("c", client.level),
    "the operator": lambda client: client.bench.broker.sessions.disconnect([1], "deactivated", forget=False),
}


def watched(level: int, wanted: int = 2, **options: object) -> tuple[Bench, Client, Client]:
    """Return a bench with a client that watches a Will, and one that leaves it."""
    bench = Bench()
    watcher = bench.client("watcher", level, username="bob")
    watcher.subscribe(("will", wanted))
    return bench, watcher, bench.client("c", level, keep_alive=10, **options)


@BOTH
@pytest.mark.parametrize("end", ENDS)
def test_the_will_is_published_however_the_connection_ends(level: int, end: str) -> None:
    """3.1.1: 3.1.2-8 3.1.2-10 4.8.0-1. 5.0: 3.1.2-7 3.1.2-8 3.1.2-10."""
    bench, watcher, client = watched(level, will=Will("will", b"gone"))
    assert watcher.take() == []
    ENDS[end](client)
    assert client.closed
    assert watcher.payloads() == [b"gone"]
    client.lose()
    bench.wait(100_000)
    assert watcher.take() == [], "once"


@BOTH
def test_disconnect_discards_the_will(level: int) -> None:
    """3.1.1: 3.14.4-3 3.1.2-10 3.14.4-1 3.14.4-2. 5.0: 3.14.4-3 3.1.2-8 3.1.2-10."""
    bench, watcher, client = watched(level, durable=True, will=Will("will"))
    client.send(mqtt.disconnect(), mqtt.publish(level, "will", b"behind it"))
    assert (client.closed, client.take()) == (True, [])
    bench.wait(100_000)
    assert watcher.take() == []


@BOTH
def test_without_a_will_nothing_is_published(level: int) -> None:
    """3.1.1: 3.1.2-12. 5.0: 3.1.2-8."""
    bench = Bench()
    watcher = bench.client("watcher", level)
    watcher.subscribe(("#", 0))
    bench.client("c", level, will=Will("will")).send(mqtt.disconnect())
    bench.client("c", level).lose()
    assert watcher.take() == []


@BOTH
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_the_will_has_its_qos_and_is_not_retained_unless_it_says_so(level: int, qos: int) -> None:
    """3.1.1: 3.1.2-14 3.1.2-16. 5.0: 3.1.2-12 3.1.2-14 3.2.2-12."""
    bench, watcher, client = watched(level, will=Will("will", b"x" * 300, qos))
    client.lose()
    assert [(seen.qos, seen.retain, seen.payload) for seen in watcher.take()] == [(qos, False, b"x" * 300)]
    assert len(bench.client("late", level).subscribe(("will", 0))) == 1


@BOTH
def test_a_retained_will_is_retained(level: int) -> None:
    """3.1.1: 3.1.2-17. 5.0: 3.1.2-15 3.2.2-13."""
    bench, watcher, client = watched(level, will=Will("will", b"x", 1, retain=True))
    client.lose()
    assert [seen.retain for seen in watcher.take()] == [False]
    [_, kept] = bench.client("late", level).subscribe(("will", 1))
    assert (kept.payload, kept.qos, kept.retain) == (b"x", 1, True)


@BOTH
def test_an_empty_retained_will_removes_what_is_retained(level: int) -> None:
    """3.1.1: 3.1.2-17 3.3.1-10 3.3.1-11. 5.0: 3.1.2-15 3.3.1-6 3.3.1-7."""
    bench, watcher, client = watched(level, will=Will("will", b"", retain=True))
    client.publish("will", b"up", retain=True)
    client.lose()
    assert watcher.payloads() == [b"up", b""]
    assert len(bench.client("late", level).subscribe(("will", 1))) == 1


@BOTH
@pytest.mark.parametrize("topic", ["", "a/#", "+", "a/+/b"])
def test_a_will_on_no_topic_name_lets_nobody_in(level: int, topic: str) -> None:
    """3.1.1: 3.3.2-2 4.7.1-1 4.7.3-1. 5.0: 3.3.2-2 4.7.0-1 4.7.3-1."""
    client = Bench().knock(mqtt.connect("c", level, will=Will(topic)), level=level)
    assert client.closed
    assert client.peer.connection.client is None
    assert [seen.reason for seen in client.take()] in ([], [refusal(level, 0x90)])


@BOTH
def test_a_will_is_that_of_the_latest_connection(level: int) -> None:
    """3.1.1: 3.1.2-8 3.1.2-10. 5.0: 3.1.2-7 3.1.2-10."""
    bench, watcher, client = watched(level, durable=True, will=Will("will", b"first"))
    client.lose()
    assert watcher.payloads() == [b"first"]
    bench.client("c", level, durable=True, will=Will("will", b"second")).lose()
    assert watcher.payloads() == [b"second"]
    bench.client("c", level, durable=True).lose()
    assert watcher.take() == []
