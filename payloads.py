"""What bytes are, to those who read them: JSON, text, or just bytes.  For the portal and the protocols."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, NoReturn

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"

DEPTH = 100  # levels of arrays and objects; what is nested deeper is taken for no JSON

_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{\]}]', re.DOTALL)


class NotJson(ValueError):
    """Bytes are no JSON (RFC 8259, in UTF-8); says why."""


def kind_of(payload: bytes) -> str:
    """Return the content type of a payload."""
    try:
        decode(payload, _LOOKS)
    except UnicodeDecodeError:
        return BYTES
    except ValueError:
        return TEXT
    return JSON


def decode(data: bytes, decoder: json.JSONDecoder) -> tuple[str, Any]:
    """Return the text of JSON, and what a decoder makes of it, which should `refuse` constants.  Raises ValueError."""
    text = data.decode()
    if text.count("[") + text.count("{") > DEPTH and _depth(text) > DEPTH:
        raise NotJson(f"it is nested deeper than {DEPTH} levels")
    if text[:1] == "\ufeff":
        raise NotJson("it begins with a byte order mark")
    return text, decoder.decode(text)


def refuse(name: str) -> NoReturn:
    """Refuse NaN and the infinities, which Python takes for JSON."""
    raise NotJson(f"{name} is no JSON")


def check(data: bytes) -> None:
    """Hold bytes to being JSON without an object that names a member twice.  Raises `NotJson`."""
    _said(_CHECKS, data)


def parse(data: bytes) -> Any:
    """Return what JSON says, under the same rule.  Raises `NotJson`; a number may be infinite."""
    return _said(_READS, data)


def _said(decoder: json.JSONDecoder, data: bytes) -> Any:
    try:
        return decode(data, decoder)[1]
    except UnicodeDecodeError:
        raise NotJson("it is not in UTF-8") from None
    except json.JSONDecodeError as error:
        fault = f"{error.msg[:1].lower()}{error.msg[1:]}"
        raise NotJson(f"{fault}, at line {error.lineno}, column {error.colno}") from None
    except NotJson:
        raise
    except ValueError:  # more digits than Python reads
        raise NotJson("a number has too many digits") from None


def _depth(text: str) -> int:
    depth = deepest = 0
    for match in _BRACKETS.finditer(text):
        if match[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif match[0] in "]}":
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise NotJson(f"an object names {twice[:60]!r} twice")
    return found


# Numbers are not made where only their form matters.
_LOOKS = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=refuse)
_CHECKS = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=refuse, object_pairs_hook=_object)
_READS = json.JSONDecoder(parse_constant=refuse, object_pairs_hook=_object)
