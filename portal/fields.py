"""What may be typed into a field.  A refused value raises `FieldError`, whose message says what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable

from portal.config import PASSWORD_LENGTH
from portal.kinds import KINDS
from vrpc_topics import ROLES, domain_fault

USERNAME_LENGTH = 128
SECRET_MAX_LENGTH = 256
NOTE_LENGTH = 500
FILTERS = 100
FILTER_LENGTH = 1000
EDGE_NAME_LENGTH = 64
PREFIX_LENGTH = 32
EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


class FieldError(ValueError):
    """A value that cannot be used: `field` names where it was given, `message` says what is allowed."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def username(text: str) -> str:
    """Return a legal username: printable, without spaces at its ends; `/ : @ .` and spaces inside are legal."""
    if not text:
        raise FieldError("username", "A username is required.")
    if text != text.strip():
        raise FieldError("username", "A username cannot start or end with a space.")
    return _readable("username", text, USERNAME_LENGTH)


def password(text: str) -> str:
    """Return a legal password of an integration: whatever its client can send and a person can read."""
    if not text:
        raise FieldError("password", "A password is required.")
    return _readable("password", text, SECRET_MAX_LENGTH)


def note(text: str) -> str:
    """Return a note: one line of free text."""
    return _readable("note", " ".join(text.split()), NOTE_LENGTH)


def _readable(field: str, text: str, most: int) -> str:
    """Return a text that a person can read, and that is not too long."""
    if not text.isprintable():
        raise FieldError(field, f"A {field} cannot hold control or invisible characters.")
    if len(text) > most:
        raise FieldError(field, f"A {field} has at most {most} characters.")
    return text


def topic_filters(field: str, lines: Iterable[str]) -> tuple[str, ...]:
    """Return legal topic filters (MQTT 5.0, section 4.7), one from each line that is not empty, without repeats."""
    found: dict[str, None] = {}
    for number, line in enumerate(lines, 1):
        if text := line.strip():
            if fault := _filter_fault(text, publish=field == "publish"):
                raise FieldError(field, f"Line {number} ({text[:60]}): {fault}")
            found[text] = None
    if len(found) > FILTERS:
        raise FieldError(field, f"There are at most {FILTERS} filters, not {len(found)}.")
    return tuple(found)


def _filter_fault(text: str, *, publish: bool) -> str | None:
    """Say why this is no topic filter, or return None."""
    if len(text) > FILTER_LENGTH:
        return f"a filter has at most {FILTER_LENGTH:,} characters."
    if not text.isprintable():
        return "a filter cannot hold control or invisible characters."
    levels = text.split("/")
    if levels[0] == "$share":
        return "name the topics without $share; who may subscribe to them may also share them."
    if publish and text.startswith("$"):
        return "topics that start with $ are the server's own; a client can only subscribe to them."
    if "#" in text and (levels[-1] != "#" or text.count("#") > 1):
        return "# stands alone, as the last level, such as in plant/#."
    if any("+" in level and level != "+" for level in levels):
        return "+ stands for a whole level, such as in plant/+/temperature."
    return None


def place_in_domain(type: str, domain: str, role: str) -> tuple[str, str]:
    """Return the domain and the role that an integration of this type has: both "" where it has none.

    Which roles a type may have, and whether it is always in a domain, is said by its `Kind`.
    """
    domain, kind = domain.strip(), KINDS[type]
    if not kind.roles:
        if domain or role:
            raise FieldError("domain" if domain else "role", f"An {kind.label} integration has no domain and no role.")
        return "", ""
    if not domain and not kind.is_placed:
        return "", ""
    if fault := domain_fault(domain):
        raise FieldError("domain", fault)
    role = role or kind.roles[0]
    if role not in ROLES:
        raise FieldError("role", f"A role is one of {', '.join(ROLES)}.")
    if role not in kind.roles:
        raise FieldError("role", f"An {kind.label} integration is always {kind.roles[0]} of its domain.")
    return domain, role


def edge_name(field: str, text: str, longest: int = EDGE_NAME_LENGTH) -> str:
    """Return a legal name of an Edge Connector, or prefix of a fleet's: what is the same in topics and usernames."""
    more = "" if field == "prefix" else "@"
    if not text:
        raise FieldError(field, f"A {field} is required.")
    if len(text) > longest:
        raise FieldError(field, f"A {field} has at most {longest} characters.")
    if not re.fullmatch(f"[A-Za-z0-9_.{more}-]+", text) or text.startswith("__"):
        others = ", ".join(["_", ".", *more])
        raise FieldError(field, f"A {field} has letters of A to Z, digits, {others} and - only, and no __ in front.")
    return text


def email(text: str) -> str:
    """Return an e-mail address in lower case."""
    text = text.strip().lower()
    if not EMAIL.fullmatch(text) or len(text) > 254 or not text.isprintable():
        raise FieldError("email", "An e-mail address is required, such as ada@example.com.")
    return text


def account_password(text: str) -> str:
    """Return a password that is good enough for an account."""
    if len(text) < PASSWORD_LENGTH:
        raise FieldError("password", f"A password has at least {PASSWORD_LENGTH} characters.")
    if len(text) > SECRET_MAX_LENGTH:
        raise FieldError("password", f"A password has at most {SECRET_MAX_LENGTH} characters.")
    return text
