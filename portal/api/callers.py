"""Who calls: what a request states of its credentials.  They are judged in the protocols worker."""

from __future__ import annotations

import base64
import binascii

from flask import request

from portal.hub import Caller
from portal.patient import WAITED

_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def caller() -> Caller:
    """Return who this request says that it is from."""
    environ = request.environ
    username, password = _credentials(environ.get("HTTP_AUTHORIZATION", ""))
    agent = environ.get("HTTP_USER_AGENT", "")
    return Caller(username, password, request.remote_addr or "", environ.get(WAITED, 0.0), agent)


def _credentials(stated: str) -> tuple[str | None, bytes | None]:
    """Return username and password; both of Basic (RFC 7617) and of Bearer, whose token is the same text.

    A username ends with the first colon, and so has none itself.
    """
    scheme, _, token = stated.partition(" ")
    if scheme.lower() not in {"basic", "bearer"}:
        return None, None
    try:
        text = token.strip(" ").encode("ascii").translate(_URL_SAFE).rstrip(b"=")
        username, colon, password = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True).partition(b":")
        return (username.decode(), password) if colon else (None, None)
    except (UnicodeError, binascii.Error):
        return None, None
