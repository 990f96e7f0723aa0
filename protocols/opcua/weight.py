"""How many bytes values will take on the wire, roughly, before anything is encoded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from asyncua import ua

_SCALAR = 16


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
