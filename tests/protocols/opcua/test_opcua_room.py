"""What one integration makes the server keep has bounds in bytes, and others go on."""

from __future__ import annotations

import time
from typing import Any

import pytest
from asyncua import ua

from protocols.hits import Hits
from protocols.opcua.limits import KIB, Limits
from protocols.opcua.room import ITEM, REQUEST, SUBSCRIPTION, Rooms
from protocols.opcua.values.space import ValueSpace
from tests.protocols.opcua.attacks import STATE
from tests.protocols.opcua.opcua_wire import Fault, Wire, fault
from tests.support.processes import wait_until

_Codes = ua.StatusCodes
LARGE = "z" * 1_000_000


def kept(running: Any) -> int:
    return int(running.do(lambda: running.server.common.rooms.bytes))


def hits(running: Any, name: str = "subscription_bytes") -> int:
    return int(running.do(lambda: running.server.common.hits.counts[name]))


def monitor(client: Wire, number: int, item: ua.ReadValueId, **parameters: Any) -> ua.MonitoredItemCreateResult:
    request = ua.CreateMonitoredItemsRequest()
    request.Parameters.SubscriptionId = number
    request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
    asked = ua.MonitoredItemCreateRequest(item, ua.MonitoringMode.Reporting, ua.MonitoringParameters(**parameters))
    request.Parameters.ItemsToCreate = [asked]
    (result,) = client.ask(request).Results
    return result


def value_of(node_id: ua.NodeId, **fields: Any) -> ua.ReadValueId:
    return ua.ReadValueId(NodeId=node_id, AttributeId=ua.AttributeIds.Value, **fields)


def own(name: str, username: str = "ada") -> ua.NodeId:
    return ua.NodeId(f"{username}/{name}", 2)


# --- the account


def rooms(**limits: int) -> Rooms:
    return Rooms(
        Limits(**{"subscription_bytes": 100, "subscription_total_bytes": 250, "reserved_bytes": 20, **limits}), Hits()
    )


def test_an_integration_has_so_much_room_and_no_more() -> None:
    all_rooms = rooms()
    room = all_rooms.of(1)
    assert room.take(60) and room.take(40) and not room.take(1)
    assert all_rooms.hits.counts == {"subscription_bytes": 1}
    room.give(40)
    assert room.take(40) and all_rooms.bytes == 100


def test_all_together_have_so_much_room_but_each_has_an_equal_part() -> None:
    all_rooms = rooms()
    greedy = [all_rooms.of(number) for number in range(3)]
    late = all_rooms.of(7)
    assert [room.take(80) for room in greedy] == [True] * 3
    assert late.take(62), "a quarter of the room"
    assert not late.take(1) and not greedy[0].take(1)
    assert all_rooms.hits.counts == {"subscription_total_bytes": 2}


def test_the_equal_part_is_never_less_than_what_is_reserved() -> None:
    all_rooms = rooms(subscription_total_bytes=100)
    several = [all_rooms.of(number) for number in range(50)]
    assert several[0].take(100)
    assert [room.take(20) for room in several[1:]] == [True] * 49
    assert not several[1].take(1)


def test_a_room_goes_with_who_has_it() -> None:
    all_rooms = rooms()
    room = all_rooms.of(1)
    room.take(50)
    assert all_rooms.of(1) is room and all_rooms.largest is room
    room.give(50)
    del room
    assert all_rooms.largest.bytes == all_rooms.bytes == 0


# --- monitored items


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"DataEncoding": ua.QualifiedName(LARGE)}, "BadDataEncodingUnsupported"),
        ({"DataEncoding": ua.QualifiedName("nope")}, "BadDataEncodingUnsupported"),
        ({"IndexRange": LARGE}, "BadIndexRangeInvalid"),
        ({"IndexRange": ",".join(["0"] * 400_000)}, "BadIndexRangeInvalid"),
        ({"IndexRange": "garbage"}, "BadIndexRangeInvalid"),
    ],
    ids=["long encoding", "encoding", "long range", "many ranges", "range"],
)
@pytest.mark.parametrize("node_id", [STATE, own("x")], ids=["standard", "own"])
def test_what_nothing_has_is_refused_and_not_kept(start, node_id: ua.NodeId, fields: dict[str, Any], code: str) -> None:
    running = start(values=ValueSpace(None))
    client = running.client()
    client.write(own("x"), [1, 2])
    number = client.subscribe().SubscriptionId
    before = kept(running)
    assert monitor(client, number, value_of(node_id, **fields)).StatusCode.name == code
    request = ua.ReadRequest()
    request.Parameters.NodesToRead = [value_of(node_id, **fields)]
    assert client.ask(request).Results[0].StatusCode.name == code
    assert kept(running) == before


