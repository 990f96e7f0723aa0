"""Parts of arrays, strings and byte strings (NumericRange, Part 4, 7.27), and which times an answer has."""

from __future__ import annotations

import re
from typing import Any

from asyncua import ua

from protocols.opcua.values.errors import Refused

_RANGE = re.compile(r"([0-9]{1,10})(?::([0-9]{1,10}))?")
_MOST_DIMENSIONS = 8


def parse(text: str) -> list[slice]:
    """Return one slice for each dimension; raise Refused for what is no range."""
    parts = text.split(",", _MOST_DIMENSIONS)
    if len(parts) > _MOST_DIMENSIONS:
        raise Refused(ua.StatusCodes.BadIndexRangeInvalid)
    return [_parse_one(part) for part in parts]


def _parse_one(text: str) -> slice:
    found = _RANGE.fullmatch(text)
    if found is None:
        raise Refused(ua.StatusCodes.BadIndexRangeInvalid)
    low, high = int(found[1]), int(found[2] if found[2] is not None else found[1])
    if found[2] is not None and high <= low:
        raise Refused(ua.StatusCodes.BadIndexRangeInvalid)
    return slice(low, high + 1)


def part(variant: ua.Variant, text: str) -> ua.Variant:
    """Return a part of a value; raise Refused where there is none."""
    slices = parse(text)
    value = variant.Value
    if not variant.is_array and not (len(slices) == 1 and isinstance(value, str | bytes)):
        raise Refused(ua.StatusCodes.BadIndexRangeNoData)
    if variant.is_array and len(slices) != len(variant.Dimensions or (0,)):
        raise Refused(ua.StatusCodes.BadIndexRangeNoData)
    return ua.Variant(_cut(value, slices), variant.VariantType, is_array=variant.is_array)


def _cut(value: Any, slices: list[slice]) -> Any:
    found = value[slices[0]]
    if not found:
        raise Refused(ua.StatusCodes.BadIndexRangeNoData)
    return [_cut(one, slices[1:]) for one in found] if len(slices) > 1 else found


def shown(value: ua.DataValue, index_range: str | None, times: ua.TimestampsToReturn) -> ua.DataValue:
    """Return what is told of a value: a part of it, if one is asked for, and the times that are asked for."""
    if not index_range and times == ua.TimestampsToReturn.Both:
        return value
    variant = value.Value
    if index_range and variant is not None and variant.VariantType is not ua.VariantType.Null:
        try:
            variant = part(variant, index_range)
        except Refused as refused:
            return ua.DataValue(StatusCode=ua.StatusCode(refused.code))
    answer = ua.DataValue(variant, value.StatusCode)
    if times in (ua.TimestampsToReturn.Source, ua.TimestampsToReturn.Both):
        answer.SourceTimestamp = value.SourceTimestamp
        answer.SourcePicoseconds = value.SourcePicoseconds
    if times in (ua.TimestampsToReturn.Server, ua.TimestampsToReturn.Both):
        answer.ServerTimestamp = value.ServerTimestamp
    return answer
