"""Monitored items on topics."""

from __future__ import annotations

from datetime import UTC

import pytest
from asyncua import ua

from protocols.contract import Grant
from tests.protocols.opcua.topics.topics_bed import Seen
from tests.support.processes import wait_until


def test_each_message_is_told_in_order_with_its_time(main, mqtt, opcua):
    other, client = mqtt("bob"), opcua("ada")
    other.publish("plant/x", b"0")
    seen = client.watch(client.node("plant/x"))
    for number in range(1, 8):
        other.publish("plant/x", b"%d" % number)
    seen.wait_for(*range(8))
    times = main.do(lambda: [one.time for one in main.hub.history("plant/x", 9)])
    assert [one.SourceTimestamp.replace(tzinfo=UTC).timestamp() for one in seen.values] == pytest.approx(
        times, abs=1e-5
    )


def test_a_topic_may_be_monitored_before_it_has_a_value(main, mqtt, opcua):
    client, other = opcua("ada"), mqtt("bob")
    seen = client.watch(client.node("later/x"))
    seen.wait_for("BadWaitingForInitialData")
    other.publish("later/x", b"on")
    seen.wait_for("BadWaitingForInitialData", b"on")
    other.publish("later/x", b"", retain=True)
    seen.wait_for(b"on", "BadNoData")


def test_writes_of_opcua_clients_are_told_as_messages(main, opcua):
    client, writer = opcua("ada"), opcua("ada")
    writer.own("ada/x").write_value(1.5)
    wait_until(lambda: main.value("ada/x") == b"1.5")
    seen = client.watch(client.node("ada/x"), client.own("ada/x"))
    wait_until(lambda: seen.told == [1.5, 1.5])
    writer.own("ada/x").write_value(2.5)
    wait_until(lambda: seen.told == [1.5, 1.5, 2.5, 2.5])


@pytest.mark.parametrize(("queue", "oldest", "left"), [(1, True, [9]), (3, True, [7, 8, 9]), (3, False, [0, 1, 9])])
def test_the_size_of_a_queue_holds(main, mqtt, opcua, queue: int, oldest: bool, left: list[int]):
    client = opcua("ada")
    seen = Seen()
    subscription = client.client.create_subscription(2_000, seen)
    main.do(lambda: main.hub.publish("plant/x", b"0"))
    request = ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=ua.NodeId("plant/x", 3), AttributeId=ua.AttributeIds.Value),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=ua.MonitoringParameters(ClientHandle=7, QueueSize=queue, DiscardOldest=oldest),
    )
    made = client.client.tloop.post(subscription.aio_obj.create_monitored_items([request]))
    assert isinstance(made[0], int)
    main.do(lambda: [main.hub.publish("plant/x", b"%d" % number) for number in range(1, 10)])
    wait_until(lambda: seen.values)
    assert [one.Value.Value for one in seen.values] == left
    lost = [one.StatusCode.value == 0x480 for one in seen.values]
    assert any(lost) == (queue > 1)


def test_a_topic_is_listened_to_as_long_as_it_is_monitored(main, linked, opcua):
    client = opcua("ada")
    hub = linked.server._space._hub
    before = dict(hub._filters)
    seen = Seen()
    subscription = client.client.create_subscription(50, seen)
    first = subscription.subscribe_data_change(client.node("plant/x"))
    second = subscription.subscribe_data_change(client.node("plant/x"))
    assert hub._filters == {**before, "plant/x": 1}
    subscription.unsubscribe(first)
    assert "plant/x" in hub._filters
    subscription.unsubscribe(second)
    assert hub._filters == before
    with pytest.raises(ua.UaStatusCodeError):
        subscription.subscribe_data_change(client.node("plant/x"), attr=ua.AttributeIds.DisplayName)
    assert hub._filters == before
    subscription.subscribe_data_change(client.node("plant/y"))
    client.client.disconnect()
    wait_until(lambda: "plant/y" not in hub._filters)
    client.client.connect()


def test_a_permission_that_goes_is_told_and_comes_back_with_the_value(main, linked, mqtt, opcua):
    linked.door.answers["ada"] = Grant(1, "ada", (), ("plant/#",))
    client, other = opcua("ada"), mqtt("bob")
    other.publish("plant/x", b"1")
    seen = client.watch(client.node("plant/x"))
    seen.wait_for(1)
    linked.do(lambda: linked.server.permit({1: Grant(1, "ada", (), ())}))
    seen.wait_for(1, "BadUserAccessDenied")
    other.publish("plant/x", b"2")
    assert client.value(client.node("plant/x")) == "BadNodeIdUnknown"
    linked.do(lambda: linked.server.permit({1: Grant(1, "ada", (), ("plant/x",))}))
    seen.wait_for(1, "BadUserAccessDenied", 2)


def test_a_deadband_holds_and_other_types_pass(main, mqtt, opcua):
    client, other = opcua("ada"), mqtt("bob")
    other.publish("plant/x", b"10")
    seen = Seen()
    subscription = client.client.create_subscription(20, seen)
    request = ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=ua.NodeId("plant/x", 3), AttributeId=ua.AttributeIds.Value),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=ua.MonitoringParameters(
            ClientHandle=7,
            QueueSize=10,
            Filter=ua.DataChangeFilter(ua.DataChangeTrigger.StatusValue, ua.DeadbandType.Absolute, 5.0),
        ),
    )
    client.client.tloop.post(subscription.aio_obj.create_monitored_items([request]))
    for payload in (b"12", b"16.5", b'"off"', b"17"):
        other.publish("plant/x", payload)
    wait_until(lambda: len(seen.values) >= 4)
    assert [one.Value.Value for one in seen.values] == [10, 16.5, "off", 17]
