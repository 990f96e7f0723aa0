"""Who may call the API: each request brings its credentials, and is decided on by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from protocols.contract import Authenticate, Give, Grant, Login, Wait, give_nobody
from protocols.http.periods import Period, Periods

SHOWN_AGENT = 200  # characters
SHOWN_NAME = 200

Answer = dict[str, Any]


class Door:
    """Asks about each request, and notes the presence of those that are let in."""

    def __init__(
        self,
        authenticate: Authenticate,
        periods: Periods,
        clock: Callable[[], float],
        give: Give = give_nobody,
    ) -> None:
        self._authenticate = authenticate
        self._periods = periods
        self._clock = clock
        self._give = give

    def admit(self, caller: Mapping[str, Any]) -> Period | Answer:
        """Return the period of an accepted request; of any other, what to answer."""
        login = _login(caller)
        decision = self._authenticate(login, float(caller["waited"]))
        if isinstance(decision, Wait):
            return {"wait": decision.seconds}
        if not isinstance(decision, Grant):
            return {"unauthorized": True}
        return self._periods.visit(decision, login, self._clock())

    def knock(self, caller: Mapping[str, Any], name: str, is_given: bool) -> Answer:
        """Have an operator asked about a caller, or say that it may come in; it is not kept waiting for that.

        `is_given` says that it has no credentials, and may be given some, which are told it with the answer.
        """
        login = _login(caller)._replace(name=name[:SHOWN_NAME])
        if is_given and (given := self._give(login)) is not None:
            return {"ok": {"is_in": False, "username": given.username, "password": given.password}}
        decision = self._authenticate(login, float(caller["waited"]))
        if isinstance(decision, Wait):
            return {"ok": {"is_in": False}} if decision.knocks else {"wait": decision.seconds}
        if not isinstance(decision, Grant):
            return {"unauthorized": True}
        self._periods.visit(decision, login._replace(name=""), self._clock())
        return {"ok": {"is_in": True}}


def _login(caller: Mapping[str, Any]) -> Login:
    agent = str(caller["agent"])[:SHOWN_AGENT]
    return Login("http", caller["username"], caller["password"], agent, caller["address"], "1.1", "http")
