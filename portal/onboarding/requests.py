"""Onboarding requests as operators see them, and what they decide.

The requests themselves are in the memory of the protocols worker, in each of its parts (`protocols.doorman`); their
passwords are sealed there, and opened here only to seal them for the integration that is made of one.  What is decided
is in the database, which every part follows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from portal import activity, bans, clock, domains, integrations, presence
from portal.attempt import origin_of
from portal.config import Settings
from portal.credentials import Sealer
from portal.db import writing
from portal.fields import FieldError
from portal.integrations import Actor
from portal.kinds import protocol
from portal.models import Integration, Revision
from portal.onboarding import asking, decisions, ignored, offers, window
from portal.onboarding.offers import Offer
from portal.onboarding.window import NotOpen
from portal.worker_client import MQTT, Refused, Silent
from vrpc_topics import AGENT, guess, identity, is_edge_connector

APPROVED, DISMISSED = "onboarding.approved", "onboarding.ignored"
ACCEPTED = "onboarding.password-accepted"
BAN_HOURS = 24
SILENT = "its server does not answer, and what knocks there is not decided on. Try again."
DECIDED = "it was decided on already, and its client is let in."
ONLINE = "It is online with its own password. To give it another one all the same, change it in the list."


@dataclass(frozen=True, slots=True)
class Request:
    """A client that asks to come in."""

    id: str
    protocol: str
    username: str
    client_id: str
    address: str
    will_topic: str
    name: str  # what it says that it is called
    tries: int
    first_at: datetime
    last_at: datetime
    client_id_varies: bool
    is_made_up: bool  # it came without a username, and was told credentials that Gatehouse made up
    is_told: bool  # it was, and has not come with them yet
    key: tuple[str, ...]  # protocol, username, digest of its password, origin
    nameless: tuple[str, ...]  # what it is known by without a username; () if it has one, or nothing tells it apart
    is_held: bool = False  # it waits at the door
    is_rival: bool = False  # another one knocks with the same username and other credentials

    @property
    def place(self) -> tuple[str, ...]:
        """Return who it is, whatever its password."""
        protocol, username, _, origin = self.key
        return protocol, username, origin

    @property
    def type(self) -> str:
        """Return the type of client that this seems to be, and of the integration to make."""
        if self.comes_for is None:
            return self.protocol
        _, role = self.comes_for
        return "edge" if role == AGENT and is_edge_connector(self.client_id) else "vrpc"

    @property
    def comes_for(self) -> tuple[str, str] | None:
        """Return the domain ("" for the default) and the role in it that a client of VRPC comes for."""
        if self.protocol != "mqtt":
            return None
        if self.will_topic:
            known = identity(self.will_topic)
            return (known.domain, known.kind) if known is not None else None
        guessed = guess(self.client_id, self.username)
        return guessed and (guessed[1], guessed[0])


@dataclass(frozen=True, slots=True)
class Found:
    """What the parts that answered know."""

    requests: tuple[Request, ...] = ()
    more: int = 0  # tries that were counted only
    offers: tuple[Offer, ...] = ()
    silent: tuple[str, ...] = ()  # parts that did not answer

    def offer_of(self, integration_id: int) -> Offer | None:
        """Return what is offered for an integration."""
        return next((offer for offer in self.offers if offer.integration_id == integration_id), None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of approving one request: an integration, or why there is none.

    Of a part that does not answer nobody knows whose the requests are: it is told by the name of its protocol.
    """

    username: str
    integration: Integration | None
    fault: str = ""


def find(settings: Settings) -> Found:
    """Return the requests, the oldest first, and the passwords that are offered."""
    known = asking.known(settings)
    taken = _taken(row["username"] for row in known.requests)  # decided on a moment ago
    rows = [row for row in known.requests if row["username"] not in taken]
    names = Counter(row["username"] for row in rows)
    requests = [_request(row, is_rival=names[row["username"]] > 1) for row in rows]  # so that no row moves for another
    return Found(tuple(requests), known.more, tuple(offers.of(known.offers)), tuple(known.silent))


def approve(ids: Collection[str], actor: Actor, sealer: Sealer, settings: Settings) -> list[Outcome]:
    """Make integrations of these requests; those that are gone are left out.

    Raises `NotOpen`, and `Silent` if no part answers that is asked.  If some do, or the window closes in between, what
    came of each is returned.
    """
    window.held(clock.now())
    rows, silent = asking.sealed(ids, settings)
    if silent and not rows:
        raise Silent
    outcomes = []
    for row in rows:
        sealed = row.pop("sealed")
        outcomes.append(_approve(_request(row), sealed, actor, sealer, settings))
    return outcomes + [Outcome(protocol(part), None, SILENT) for part in silent]


def _approve(request: Request, sealed: bytes, actor: Actor, sealer: Sealer, settings: Settings) -> Outcome:
    domain, role = _place(request, settings)
    password = sealer.open(sealed)
    try:
        with writing():
            Revision.bump(window.ONBOARDING)
            window.held(clock.now())
            made = integrations.create(
                actor,
                sealer,
                request.type,
                username=request.username,
                password=password,
                note=" ".join(request.name.split()),
                domain=domain,
                role=role,
            )
            decisions.record(decisions.APPROVED, keys=[request.key])
            _record(APPROVED, request, actor, made)
    except FieldError as error:
        fault = DECIDED if _is_in(request.username, password, sealer) else error.message
        return Outcome(request.username, None, fault)
    except NotOpen as error:
        return Outcome(request.username, None, str(error))
    return Outcome(request.username, made)


