"""What all connections of the server share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from protocols.contract import Authenticate, Presence
from protocols.hits import Hits
from protocols.journal import Journal
from protocols.opcua.aside import Aside
from protocols.opcua.held import Held
from protocols.opcua.limits import Limits
from protocols.opcua.room import Rooms
from protocols.opcua.sightings import Sightings
from protocols.opcua.space import Space
from protocols.opcua.trust import TrustFolder
from protocols.tally import Tally

if TYPE_CHECKING:
    from protocols.opcua.session import Session


@dataclass(slots=True)
class Switches:
    """What an operator may change while the server runs."""

    allow_none: bool = True  # policy None, for more than discovery
    allow_plaintext: bool = False  # a password that nothing encrypts
    require_trust: bool = False  # of the client's certificate, on a secured channel

    def follow(self, switches: Mapping[str, bool]) -> None:
        """Take over how they stand, by the names of their settings: OPCUA_ and the name in capitals."""
        for setting, on in switches.items():
            name = setting.removeprefix("OPCUA_").lower()
            if name in self.__slots__ and name != setting.lower():
                setattr(self, name, on)


@dataclass(slots=True)
class Common:
    """Handed to each connection."""

    authenticate: Authenticate
    presence: Presence
    limits: Limits
    space: Space
    switches: Switches
    trust: TrustFolder
    sightings: Sightings
    clock: Callable[[], datetime]
    loop: asyncio.AbstractEventLoop
    journal: Journal
    tally: Tally
    held: Held
    aside: Aside
    rooms: Rooms
    hits: Hits
    sessions: dict[int, set[Session]] = field(default_factory=dict)  # logged in, by integration

    def now(self) -> float:
        """Return the loop's time, in seconds."""
        return self.loop.time()

    def enter(self, session: Session) -> None:
        """Count a session that is logged in."""
        self.sessions.setdefault(session.caller.grant.integration_id, set()).add(session)

    def leave(self, session: Session) -> None:
        """Count it no more."""
        integration_id = session.caller.grant.integration_id
        self.sessions[integration_id].discard(session)
        if not self.sessions[integration_id]:
            del self.sessions[integration_id]
