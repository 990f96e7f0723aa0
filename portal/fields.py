"""What may be typed into a field.  A refused value raises `FieldError`, whose message says what is allowed."""

from __future__ import annotations

import re

from portal.config import PASSWORD_LENGTH

USERNAME_LENGTH = 128
SECRET_MAX_LENGTH = 256
NOTE_LENGTH = 500
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
    if not text.isprintable():
        raise FieldError("username", "A username cannot hold control or invisible characters.")
    if len(text) > USERNAME_LENGTH:
        raise FieldError("username", f"A username has at most {USERNAME_LENGTH} characters.")
    return text


def password(text: str) -> str:
    """Return a legal password of an integration: whatever its client can send and a person can read."""
    if not text:
        raise FieldError("password", "A password is required.")
    if not text.isprintable():
        raise FieldError("password", "A password cannot hold control or invisible characters.")
    if len(text) > SECRET_MAX_LENGTH:
        raise FieldError("password", f"A password has at most {SECRET_MAX_LENGTH} characters.")
    return text


def note(text: str) -> str:
    """Return a note: one line of free text."""
    text = " ".join(text.split())
    if len(text) > NOTE_LENGTH:
        raise FieldError("note", f"A note has at most {NOTE_LENGTH} characters.")
    if not text.isprintable():
        raise FieldError("note", "A note cannot hold control or invisible characters.")
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
