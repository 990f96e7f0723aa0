"""Read of standard nodes: asyncua's own, which does not look at IndexRange and DataEncoding (OPC 10000-4, 5.11.2)."""

from __future__ import annotations

from asyncua import ua
from asyncua.server.address_space import AttributeService

from protocols.opcua.values import ranges, reading
from protocols.opcua.values.errors import Refused


def read(service: AttributeService, params: ua.ReadParameters) -> list[ua.DataValue]:
    """Read attributes."""
    return [_shown(asked, found) for asked, found in zip(params.NodesToRead, service.read(params), strict=True)]


def _shown(asked: ua.ReadValueId, found: ua.DataValue) -> ua.DataValue:
    if found.StatusCode is not None and not found.StatusCode.is_good():
        return found
    try:
        reading.check(asked)
    except Refused as refused:
        return ua.DataValue(StatusCode=ua.StatusCode(refused.code))
    return ranges.shown(found, asked.IndexRange, ua.TimestampsToReturn.Both)
