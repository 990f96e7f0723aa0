"""A long request does a bounded work, and others have their turn in the course of it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import ServiceError

from protocols.contract import Grant
from protocols.opcua import turns
from protocols.opcua.space import StandardSpace
from protocols.opcua.turns import Turns
from protocols.opcua.values import views
from protocols.opcua.values.space import ValueSpace
from tests.protocols.opcua.attacks import STATE
from tests.protocols.opcua.opcua_wire import Closed, Wire

NODES = 400


class Slow(StandardSpace):
    """Takes a millisecond of the loop's time for each value."""

    def __init__(self) -> None:
        self.written: list[Any] = []

    async def write(self, caller: Any, params: ua.WriteParameters, go_on: Any) -> list[ua.StatusCode]:
        time.sleep(0.001 * len(params.NodesToWrite))  # noqa: ASYNC251
        self.written += [one.Value.Value.Value for one in params.NodesToWrite]
        return [ua.StatusCode(one.Value.Value.Value) for one in params.NodesToWrite]


def test_others_have_their_turns_in_the_course_of_a_long_request(monkeypatch) -> None:
    monkeypatch.setattr(turns, "SHARE", 0.0)
    had: list[int] = []

    async def bystander(asked: list[int]) -> None:
        while True:
            had.append(len(asked))
            await asyncio.sleep(0)

    async def main() -> list[int]:
        asked: list[int] = []

        async def service(some: list[int]) -> list[int]:
            asked.extend(some)
            return [2 * one for one in some]

        task = asyncio.create_task(bystander(asked))
        answers = await Turns(lambda: False).answer(list(range(1_000)), service)
        task.cancel()
        assert asked == list(range(1_000))
        return answers

    assert asyncio.run(main()) == list(range(0, 2_000, 2))
    assert len(had) >= 100
    assert max(after - before for before, after in zip(had, had[1:], strict=False)) <= turns.STEP


def test_a_short_request_is_answered_at_once() -> None:
    async def main() -> None:
        async def service(some: list[int]) -> list[int]:
            return some

        work = Turns(lambda: True).answer([1, 2, 3], service)
        with pytest.raises(StopIteration) as done:
            work.send(None)
        assert done.value.value == [1, 2, 3]

    asyncio.run(main())


def test_a_session_that_has_ended_goes_no_further(monkeypatch) -> None:
    monkeypatch.setattr(turns, "SHARE", 0.0)
    asked: list[int] = []

    async def service(some: list[int]) -> list[int]:
        asked.extend(some)
        return some

    async def main() -> None:
        with pytest.raises(ServiceError) as caught:
            await Turns(lambda: len(asked) >= 20).answer(list(range(1_000)), service)
        assert caught.value.code == ua.StatusCodes.BadSessionClosed

    asyncio.run(main())
    assert len(asked) == 3 * turns.STEP


def test_a_write_that_takes_a_second_holds_nobody_up(start) -> None:
    space = Slow()
    running = start(values=space)
    ada, bob = running.client(), running.client("bob")
    before = _send_write(ada)
    answered = 0
    while len(space.written) < 1_000:
        bob.value(STATE)
        answered += 1
    assert answered >= 20, "so often was somebody else answered meanwhile"
    assert [one.value for one in ada.answer(ua.WriteRequest).Results] == before
    assert space.written == before


def test_a_kicked_session_writes_no_more(start) -> None:
    space = Slow()
    running = start(values=space)
    ada = running.client()
    _send_write(ada)
    while not space.written:
        time.sleep(0.001)
    running.do(lambda: running.server.disconnect([1], "integration deactivated", forget=False))
    written = len(space.written)
    assert written < 1_000
    with pytest.raises(Closed):
        ada.answer(ua.WriteRequest)
    time.sleep(0.05)
    assert len(space.written) == written


