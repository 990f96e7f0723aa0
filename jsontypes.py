"""What a documented type says in JSON: for the portal and the protocols.

A type is whatever its author wrote in JSDoc, Python or C++.  What it says in one word is held to; everything else may
be anything.
"""

from __future__ import annotations

import re
from typing import Any

KINDS = {
    "string": "string str text char",
    "number": "number float double real decimal",
    "integer": "integer int long short size_t bigint unsigned signed",
    "boolean": "boolean bool",
    "object": "object dict record map mapping",
    "array": "array list tuple sequence set vector",
}
NOTHING = frozenset({"null", "undefined", "none", "nullptr", "void"})
_WORDS = {word: kind for kind, words in KINDS.items() for word in words.split()}
_SIZED = re.compile(r"u?int\d+(_t)?|float\d+")
_OPTIONAL = re.compile(r"(?:typing\.)?(?:std::)?optional[\[<](.*)[\]>]", re.DOTALL)
_LONGEST = 200  # characters of a type that are looked at
_SHAPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "integer": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
}


def kind_of(type: str) -> tuple[str, bool]:
    """Return what a type is in JSON, of `KINDS` or "" for anything, and whether null is one of its values."""
    text = type[:_LONGEST].strip().strip("{}").lower()
    optional = _OPTIONAL.fullmatch(text)
    words = [word.strip(" ()?!=&*") for word in re.split(r"\|| or ", optional[1] if optional else text)]
    kinds = {_kind(word) for word in words if word not in NOTHING}
    takes_null = optional is not None or text.startswith("?") or any(word in NOTHING for word in words)
    return (kinds.pop() if len(kinds) == 1 else ""), takes_null


def fits(kind: str, value: Any) -> bool:
    """Tell whether a value is of a kind; a whole number may have been written as 2.0."""
    if not kind:
        return True
    if isinstance(value, bool) and kind != "boolean":
        return False
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _SHAPES[kind])


def _kind(word: str) -> str:
    word = word.removeprefix("const ").replace("std::", "").replace("typing.", "").strip()
    if word.endswith("[]"):
        return "array"
    base = re.split(r"[<\[.( ]", word)[0]
    if _SIZED.fullmatch(base):
        return "integer" if "int" in base else "number"
    return _WORDS.get(base, "")
