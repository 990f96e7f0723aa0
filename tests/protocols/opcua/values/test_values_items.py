"""Monitored items on integrations' nodes, by clients on loopback."""

from __future__ import annotations

import pytest
from asyncua import Client, Node, ua

from protocols.contract import Grant
from protocols.opcua.limits import Limits
from protocols.opcua.values.limits import ValueLimits
from tests.protocols.opcua.values.values_bed import ADA, Bed, Listener, eventually, node

T = ua.VariantType
SLOW = 3_600_000  # milliseconds: nothing is sent in the course of a test, unless it is asked for


class Monitored:
    """One monitored item in a subscription that does not send by itself."""

    def __init__(self, client: Client, one: Node) -> None:
        self.client = client
        self.node = one

    async def create(self, code: str = "Good", **parameters: object) -> Monitored:
        self.listener = Listener()
        self.subscription = await self.client.create_subscription(SLOW, self.listener)
        asked = ua.MonitoredItemCreateRequest(
            parameters.pop("asked", None) or ua.ReadValueId(self.node.nodeid, ua.AttributeIds.Value),
            parameters.pop("mode", ua.MonitoringMode.Reporting),
            ua.MonitoringParameters(ClientHandle=7, **parameters),
        )
        created = ua.CreateMonitoredItemsParameters(
            self.subscription.subscription_id, ua.TimestampsToReturn.Both, [asked]
        )
        (self.result,) = await self.client.uaclient.create_monitored_items(created)
        assert self.result.StatusCode.name == code
        return self

    def waiting(self, bed: Bed) -> list[object]:
        """Return what waits to be sent, and forget it."""
        found = bed.server.iserver.subscription_service.subscriptions[self.subscription.subscription_id]
        queue = list(found.queues.by_item.get(self.result.MonitoredItemId, ()))
        found.queues.drop(self.result.MonitoredItemId)
        assert all(one.ClientHandle == 7 for one in queue)
        self.codes = [one.Value.StatusCode.value for one in queue]
        return [one.Value.Value.Value for one in queue]

    async def modify(self, **parameters: object) -> str:
        asked = ua.MonitoredItemModifyRequest(self.result.MonitoredItemId, ua.MonitoringParameters(**parameters))
        params = ua.ModifyMonitoredItemsParameters(
            self.subscription.subscription_id, ua.TimestampsToReturn.Both, [asked]
        )
        (found,) = await self.client.uaclient.modify_monitored_items(params)
        return found.StatusCode.name

    async def set_mode(self, mode: ua.MonitoringMode) -> None:
        params = ua.SetMonitoringModeParameters(self.subscription.subscription_id, mode, [self.result.MonitoredItemId])
        (code,) = await self.client.uaclient.set_monitoring_mode(params)
        assert code.is_good()


async def monitor(bed: Bed, first: object = 0, code: str = "Good", **parameters: object) -> Monitored:
    client = await bed.client()
    one = node(client, "ada/x")
    await one.write_value(first)
    made = await Monitored(client, one).create(code, **parameters)
    if code == "Good" and parameters.get("mode") is None and "asked" not in parameters:
        # The first answer of a subscription is sent at once, with the first value or before it.
        if made.waiting(bed) == []:
            await eventually(lambda: made.listener.values == [] or made.listener.values == [first])
    return made


async def test_a_queue_keeps_the_latest_values_and_says_that_others_were_dropped(bed: Bed) -> None:
    made = await monitor(bed, QueueSize=3)
    for number in range(1, 6):
        await made.node.write_value(number)
    assert made.waiting(bed) == [3, 4, 5]
    assert made.codes == [0, 0x0480, 0x0480]


async def test_a_queue_of_one_holds_the_last_value_and_says_nothing_of_others(bed: Bed) -> None:
    made = await monitor(bed, QueueSize=0)
    for number in range(1, 6):
        await made.node.write_value(number)
    assert made.waiting(bed) == [5]
    assert made.codes == [0]


async def test_a_queue_may_keep_the_oldest_values_and_the_last(bed: Bed) -> None:
    made = await monitor(bed, QueueSize=3, DiscardOldest=False)
    for number in range(1, 6):
        await made.node.write_value(number)
    assert made.waiting(bed) == [1, 2, 5]


