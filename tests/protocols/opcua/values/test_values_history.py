"""The last values of a node: how many are kept, and which of them are found."""

from __future__ import annotations

import pytest
from asyncua import ua

from protocols.opcua.values.history import COST, NO_TIME, Question, Ring, select
from tests.protocols.opcua.values.values_pure import NOW, later, make_nodes, refused, value


def ring(*seconds: float, most: int = 100) -> Ring:
    """Return a history of values that say at which second they were."""
    made = Ring()
    for second in seconds:
        made.add(value(float(second), at=later(second)), 8, most)
    return made


def found(kept: Ring | None, *asked: object, **more: object) -> list[float]:
    return [one.Value.Value for one in select(kept, Question(*asked, **more)).values]


def test_the_oldest_goes_first_and_the_bytes_are_counted() -> None:
    kept = ring(*range(10), most=3)
    assert [one[5] for one in kept.entries] == [7, 8, 9]
    assert kept.bytes == 3 * (8 + COST)
    assert kept.halve() == 2 * (8 + COST)
    assert [one[5] for one in kept.entries] == [9]


@pytest.mark.parametrize(
    ("start", "end", "most", "values"),
    [
        (2, 5, 10, [2, 3, 4]),  # the end is outside
        (5, 2, 10, [5, 4, 3]),  # backwards
        (2, None, 10, [2, 3, 4, 5, 6]),
        (2, None, 2, [2, 3]),
        (None, 5, 10, [4, 3, 2, 1]),
        (None, 5, 2, [4, 3]),
        (None, None, 2, [6, 5]),
        (3, 3, 10, [3]),
        (7, 9, 10, []),
        (0, 1, 10, []),
        (-5, 99, 10, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_values_are_found_by_their_source_times(
    start: int | None, end: int | None, most: int, values: list[float]
) -> None:
    times = [later(one) if one is not None else NO_TIME for one in (start, end)]
    assert found(ring(1, 2, 3, 4, 5, 6), *times, most) == values
    assert found(ring(6, 1, 3, 2, 5, 4), *times, most) == values, "whatever the order in which they came"


@pytest.mark.parametrize(("start", "end"), [(0, 99), (99, 0)])
@pytest.mark.parametrize("most", [1, 2, 3])
def test_continuation_points_lead_through_everything_once(start: int, end: int, most: int) -> None:
    kept = ring(1, 2, 2, 2, 3, 4, 5)  # of the same time: told apart by when they came
    seen: list[float] = []
    after = None
    for _ in range(10):
        piece = select(kept, Question(later(start), later(end), most, 1 << 20, after))
        assert len(piece.values) <= most
        seen += [one.Value.Value for one in piece.values]
        after = piece.more
        if after is None:
            break
    assert seen == ([1, 2, 2, 2, 3, 4, 5] if start < end else [5, 4, 3, 2, 2, 2, 1])


def test_a_continuation_point_outlives_what_it_points_to() -> None:
    kept = ring(1, 2, 3, 4)
    piece = select(kept, Question(later(0), later(9), 1))
    kept.halve()
    assert found(kept, later(0), later(9), 10, 1 << 20, piece.more) == [3, 4]


def test_an_answer_holds_one_value_however_large_and_as_many_as_have_room() -> None:
    kept = ring(1, 2, 3)
    for room, count in ((1, 1), (2 * (8 + COST), 2), (1 << 20, 3)):
        piece = select(kept, Question(later(0), later(9), 10, room))
        assert len(piece.values) == count
        assert (piece.more is None) == (count == 3)


def test_what_is_no_continuation_point_is_refused() -> None:
    assert refused(lambda: select(ring(1), Question(after=b"x"))) == "BadContinuationPointInvalid"


def test_a_node_without_history_has_none() -> None:
    assert found(None, NOW, later(1)) == []


def test_who_keeps_most_loses_the_older_half_when_there_is_no_room() -> None:
    nodes = make_nodes(history_total_bytes=20 * (8 + COST))
    quiet, loud = nodes.adopt(1, "quiet"), nodes.adopt(2, "loud")
    for second in range(5):
        nodes.publish(quiet, "x", value(float(second), at=later(second)), NOW)
    for second in range(200):
        nodes.publish(loud, "much", value(float(second), at=later(second)), NOW)
        nodes.publish(loud, f"little/{second % 5}", value(float(second), at=later(second)), NOW)
        assert nodes.archive.bytes <= nodes.limits.history_total_bytes
    assert len(quiet.nodes["x"].ring.entries) == 5
    assert nodes.archive.bytes == sum(
        node.ring.bytes for folder in (quiet, loud) for node in folder.nodes.values() if node.ring
    )
    assert nodes.hits.counts["history_total_bytes"] > 0


def test_history_can_be_switched_off() -> None:
    nodes = make_nodes(history_values=0)
    node = nodes.publish(nodes.adopt(1, "a"), "x", value(1), NOW)
    assert node.ring is None and nodes.archive.bytes == 0


def test_a_bad_status_is_part_of_the_history() -> None:
    nodes = make_nodes()
    folder = nodes.adopt(1, "a")
    nodes.publish(folder, "x", value(1.0, at=later(1)), NOW)
    node = nodes.publish(folder, "x", value(2.0, at=later(2), code=ua.StatusCodes.BadSensorFailure), NOW)
    kept = select(node.ring, Question(NOW)).values
    assert [(one.Value.Value, one.StatusCode.name) for one in kept] == [(1.0, "Good"), (None, "BadSensorFailure")]