def _place(request: Request, settings: Settings) -> tuple[str, str]:
    """Return the domain and the role of the integration to make: those that the client comes for."""
    if request.comes_for is None:
        return "", ""
    domain, role = request.comes_for
    return domain or domains.default(settings), role


def _is_in(username: str, password: str, sealer: Sealer) -> bool:
    """Tell whether these credentials are those of an integration."""
    found = Integration.get_or_none(Integration.username == username)
    return found is not None and sealer.open(found.sealed_password) == password


def dismiss(ids: Collection[str], actor: Actor, settings: Settings, *, for_good: bool = False) -> list[Request]:
    """Have no more of these clients while this window is open, or for good.  Raises `NotOpen` and `Silent`."""
    window.held(clock.now())
    rows, silent = asking.sealed(ids, settings)
    if silent and not rows:
        raise Silent
    known = find(settings).requests
    dismissed = []
    for row in rows:
        del row["sealed"]
        dismissed.append(_dismiss(_request(row), known, actor, for_good=for_good))
    return dismissed


def _dismiss(request: Request, known: Iterable[Request], actor: Actor, *, for_good: bool) -> Request:
    if for_good:
        if request.is_made_up and request.protocol == MQTT and request.client_id:  # it will be given another username
            ignored.add(actor, request.protocol, "", request.client_id, told(request))
        client_id = "" if request.client_id_varies else request.client_id
        ignored.add(actor, request.protocol, request.username, client_id, told(request))
    with writing():
        Revision.bump(window.ONBOARDING)
        window.held(clock.now())
        decisions.record(decisions.IGNORED, keys=_names(request, known))
        if not for_good:
            _record(DISMISSED, request, actor)
    return request


def _names(request: Request, known: Iterable[Request]) -> list[tuple[str, ...]]:
    """Return what a client is ignored by: whatever password it comes with; among rivals behind one router its own."""
    has_rivals = any(other.place == request.place and other.key != request.key for other in known)
    return [request.key if has_rivals else request.place, *filter(None, [request.nameless])]


def ban(id: str, actor: Actor, settings: Settings) -> str | None:
    """Ban the address that a request came from; return it, None if it is gone.  Raises `NotOpen` and `Silent`."""
    window.held(clock.now())
    rows, silent = asking.sealed([id], settings)
    if silent:
        raise Silent
    if not rows:
        return None
    address = str(rows[0]["address"])
    bans.add(address, str(rows[0]["protocol"]), str(rows[0]["username"]), BAN_HOURS, actor)
    with writing():
        Revision.bump(window.ONBOARDING)
        decisions.record(decisions.BANNED, origin=origin_of(address))
    return address


def accept(integration_id: int, offer_id: str, actor: Actor, sealer: Sealer, settings: Settings) -> Integration | None:
    """Give an integration the password that its client has now; None if it is not offered any more.

    Whoever is online with the right one is not cut off for it.  Raises `NotOpen`, `NotFound`, `Refused` and `Silent`.
    """
    window.held(clock.now())
    if presence.count_by_integration([integration_id], clock.now()):
        raise Refused(ONLINE)
    row = asking.offered(integration_id, offer_id, settings)
    offer = find(settings).offer_of(integration_id)  # of all nodes
    if row is None or offer is None or not offer.is_clear:
        return None
    with writing():
        Revision.bump(window.ONBOARDING)
        window.held(clock.now())
        changed = integrations.set_password(integration_id, sealer.open(row["sealed"]), actor, sealer)
        decisions.record(decisions.ACCEPTED, integration_id=integration_id)
        who = {"account": actor.name, "address": actor.address}
        activity.record(ACCEPTED, clock.now(), integration=changed, detail=offers.told(offer), **who)
    return changed


def _record(kind: str, request: Request, actor: Actor, made: Integration | None = None) -> None:
    activity.record(
        kind,
        clock.now(),
        integration=made,
        username=request.username,
        account=actor.name,
        protocol=request.protocol,
        address=actor.address,
        detail=told(request),
    )


def told(request: Request) -> str:
    """Return who a request is from, for the activity."""
    tries = "1 try" if request.tries == 1 else f"{request.tries} tries"
    client = f"client {request.client_id[:100]} " if request.client_id else ""
    name = f"“{request.name[:100]}” " if request.name else ""
    will = f", Will on {request.will_topic[:100]}" if request.will_topic else ""
    made_up = ", username made up by Gatehouse" if request.is_made_up else ""
    return f"{client}{name}from {request.address}, {tries}{will}{made_up}"


def as_json(request: Request) -> dict[str, object]:
    """Return a request as the command line shows it; its password is not known to anybody."""
    domain, role = request.comes_for or ("", "")
    return {
        "id": request.id,
        "type": request.type,
        "protocol": request.protocol,
        "username": request.username,
        "client_id": request.client_id,
        "address": request.address,
        "will_topic": request.will_topic,
        "domain": domain,
        "role": role,
        "name": request.name,
        "tries": request.tries,
        "first_at": request.first_at.isoformat(),
        "last_at": request.last_at.isoformat(),
        "made_up": request.is_made_up,
        "held": request.is_held,
        "rival": request.is_rival,
    }


def _taken(usernames: Iterable[str]) -> set[str]:
    wanted = set(usernames)
    if not wanted:
        return set()
    return {row.username for row in Integration.select(Integration.username).where(Integration.username.in_(wanted))}


def _request(row: dict[str, Any], *, is_rival: bool = False) -> Request:
    times = {name: datetime.fromtimestamp(row[name], UTC) for name in ("first_at", "last_at")}
    names = {"key": tuple(row["key"]), "nameless": tuple(row["nameless"] or ())}
    return Request(**row | times | names, is_rival=is_rival)
