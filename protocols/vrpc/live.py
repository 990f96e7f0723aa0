"""Who is connected as which agent or client of VRPC, across integrations."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from protocols.contract import Refusal
from protocols.vrpc.names import AGENT, ENDING, Identity, teller

FLAPS, WITHIN = 3, 60.0  # take-overs of one agent within so many seconds are those of twins
_REMEMBERED = 1_000  # agents that were taken over lately


class Who(NamedTuple):
    """One connection that is an agent or a client."""

    connection_id: str
    integration_id: int
    username: str
    address: str
    client_id: str
    is_bound: bool = False  # by the rules of an integration of VRPC, which hold for others, too


class Claimant(NamedTuple):
    """An integration that wants to be an agent or a client, by the connection that asks for it."""

    integration_id: int
    username: str
    address: str


class Follower(Protocol):
    """Is told who comes and goes."""

    def joined(self, identity: Identity, who: Who) -> None:
        """A connection has been let in."""
        ...

    def left(self, identity: Identity, who: Who) -> None:
        """A connection has ended, and its Will was published; of one that is taken over, before the new one joins."""
        ...

    def rivals(self, identity: Identity, addresses: tuple[str, str]) -> None:
        """Two fight for one name: who has it, or had it, and who wants it."""
        ...

    def claimed(self, identity: Identity, claimant: Claimant) -> None:
        """An integration was refused that wants to be an agent which is offline, and belongs to another one."""
        ...


class Live:
    """The connections by identity: an agent has one at most, a client may have more of one integration."""

    def __init__(self) -> None:
        self.follower: Follower | None = None
        self._who: dict[Identity, dict[str, Who]] = {}
        self._taken: dict[Identity, list[float]] = {}  # when an agent was taken over, lately

    def __len__(self) -> int:
        return len(self._who)

    def owner(self, identity: Identity) -> Who | None:
        """Return a connection that is this agent or client."""
        return next(iter(self._who.get(identity, {}).values()), None)

    def tells(self, topic: str) -> bool:
        """Say whether a connection of an integration of VRPC tells of itself on this topic, and so nobody else may."""
        known = teller(topic) if topic.endswith(ENDING) else None
        owner = self.owner(known) if known is not None else None
        return owner is not None and owner.is_bound

    def join(self, identity: Identity, who: Who) -> None:
        """Note a connection that has been let in."""
        self._who.setdefault(identity, {})[who.connection_id] = who
        if self.follower is not None:
            self.follower.joined(identity, who)

    def leave(self, identity: Identity, connection_id: str) -> None:
        """Forget a connection that has ended."""
        found = self._who[identity]
        who = found.pop(connection_id)
        if not found:
            del self._who[identity]
        if self.follower is not None:
            self.follower.left(identity, who)

    def taken(self, identity: Identity, claimant: Claimant, belongs_to: int) -> Refusal | None:
        """Say why an integration may not be who another one's client is, or was last; 0 for what is nobody's.

        While it is offline, too: else whoever comes first could take the requests that are meant for it.
        """
        owner = self.owner(identity)
        if owner is not None:
            if owner.integration_id == claimant.integration_id:
                return None
            self._tell_rivals(identity, (owner.address, claimant.address))
            return Refusal.NAME_TAKEN
        if belongs_to in (0, claimant.integration_id):
            return None
        if self.follower is not None:
            self.follower.claimed(identity, claimant)
        return Refusal.NAME_OWNED

    def take_over(self, identity: Identity, address: str, now: float) -> Who | None:
        """Return the connection that has to end because this agent comes again; a third one in a row is a twin's."""
        owner = self.owner(identity) if identity.kind == AGENT else None
        if owner is None:
            return None
        times = [time for time in self._taken.get(identity, ()) if now - time < WITHIN] + [now]
        self._taken[identity] = times[-FLAPS:]
        if len(times) >= FLAPS:
            self._tell_rivals(identity, (owner.address, address))
        if len(self._taken) > _REMEMBERED:
            self._taken = {one: times for one, times in self._taken.items() if now - times[-1] < WITHIN}
        return owner

    def _tell_rivals(self, identity: Identity, addresses: tuple[str, str]) -> None:
        if self.follower is not None:
            self.follower.rivals(identity, addresses)
