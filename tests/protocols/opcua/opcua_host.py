"""What a server is handed in these tests."""

from __future__ import annotations

import threading

from protocols.contract import Grant, Login, Refusal, Wait
from tests.protocols.opcua.opcua_wire import USERS


class Door:
    """An `authenticate` that knows a few integrations, and remembers every login."""

    def __init__(self) -> None:
        self.logins: list[Login] = []
        self.waits: dict[str, list[Wait]] = {}  # given before any other answer, by username
        self.waited: list[float] = []
        self.answers: dict[str, Grant | Refusal] = {name: Grant(number, name) for name, number in USERS.items()}
        self.answers["idle"] = Refusal.INACTIVE

    def __call__(self, login: Login, waited: float = 0.0) -> Grant | Refusal | Wait:
        self.logins.append(login)
        self.waited.append(waited)
        if login.username is None or login.password is None:
            return Refusal.NO_CREDENTIALS
        if self.waits.get(login.username):
            return self.waits[login.username].pop(0)
        answer = self.answers.get(login.username, Refusal.UNKNOWN_USERNAME)
        if isinstance(answer, Grant) and login.password != b"right":
            return Refusal.WRONG_PASSWORD
        return answer


class Recorder:
    """A presence that remembers, and lets a test wait for what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, ...]] = []
        self.open: set[str] = set()
        self._changed = threading.Condition()

    def connected(self, grant: Grant, login: Login) -> str:
        with self._changed:
            connection_id = str(1 + sum(event[0] == "connected" for event in self.events))
            self.events.append(("connected", connection_id, grant.username, login.client_id))
            self.open.add(connection_id)
            self._changed.notify_all()
        return connection_id

    def disconnected(self, connection_id: str, reason: str) -> None:
        with self._changed:
            self.open.remove(connection_id)  # exactly once
            self.events.append(("disconnected", connection_id, reason))
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[tuple[str, ...]]:
        """Return the events, once there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.events) >= count, 20), self.events
            return list(self.events)