async def test_a_queue_is_bounded_whatever_is_asked_for(bed: Bed) -> None:
    made = await monitor(bed, QueueSize=2**31)
    assert made.result.RevisedQueueSize == ValueLimits().queue
    for number in range(1, 300):
        await made.node.write_value(number)
    assert made.waiting(bed) == list(range(200, 300))


async def test_what_waits_in_a_subscription_is_bounded_in_bytes(bed: Bed) -> None:
    bed.server.iserver.subscription_service._limits = Limits(queue_bytes=50_000)
    made = await monitor(bed, b"", QueueSize=100)
    for number in range(100):
        await made.node.write_value(bytes([number]) * 10_000)
    waiting = made.waiting(bed)
    assert 1 <= len(waiting) <= 6 and waiting[-1] == b"\x63" * 10_000
    for number in range(300):
        await made.node.write_value(bytes([number % 256]) * 10_000)
        made.waiting(bed)
    await made.node.write_value(b"1")
    await made.node.write_value(b"2")
    assert made.waiting(bed) == [b"1", b"2"], "what was sent takes no room any more"


async def test_what_waits_takes_the_room_of_its_own_size(bed: Bed) -> None:
    bed.server.iserver.subscription_service._limits = Limits(queue_bytes=50_000)
    made = await monitor(bed, b"", QueueSize=100, DiscardOldest=False)
    for number in range(4):
        for size in (10_000,) * 5 + (1,) * 300:
            await made.node.write_value(bytes([number]) * size)
    waiting = made.waiting(bed)
    assert 40_000 < sum(map(len, waiting)) <= 60_000, "small values do not make the large ones before them small"


async def test_a_crowd_is_told_everything_that_its_queues_can_hold(bed: Bed) -> None:
    made = await monitor(bed, QueueSize=100)
    for _ in range(2):
        asked = ua.MonitoredItemCreateRequest(
            ua.ReadValueId(made.node.nodeid, ua.AttributeIds.Value),
            ua.MonitoringMode.Reporting,
            ua.MonitoringParameters(ClientHandle=7, QueueSize=1),
        )
        await made.client.uaclient.create_monitored_items(
            ua.CreateMonitoredItemsParameters(
                made.subscription.subscription_id, ua.TimestampsToReturn.Both, [asked] * 500
            )
        )
    made.waiting(bed)
    values = [
        ua.WriteValue(made.node.nodeid, ua.AttributeIds.Value, None, ua.DataValue(number)) for number in range(1, 51)
    ]
    assert all(code.is_good() for code in await made.client.uaclient.write(ua.WriteParameters(values)))
    watchers = bed.space.nodes.find("ada/x").watchers
    assert len(watchers) == 1_001
    await eventually(lambda: watchers.is_done)
    assert made.waiting(bed) == list(range(1, 51))
    queues = bed.server.iserver.subscription_service.subscriptions[
        made.subscription.subscription_id
    ]._triggered_datachanges
    assert [one.Value.Value.Value for queue in queues.values() for one in queue] == [50] * 1_000


async def test_a_deadband_holds_small_changes_back(bed: Bed) -> None:
    deadband = ua.DataChangeFilter(ua.DataChangeTrigger.StatusValue, ua.DeadbandType.Absolute, 1.0)
    made = await monitor(bed, 0.0, QueueSize=10, Filter=deadband)
    for number in (0.5, 0.9, 1.1, 2.0, 2.2, 0.0):
        await made.node.write_value(number)
    assert made.waiting(bed) == [1.1, 2.2, 0.0], "each is compared with the last that was told"


async def test_an_item_is_silent_until_it_reports_again(bed: Bed) -> None:
    made = await monitor(bed, QueueSize=10)
    for mode in (ua.MonitoringMode.Disabled, ua.MonitoringMode.Sampling):
        await made.set_mode(mode)
        await made.node.write_value(1)
        assert made.waiting(bed) == []
        await made.set_mode(ua.MonitoringMode.Reporting)
        await made.set_mode(ua.MonitoringMode.Reporting)
        assert made.waiting(bed) == [1]
    await made.client.delete_nodes([made.node])
    await made.set_mode(ua.MonitoringMode.Disabled)
    made.waiting(bed)
    await made.set_mode(ua.MonitoringMode.Reporting)
    made.waiting(bed)
    assert [ua.StatusCode(code).name for code in made.codes] == ["BadNodeIdUnknown"]