def test_a_part_of_a_standard_value_is_read_and_monitored(start) -> None:
    client = start().client()
    names = value_of(
        ua.NodeId(ua.ObjectIds.Server_NamespaceArray), IndexRange="0", DataEncoding=ua.QualifiedName("Default Binary")
    )
    request = ua.ReadRequest()
    request.Parameters.NodesToRead = [names, value_of(STATE, IndexRange="0")]
    found, scalar = client.ask(request).Results
    assert found.Value.Value == ["http://opcfoundation.org/UA/"]
    assert scalar.StatusCode.name == "BadIndexRangeNoData"
    assert monitor(client, client.subscribe().SubscriptionId, names).StatusCode.is_good()
    (part,) = client.publish().NotificationMessage.NotificationData
    assert part.MonitoredItems[0].Value.Value.Value == ["http://opcfoundation.org/UA/"]


def event_filter(clauses: int, name: str = "Message") -> ua.EventFilter:
    found = ua.EventFilter()
    for _ in range(clauses):
        found.SelectClauses.append(
            ua.SimpleAttributeOperand(
                ua.NodeId(ua.ObjectIds.BaseEventType), [ua.QualifiedName(name)], ua.AttributeIds.Value
            )
        )
    return found


def test_a_filter_of_events_has_a_bounded_size_and_counts(start) -> None:
    running = start()
    client = running.client()
    number = client.subscribe().SubscriptionId
    events = ua.ReadValueId(NodeId=ua.NodeId(ua.ObjectIds.Server), AttributeId=ua.AttributeIds.EventNotifier)
    before = kept(running)
    for large in (event_filter(1, LARGE), event_filter(5_000)):
        assert monitor(client, number, events, Filter=large).StatusCode.name == "BadEventFilterInvalid"
    assert kept(running) == before
    result = monitor(client, number, events, Filter=event_filter(20))
    assert result.StatusCode.is_good() and kept(running) - before > ITEM + 20 * 100
    request = ua.ModifyMonitoredItemsRequest()
    request.Parameters.SubscriptionId = number
    for clauses in (event_filter(5_000), event_filter(1)):
        asked = ua.MonitoredItemModifyRequest(result.MonitoredItemId, ua.MonitoringParameters(Filter=clauses))
        request.Parameters.ItemsToModify = [asked]
        client.ask(request)
    assert ITEM < kept(running) - before < ITEM + 2_000
    client.ask(_delete(number, result.MonitoredItemId))
    assert kept(running) == before


def test_monitored_items_have_room_in_bytes_and_others_go_on(start) -> None:
    running = start(subscription_bytes=SUBSCRIPTION + 3 * ITEM + KIB)
    client, other = running.client(), running.client("bob")
    number = client.subscribe().SubscriptionId
    results = [monitor(client, number, value_of(STATE)) for _ in range(5)]
    assert [one.StatusCode.name for one in results] == ["Good"] * 3 + ["BadOutOfMemory"] * 2
    assert fault(client.subscribe) == _Codes.BadOutOfMemory
    assert hits(running) >= 3
    assert monitor(other, other.subscribe().SubscriptionId, value_of(STATE)).StatusCode.is_good()
    client.ask(_delete(number, results[0].MonitoredItemId))
    assert monitor(client, number, value_of(STATE)).StatusCode.is_good()
    shown = {usage.name: usage for usage in running.do(running.server.usage)}
    assert shown["OPCUA_SUBSCRIPTION_BYTES"].used >= SUBSCRIPTION + 3 * ITEM
    assert shown["OPCUA_SUBSCRIPTION_TOTAL_BYTES"].used == kept(running)


def test_an_item_that_cannot_be_monitored_takes_no_room(start) -> None:
    running = start()
    client = running.client()
    number = client.subscribe().SubscriptionId
    before = kept(running)
    missing = monitor(client, number, value_of(ua.NodeId(4_711_000)))
    object_ = monitor(client, number, value_of(ua.NodeId(ua.ObjectIds.Server)))
    deadband = ua.DataChangeFilter(ua.DataChangeTrigger.StatusValue, ua.DeadbandType.Percent, 1.0)
    percent = monitor(client, number, value_of(STATE), Filter=deadband)
    codes = [one.StatusCode.name for one in (missing, object_, percent)]
    assert codes == ["BadNodeIdUnknown", "BadAttributeIdInvalid", "BadMonitoredItemFilterUnsupported"]
    assert kept(running) == before


