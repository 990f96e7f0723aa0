"""What a client is told of its request that cannot be done, with the status of the answer (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

ABOUT_BLANK = "about:blank"  # the type of a problem that its status says all of
FAILED = "/api/v1/#CallProblem"  # that of a function that raised an error; it leads to where the API's page says so

Place = Mapping[str, str]  # of an input: {"parameter": name}, or {"pointer": into the body}


class Fault(Exception):
    """A problem; `place` is the input that it is about, `retry` the seconds after which trying again makes sense."""

    def __init__(
        self, status: int, detail: str, place: Place | None = None, *, retry: int = 0, kind: str = ABOUT_BLANK
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.place = place
        self.retry = retry
        self.kind = kind

    def told(self) -> dict[str, Any]:
        """Return it as the client is told it."""
        title = "The function failed" if self.kind == FAILED else HTTPStatus(self.status).phrase
        told: dict[str, Any] = {"type": self.kind, "title": title, "status": self.status, "detail": self.detail}
        if self.place is not None:
            told["errors"] = [{"detail": self.detail, **self.place}]
        return told


class NotYet(Exception):
    """It cannot be said yet: the request is to be run again in a moment."""


def parameter(name: str) -> Place:
    """Return the place of a parameter of the path or the query."""
    return {"parameter": name}


def pointer(*tokens: str | int) -> Place:
    """Return a place in the body (RFC 6901, in a URI fragment); no token has a slash or a tilde."""
    return {"pointer": "#" + "".join(f"/{token}" for token in tokens)}
