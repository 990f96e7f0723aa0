"""A part of the protocols worker at which clients log in and knock, without sockets."""

from __future__ import annotations

from datetime import datetime, timedelta

from portal.gate import Gate
from portal.guard import Guard, Rules
from portal.onboarding import decisions, window
from protocols.contract import Grant, Login, Refusal, Wait
from protocols.doorman import Doorman
from protocols.entrance import Entrance
from protocols.joining import Joining
from protocols.onboarding import Bounds

SECRET = b"correct-horse-7431"
PER_ADDRESS = 6


class Book:
    """Notes who was refused."""

    def __init__(self) -> None:
        self.refusals: list[tuple[str | None, Refusal]] = []

    def refused(self, login: Login, refusal: Refusal, integration_id: int | None) -> None:
        self.refusals.append((login.username, refusal))


class House:
    """A part of the protocols worker, without its servers and threads; time passes as its clients wait."""

    def __init__(self, sealer, began: datetime) -> None:
        self.began = self.now = began
        self.gate = Gate(sealer)
        self.guard = Guard(Rules(per_address=5, per_username=5))
        self.book = Book()
        bounds = Bounds(requests=10, held=4, hold=20.0, per_address=PER_ADDRESS)
        self.doorman = Doorman("mqtt", "here", bounds, sealer, self.guard.knows)
        self.entrance = Entrance(self.gate, self.guard, self.book, self.doorman, Joining(sealer, lambda act: act()))
        self.follow()

    def follow(self) -> None:
        """Read what has changed in the database."""
        self.gate.refresh()
        self.doorman.follow(window.read())

    def ask(self, login: Login, waited: float = 0.0) -> Grant | Refusal | Wait:
        self.gate.read_at += 100  # as if it was read a moment ago
        if not waited:
            self.began += timedelta(seconds=0.4)
        self.now = self.began + timedelta(seconds=waited)
        return self.entrance(login, waited)

    def try_once(self, login: Login) -> Grant | Refusal | Wait:
        """Return the answer once it has waited as long as anybody has to."""
        first = self.ask(login)
        return self.ask(login, first.seconds) if isinstance(first, Wait) else first

    def listed(self) -> list[dict]:
        return self.doorman.listed()["requests"]

    def is_banned(self, login: Login) -> bool:
        return self.ask(login) is Refusal.TOO_MANY_FAILURES


def decide(house: House, kind: str, **subject: object) -> None:
    """Have the doorman follow what an operator has decided, and nothing else."""
    decisions.record(kind, **subject)
    house.doorman.follow(window.read())


def login(username: str = "press", password: bytes = SECRET, **more: str) -> Login:
    values = {"protocol": "mqtt", "client_id": "client-1", "address": "192.0.2.1", **more}
    return Login(username=username, password=password, **values)
