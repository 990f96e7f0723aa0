"""How many bytes values will take on the wire, or in memory, roughly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any

from asyncua import ua

_SCALAR = 16
_OBJECT = 64


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
