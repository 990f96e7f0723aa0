"""What may be called of a class, from its decorators, type hints and docstrings: once for the wire, once for checks."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from edge_connector.errors import Refused

Listener = Callable[..., None]

_F = TypeVar("_F", bound=Callable[..., Any])
_MARK = "__offered__"
_PARAM = re.compile(r":param (\w+): (.*)|:returns?: (.*)")
_NAMES: dict[Any, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    dict: "object",
    Mapping: "object",
    list: "array",
    Sequence: "array",
    Any: "any",
}
_SHAPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "object": dict,
    "array": list,
}


@dataclass(frozen=True)
class Param:
    """One parameter of a function."""

    name: str
    type: str  # a word of JSON, "any", or "function"
    takes_null: bool
    description: str
    optional: bool
    default: Any = None


@dataclass(frozen=True)
class Function:
    """A function that may be called from outside."""

    name: str
    reads: bool  # changes nothing, so that a feed may call it
    description: str
    params: tuple[Param, ...]
    ret: str
    returns: str

    @property
    def listens(self) -> bool:
        """Tell whether it goes on telling a listener, its last parameter."""
        return bool(self.params) and self.params[-1].type == "function"

    def meta(self) -> dict[str, Any]:
        """Return its documentation as VRPC has it, and whether it only reads."""
        params = [
            {"name": one.name, "type": _said(one), "description": one.description, "optional": one.optional}
            | ({"default": one.default} if one.optional else {})
            for one in self.params
        ]
        ret = {"type": self.ret, "description": self.returns}
        return {"description": self.description, "params": params, "ret": ret} | ({"reads": True} if self.reads else {})

    def check(self, arguments: list[Any]) -> list[Any]:
        """Return arguments that fit the parameters.  Raises `Refused`, which names the one that does not."""
        least = sum(1 for one in self.params if not one.optional)
        if not least <= len(arguments) <= len(self.params):
            most = len(self.params)
            takes = str(most) if least == most else f"{least} to {most}"
            names = ", ".join(one.name for one in self.params)
            raise Refused(f"{self.name} takes {takes} arguments ({names}), not {len(arguments)}")
        return [_checked(param, one) for param, one in zip(self.params, arguments, strict=False)]


def offered(*, reads: bool = False) -> Callable[[_F], _F]:
    """Offer a method to callers; `reads` says that it changes nothing."""

    def mark(method: _F) -> _F:
        setattr(method, _MARK, reads)
        return method

    return mark


def functions(owner: type) -> dict[str, Function]:
    """Return what a class offers, in the order in which it is written."""
    found: dict[str, Function] = {}
    for base in reversed(owner.__mro__):
        for name, method in vars(base).items():
            if hasattr(method, _MARK):
                found[name] = _function(name, method)
    return found


def _function(name: str, method: Callable[..., Any]) -> Function:
    hints = typing.get_type_hints(method)
    text, described, returns = _documented(method.__doc__ or "")
    params = []
    for one in list(inspect.signature(method).parameters.values())[1:]:
        kind, takes_null = _kind(hints[one.name])
        optional = one.default is not inspect.Parameter.empty
        default = one.default if optional else None
        params.append(Param(one.name, kind, takes_null, described.get(one.name, ""), optional, default))
    ret, null = _kind(hints.get("return", Any))
    return Function(name, getattr(method, _MARK), text, tuple(params), f"{ret} | null" if null else ret, returns)


def _documented(doc: str) -> tuple[str, dict[str, str], str]:
    text, params, returns = [], {}, ""
    for line in inspect.cleandoc(doc).splitlines():
        found = _PARAM.fullmatch(line.strip())
        if found is None:
            text.append(line.strip())
        elif found[1]:
            params[found[1]] = found[2]
        else:
            returns = found[3]
    return " ".join(filter(None, text)), params, returns


def _kind(hint: Any) -> tuple[str, bool]:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        options = [one for one in typing.get_args(hint) if one is not type(None)]
        return (_kind(options[0])[0] if len(options) == 1 else "any"), type(None) in typing.get_args(hint)
    if hint is type(None):
        return "null", True
    origin = typing.get_origin(hint) or hint
    return ("function" if origin is Callable else _NAMES[origin]), False


def _said(param: Param) -> str:
    return f"{param.type} | null" if param.takes_null else param.type


def _checked(param: Param, value: Any) -> Any:
    if value is None and param.takes_null:
        return None
    if param.type == "function":
        if not callable(value):
            raise Refused(f"{param.name} has to be a function")
        return value
    if param.type == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    shape = _SHAPES.get(param.type)
    wrong_flag = isinstance(value, bool) and param.type != "boolean"
    if shape is not None and (wrong_flag or not isinstance(value, shape)):
        raise Refused(f"{param.name} has to be of type {_said(param)}")
    return value
