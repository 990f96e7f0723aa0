"""What a function of an agent is called with: fields made from its documented parameters, and what is typed into them.

Each field takes JSON, and one that is documented as a string takes any text as it is, but for what begins with a
quotation mark, which is JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import jsontypes
import payloads
from portal.vrpc_told import Function, Param

_FUNCTIONS = ("function", "callback", "callable", "std::function", "() =>")
MORE = "more"  # the field for arguments that are not documented
EXAMPLES = {
    "string": "a text as it is, or a JSON string in quotes",
    "number": "a number, such as 21.5",
    "integer": "a whole number, such as 42",
    "boolean": "true or false",
    "object": 'a JSON object, such as {"speed": 3}',
    "array": 'a JSON array, such as [1, "two"]',
    "": 'JSON, such as 21.5, true, "text" or {"speed": 3}',
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form; `properties` are documented parts of an object that is passed."""

    id: str
    param: Param
    kind: str  # of jsontypes.KINDS, "" for any JSON
    takes_null: bool
    is_rest: bool  # takes an array of any number of arguments
    is_function: bool  # which a caller passes and a form cannot
    properties: tuple[Param, ...]

    @property
    def hint(self) -> str:
        """Say what may be typed."""
        if self.is_rest:
            return "Any number of arguments, as a JSON array."
        if self.is_function:
            return "A function cannot be given here: left empty, it is left out."
        text = EXAMPLES[self.kind]
        return f"{text[:1].upper()}{text[1:]}."


class Unfit(ValueError):
    """What was typed cannot be used: a message for each field that it is about."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(", ".join(errors))
        self.errors = errors


def fields(params: tuple[Param, ...]) -> list[Field]:
    """Return a field for each parameter; those that are parts of another one, such as `options.speed`, go with it."""
    named = {param.name for param in params}
    below: dict[str, list[Param]] = {}
    own = []
    for param in params:
        whole = next((name for name in _wholes(param.name) if name in named), None)
        if whole is not None:
            below.setdefault(whole, []).append(param)
        elif not param.name.startswith("**"):  # of Python; calls have positions only
            own.append(param)
    return [_field(number, param, tuple(below.get(param.name, ()))) for number, param in enumerate(own)]


def read(found: list[Field], typed: Mapping[str, str]) -> str:
    """Return the arguments as a JSON array.  Raises `Unfit`.

    Fields left empty are left out at the end; before others, their default stands for them, or null.
    """
    errors: dict[str, str] = {}
    given: list[str | None] = []
    rest: list[str] = []
    for field in found:
        text = typed.get(field.id, "")
        try:
            if field.is_rest:
                rest += _array(text.strip())
            else:
                given.append(_argument(field, text))
        except ValueError as error:
            errors[field.id] = str(error)
    try:
        rest += _array(typed.get(MORE, "").strip())
    except ValueError as error:
        errors[MORE] = str(error)
    if errors:
        raise Unfit(errors)
    while given and given[-1] is None and not rest:
        given.pop()
    defaults = [field.param.default or "null" for field in found if not field.is_rest]
    values = [default if text is None else text for text, default in zip(given, defaults, strict=False)]
    return f"[{','.join([*values, *rest])}]"


def _wholes(name: str) -> list[str]:
    """Return the names of what a parameter may be a part of, the outermost first."""
    found = [name[: match.start()] for match in re.finditer(r"(\[\])?\.", name)]
    return [whole for whole in found if whole]


def _field(number: int, param: Param, properties: tuple[Param, ...]) -> Field:
    is_rest = param.name.startswith(("...", "*")) or param.type.startswith("...")
    is_function = param.type.lower().startswith(_FUNCTIONS)
    kind, takes_null = jsontypes.kind_of(param.type)
    if is_function:
        param = replace(param, is_optional=True)
    return Field(f"arg-{number}", param, kind, takes_null or param.is_optional, is_rest, is_function, properties)


def _argument(field: Field, typed: str) -> str | None:
    """Return what was typed as JSON, None where it is left out.  Raises `ValueError` that says what is wrong."""
    text = typed.strip()
    if not text:
        if field.param.is_optional or field.param.default is not None:
            return None
        empty = ' An empty text is typed "".' if field.kind in {"", "string"} else ""
        raise ValueError(f"A value is required.{empty}")
    if field.kind == "string" and not text.startswith('"'):
        return json.dumps(typed.replace("\r\n", "\n"))
    try:
        value = _json(text)
    except ValueError as error:
        if field.kind in {"", "string"}:
            raise
        more = f" {error}" if field.kind in {"object", "array"} else ""
        raise ValueError(f"This has to be {EXAMPLES[field.kind]}.{more}") from None
    if not (jsontypes.fits(field.kind, value) or (value is None and field.takes_null)):
        raise ValueError(f"This has to be {EXAMPLES[field.kind]}.")
    return text


def _array(text: str) -> list[str]:
    if not text:
        return []
    if not isinstance(_json(text), list):
        raise ValueError('This has to be a JSON array of arguments, such as [1, "two"].')
    inner = text[1:-1].strip()
    return [inner] if inner else []


def _json(text: str) -> Any:
    try:
        return payloads.parse(text.encode("utf-8", "replace"))
    except payloads.NotJson as error:
        raise ValueError(f"This is no JSON: {error}. A text stands in quotes.") from None


def shape(function: Function) -> str:
    """Return a word that is another one when the parameters are others."""
    seen = repr([(param.name, param.type) for param in function.params])
    return blake2b(seen.encode("utf-8", "replace"), digest_size=6).hexdigest()


def unnamed(typed: Mapping[str, str]) -> list[Field]:
    """Return fields for what was typed when it cannot be told any more what they were for."""
    count = sum(name.startswith("arg-") for name in typed)
    return fields(tuple(Param(f"argument {number + 1}", "", "", True, None) for number in range(count)))
