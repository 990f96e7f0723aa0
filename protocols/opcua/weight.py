"""How many bytes values will take on the wire, or in memory, roughly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any

from asyncua import ua

_SCALAR = 16
_OBJECT = 64
_REFERENCE = 80


def weigh(values: Iterable[ua.DataValue]) -> int:
    """Return about how many bytes these values take together."""
    return sum(_weigh(value.Value.Value) if value.Value is not None else _SCALAR for value in values)


def _weigh(value: Any) -> int:
    if isinstance(value, str | bytes):
        return _SCALAR + len(value)
    if isinstance(value, list | tuple):
        if value and isinstance(value[0], int | float):
            return _SCALAR + 8 * len(value)
        return _SCALAR + sum(map(_weigh, value))
    if isinstance(value, ua.LocalizedText):
        return _SCALAR + len(value.Text or "")
    if isinstance(value, ua.ExtensionObject):
        return _SCALAR + len(value.Body or b"")
    return _SCALAR


def footprint(value: Any, most: int) -> int:
    """Return about how many bytes a decoded structure takes in memory; what is beyond `most` is not looked at."""
    size = 0
    left = [value]
    while left and size <= most:
        one = left.pop()
        size += _OBJECT
        if isinstance(one, str | bytes):
            size += len(one)
        elif isinstance(one, list | tuple):
            left += one[: most // _OBJECT + 1]
        elif is_dataclass(one):
            left += (getattr(one, field.name) for field in fields(one))
    return size


def weigh_answer(response: Any) -> int:
    """Return about how many bytes a response takes, if it is of those that can take many."""
    kind = type(response)
    if kind in (ua.BrowseResponse, ua.BrowseNextResponse):
        results = response.Results if kind is ua.BrowseResponse else response.Parameters.Results
        return sum(_REFERENCE * len(one.References) for one in results)
    if kind is ua.ReadResponse:
        return weigh(response.Results)
    if kind is ua.HistoryReadResponse:
        return sum(weigh(getattr(one.HistoryData, "DataValues", None) or ()) for one in response.Results)
    if kind is ua.PublishResponse:
        return _weigh_message(response.Parameters.NotificationMessage)
    if kind is ua.RepublishResponse:
        return _weigh_message(response.NotificationMessage)
    return 0


def _weigh_message(message: ua.NotificationMessage) -> int:
    return sum(
        weigh(one.Value for one in getattr(part, "MonitoredItems", ()) if one.Value is not None)
        + sum(_SCALAR * len(one.EventFields) for one in getattr(part, "Events", ()))
        for part in message.NotificationData
    )
