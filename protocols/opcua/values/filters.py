"""Which changes of a value are told to whoever monitors it (DataChangeFilter, Part 4, 7.22.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asyncua import ua
from asyncua.ua.uaprotocol_auto import DataChangeFilter  # what is decoded; ua.DataChangeFilter is a subclass

from protocols.opcua.values.errors import Refused
from protocols.opcua.values.kinds import NUMBERS, Kind


@dataclass(frozen=True, slots=True)
class Filter:
    """A trigger, and how much a number must change; 0 for any change."""

    trigger: ua.DataChangeTrigger = ua.DataChangeTrigger.StatusValue
    deadband: float = 0.0

    def passes(self, old: ua.DataValue | None, new: ua.DataValue) -> bool:
        """Say whether a value is told to somebody who was told another before."""
        if old is None or old.StatusCode != new.StatusCode:
            return True
        if self.trigger == ua.DataChangeTrigger.Status:
            return False
        if self.trigger == ua.DataChangeTrigger.StatusValueTimestamp and old.SourceTimestamp != new.SourceTimestamp:
            return True
        if not self.deadband:
            return bool(old.Value != new.Value)
        return _differs(old.Value, new.Value, self.deadband)

    def kept(self, told: ua.DataValue) -> ua.DataValue:
        """Return what the next values are compared with."""
        if self.trigger == ua.DataChangeTrigger.Status:
            return ua.DataValue(StatusCode=told.StatusCode)
        return told


def read_filter(wanted: Any, kind: Kind | None, is_value: bool) -> Filter:
    """Return the filter that a client asks for; raise Refused for one that is not offered."""
    if wanted is None or (isinstance(wanted, ua.ExtensionObject) and wanted.TypeId.is_null()):
        return Filter()
    if not is_value:
        raise Refused(ua.StatusCodes.BadFilterNotAllowed)
    if not isinstance(wanted, DataChangeFilter):
        raise Refused(ua.StatusCodes.BadMonitoredItemFilterUnsupported)
    if wanted.DeadbandType == ua.DeadbandType.None_:
        return Filter(wanted.Trigger)
    if wanted.DeadbandType != ua.DeadbandType.Absolute:  # a percentage would need an EURange
        raise Refused(ua.StatusCodes.BadMonitoredItemFilterUnsupported)
    if not wanted.DeadbandValue >= 0:
        raise Refused(ua.StatusCodes.BadDeadbandFilterInvalid)
    if kind is not None and kind.type not in NUMBERS:
        raise Refused(ua.StatusCodes.BadFilterNotAllowed)
    return Filter(wanted.Trigger, wanted.DeadbandValue)


def _differs(old: Any, new: Any, deadband: float) -> bool:
    """Say whether a number, or any number of an array, has changed by more."""
    if isinstance(old, ua.Variant) and isinstance(new, ua.Variant):
        if old.VariantType not in NUMBERS or new.VariantType not in NUMBERS:
            return bool(old != new)
        return _differs(old.Value, new.Value, deadband)
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        return len(old) != len(new) or any(_differs(one, two, deadband) for one, two in zip(old, new, strict=True))
    if isinstance(old, int | float) and isinstance(new, int | float):
        return not abs(new - old) <= deadband  # a NaN differs
    return bool(old != new)
