"""Many monitored items are made, changed and let go of some at a time, and others have their turns meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from asyncua import ua

from protocols.opcua import publisher, turns
from protocols.opcua.space import StandardSpace
from protocols.opcua.values.items import Items
from protocols.opcua.values.space import ValueSpace
from tests.protocols.opcua.attacks import STATE
from tests.protocols.opcua.conftest import Running
from tests.protocols.opcua.opcua_wire import Fault, Wire

NODES = 400


class Steps:
    """Counts calls of a method, and how many there were at the most between two turns of the loop."""

    def __init__(self, running: Running, monkeypatch: pytest.MonkeyPatch, owner: type, method: str) -> None:
        self.count = self.most = 0
        done = getattr(owner, method)

        def counted(*args: Any, **options: Any) -> Any:
            self.count += 1
            return done(*args, **options)

        monkeypatch.setattr(owner, method, counted)
        running.do(lambda: asyncio.get_running_loop().call_soon(self._look, 0))

    def _look(self, before: int) -> None:
        self.most = max(self.most, self.count - before)
        asyncio.get_running_loop().call_soon(self._look, self.count)


def _modify(number: int, ids: list[int]) -> ua.ModifyMonitoredItemsRequest:
    request = ua.ModifyMonitoredItemsRequest()
    request.Parameters.SubscriptionId = number
    request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
    request.Parameters.ItemsToModify = [ua.MonitoredItemModifyRequest(one, ua.MonitoringParameters()) for one in ids]
    return request


def _disable(number: int, ids: list[int]) -> ua.SetMonitoringModeRequest:
    request = ua.SetMonitoringModeRequest()
    request.Parameters.SubscriptionId, request.Parameters.MonitoredItemIds = number, ids
    return request


def _delete(number: int, ids: list[int]) -> ua.DeleteMonitoredItemsRequest:
    request = ua.DeleteMonitoredItemsRequest()
    request.Parameters.SubscriptionId, request.Parameters.MonitoredItemIds = number, ids
    return request


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize(
    ("method", "make"),
    [
        ("_create", None),
        ("_modify_monitored_item", _modify),
        ("_set_monitoring_mode", _disable),
        ("_delete_monitored_items", _delete),
    ],
)
def test_others_have_their_turns_while_items_are_worked_on(
    start, monkeypatch, method: str, make: Any, own: bool
) -> None:
    monkeypatch.setattr(turns, "SHARE", 0.0)
    running = start(values=ValueSpace(None))
    client = running.client()
    _fill(client)
    steps = Steps(running, monkeypatch, Items, method)
    number = client.subscribe().SubscriptionId
    made = client.monitor(number, *(ua.NodeId(f"ada/n{one}", 2) if own else STATE for one in range(NODES)))
    ids = [one.MonitoredItemId for one in made]
    assert len(set(ids)) == NODES
    if make is not None:
        response = client.ask(make(number, ids))
        assert len(getattr(response, "Parameters", response).Results) == NODES
    assert (steps.count, steps.most) == (NODES, turns.STEP)


def test_others_have_their_turns_while_the_items_of_who_left_are_let_go(start, monkeypatch) -> None:
    monkeypatch.setattr(publisher, "_SHARE", 0.0)
    running = start(values=ValueSpace(None))
    client = running.client()
    _fill(client)
    client.monitor(client.subscribe().SubscriptionId, *(ua.NodeId(f"ada/n{one}", 2) for one in range(NODES)))
    steps = Steps(running, monkeypatch, Items, "_delete_monitored_items")
    client.reset()
    running.presence.wait_for(2)
    while steps.count < NODES:
        time.sleep(0.01)
    assert (steps.count, steps.most) == (NODES, publisher._STEP)
    nodes = running.server._space.nodes.folders[1].nodes
    assert not any(node.watchers for node in nodes.values())


class Waiting(StandardSpace):
    """Makes no monitored item before it is let."""

    def __init__(self) -> None:
        self.asked, self.may = threading.Event(), threading.Event()

    async def create_monitored_items(self, caller: Any, params: Any, go_on: Any) -> Any:
        self.asked.set()
        await asyncio.to_thread(self.may.wait, 10)
        return await go_on(params)


def test_items_that_are_being_made_count_for_the_other_sessions_of_an_integration(start) -> None:
    space = Waiting()
    running = start(values=space, monitored_items=20)
    one, other = running.client(), running.client()
    numbers = [client.subscribe().SubscriptionId for client in (one, other)]
    one.send(one.packed(_items(numbers[0], 16)))
    assert space.asked.wait(10)
    with pytest.raises(Fault, match="BadTooManyMonitoredItems"):
        other.ask(_items(numbers[1], 5))
    space.may.set()
    assert len(one.answer(ua.CreateMonitoredItemsRequest).Results) == 16
    assert len(other.ask(_items(numbers[1], 4)).Results) == 4


def _items(number: int, count: int) -> ua.CreateMonitoredItemsRequest:
    request = ua.CreateMonitoredItemsRequest()
    request.Parameters.SubscriptionId = number
    request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
    asked = ua.ReadValueId(NodeId=STATE, AttributeId=ua.AttributeIds.Value)
    item = ua.MonitoredItemCreateRequest(ItemToMonitor=asked, RequestedParameters=ua.MonitoringParameters())
    request.Parameters.ItemsToCreate = [item] * count
    return request


def _fill(client: Wire) -> None:
    request = ua.WriteRequest()
    request.Parameters.NodesToWrite = [
        ua.WriteValue(
            NodeId=ua.NodeId(f"ada/n{number}", 2), AttributeId=ua.AttributeIds.Value, Value=ua.DataValue(float(number))
        )
        for number in range(NODES)
    ]
    assert all(code.is_good() for code in client.ask(request).Results)
