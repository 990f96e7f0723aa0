"""Who calls: what a request states of its credentials.  They are judged in the protocols worker.

They go along with what an operation asks there, so that it takes one question.  What is answered before that, or costs
much, is only for those who came in: `authenticate` asks about nothing else, and `insider` does so for faults of input.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import request
from werkzeug.exceptions import HTTPException

from portal import hub
from portal.api.problems import Problem
from portal.hub import Caller
from portal.patient import WAITED

View = TypeVar("View", bound=Callable[..., Any])

OF_THE_HUB = frozenset({403, 404})  # what is only known once the hub has answered

_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def caller() -> Caller:
    """Return who this request says that it is from."""
    environ = request.environ
    username, password = _credentials(environ.get("HTTP_AUTHORIZATION", ""))
    agent = environ.get("HTTP_USER_AGENT", "")
    return Caller(username, password, request.remote_addr or "", environ.get(WAITED, 0.0), agent)


def authenticate() -> None:
    """Hold the caller to its credentials, now.  Raises what each question to the hub does."""
    hub.me(caller())


def insider(view: View) -> View:
    """Have a view say what is wrong with its input only to a caller whose credentials are right."""

    @wraps(view)
    def guarded(*args: Any, **options: Any) -> Any:
        try:
            return view(*args, **options)
        except (Problem, HTTPException) as error:
            if not isinstance(error, Problem) or error.status not in OF_THE_HUB:
                authenticate()
            raise

    return guarded  # type: ignore[return-value]


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
