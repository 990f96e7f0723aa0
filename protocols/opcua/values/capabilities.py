"""What the server's capabilities say of values and history (Part 5, 6.3.2, and Part 11, 5.4.2)."""

from __future__ import annotations

from typing import Any

from asyncua import ua

from protocols.opcua.values.limits import ValueLimits

_Ids = ua.ObjectIds
_NOT_SERVED = (
    _Ids.HistoryServerCapabilities_AccessHistoryEventsCapability,
    _Ids.HistoryServerCapabilities_InsertDataCapability,
    _Ids.HistoryServerCapabilities_ReplaceDataCapability,
    _Ids.HistoryServerCapabilities_UpdateDataCapability,
    _Ids.HistoryServerCapabilities_DeleteRawCapability,
    _Ids.HistoryServerCapabilities_DeleteAtTimeCapability,
    _Ids.HistoryServerCapabilities_InsertEventCapability,
    _Ids.HistoryServerCapabilities_ReplaceEventCapability,
    _Ids.HistoryServerCapabilities_UpdateEventCapability,
    _Ids.HistoryServerCapabilities_DeleteEventCapability,
    _Ids.HistoryServerCapabilities_InsertAnnotationCapability,
)


def told(limits: ValueLimits) -> dict[ua.NodeId, ua.Variant]:
    """Return what standard variables say."""
    said: dict[int, Any] = {
        **dict.fromkeys(_NOT_SERVED, False),
        _Ids.HistoryServerCapabilities_AccessHistoryDataCapability: bool(limits.history_values),
        _Ids.HistoryServerCapabilities_ServerTimestampSupported: True,
        _Ids.HistoryServerCapabilities_MaxReturnDataValues: limits.history_answer,
        _Ids.Server_ServerCapabilities_MaxStringLength: limits.value_bytes,
        _Ids.Server_ServerCapabilities_MaxByteStringLength: limits.value_bytes,
    }
    return {
        ua.NodeId(number): ua.Variant(
            value, ua.VariantType.Boolean if isinstance(value, bool) else ua.VariantType.UInt32
        )
        for number, value in said.items()
    }