def test_what_a_deadband_compares_with_counts(start) -> None:
    running = start(values=ValueSpace(None))
    client = running.client()
    client.write(own("x"), [0.0] * 5_000)
    number = client.subscribe(3_600_000).SubscriptionId
    before = kept(running)
    deadband = ua.DataChangeFilter(ua.DataChangeTrigger.StatusValue, ua.DeadbandType.Absolute, 1.0)
    result = monitor(client, number, value_of(own("x")), Filter=deadband, QueueSize=1)
    assert kept(running) - before > ITEM + 2 * 5_000 * 8, "what waits, and what it is compared with"
    client.ask(_delete(number, result.MonitoredItemId))
    assert kept(running) == before


# --- what waits, and what is not acknowledged


def test_what_waits_in_all_subscriptions_of_an_integration_is_bounded(start) -> None:
    running = start(values=ValueSpace(None), subscription_bytes=400 * KIB)
    client, other = running.client(), running.client("bob")
    for name in ("x", "y", "z"):
        client.write(own(name), b"")
        monitor(client, client.subscribe(3_600_000).SubscriptionId, value_of(own(name)), QueueSize=100)
    other.write(own("x", "bob"), 0)
    monitor(other, other.subscribe(50).SubscriptionId, value_of(own("x", "bob")), QueueSize=100)
    for round_ in range(20):
        for name in ("x", "y", "z"):
            client.write(own(name), bytes([round_]) * 20_000)
    assert 300 * KIB < kept(running) < 400 * KIB + SUBSCRIPTION + ITEM + KIB
    assert hits(running) > 30
    other.write(own("x", "bob"), 7)
    assert 7 in _told(other) + _told(other)


def test_a_value_without_room_is_told_as_a_status(start) -> None:
    running = start(values=ValueSpace(None), subscription_bytes=50 * KIB)
    client = running.client()
    number = client.subscribe(3_600_000).SubscriptionId
    client.publish()  # the first answer of a subscription is due at once
    client.write(own("x"), b"")
    monitor(client, number, value_of(own("x")), QueueSize=10)
    client.write(own("x"), bytes(60_000))
    (item,) = running.do(lambda: _queues(running)[0].by_item.values())
    assert [one.Value.StatusCode.name for one in item] == ["BadOutOfMemory"]
    client.write(own("x"), b"1")
    (item,) = running.do(lambda: _queues(running)[0].by_item.values())
    assert item[-1].Value.Value.Value == b"1"


def test_what_is_not_acknowledged_takes_half_of_the_room(start) -> None:
    running = start(values=ValueSpace(None), subscription_bytes=200 * KIB)
    client = running.client()
    client.write(own("x"), b"")
    number = client.subscribe(50).SubscriptionId
    monitor(client, number, value_of(own("x")))
    answers = [client.publish()]
    for round_ in range(10):
        client.write(own("x"), bytes([round_]) * 20_000)
        answers.append(client.publish())
    assert kept(running) <= 100 * KIB
    available = answers[-1].AvailableSequenceNumbers
    assert 2 <= len(available) <= 5 and available[-1] == answers[-1].NotificationMessage.SequenceNumber
    request = ua.RepublishRequest()
    request.Parameters.SubscriptionId = number
    request.Parameters.RetransmitSequenceNumber = available[0]
    assert client.ask(request).NotificationMessage.NotificationData
    request.Parameters.RetransmitSequenceNumber = available[0] - 1
    assert fault(lambda: client.ask(request)) == _Codes.BadMessageNotAvailable
    before = kept(running)
    publish = ua.PublishRequest()
    publish.Parameters.SubscriptionAcknowledgements = [ua.SubscriptionAcknowledgement(number, one) for one in available]
    client.send(client.packed(publish))
    wait_until(lambda: kept(running) < before - 40_000)


# --- Publish requests


def test_of_a_publish_request_only_what_its_answer_needs_is_kept(start) -> None:
    running = start()
    client = running.client()
    client.subscribe(3_600_000)
    client.publish()
    before = kept(running)
    for handle in range(5):
        request = ua.PublishRequest()
        request.RequestHeader.AuditEntryId, request.RequestHeader.RequestHandle = LARGE, handle
        client.send(client.packed(request))
    client.value(STATE)
    assert kept(running) - before == 5 * REQUEST


