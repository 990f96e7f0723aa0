"""Parts of values, the times that are told, and which changes are."""

from __future__ import annotations

import math

import pytest
from asyncua import ua

from protocols.opcua.values.filters import Filter, read_filter
from protocols.opcua.values.kinds import Kind
from protocols.opcua.values.ranges import part, shown
from tests.protocols.opcua.values.values_pure import NOW, later, refused, value

T = ua.VariantType
Trigger = ua.DataChangeTrigger
SQUARE = [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("content", "index_range", "expected"),
    [
        ([1, 2, 3], "0", [1]),
        ([1, 2, 3], "1:2", [2, 3]),
        ([1, 2, 3], "1:99", [2, 3]),
        ("hallo", "1:3", "all"),
        (b"hallo", "0", b"h"),
        (SQUARE, "0:1,1", [[2], [5]]),
        (SQUARE, "1,0:1", [[4, 5]]),
    ],
)
def test_a_part_of_a_value_is_found(content: object, index_range: str, expected: object) -> None:
    assert part(ua.Variant(content), index_range).Value == expected


@pytest.mark.parametrize(
    ("content", "index_range", "code"),
    [
        ([1], "", "BadIndexRangeInvalid"),
        ([1], "-1", "BadIndexRangeInvalid"),
        ([1], "2:1", "BadIndexRangeInvalid"),
        ([1], "1:1", "BadIndexRangeInvalid"),
        ([1], "a", "BadIndexRangeInvalid"),
        ([1], "1" * 11, "BadIndexRangeInvalid"),
        ([1], ",".join("0" * 99), "BadIndexRangeInvalid"),
        ([1], "1", "BadIndexRangeNoData"),
        ([], "0", "BadIndexRangeNoData"),
        (1, "0", "BadIndexRangeNoData"),
        (SQUARE, "0", "BadIndexRangeNoData"),
        ([1], "0,0", "BadIndexRangeNoData"),
        (SQUARE, "0,7", "BadIndexRangeNoData"),
    ],
)
def test_a_part_that_is_not_there_is_refused(content: object, index_range: str, code: str) -> None:
    assert refused(lambda: part(ua.Variant(content, T.Int64), index_range)) == code


def test_only_the_times_that_are_asked_for_are_shown() -> None:
    whole = ua.DataValue(ua.Variant(1), ua.StatusCode(), NOW, later(1))
    for times, source, server in (("Source", NOW, None), ("Server", None, later(1)), ("Neither", None, None)):
        found = shown(whole, None, ua.TimestampsToReturn[times])
        assert (found.SourceTimestamp, found.ServerTimestamp) == (source, server)
        assert (found.Value, found.StatusCode) == (whole.Value, whole.StatusCode)
    assert shown(whole, "", ua.TimestampsToReturn.Both) is whole


def test_a_bad_value_has_no_parts_and_says_its_status() -> None:
    bad = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadSensorFailure))
    assert shown(bad, "0", ua.TimestampsToReturn.Both).StatusCode.name == "BadSensorFailure"


@pytest.mark.parametrize(
    ("trigger", "deadband", "old", "new", "passes"),
    [
        (Trigger.StatusValue, 0, 1.0, 1.0, False),
        (Trigger.StatusValue, 0, 1.0, 2.0, True),
        (Trigger.Status, 0, 1.0, 2.0, False),
        (Trigger.StatusValue, 0.5, 1.0, 1.5, False),
        (Trigger.StatusValue, 0.5, 1.0, 1.6, True),
        (Trigger.StatusValue, 0.5, 1.0, 0.4, True),
        (Trigger.StatusValue, 0.5, 1.0, math.nan, True),
        (Trigger.StatusValue, 0.5, [1.0, 2.0], [1.1, 2.1], False),
        (Trigger.StatusValue, 0.5, [1.0, 2.0], [1.1, 2.6], True),
        (Trigger.StatusValue, 0.5, [1.0], [1.0, 1.0], True),
        (Trigger.StatusValue, 0.5, "a", "b", True),
    ],
)
def test_a_change_passes_a_filter_or_does_not(
    trigger: Trigger, deadband: float, old: object, new: object, passes: bool
) -> None:
    assert Filter(trigger, deadband).passes(value(old, at=NOW), value(new, at=NOW)) is passes
    assert Filter(trigger, deadband).passes(None, value(new)), "the first value always does"
    assert Filter(trigger, deadband).passes(value(old), value(old, code=0x80000000)), "and so does another status"


def test_another_source_time_is_a_change_where_that_is_asked_for() -> None:
    for trigger, passes in ((Trigger.StatusValue, False), (Trigger.StatusValueTimestamp, True)):
        assert Filter(trigger).passes(value(1, at=NOW), value(1, at=later(1))) is passes


def test_filters_that_are_not_offered_are_refused() -> None:
    number, text = Kind(T.Double), Kind(T.String)
    absolute = ua.DataChangeFilter(Trigger.StatusValue, ua.DeadbandType.Absolute, 1.0)
    assert read_filter(None, number, True) == read_filter(ua.ExtensionObject(), number, True) == Filter()
    assert read_filter(absolute, number, True) == Filter(Trigger.StatusValue, 1.0)
    percent = ua.DataChangeFilter(Trigger.StatusValue, ua.DeadbandType.Percent, 1.0)
    negative = ua.DataChangeFilter(Trigger.StatusValue, ua.DeadbandType.Absolute, -1.0)
    no_number = ua.DataChangeFilter(Trigger.StatusValue, ua.DeadbandType.Absolute, math.nan)
    for wanted, kind, is_value, code in (
        (absolute, text, True, "BadFilterNotAllowed"),
        (absolute, number, False, "BadFilterNotAllowed"),
        (percent, number, True, "BadMonitoredItemFilterUnsupported"),
        (ua.EventFilter(), number, True, "BadMonitoredItemFilterUnsupported"),
        (negative, number, True, "BadDeadbandFilterInvalid"),
        (no_number, number, True, "BadDeadbandFilterInvalid"),
    ):
        assert refused(lambda w=wanted, k=kind, v=is_value: read_filter(w, k, v)) == code
