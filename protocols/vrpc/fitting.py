"""Whether arguments fit what an agent documents of a function.

Documentation is free text, and much of it is missing: what is not understood fits everything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jsontypes
from protocols.vrpc.describing import CALL_ALL, CREATE_SHARED, DELETE
from protocols.vrpc.names import is_name

LIFE_CYCLE = (CREATE_SHARED, DELETE, CALL_ALL)  # functions that every class has, but for those of isolated instances

CALLBACKS = ("__e__", "__f__")  # what a string begins with that an agent makes a function of
FUNCTIONS = ("function", "callback", "callable")  # types that no JSON is of
NUMBER = -1  # the index of a fault that is about how many arguments there are

Function = Mapping[str, Any]  # has params: [{name, type, optional, …}, …], none where nothing is documented
Fault = tuple[int, str]  # which argument, and what is wrong with it

_SHOWN = 60  # characters of a name


def fault(functions: Sequence[Function], arguments: Sequence[Any]) -> Fault | None:
    """Return what keeps arguments from fitting all overloads of a function; None if they fit one of them."""
    for index, argument in enumerate(arguments):
        if isinstance(argument, str) and argument.startswith(CALLBACKS):
            return index, "this text would be taken for a callback, and nobody would hear of its calls"
    found: Fault | None = None
    for function in functions:
        found = _fault(_positional(function["params"]), arguments)
        if found is None:
            return None
    return found


def life_cycle_fault(function: str, its_class: Mapping[str, Any], arguments: Sequence[Any]) -> Fault | None:
    """Return what keeps arguments from fitting one of `LIFE_CYCLE`, whose first argument is always a name."""
    if not arguments:
        return NUMBER, f"{function} takes a name first"
    name, rest = arguments[0], arguments[1:]
    if not isinstance(name, str) or not is_name(name) or name.startswith(CALLBACKS):
        return 0, f"{function} takes a name first, which has no slash, plus or number sign"
    found = None
    if function == CREATE_SHARED:
        found = fault(its_class["constructors"], rest)
    elif function == CALL_ALL:
        named = [one for one in its_class["functions"] if one["name"] == name and not one["is_static"]]
        found = fault(named, rest) if named else (NUMBER, f"the class has no member function {name[:_SHOWN]!r}")
    elif rest:
        return NUMBER, f"{function} takes a name, and nothing else"
    return found if found is None or found[0] == NUMBER else (found[0] + 1, found[1])


def _fault(params: Sequence[Mapping[str, Any]], arguments: Sequence[Any]) -> Fault | None:
    if not params:
        return None
    least = sum(1 for param in params if not _may_miss(param))
    most = None if _is_variadic(params[-1]) else len(params)
    count = len(arguments)
    if count < least or (most is not None and count > most):
        return NUMBER, f"there are {count}, and the function takes {_bounds(least, most)}: {_names(params)}"
    for index, argument in enumerate(arguments):
        param = params[min(index, len(params) - 1)]
        if not _fits(argument, param):
            return index, f"{_shown(param)} has to be {_type(param)[:_SHOWN]}"
    return None


def _positional(params: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Leave out what is no argument by itself: parts of one, such as options.speed, and names of Python's."""
    names = {str(param.get("name")) for param in params}
    return [param for param in params if not _is_part(str(param.get("name") or ""), names)]


def _is_part(name: str, names: Collection[str]) -> bool:
    whole = name.replace("[]", "").rpartition(".")[0]
    return name.startswith("**") or bool(whole) and any(one.replace("[]", "") == whole for one in names)


def _may_miss(param: Mapping[str, Any]) -> bool:
    has_default = param.get("optional") or param.get("default") is not None
    return bool(has_default) or _is_variadic(param) or _type(param).lower().startswith(FUNCTIONS)


def _is_variadic(param: Mapping[str, Any]) -> bool:
    return _type(param).startswith(("...", "…")) or str(param.get("name") or "").startswith(("*", "..."))


def _fits(argument: Any, param: Mapping[str, Any]) -> bool:
    kind, takes_null = jsontypes.kind_of(_type(param).lstrip(".…"))
    if argument is None:
        return takes_null or not kind or bool(param.get("optional"))
    return jsontypes.fits(kind, argument)


def _type(param: Mapping[str, Any]) -> str:
    return str(param.get("type") or "")


def _bounds(least: int, most: int | None) -> str:
    if most is None:
        return f"{least} or more"
    return str(most) if least == most else f"{least} to {most}"


def _names(params: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(_shown(param) for param in params)[: 4 * _SHOWN]


def _shown(param: Mapping[str, Any]) -> str:
    return str(param.get("name") or "an argument")[:_SHOWN]
