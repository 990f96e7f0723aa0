"""A door with requests behind it, and clients that knock there."""

from __future__ import annotations

import itertools
from typing import Any

from protocols.knocks import Knock, Request
from protocols.onboarding import LOOK, Bounds, Requests

T = 1_000_000.0
END = T + 600


class Door:
    """Requests behind a window that is open, and clients that try as real ones do."""

    def __init__(self, **bounds: float) -> None:
        numbers = itertools.count(1)
        stated = {"requests": 10, "held": 4, "hold": 20.0, "per_address": 5, **bounds}
        self.requests = Requests(Bounds(**stated), lambda: f"r{next(numbers)}")
        self.requests.follow(1, END, ())
        self.sealed = 0

    def seal(self) -> bytes:
        self.sealed += 1
        return b"sealed"

    def ask(self, knock: Knock, began: float, at: float) -> float | None:
        return self.requests.knock(knock, at, at - began, self.seal)

    def wait(self, knock: Knock, began: float, until: float) -> float | None:
        """Have a client wait as long as it may; return the last answer."""
        at = began + LOOK
        while (answer := self.ask(knock, began, at)) and at < until:
            at += answer
        return answer

    def names(self, at: float = T) -> list[str]:
        return [request.knock.username for request in self.requests.listed(at)]

    def only(self, at: float = T) -> Request:
        (request,) = self.requests.listed(at)
        return request


def knock(username: str = "press", offered: str = "a", origin: str = "192.0.2.1", **more: Any) -> Knock:
    values = {"protocol": "mqtt", "client_id": "c", "address": origin, **more}
    return Knock(username=username, digest=offered.encode(), origin=origin, **values)