def test_publish_requests_without_room_are_answered(start) -> None:
    running = start(subscription_bytes=SUBSCRIPTION + 3 * REQUEST + 10)
    client, other = running.client(), running.client("bob")
    client.subscribe(3_600_000)
    client.publish()
    for _ in range(4):
        client.send(client.packed(ua.PublishRequest()))
    assert fault(lambda: client.answer(ua.PublishRequest)) == _Codes.BadTooManyPublishRequests
    other.subscribe()
    other.publish()


def test_so_much_is_acknowledged_at_once_and_no_more(start) -> None:
    client = start(operations=5).client()
    number = client.subscribe().SubscriptionId
    request = ua.PublishRequest()
    request.Parameters.SubscriptionAcknowledgements = [ua.SubscriptionAcknowledgement(number, 1)] * 6
    assert fault(lambda: client.ask(request)) == _Codes.BadTooManyOperations


def test_a_client_that_does_not_read_is_not_published_to(start) -> None:
    running = start(values=ValueSpace(None))
    client = running.client()
    names = [own(f"n{number}") for number in range(20)]
    for name in names:
        client.write(name, bytes(200_000))
    number = client.subscribe(50).SubscriptionId
    for _ in range(10):
        client.send(client.packed(ua.PublishRequest()))
    other = running.client()
    request = ua.CreateMonitoredItemsRequest()
    request.Parameters.SubscriptionId = number
    request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
    request.Parameters.ItemsToCreate = [
        ua.MonitoredItemCreateRequest(value_of(name), ua.MonitoringMode.Reporting, ua.MonitoringParameters())
        for name in names
    ]
    client.send(client.packed(request))
    time.sleep(0.5)
    buffers = running.do(
        lambda: [shell.processor._transport.get_write_buffer_size() for shell in running.server._crowd.all]
    )
    assert max(buffers) < 2_200_000, "one answer, and no second one before it is taken"
    other.value(STATE)


# --- the end


def test_everything_is_given_back_at_the_end(start) -> None:
    running = start(values=ValueSpace(None))
    client = running.client()
    client.write(own("x"), 1)
    for _ in range(3):
        number = client.subscribe().SubscriptionId
        client.monitor(number, *[STATE, own("x")] * 50)
    assert kept(running) > 3 * (SUBSCRIPTION + 100 * ITEM)
    request = ua.DeleteSubscriptionsRequest()
    request.Parameters.SubscriptionIds = [number]
    client.ask(request)
    wait_until(lambda: kept(running) < 3 * (SUBSCRIPTION + 100 * ITEM))
    browse = ua.BrowseRequest()
    browse.Parameters.RequestedMaxReferencesPerNode = 1
    browse.Parameters.NodesToBrowse = [ua.BrowseDescription(NodeId=ua.NodeId(ua.ObjectIds.Server), ResultMask=63)]
    assert client.ask(browse).Results[0].ContinuationPoint
    for _ in range(5):  # of which two are answered
        client.send(client.packed(ua.PublishRequest()))
    (processor,) = [shell.processor for shell in running.server._crowd.all]
    wait_until(lambda: len(processor._parked) == 3)
    client.reset()
    wait_until(lambda: kept(running) == 0)
    assert running.do(lambda: len(running.server._core.aspace._handle_to_attribute_map)) == 0


def test_who_comes_back_at_once_has_all_its_room(start) -> None:
    running = start(monitored_items=600, subscriptions=1, values=ValueSpace(None))
    for _ in range(5):
        client = running.client()
        number = client.subscribe().SubscriptionId
        client.monitor(number, *[STATE] * 600)
        client.close()


def _delete(number: int, *items: int) -> ua.DeleteMonitoredItemsRequest:
    request = ua.DeleteMonitoredItemsRequest()
    request.Parameters.SubscriptionId, request.Parameters.MonitoredItemIds = number, list(items)
    return request


def _queues(running: Any) -> list[Any]:
    return [one.queues for one in running.server._core.subscription_service.subscriptions.values()]


def _told(client: Wire) -> list[Any]:
    try:
        found = client.patience(3).publish().NotificationMessage.NotificationData
    except (Fault, TimeoutError):
        return []
    return [one.Value.Value.Value for part in found for one in part.MonitoredItems]
