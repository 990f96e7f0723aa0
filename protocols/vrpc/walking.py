"""JSON objects member by member, so that a large one can be read in steps, and a value be kept as the text it was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from json import JSONDecoder
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")

DEEP = "it is nested too deeply"


class Walker:
    """A place in a JSON text; every step raises ValueError where that is none."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.is_strict = True  # nothing was read that Python takes for a number and JSON does not have
        self._decode = JSONDecoder(parse_constant=self._not_a_number).raw_decode

    def keys(self) -> Iterator[str]:
        """Go through the object that begins here; the value of each key has to be taken before the next one."""
        self._expect("{")
        if self.peek() == "}":
            self.at += 1
            return
        while True:
            if self.peek() != '"':
                raise ValueError(f"it is no JSON: a key is missing at character {self.at}")
            key = self.value()
            self._expect(":")
            self.peek()
            yield key
            if self.peek() == "}":
                self.at += 1
                return
            self._expect(",")

    def value(self) -> Any:
        """Return the value that begins here, and go behind it."""
        self.peek()
        try:
            value, self.at = self._decode(self.text, self.at)
        except RecursionError:
            raise ValueError(DEEP) from None
        return value

    def end(self) -> None:
        """Raise ValueError if anything comes here."""
        if self.peek():
            raise ValueError(f"it is no JSON: something follows it at character {self.at}")

    def peek(self) -> str:
        """Go to the next character that is no space, and return it; "" at the end."""
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found is not None else self.at
        return self.text[self.at : self.at + 1]

    def _expect(self, character: str) -> None:
        if self.peek() != character:
            what = "it is no JSON object" if character == "{" else f"it is no JSON: {character} is missing"
            raise ValueError(f"{what} at character {self.at}")
        self.at += 1

    def _not_a_number(self, _: str) -> None:
        """Read NaN and the infinities, which some agents send, as null."""
        self.is_strict = False


def text_of(payload: bytes) -> str:
    """Return the text of a payload; raises ValueError."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
