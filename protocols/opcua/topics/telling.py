"""A message of the hub as a value."""

from __future__ import annotations

from datetime import UTC, datetime

from asyncua import ua

from protocols.opcua.topics.hub import Told
from protocols.opcua.values import kinds, payloads
from protocols.opcua.values.errors import Refused
from protocols.opcua.values.kinds import Kind

_Codes = ua.StatusCodes
NO_ANSWER = ua.DataValue(StatusCode=ua.StatusCode(_Codes.BadNoCommunication))


def value_of(told: Told, now: datetime, kind: Kind | None = None) -> ua.DataValue:
    """Return what a message says: of this kind, where it can be read so."""
    code, variant = 0, ua.Variant()
    if told.deletes:
        code = _Codes.BadNoData
    elif told.payload is None:
        code = _Codes.BadEncodingLimitsExceeded
    else:
        variant = payloads.load(told.payload, kind)
    return ua.DataValue(variant, ua.StatusCode(code), datetime.fromtimestamp(told.time, UTC), now)


def as_last(value: ua.DataValue) -> ua.DataValue:
    """Return a value as the last one that is known of a topic while nobody can tell a new one."""
    status = value.StatusCode
    if status is None or status.value & 0x80000000:
        return NO_ANSWER
    code = ua.StatusCode(_Codes.UncertainLastUsableValue)
    return ua.DataValue(value.Value, code, value.SourceTimestamp, value.ServerTimestamp)


def size_of(value: ua.DataValue) -> int:
    """Return how much room a value takes."""
    try:
        return kinds.measure(value.Value) if value.Value is not None else 0
    except Refused:
        return 0
