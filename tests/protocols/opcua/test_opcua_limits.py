"""What one client may ask for, and that others do not notice."""

from __future__ import annotations

import math
import struct
import time

import pytest
from asyncua import ua

from protocols.contract import Wait
from tests.protocols.opcua.attacks import STATE
from tests.protocols.opcua.opcua_wire import Closed, Fault, Wire, fault
from tests.protocols.opcua.test_opcua_services import browse
from tests.support.processes import wait_until

CURRENT_TIME = ua.NodeId(ua.ObjectIds.Server_ServerStatus_CurrentTime)
CHUNK = 65_000


def hits(running, name: str) -> int:
    return {usage.name: usage.exceeded for usage in running.do(running.server.usage)}[f"OPCUA_{name.upper()}"]


def test_a_client_that_does_not_log_in_is_closed(start) -> None:
    running = start(connect_timeout=0.2)
    silent, hesitant = running.wire(), running.wire().open().create_session()
    assert silent.is_closed() and hesitant.is_closed()
    assert hits(running, "connect_timeout") == 2


def test_a_client_that_closed_its_session_is_closed_too(start) -> None:
    running = start()
    client = running.client()
    (shell,) = running.server._crowd.all
    client.ask(ua.CloseSessionRequest())
    assert not client.is_closed(0.1)
    shell._since -= 20
    assert client.is_closed()


def test_the_oldest_silent_socket_gives_way(start) -> None:
    running = start(max_connections=3)
    member = running.client()
    silent = [running.wire().hello() for _ in range(2)]
    running.client("bob").value(STATE)
    assert silent[0].is_closed() and not silent[1].is_closed(0.1)
    member.value(STATE)


def test_where_everybody_has_logged_in_the_newest_is_turned_away(start) -> None:
    running = start(max_connections=2)
    members = [running.client(), running.client("bob")]
    with pytest.raises((Closed, Fault)):
        running.client("bob")
    assert hits(running, "max_connections") == 1
    for member in members:
        member.value(STATE)
    members[0].close()
    running.presence.wait_for(3)
    running.client("bob").value(STATE)


def test_an_address_has_its_share(start) -> None:
    running = start(max_connections_per_address=2)
    members = [running.client(), running.client()]
    with pytest.raises((Closed, Fault)):
        running.client()
    assert hits(running, "max_connections_per_address") == 1
    for member in members:
        member.value(STATE)


def test_an_integration_has_its_share_and_others_do_not_notice(start) -> None:
    running = start(max_connections_per_integration=2)
    first, _ = running.client(), running.client()
    assert fault(running.wire().log_in) == ua.StatusCodes.BadTooManySessions
    assert hits(running, "max_connections_per_integration") == 1
    running.client("bob").value(STATE)
    first.close()
    running.presence.wait_for(4)
    running.client().value(STATE)


def test_an_integration_has_its_share_of_subscriptions(start) -> None:
    running = start(subscriptions=3)
    first, second, other = running.client(), running.client(), running.client("bob")
    kept = first.subscribe()
    second.subscribe()
    second.subscribe()
    assert fault(first.subscribe) == ua.StatusCodes.BadTooManySubscriptions
    other.subscribe()
    request = ua.DeleteSubscriptionsRequest()
    request.Parameters.SubscriptionIds = [kept.SubscriptionId, 1]
    codes = [code.value for code in first.ask(request).Results]
    assert codes == [ua.StatusCodes.Good, ua.StatusCodes.BadSubscriptionIdInvalid]
    first.subscribe()


def test_an_integration_has_its_share_of_monitored_items(start) -> None:
    running = start(monitored_items=3)
    first, other = running.client(), running.client("bob")
    number = first.subscribe().SubscriptionId
    first.monitor(number, STATE, CURRENT_TIME)
    assert fault(lambda: first.monitor(number, STATE, STATE)) == ua.StatusCodes.BadTooManyMonitoredItems
    other.monitor(other.subscribe().SubscriptionId, STATE, STATE, STATE)
    assert hits(running, "monitored_items") == 1


@pytest.mark.parametrize(
    ("asked", "given"), [(0.0, 50.0), (-1.0, 50.0), (math.nan, 50.0), (math.inf, 3_600_000.0), (250.0, 250.0)]
)
def test_a_publishing_interval_is_brought_within_bounds(start, asked: float, given: float) -> None:
    assert start().client().subscribe(asked).RevisedPublishingInterval == given


