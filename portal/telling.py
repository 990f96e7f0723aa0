"""What a payload says to a person: numbers and texts as they are, other bytes in hexadecimal digits."""

from __future__ import annotations

import base64
import codecs
import json
import math
import re
from dataclasses import dataclass

import payloads

LINE = 200  # characters of a value in a list
SHORT = 24  # bytes of a binary value in a list
ROW = 8  # bytes in a line of a dump
NAME = 120  # characters of a name
SPACE = "\N{OPEN BOX}"
INDENT = "  "
_VISIBLE = frozenset("\t\n\r")
_KINDS = {bool: "Boolean", str: "String"}


@dataclass(frozen=True, slots=True)
class Told:
    """A payload, or the beginning of one, as it is shown."""

    kind: str  # "Number", "Boolean", "String", "JSON", "Text", "Binary" or "Empty"
    text: str  # "" for binary ones
    number: float | None = None


def tell(payload: bytes, *, is_whole: bool) -> Told:
    """Say what a payload is: that of JSON is only seen where it is whole."""
    if not payload:
        return Told("Empty", "")
    if is_whole and (said := _json(payload)) is not None:
        return said
    text = _text(payload, is_whole=is_whole)
    return Told("Text", text) if text is not None else Told("Binary", "")


def line(payload: bytes, told: Told) -> str:
    """Return a value in one line; of a long one its beginning."""
    if told.kind == "Binary":
        return f"{payload[:SHORT].hex(' ')}{' …' if len(payload) > SHORT else ''}"
    text = shown(told.text[:LINE])
    return text if len(told.text) <= LINE else f"{text}…"


def dump(payload: bytes) -> str:
    """Return bytes as a table: where they are, their digits, and what of them is ASCII."""
    rows = []
    for at in range(0, len(payload), ROW):
        part = payload[at : at + ROW]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        rows.append(f"{at:06x}  {part.hex(' '):<{3 * ROW - 1}}  {letters}")
    return "\n".join(rows)


def base64_of(payload: bytes) -> str:
    """Return bytes in Base64."""
    return base64.b64encode(payload).decode()


def shown(text: str) -> str:
    """Return a text in one line with what cannot be seen spelled out, so that it cannot pretend to be another."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def name(text: str, most: int = NAME) -> str:
    """Return a name as it is shown: of a long one the beginning, and spaces at its ends so that they are seen."""
    cut = shown(text[:most])
    inner = cut.strip(" ")
    before = len(cut) - len(cut.lstrip(" ")) if inner else len(cut)
    cut = SPACE * before + inner + SPACE * (len(cut) - before - len(inner))
    return cut if len(text) <= most else f"{cut}… ({len(text.encode('utf-8', 'replace')):,} bytes)"


def lines(text: str) -> str:
    """Return a text in its lines with what cannot be seen spelled out."""
    return "\n".join(shown(line.replace("\t", INDENT)) for line in text.splitlines())


def pretty(text: str, most: int) -> str:
    """Return JSON, or the beginning of it, in indented lines; of many characters the first ones."""
    parts: list[str] = []
    depth = size = 0
    for match in _TOKENS.finditer(text):
        part = match[0]
        if part in "]}":
            depth = max(0, depth - 1)
        is_empty = part in "]}" and bool(parts) and parts[-1] in "[{"
        if parts and not is_empty and (part in "]}" or parts[-1] in "[{,"):
            parts.append(f"\n{INDENT * depth}")
        parts.append(f"{part} " if part == ":" else part)
        depth += part in "[{"
        size += len(part) + depth
        if size > most:
            break
    return "".join(parts)[:most]


def _text(payload: bytes, *, is_whole: bool) -> str | None:
    """Return what is text for people; a character that is cut off at the end is left out."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(payload, final=is_whole)
    except UnicodeDecodeError:
        return None
    if text.isprintable() or all(ord(char) >= 32 or char in _VISIBLE for char in text):
        return text
    return None


def _json(payload: bytes) -> Told | None:
    try:
        text, found = payloads.decode(payload, _READS)
    except ValueError:
        return None
    if isinstance(found, float):
        return Told("Number", text, found) if math.isfinite(found) else Told("JSON", text)
    return Told(_KINDS.get(type(found), "JSON"), text)


_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{},:]|[^\s"\[\]{},:]+', re.DOTALL)

# Numbers are told as they were sent; a float says where they lie in a picture.
_READS = json.JSONDecoder(parse_int=float, parse_constant=payloads.refuse)
