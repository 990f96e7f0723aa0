"""What is long is decoded and encoded beside the loop, and everybody else is answered meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from asyncua import ua

from protocols.opcua import aside, link, processor
from protocols.opcua.aside import Aside
from protocols.opcua.values.space import ValueSpace
from protocols.opcua.weight import weigh_answer
from tests.protocols.opcua.attacks import STATE
from tests.protocols.opcua.opcua_wire import Closed, Wire

PATIENCE = 10


class Gate:
    """Holds up whoever comes through in a thread of its own, until it is opened."""

    def __init__(self) -> None:
        self.reached, self._opened = threading.Event(), threading.Event()

    def pass_through(self) -> None:
        self.reached.set()
        assert self._opened.wait(PATIENCE), "the loop was held up, or nobody opened"

    def open(self) -> None:
        self._opened.set()


def texts(size: int) -> ua.WriteRequest:
    request = ua.WriteRequest()
    request.Parameters.NodesToWrite = [
        ua.WriteValue(
            NodeId=ua.NodeId("ada/text", 2), AttributeId=ua.AttributeIds.Value, Value=ua.DataValue("x" * size)
        )
    ]
    return request


def test_short_work_is_done_at_once_and_long_work_beside_the_loop() -> None:
    async def main() -> list[threading.Thread]:
        beside = Aside(asyncio.get_running_loop())
        found = [await beside.do(size, threading.current_thread) for size in (aside.LONG - 1, aside.LONG)]
        with pytest.raises(ZeroDivisionError):
            await beside.do(aside.LONG, lambda: 1 // 0)
        beside.stop()
        return found

    short, long = asyncio.run(main())
    assert short is threading.main_thread()
    assert long is not short


def test_others_are_answered_while_a_long_request_is_decoded(start: Callable[..., Any], monkeypatch: Any) -> None:
    gate = Gate()
    decoded = processor.decoded

    def slowly(kind: Any, body: Any) -> Any:
        if kind is ua.WriteParameters:
            gate.pass_through()
        return decoded(kind, body)

    monkeypatch.setattr(processor, "decoded", slowly)
    running = start(values=ValueSpace(None))
    ada, bob = running.client(), running.client("bob")
    ada.send(ada.packed(texts(aside.LONG)))
    assert gate.reached.wait(PATIENCE)
    assert bob.value(STATE) == 0
    gate.open()
    assert [code.is_good() for code in ada.answer(ua.WriteRequest).Results] == [True]


def test_others_are_answered_while_a_long_answer_is_encoded(start: Callable[..., Any], monkeypatch: Any) -> None:
    gate = hold_encoding(monkeypatch, ua.ReadResponse)
    running = start(values=ValueSpace(None))
    ada, bob = running.client(), running.client("bob")
    ada.ask(texts(aside.LONG))
    request = ua.ReadRequest()
    # An index range is nothing for the short way.
    asked = ua.ReadValueId(NodeId=ua.NodeId("ada/text", 2), AttributeId=ua.AttributeIds.Value, IndexRange="0:20000")
    request.Parameters.NodesToRead = [asked]
    ada.send(ada.packed(request))
    assert gate.reached.wait(PATIENCE)
    assert bob.value(STATE) == 0
    gate.open()
    (found,) = ada.answer(ua.ReadRequest).Results
    assert found.Value.Value == "x" * aside.LONG


def test_a_kicked_client_goes_at_once_while_its_request_is_decoded(start: Callable[..., Any], monkeypatch: Any) -> None:
    gate = Gate()
    running = start(values=ValueSpace(None))
    ada = running.client()
    monkeypatch.setattr(processor, "decoded", lambda kind, body: gate.pass_through())
    ada.send(ada.packed(texts(aside.LONG)))
    assert gate.reached.wait(PATIENCE)
    running.do(lambda: running.server.disconnect([1], "integration deactivated", forget=False))
    with pytest.raises(Closed):
        ada.receive()
    assert running.presence.wait_for(2)[-1] == ("disconnected", "1", "integration deactivated")
    gate.open()


def test_no_notification_passes_one_that_takes_longer_to_encode(start: Callable[..., Any], monkeypatch: Any) -> None:
    gate = hold_encoding(monkeypatch, ua.PublishResponse)
    running = start(values=ValueSpace(None))
    client = running.client()
    subscriptions = [subscribed(client, name) for name in ("text", "short")]
    for _ in range(2):
        client.send(client.packed(ua.PublishRequest()))
    client.ask(texts(aside.LONG))
    assert gate.reached.wait(PATIENCE)
    client.write(ua.NodeId("ada/short", 2), "other")
    service = running.server._core.subscription_service
    while running.do(lambda: service.subscriptions[subscriptions[1]].waiting):
        time.sleep(0.01)
    gate.open()
    assert [client.answer(ua.PublishRequest).Parameters.SubscriptionId for _ in subscriptions] == subscriptions


def hold_encoding(monkeypatch: Any, kind: type) -> Gate:
    gate = Gate()
    encode = link.struct_to_binary

    def slowly(response: Any) -> bytes:
        if type(response) is kind and weigh_answer(response) >= aside.LONG:
            gate.pass_through()
        return bytes(encode(response))

    monkeypatch.setattr(link, "struct_to_binary", slowly)
    return gate


def subscribed(client: Wire, name: str) -> int:
    """Return a subscription that has told the first value of a node."""
    node_id = ua.NodeId(f"ada/{name}", 2)
    client.write(node_id, "first")
    number = int(client.subscribe(50.0).SubscriptionId)
    (item,) = client.monitor(number, node_id)
    assert item.StatusCode.is_good()
    assert client.publish().SubscriptionId == number
    return number