def test_an_idle_subscription_is_answered_often_enough_to_keep_its_session(start) -> None:
    revised = start().client().subscribe(1_000)
    assert revised.RevisedMaxKeepAliveCount * revised.RevisedPublishingInterval <= 10_000
    assert revised.RevisedLifetimeCount >= 3 * revised.RevisedMaxKeepAliveCount


def test_one_request_asks_for_so_much_and_no_more(start) -> None:
    client = start(operations=5).client()
    request = ua.ReadRequest()
    item = ua.ReadValueId(NodeId=STATE, AttributeId=ua.AttributeIds.Value)
    request.Parameters.NodesToRead = [item] * 5
    assert len(client.ask(request).Results) == 5
    request.Parameters.NodesToRead = [item] * 6
    assert fault(lambda: client.ask(request)) == ua.StatusCodes.BadTooManyOperations
    request.Parameters.NodesToRead = []
    assert fault(lambda: client.ask(request)) == ua.StatusCodes.BadNothingToDo
    limit = ua.NodeId(ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead)
    assert client.value(limit) == 5


def test_the_limits_are_told_as_capabilities(start) -> None:
    client = start(continuation_points=7, monitored_items=70, max_connections=700).client()
    expected = {
        "MaxBrowseContinuationPoints": 7,
        "MaxHistoryContinuationPoints": 0,
        "MaxArrayLength": 200_000,
        "MaxSessions": 700,
        "MaxSubscriptionsPerSession": 100,
        "MaxMonitoredItemsPerSubscription": 70,
        "MaxMonitoredItemsQueueSize": 100,
        "MinSupportedSampleRate": 0.0,
    }
    said = {name: getattr(ua.ObjectIds, f"Server_ServerCapabilities_{name}") for name in expected}
    assert {name: client.value(ua.NodeId(number)) for name, number in said.items()} == expected


def test_a_message_has_so_many_bytes_and_no_more(start) -> None:
    running = start(max_message=100_000)
    client = running.client()
    assert client.write(STATE, "x" * 90_000).value == ua.StatusCodes.BadUserAccessDenied
    with pytest.raises((Fault, Closed)):
        client.write(STATE, "x" * 100_001)
    assert client.is_closed()
    assert hits(running, "max_message") == 1


def test_before_the_login_a_message_is_small(start) -> None:
    client = start().wire().open()
    with pytest.raises((Fault, Closed)):
        client.create_session(name="x" * 200_000)
    assert client.is_closed()


def test_a_message_has_so_many_elements_and_no_more(start) -> None:
    client = start(elements=3_000).client()
    assert client.write(STATE, ["x"] * 1_000).value == ua.StatusCodes.BadUserAccessDenied
    assert fault(lambda: client.write(STATE, ["x"] * 2_000)) == ua.StatusCodes.BadEncodingLimitsExceeded
    client.value(STATE)


def test_an_answer_has_so_many_bytes_and_no_more(start) -> None:
    """Reading one node a thousand times makes a small request a large answer."""
    running = start(max_message=20_000)
    client = running.client()
    request = ua.ReadRequest()
    names = ua.NodeId(ua.ObjectIds.Server_ServerCapabilities_OperationLimits)
    item = ua.ReadValueId(NodeId=names, AttributeId=ua.AttributeIds.DisplayName)
    request.Parameters.NodesToRead = [item] * 700
    assert fault(lambda: client.ask(request)) == ua.StatusCodes.BadResponseTooLarge
    client.value(STATE)
    assert hits(running, "max_message") == 1


@pytest.mark.parametrize(("asked", "given"), [(3_600_000, 30_000), (0, 30_000), (20_000, 20_000), (1, 5_000)])
def test_a_session_is_silent_for_half_a_minute_at_most(start, asked: float, given: float) -> None:
    """By the limits as they are shipped."""
    client = start().wire().open().create_session(timeout=asked)
    assert client.session.RevisedSessionTimeout == given


def test_a_silent_session_ends_and_is_counted(start) -> None:
    running = start()
    client = running.client()
    (shell,) = running.server._crowd.all
    shell.processor.active_at -= 31
    assert client.is_closed()
    assert hits(running, "session_timeout") == 1


def test_limits_for_which_nothing_is_refused_say_so(start) -> None:
    running = start()
    found = {usage.name: usage.exceeded for usage in running.do(running.server.usage)}
    assert found.pop("OPCUA_PUBLISHING_INTERVAL") is None and set(found.values()) == {0}


