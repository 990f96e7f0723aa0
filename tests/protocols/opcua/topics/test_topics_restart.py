"""The main part goes away and comes back; the OPC UA part serves on, and nothing is lost that it could keep."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from asyncua import ua

from protocols.opcua.topics import hub, outbox
from tests.protocols.opcua.conftest import Running
from tests.protocols.opcua.topics.conftest import wait_connected
from tests.protocols.opcua.topics.topics_bed import TOPICS, OpcUa, space
from tests.support.processes import wait_until


def go(main, linked) -> None:
    main.stop()
    wait_until(lambda: not linked.server._space._hub.is_connected)


def test_topics_say_that_there_is_no_hub_and_nodes_go_on(main, linked, mqtt, opcua):
    mqtt("bob").publish("plant/x", b"1")
    client = opcua("ada")
    go(main, linked)
    assert client.value(client.node("plant/x")) == "BadNoCommunication"
    for ask in (
        client.node("plant/x").read_raw_history,
        lambda: client.node("plant/x").write_value(1),
        lambda: client.node(TOPICS).get_child("3:plant"),
        client.node(TOPICS).get_children,
    ):
        with pytest.raises(ua.uaerrors.BadNoCommunication):
            ask()
    client.own("ada/x").write_value(5)
    assert client.value(client.own("ada/x")) == 5
    main.start()
    wait_connected(linked.server._space)
    wait_until(lambda: client.value(client.node("plant/x")) == 1)


def test_a_hub_that_does_not_answer_is_waited_for_once(main, linked, mqtt, opcua, monkeypatch):
    mqtt("bob").publish("plant/x", b"1")
    monkeypatch.setattr(hub, "_ANSWER", 0.1)
    client, asked = opcua("ada"), []
    ask = linked.server._space._hub._part.ask
    monkeypatch.setattr(linked.server._space._hub._part, "ask", lambda *what: asked.append(what) or ask(*what))
    main.looper.call(lambda: time.sleep(1))
    for _ in range(5):
        assert client.value(client.node("plant/x")) == "BadNoCommunication"
    assert [action for action, *_ in asked].count("hub_look") == 1, "catching up asks for itself"
    monkeypatch.setattr(hub, "_ANSWER", 5)
    wait_until(lambda: client.value(client.node("plant/x")) == 1)


def test_what_is_monitored_is_uncertain_until_the_hub_is_back(main, linked, mqtt, opcua):
    mqtt("bob").publish("plant/x", b"1", retain=True)
    client = opcua("ada")
    seen, never = client.watch(client.node("plant/x")), client.watch(client.node("plant/never"))
    seen.wait_for(1)
    go(main, linked)
    seen.wait_for(1, "UncertainLastUsableValue")
    assert seen.values[-1].Value.Value == 1
    never.wait_for("BadWaitingForInitialData", "BadNoCommunication")
    late = client.watch(client.node("plant/late"))
    late.wait_for("BadNoCommunication")
    main.start()
    seen.wait_for(1, "UncertainLastUsableValue", 1)
    never.wait_for("BadNoCommunication", "BadWaitingForInitialData")
    late.wait_for("BadNoCommunication", "BadWaitingForInitialData")
    mqtt("bob").publish("plant/x", b"2")
    mqtt("bob").publish("plant/late", b"3")
    seen.wait_for(1, 2)
    late.wait_for(3)


def test_all_that_was_written_meanwhile_is_published_in_order(main, linked, mqtt, opcua):
    client = opcua("ada")
    client.own("ada/x").write_value(-1)
    go(main, linked)
    for number in range(200):
        client.own("ada/x").write_value(number)
    client.own("ada/y").write_value("last")
    main.start()
    wait_until(lambda: main.value("ada/y") == b'"last"')
    history = main.do(lambda: [one.payload for one in main.hub.history("ada/x", 100)])
    assert history == [b"%d" % number for number in range(100, 200)]


def test_beyond_the_bound_the_last_of_each_node_is_published(main, linked, opcua, monkeypatch):
    monkeypatch.setattr(outbox, "_MOST", 50)
    client = opcua("ada")
    client.own("ada/x").write_value(-1)
    go(main, linked)
    for number in range(200):
        client.own(f"ada/{number % 4}").write_value(number)
    main.start()
    wait_until(lambda: [main.value(f"ada/{one}") for one in range(4)] == [b"196", b"197", b"198", b"199"])


def test_what_others_published_while_nobody_told_is_caught_up_with(main, linked, opcua):
    client = opcua("ada")
    for name in ("ada/x", "ada/mine", "ada/deleted"):
        client.own(name).write_value(1.5)
    wait_until(lambda: main.value("ada/deleted") == b"1.5")
    client.client.delete_nodes([client.own("ada/deleted")])
    seen = client.watch(client.own("ada/x"), client.own("ada/mine"))
    linked.do(lambda: linked.server._space._hub._part._end.transport.abort())
    time.sleep(0.002)  # the clock's own steps
    main.do(lambda: [main.hub.publish(topic, b"2") for topic in ("ada/x", "ada/missed")])
    wait_until(lambda: client.value(client.own("ada/missed")) == 2)
    wait_until(lambda: client.value(client.own("ada/x")) == 2)
    seen.wait_for(1.5, 1.5, 2.0)
    assert client.value(client.own("ada/deleted")) == "BadNodeIdUnknown"


def test_the_other_part_restarts(main, start, folder, tmp_path, opcua, linked):
    """A server that starts takes over what was published while there was none."""
    clock = lambda: datetime.now(UTC)  # noqa: E731
    first = space(tmp_path, clock, tmp_path / "opcua.db")
    running: Running = start(values=first)
    threads = opcua().client.tloop
    client = OpcUa(running.url, threads)
    client.own("ada/x").write_value(1.5)
    client.own("ada/y").write_value(2.5)
    client.close()
    running.run(running.server.stop())
    assert main.value("ada/y") == b"2.5", "what was written last is published before it stops"
    main.do(lambda: main.hub.publish("ada/x", b"7"))
    again: Running = start(values=space(tmp_path, clock, tmp_path / "opcua.db"))
    client = OpcUa(again.url, threads)
    wait_until(lambda: client.value(client.own("ada/x")) == 7.0)
    assert client.value(client.own("ada/y")) == 2.5
    client.close()


def test_a_flood_on_a_topic_that_is_monitored_holds_up_nobody_else(main, linked, mqtt, opcua):
    """Others are answered while a thousand messages a second come, and whoever monitors them has the last one."""
    client, other, writer = opcua("ada"), opcua("bob"), mqtt("bob")
    seen = client.watch(client.node("flood"), queue=100)
    began = time.monotonic()
    for number in range(1, 3_001):
        writer.publish("flood", b"%d" % number, qos=0)
        if number % 100 == 0:
            other.own("bob/x").write_value(number)
            assert other.value(other.own("bob/x")) == number
            time.sleep(max(0.0, began + number / 1_000 - time.monotonic()))
    seen.wait_for(3_000)
    numbers = [one for one in seen.told[1:] if isinstance(one, int)]
    assert numbers == sorted(numbers)
    assert len(numbers) > 30


def test_a_burst_beyond_what_the_link_takes_ends_with_the_last_values(main, linked, opcua):
    client = opcua("ada")
    seen, quiet = client.watch(client.node("burst")), client.watch(client.node("quiet"))
    main.do(lambda: [main.hub.publish("burst", b"%06d" % number + bytes(500)) for number in range(20_000)])
    main.do(lambda: main.hub.publish("quiet", b"5"))
    wait_until(lambda: isinstance(seen.told[-1], bytes) and seen.told[-1][:6] == b"019999")
    quiet.wait_for(5)
