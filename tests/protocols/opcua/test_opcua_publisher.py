"""Thousands of subscriptions and items are published, told and ended in turns of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from asyncua import ua
from asyncua.server.address_space import AddressSpace, AttributeValue

from protocols.opcua import publisher
from protocols.opcua.publisher import Publisher
from protocols.opcua.values.watching import Crowds
from protocols.opcua.watched import Watched
from tests.protocols.opcua.attacks import STATE
from tests.support.processes import wait_until

MANY = 500


class Fake:
    """A subscription that is due at once, and then never again."""

    def __init__(self, log: list[Any], *, answers: int = 1, error: Exception | None = None) -> None:
        self._log, self._error = log, error
        self._answers = answers
        self.is_over = self.has_more = False
        self.timer: Any = None

    def next_at(self, now: float) -> float:
        return now + 3_600

    async def publish_results(self) -> bool:
        self._log.append("published")
        self._answers -= 1
        if self._error is not None:
            raise self._error
        return True

    @property
    def waits(self) -> bool:
        return self._answers > 0

    def end(self) -> None:
        self.is_over = True

    def remains(self) -> Iterator[None]:
        for _ in range(MANY):
            self._log.append("let go")
            yield


async def turns(log: list[Any], until: Any) -> list[int]:
    """Return how long the log was at each turn of somebody else."""
    had = []
    while not until():
        had.append(len(log))
        await asyncio.sleep(0)
    return had


def most(had: list[int]) -> int:
    return max(after - before for before, after in zip(had, had[1:], strict=False))


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the time says that it is the others' turn."""
    monkeypatch.setattr(publisher, "_SHARE", 0.0)


@pytest.mark.usefixtures("always")
def test_others_have_their_turns_while_many_publish() -> None:
    async def main() -> None:
        log: list[Any] = []
        errors: list[Exception] = []
        made = Publisher(errors.append)
        made.start()
        for _ in range(MANY):
            made.add(Fake(log))
        had = await turns(log, lambda: len(log) == MANY)
        assert most(had) == 1 and len(had) >= MANY and not errors
        await made.stop()

    asyncio.run(main())


@pytest.mark.usefixtures("always")
def test_what_does_not_fit_into_one_answer_is_told_in_turns_too() -> None:
    async def main() -> None:
        log: list[Any] = []
        made = Publisher(lambda error: None)
        made.start()
        made.add(Fake(log, answers=MANY))
        assert most(await turns(log, lambda: len(log) == MANY)) == 1
        await made.stop()

    asyncio.run(main())


@pytest.mark.usefixtures("always")
def test_others_have_their_turns_while_many_items_are_let_go_of_and_publishing_goes_first() -> None:
    async def main() -> None:
        log: list[Any] = []
        made = Publisher(lambda error: None)
        made.start()
        for _ in range(3):
            made.end(Fake(log))
        await asyncio.sleep(0)
        made.add(Fake(log))
        had = await turns(log, lambda: log.count("let go") == 3 * MANY)
        assert most(had) <= publisher._STEP
        assert log.index("published") <= 3 * publisher._STEP
        await made.stop()

    asyncio.run(main())


def test_one_that_fails_is_told_of_and_holds_nobody_up() -> None:
    async def main() -> None:
        log: list[Any] = []
        errors: list[Exception] = []
        made = Publisher(errors.append)
        made.start()
        made.add(Fake(log, error=ValueError("no")))
        made.add(Fake(log))
        await turns(log, lambda: len(log) == 2)
        assert [str(error) for error in errors] == ["no"]
        await made.stop()

    asyncio.run(main())


def test_who_is_over_publishes_no_more_and_is_let_go_of_at_the_end() -> None:
    async def main() -> None:
        log: list[Any] = []
        made = Publisher(lambda error: None)
        made.start()
        one = Fake(log)
        made.add(one)
        made.end(one)
        await made.stop()
        assert log == ["let go"] * MANY

    asyncio.run(main())


def test_a_subscription_keeps_its_pace_and_does_not_catch_up(start) -> None:
    running = start()
    running.client().subscribe(1_000)
    (one,) = running.server._core.subscription_service.subscriptions.values()
    one._at = 10.0
    assert one.next_at(11.0) == 12.0
    assert one.next_at(12.25) == 13.0, "a little late"
    assert one.next_at(20.5) == 21.5, "much too late"


def test_a_silent_client_loses_its_subscription(start) -> None:
    running = start()
    client = running.client()
    number = client.subscribe().SubscriptionId
    service = running.server._core.subscription_service
    client.monitor(number, *[STATE] * 20)
    service.subscriptions[number]._publish_cycles_count = 1_000_000
    wait_until(lambda: not service.subscriptions)
    wait_until(lambda: running.do(lambda: running.server.common.rooms.bytes) == 0)
    client.value(STATE)


# --- standard nodes


class Watching:
    """Somebody who watches a standard node."""

    wants_all = True

    def __init__(self, told: list[Any]) -> None:
        self._told = told

    def changed(self, news: Any) -> None:
        self._told.append(news.value.Value.Value)


def test_a_crowd_on_a_standard_node_is_told_in_turns() -> None:
    space = AddressSpace()
    space._nodes = {}
    node_id = ua.NodeId(ua.ObjectIds.Server_ServerStatus_CurrentTime)

    class Node:
        attributes: dict[Any, Any] = {}

    node = Node()
    node.attributes = {ua.AttributeIds.Value: AttributeValue(ua.DataValue(ua.Variant(0)))}
    space._nodes[node_id] = node
    called: list[Any] = []
    watched = Watched(space, Crowds(10, 1_000))
    watched.follow(called.append)
    told: list[Any] = []
    crowd = [Watching(told) for _ in range(3_000)]
    for one in crowd:
        watched.watch(node_id, ua.AttributeIds.Value).members[one] = None
    callbacks = node.attributes[ua.AttributeIds.Value].datachange_callbacks
    assert len(callbacks) == 1, "asyncua tells one of us"
    asyncio.run(next(iter(callbacks.values()))(next(iter(callbacks)), ua.DataValue(ua.Variant(7))))
    sizes = []
    while called:
        called.pop()()
        sizes.append(len(told))
    assert sizes == list(range(300, 3_001, 300)) and set(told) == {7}
    for one in crowd:
        watched.leave(node_id, ua.AttributeIds.Value, one)
    assert not callbacks