async def test_an_item_can_be_changed(bed: Bed) -> None:
    made = await monitor(bed, QueueSize=1)
    assert await made.modify(ClientHandle=7, QueueSize=5) == "Good"
    for number in range(1, 9):
        await made.node.write_value(number)
    assert made.waiting(bed) == [4, 5, 6, 7, 8]
    percent = ua.DataChangeFilter(ua.DataChangeTrigger.StatusValue, ua.DeadbandType.Percent, 1.0)
    assert await made.modify(Filter=percent) == "BadMonitoredItemFilterUnsupported"
    made.result.MonitoredItemId = 4_711
    assert await made.modify(QueueSize=5) == "BadMonitoredItemIdInvalid"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (ua.ReadValueId(ua.NodeId("ada/missing", 2), ua.AttributeIds.Value), "BadNodeIdUnknown"),
        (ua.ReadValueId(ua.NodeId("ada", 2), ua.AttributeIds.Value), "BadAttributeIdInvalid"),
        (ua.ReadValueId(ua.NodeId("ada/x", 2), ua.AttributeIds.Executable), "BadAttributeIdInvalid"),
        (ua.ReadValueId(ua.NodeId("ada/x", 2), ua.AttributeIds.Value, "2:1"), "BadIndexRangeInvalid"),
        (ua.ReadValueId(ua.NodeId("nobody/x", 2), ua.AttributeIds.Value), "BadNodeIdUnknown"),
    ],
)
async def test_what_cannot_be_monitored_is_refused(bed: Bed, asked: ua.ReadValueId, code: str) -> None:
    await monitor(bed, code=code, asked=asked)


async def test_other_attributes_and_standard_nodes_are_monitored_too(bed: Bed) -> None:
    client = await bed.client()
    await node(client, "ada/x").write_value(1)
    listener = Listener()
    subscription = await client.create_subscription(20, listener)
    await subscription.subscribe_data_change(node(client, "ada/x"), ua.AttributeIds.BrowseName)
    await subscription.subscribe_data_change(client.get_node(ua.ObjectIds.Server_ServerStatus_State))
    await eventually(lambda: listener.values == [ua.QualifiedName("x", 2), 0])
    await node(client, "ada/x").write_value(2)
    await subscription.delete()
    assert bed.space.nodes.find("ada/x").watchers is None


async def test_a_part_of_an_array_is_monitored(bed: Bed) -> None:
    asked = ua.ReadValueId(ua.NodeId("ada/x", 2), ua.AttributeIds.Value, "1")
    made = await monitor(bed, [1, 2], asked=asked, QueueSize=10)
    made.waiting(bed)
    await made.node.write_value([3, 4])
    assert made.waiting(bed) == [[4]]
    await made.node.write_value([5])
    assert made.waiting(bed) == [None]
    assert [ua.StatusCode(code).name for code in made.codes] == ["BadIndexRangeNoData"]


async def test_what_waits_is_not_told_once_it_may_not_be_read(bed: Bed) -> None:
    made = await monitor(bed)
    theirs = node(await bed.client("bob"), "bob/x")
    await theirs.write_value(1)
    bed.permit(Grant(1, "ada", (), ("bob/#",)))
    seen = await Monitored(made.client, node(made.client, "bob/x")).create(QueueSize=10)
    seen.waiting(bed)
    await theirs.write_value(2)
    bed.permit(ADA)
    await theirs.write_value(3)
    assert seen.waiting(bed) == [None]
    assert [ua.StatusCode(code).name for code in seen.codes] == ["BadUserAccessDenied"]
    assert made.waiting(bed) == [], "one's own items are left alone"


async def test_items_go_with_their_session(bed: Bed) -> None:
    made = await monitor(bed)
    watched = bed.space.nodes.find("ada/x")
    assert len(watched.watchers) == 1
    await made.client.disconnect()
    bed.forget_client(made.client)
    await eventually(lambda: len(watched.watchers) == 0)