# --- what is held of messages that are not served yet


def chunks(count: int) -> bytes:
    """Return the first chunks of a message that never ends, on a channel that does not look at them yet."""
    return (b"MSGC" + struct.pack("<II", CHUNK, 1) + bytes(CHUNK - 12)) * count


def parts(client: Wire, size: int) -> bytes:
    """Return a message of so many bytes without its last chunk."""
    whole, cuts, position = client.framed(bytes(size)), [], 0
    while position < len(whole):
        cuts.append(position)
        position += int.from_bytes(whole[position + 4 : position + 8], "little")
    return whole[: cuts[-1]]


def waiting(running, seconds: float = 20.0) -> Wire:
    """Return a client whose login waits for its answer."""
    running.door.logins.clear()  # those of clients that are in already
    running.door.waits["wait"] = [Wait(seconds)]
    client = running.wire().open().create_session()
    client.send(client.packed(client.activation(client.sealed("wait", "right"))))
    wait_until(lambda: len(running.door.logins) > 0)
    running.door.logins.clear()
    return client


def held(running) -> dict[str, int]:
    return dict(running.do(lambda: running.server.common.held.bytes))


def test_a_client_whose_login_waits_is_not_read_on(start) -> None:
    running = start()
    client = waiting(running, 4.0)
    client.patience(0.3)
    with pytest.raises(TimeoutError):
        client.send(chunks(200))
    assert CHUNK <= held(running)["held_before_login"] <= 400_000
    client.close()
    wait_until(lambda: not any(held(running).values()))


def test_strangers_hold_so_much_together_and_who_adds_is_turned_away(start) -> None:
    running = start(held_before_login=250_000)
    members = [running.client()]
    strangers = [waiting(running) for _ in range(4)]
    for count, stranger in enumerate(strangers[:3], 1):
        stranger.send(chunks(1))
        wait_until(lambda least=count * CHUNK: held(running)["held_before_login"] >= least)
    strangers[3].send(chunks(1))
    assert strangers[3].is_closed() and not any(stranger.is_closed(0.1) for stranger in strangers[:3])
    assert running.do(lambda: running.server.common.hits.counts["held_before_login"]) == 1
    members.append(running.client("bob"))  # who asks for little gets in
    for member in members:
        member.value(STATE)
    for stranger in strangers:
        stranger.close()
    wait_until(lambda: not any(held(running).values()))


def test_members_hold_so_much_together_and_who_adds_is_turned_away(start) -> None:
    running = start(held=1_000_000)
    clients = [running.client() for _ in range(3)]
    for count, client in enumerate(clients[:2], 1):
        client.send(parts(client, 500_000))
        wait_until(lambda least=count * 450_000: held(running)["held"] >= least)
    clients[2].send(parts(clients[2], 500_000))
    assert clients[2].is_closed() and not any(client.is_closed(0.1) for client in clients[:2])
    assert running.do(lambda: running.server.common.hits.counts["held"]) == 1
    running.client("bob").value(STATE)
    for client in clients:
        client.close()
    wait_until(lambda: not any(held(running).values()))


def test_what_is_served_is_held_no_more(start) -> None:
    running = start(queued_bytes=1_000)
    client = running.client()
    requests = [client.packed(browse(ua.ObjectIds.Server)) for _ in range(50)]
    client.send(b"".join(requests))
    for _ in requests:
        client.answer(ua.BrowseRequest)
    for _ in range(3):
        client.write(STATE, "x" * 300_000)
    assert not any(held(running).values())


def test_few_requests_are_answered_before_a_login(start) -> None:
    client = start(first_requests=5).wire().open()
    for _ in range(4):
        client.ask(ua.GetEndpointsRequest())
    code = fault(lambda: client.ask(ua.GetEndpointsRequest()))
    assert code == ua.StatusCodes.BadTcpNotEnoughResources
    assert client.is_closed()


def test_a_client_that_does_not_read_is_not_answered_further(start) -> None:
    """What it asks for waits in its own socket, not in our memory."""
    running = start()
    client = running.client()
    for _ in range(20_000):
        client.send(client.packed(browse(ua.ObjectIds.BaseEventType)))
    processor = next(iter(running.server._crowd.all)).processor
    before = -1
    while processor.counts.messages_out != before:
        before = processor.counts.messages_out
        time.sleep(0.2)
    assert before < 20_000
    assert processor._transport.get_write_buffer_size() < 200_000
    running.client("bob").value(STATE)