def test_the_references_of_a_request_are_made_once_and_no_more_than_are_told(start, monkeypatch) -> None:
    made: list[Any] = []
    make = views.to_node
    monkeypatch.setattr(views, "to_node", lambda *args, **options: made.append(args) or make(*args, **options))
    client = start(values=ValueSpace(None), references=500, continuation_points=3).client()
    _fill(client)
    made.clear()
    results = client.ask(_browse(1_000)).Results
    codes = [result.StatusCode.name for result in results]
    # The first is told whole, the second in part, two more wait; nothing is looked for after them.
    assert codes == ["Good"] * 4 + ["BadNoContinuationPoints"] * 996
    assert sum(len(result.References) for result in results) == 500
    assert len(made) <= 510
    found = list(results[1].References)
    point = results[1].ContinuationPoint
    while point:
        more = ua.BrowseNextRequest()
        more.Parameters.ContinuationPoints, more.Parameters.ReleaseContinuationPoints = [point], False
        (result,) = client.ask(more).Parameters.Results
        found += result.References
        point = result.ContinuationPoint
    assert found == results[0].References


def test_a_refusal_for_want_of_a_continuation_point_costs_as_much_as_an_answer(start, monkeypatch) -> None:
    made: list[Any] = []
    make = views.to_node
    monkeypatch.setattr(views, "to_node", lambda *args, **options: made.append(args) or make(*args, **options))
    client = start(values=ValueSpace(None), references=1_000, continuation_points=0).client()
    _fill(client)
    made.clear()
    results = client.ask(_browse(1_000, most=NODES - 1)).Results
    assert {result.StatusCode.name for result in results} == {"BadNoContinuationPoints"}
    assert len(made) <= 1_010


def test_what_waits_is_not_told_once_permissions_have_changed(start) -> None:
    running = start(values=ValueSpace(None))
    client = running.client()
    _fill(client)
    (result,) = client.ask(_browse(1, most=10)).Results
    running.do(lambda: running.server.permit({1: Grant(1, "ada")}))
    more = ua.BrowseNextRequest()
    more.Parameters.ContinuationPoints, more.Parameters.ReleaseContinuationPoints = [result.ContinuationPoint], False
    (result,) = client.ask(more).Parameters.Results
    assert result.StatusCode.name == "BadContinuationPointInvalid"


def test_a_path_without_end_is_refused_alone(start) -> None:
    client = start().client()
    there = ua.RelativePathElement(TargetName=ua.QualifiedName("Server"), IsInverse=False)
    back = ua.RelativePathElement(TargetName=ua.QualifiedName("Objects"), IsInverse=True)
    request = ua.TranslateBrowsePathsToNodeIdsRequest()
    for elements in ([there, back] * 1_000, [there]):
        path = ua.BrowsePath(StartingNode=ua.NodeId(ua.ObjectIds.ObjectsFolder))
        path.RelativePath.Elements = elements
        request.Parameters.BrowsePaths.append(path)
    assert [result.StatusCode.name for result in client.ask(request).Results] == ["BadQueryTooComplex", "Good"]


def _send_write(client: Wire) -> list[int]:
    numbers = list(range(1_000))
    request = ua.WriteRequest()
    request.Parameters.NodesToWrite = [
        ua.WriteValue(NodeId=STATE, AttributeId=ua.AttributeIds.Value, Value=ua.DataValue(number)) for number in numbers
    ]
    client.send(client.packed(request))
    return numbers


def _fill(client: Wire) -> None:
    request = ua.WriteRequest()
    request.Parameters.NodesToWrite = [
        ua.WriteValue(
            NodeId=ua.NodeId(f"ada/n{number}", 2), AttributeId=ua.AttributeIds.Value, Value=ua.DataValue(float(number))
        )
        for number in range(NODES)
    ]
    assert all(code.is_good() for code in client.ask(request).Results)


def _browse(times: int, most: int = 0) -> ua.BrowseRequest:
    request = ua.BrowseRequest()
    request.Parameters.RequestedMaxReferencesPerNode = most
    request.Parameters.NodesToBrowse = [
        ua.BrowseDescription(
            NodeId=ua.NodeId("ada", 2),
            BrowseDirection=ua.BrowseDirection.Forward,
            NodeClassMask=ua.NodeClass.Variable,
            IncludeSubtypes=True,
            ResultMask=63,
        )
    ] * times
    return request
