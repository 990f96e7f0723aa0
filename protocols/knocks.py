"""What is known of a client that knocks: its try, its request, and the password that it offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Knock(NamedTuple):
    """A login with an unknown username, or with a password that its integration does not have."""

    protocol: str
    username: str
    digest: bytes  # of the password
    origin: str  # what the address is counted as
    address: str
    client_id: str
    will_topic: str = ""
    name: str = ""  # what the client says that it is called
    is_near: bool = False  # it comes from an address that clients have logged in from, or that is none of the Internet

    @property
    def key(self) -> tuple[str, ...]:
        return self.protocol, self.username, self.digest.hex(), self.origin

    @property
    def place(self) -> tuple[str, str, str]:
        return self.protocol, self.username, self.origin

    @property
    def nameless(self) -> tuple[str, ...] | None:
        """Return what a client is known by that comes without a username; None where nothing tells it from others."""
        return (self.protocol, "", self.client_id, self.origin) if self.protocol == "mqtt" else None


@dataclass(slots=True)
class Request:
    """A client that asks to come in."""

    id: str
    knock: Knock  # the last one
    sealed: bytes
    first_at: float
    last_at: float
    tries: int = 0
    since: float = 0.0  # when the try that may wait began
    looked_at: float = 0.0
    client_id_varies: bool = False
    is_made_up: bool = False  # its credentials were made up here
    is_told: bool = False  # they were, and its client has not come with them yet
    approved_at: float | None = None

    @property
    def patience(self) -> float:
        return max(self.last_at, self.looked_at) - self.first_at


@dataclass(slots=True)
class Offer:
    """A password that a known client came with instead of its own."""

    id: str
    integration_id: int
    digest: bytes
    sealed: bytes  # b"" once there was another one: nobody can tell which is the client's
    knock: Knock
    first_at: float
    last_at: float
    tries: int = 0
