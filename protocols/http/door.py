"""Who may call the API: each request brings its credentials, and is decided on by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from protocols.contract import Authenticate, Grant, Login, Wait
from protocols.http.periods import Period, Periods

SHOWN_AGENT = 200  # characters

Answer = dict[str, Any]


class Door:
    """Asks about each request, and notes the presence of those that are let in."""

    def __init__(self, authenticate: Authenticate, periods: Periods, clock: Callable[[], float]) -> None:
        self._authenticate = authenticate
        self._periods = periods
        self._clock = clock

    def admit(self, caller: Mapping[str, Any]) -> Period | Answer:
        """Return the period of an accepted request; of any other, what to answer."""
        login = _login(caller)
        decision = self._authenticate(login, float(caller["waited"]))
        if isinstance(decision, Wait):
            return {"wait": decision.seconds}
        if not isinstance(decision, Grant):
            return {"unauthorized": True}
        return self._periods.visit(decision, login, self._clock())


def _login(caller: Mapping[str, Any]) -> Login:
    agent = str(caller["agent"])[:SHOWN_AGENT]
    return Login("http", caller["username"], caller["password"], agent, caller["address"], "1.1", "http")
