"""Who may call the API: each request brings its credentials, and is decided on by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from protocols.contract import Authenticate, Grant, Login, Wait
from protocols.http.periods import Period, Periods

SHOWN_AGENT = 200  # characters
SHOWN_NAME = 200
SURE = 3.0  # seconds of waiting after which every login is decided on

Answer = dict[str, Any]


class Door:
    """Asks about each request, and notes the presence of those that are let in."""

    def __init__(
        self,
        authenticate: Authenticate,
        periods: Periods,
        clock: Callable[[], float],
        invites: Callable[[], bool] = lambda: False,
    ) -> None:
        """`invites` says whether clients that nobody knows may ask to come in."""
        self._authenticate = authenticate
        self._periods = periods
        self._clock = clock
        self._invites = invites

    def admit(self, caller: Mapping[str, Any]) -> Period | Answer:
        """Return the period of an accepted request; of any other, what to answer."""
        login = _login(caller)
        decision = self._authenticate(login, float(caller["waited"]))
        if isinstance(decision, Wait):
            return {"wait": decision.seconds}
        if not isinstance(decision, Grant):
            return {"unauthorized": True}
        return self._periods.visit(decision, login, self._clock())

    def knock(self, caller: Mapping[str, Any], name: str, is_made_up: bool) -> Answer:
        """Have an operator asked about a caller, or say that it may come in; it is not kept waiting for that.

        `is_made_up` says that its credentials were made for it: nobody can have got them yet.
        """
        login = _login(caller)._replace(name=name[:SHOWN_NAME])
        if is_made_up and not self._invites():
            login = login._replace(username=None, password=None)
        decision = self._authenticate(login, float(caller["waited"]))
        if is_made_up and isinstance(decision, Wait):
            decision = self._authenticate(login, SURE)
        if isinstance(decision, Wait):
            return {"ok": False} if decision.knocks else {"wait": decision.seconds}
        if not isinstance(decision, Grant):
            return {"unauthorized": True}
        self._periods.visit(decision, login._replace(name=""), self._clock())
        return {"ok": True}


def _login(caller: Mapping[str, Any]) -> Login:
    agent = str(caller["agent"])[:SHOWN_AGENT]
    return Login("http", caller["username"], caller["password"], agent, caller["address"], "1.1", "http")
