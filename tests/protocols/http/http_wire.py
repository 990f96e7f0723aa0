"""What stands on the other sides of the HTTP server: who decides on logins, who notes presence, and clients."""

from __future__ import annotations

import json
from typing import Any

from protocols.contract import Grant, Login, Refusal, Wait

ADDRESS = "192.0.2.1"


class Door:
    """An `authenticate` that knows a few integrations, and remembers every login."""

    def __init__(self) -> None:
        self.logins: list[Login] = []
        self.waited: list[float] = []
        self.waits: list[Wait] = []  # given before any other answer
        self.answers: dict[str, Grant | Refusal] = {
            "ada": Grant(1, "ada"),
            "bob": Grant(2, "bob", publish=("%u/#", "all"), subscribe=("%u/#", "dev/%c/x")),
        }

    def __call__(self, login: Login, waited: float = 0.0) -> Grant | Refusal | Wait:
        self.logins.append(login)
        self.waited.append(waited)
        if self.waits:
            return self.waits.pop(0)
        if login.username is None:
            return Refusal.NO_CREDENTIALS
        answer = self.answers.get(login.username, Refusal.UNKNOWN_USERNAME)
        return Refusal.WRONG_PASSWORD if isinstance(answer, Grant) and login.password != b"right" else answer


class Recorder:
    """A presence that remembers, and holds the server to what the contract says."""

    def __init__(self) -> None:
        self.open: dict[str, Login] = {}
        self.closed: list[tuple[str, str]] = []
        self.count = 0

    def connected(self, grant: Grant, login: Login) -> str:
        assert login.username == grant.username
        self.count += 1
        self.open[f"c{self.count}"] = login
        return f"c{self.count}"

    def disconnected(self, connection_id: str, reason: str) -> None:
        del self.open[connection_id]  # once
        self.closed.append((connection_id, reason))


class Outlet:
    """A client that reads everything, until it is told to be slow."""

    def __init__(self) -> None:
        self.received = b""
        self.stream: Any = None
        self.room: int | None = None  # bytes that it takes before it is full
        self.end = ""

    def write(self, data: bytes) -> None:
        assert not self.end, "nothing is written after the end"
        self.received += data
        if self.room is not None and len(self.received) >= self.room:
            self.stream.pause(0.0)

    def close(self) -> None:
        self.end = "closed"

    def abort(self) -> None:
        self.end = "aborted"

    def take(self) -> bytes:
        """Return what has come since the last time."""
        received, self.received = self.received, b""
        return received


def caller(username: str | None = "ada", password: bytes | None = b"right", **more: Any) -> dict[str, Any]:
    found = {"username": username, "password": password, "address": ADDRESS, "waited": 0.0, "agent": "curl/8"}
    return found | more


def events(data: bytes) -> list[tuple[str, int | None, Any]]:
    """Return the events of a stream: name, number, data."""
    found = []
    for block in data.rpartition(b"\r\n\r\n")[2].decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            number = int(fields["id"]) if "id" in fields else None
            found.append((fields["event"], number, json.loads(fields["data"])))
    return found
