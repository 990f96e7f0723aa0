"""What can be wrong with what is asked of the values.

ValuesError          a fact fit for a log or a page, never a secret
├── Refused          a client, or the portal, asked for what it may not have; `code` is the StatusCode
└── Unreadable       a text that is no value of the type it is to be
"""

from __future__ import annotations

from asyncua.ua import status_codes


class ValuesError(Exception):
    """Something was asked that cannot be done."""


class Refused(ValuesError):
    """Answer with this StatusCode."""

    def __init__(self, code: int, fact: str = "") -> None:
        super().__init__(fact or status_codes.get_name_and_doc(code)[0])
        self.code = code


class Unreadable(ValuesError):
    """A text is no value of a type."""
