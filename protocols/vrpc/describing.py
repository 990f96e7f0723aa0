"""What a class info says: functions with their documentation, constructors, instances.

Agents in Python, JavaScript and C++ write it in slightly different ways, and anybody can write anything: what has
another shape than it should is left out.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from typing import Any, NamedTuple, TypedDict

from protocols.topics import is_carried
from protocols.vrpc.limits import Limits
from protocols.vrpc.names import is_name
from protocols.vrpc.walking import Walker

CREATE_SHARED, CREATE_ISOLATED = "__createShared__", "__createIsolated__"
DELETE, CALL_ALL = "__delete__", "__callAll__"
LIFE_CYCLE = frozenset((CREATE_SHARED, CREATE_ISOLATED, DELETE, CALL_ALL))
_CONSTRUCTORS = (CREATE_SHARED, "__constructor__", CREATE_ISOLATED)
_UNNAMED = "argument "
_INSTANCE = ("instanceName", _UNNAMED + "1")  # the first parameter of a constructor, of JavaScript, Python and C++

_NAME = 200  # characters
_TYPE = 200
_TEXTS = ("str", "string")  # types
_NONE_STATED = "_empty"  # is what agents in Python call the type of a parameter without an annotation
_WORDS = {"None": "null", "True": "true", "False": "false", "undefined": ""}
_PARAM = 100  # bytes that a parameter takes besides its texts
_CHUNK = 4_000  # bytes that describing a function counts for

Steps = Generator[int, None, "ClassInfo"]


class Param(TypedDict):
    """One parameter; `default` is JSON text."""

    name: str
    type: str
    description: str
    optional: bool
    default: str | None


class Returned(TypedDict):
    """What a function returns."""

    type: str
    description: str


class Function(TypedDict):
    """One function, or one overload of it."""

    name: str
    is_static: bool
    description: str
    params: list[Param]
    ret: Returned | None
    reads: bool  # the agent says that it changes nothing


class ClassInfo(NamedTuple):
    """What is known of a class."""

    functions: list[Function]
    constructors: list[Function]
    instances: list[str]


class Count(NamedTuple):
    """How much a class has."""

    functions: int
    instances: int


def read(text: str, most: int) -> Generator[int, None, dict[str, Any]]:
    """Read a class info in steps, each of which yields how many characters it took; raises ValueError.

    The documentation of so many functions is kept: to let go of very much at once would take its time, too.
    """
    walker = Walker(text)
    found: dict[str, Any] = {}
    for key in walker.keys():
        begin = walker.at
        if key == "meta" and walker.peek() == "{":
            meta = found[key] = {}
            for name in walker.keys():
                begin = walker.at
                said = walker.value()
                if len(meta) < most:
                    meta[name] = said
                yield walker.at - begin
        else:
            found[key] = walker.value()
            yield walker.at - begin
    walker.end()
    for key in ("memberFunctions", "staticFunctions", "instances"):
        if not isinstance(found.get(key), list):
            raise ValueError(f"its {key} are no list")
    return found


def count(found: dict[str, Any]) -> Count:
    """Return how much a class has of what can be called."""
    functions = sum(1 for key in ("staticFunctions", "memberFunctions") for _ in _names(found[key]))
    return Count(functions, sum(map(is_level, found["instances"])))


def describe(found: dict[str, Any], limits: Limits) -> Steps:
    """Put together what is shown of a class, in steps as `read`."""
    room = _Room(found.get("meta"), limits)
    constructors = _constructors(room)
    functions: list[Function] = []
    for key in ("staticFunctions", "memberFunctions"):
        for whole in _names(found[key]):  # agents in Python list what a class itself defines in both
            if len(functions) == limits.functions:
                break
            functions.append(_function(whole, key == "staticFunctions", room))
            yield _CHUNK
    instances = [name for name in found["instances"] if is_level(name)]
    return ClassInfo(functions, constructors, instances[: limits.instances])


def is_level(name: object) -> bool:
    """Say whether something can be called by a name, as a level of a topic."""
    if not isinstance(name, str) or not is_name(name):
        return False
    return name.isprintable() or (is_carried(name) and "\0" not in name and plain(name, _NAME) == name)


def plain(text: object, most: int) -> str:
    """Return a text that everybody can carry, and not all of a long one; "" for what is none."""
    if not isinstance(text, str):
        return ""
    return text[:most].encode("utf-8", "replace").decode()


def _names(names: list[object]) -> Iterator[str]:
    """Return the functions that can be called, with the signatures that C++ appends."""
    for name in names:
        if isinstance(name, str) and is_level(name) and _bare(name) not in LIFE_CYCLE:
            yield name


def _bare(name: str) -> str:
    """Return the name of a function without its signature, as `add` of `add-number:number`."""
    at = name.find("-")
    return name[:at] if at > 0 else name


class _Room:
    """What an agent says of its functions, and how much of that may still be shown.

    Overloads may share a text, so that a small info could come to very much.
    """

    def __init__(self, meta: object, limits: Limits) -> None:
        self.meta = meta if isinstance(meta, dict) else {}
        self.limits = limits
        self._left = limits.documentation

    @property
    def is_left(self) -> bool:
        return self._left > 0

    def take(self, function: Function) -> Function:
        """Count what is shown of a function."""
        texts = [function["description"], *(text for one in function["params"] for text in (one["name"], one["type"]))]
        texts += [one["description"] + (one["default"] or "") for one in function["params"]]
        self._left -= sum(map(len, texts)) + _PARAM * len(function["params"])
        return function


def _function(whole: str, is_static: bool, room: _Room) -> Function:
    name, limits = _bare(whole), room.limits
    said = room.meta.get(whole, room.meta.get(name)) if room.is_left else None
    said = said if isinstance(said, dict) else {}
    params = _params(said.get("params"), limits)
    if not params and name != whole and room.is_left:
        params = [_unnamed(place, kind) for place, kind in enumerate(whole[len(name) + 1 :].split(":"), 1)]
    return room.take(
        Function(
            name=name,
            is_static=is_static,
            description=plain(said.get("description"), limits.text),
            params=params[: limits.params],
            ret=_returned(said.get("ret"), limits),
            reads=said.get("reads") is True,
        )
    )


def _constructors(room: _Room) -> list[Function]:
    """Return how instances are made, without the parameter for their name."""
    for name in _CONSTRUCTORS:
        found = [key for key in room.meta if _bare(key) == name]
        if found:
            made = [_function(key, True, room) for key in found[: room.limits.params]]
            for one in made:
                if one["params"] and one["params"][0]["name"] in _INSTANCE:
                    del one["params"][0]
            return made
    return []


def _params(said: object, limits: Limits) -> list[Param]:
    if not isinstance(said, list):
        return []
    return [_param(one, limits) for one in said[: limits.params] if isinstance(one, dict)]


def _param(said: dict[str, Any], limits: Limits) -> Param:
    kind = plain(said.get("type"), _TYPE)
    kind = "" if kind == _NONE_STATED else kind
    return Param(
        name=plain(said.get("name"), _NAME),
        type=kind,
        description=plain(said.get("description"), limits.text),
        optional=said.get("optional") is True,
        default=_default(said.get("defaultValue", said.get("default")), kind, limits),
    )


def _unnamed(place: int, kind: str) -> Param:
    return Param(name=f"{_UNNAMED}{place}", type=kind, description="", optional=False, default=None)


def _default(value: object, kind: str, limits: Limits) -> str | None:
    """Return a default as JSON text; agents write it as the text that stands in their source."""
    if value is None:
        return None
    if not isinstance(value, str):
        text = json.dumps(value)
        return text if len(text) <= limits.text else None
    word = plain(value, limits.text).strip()
    if word in _WORDS:
        return _WORDS[word] or None
    if len(word) > 1 and word[0] == word[-1] and word[0] in "'`":
        return json.dumps(word[1:-1])
    if kind.lower() not in _TEXTS and _is_json(word):
        return word
    return json.dumps(word.removeprefix('"').removesuffix('"'))


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _returned(said: object, limits: Limits) -> Returned | None:
    if not isinstance(said, dict):
        return None
    kind, description = plain(said.get("type"), _TYPE), plain(said.get("description"), limits.text)
    return Returned(type=kind, description=description) if kind or description else None
