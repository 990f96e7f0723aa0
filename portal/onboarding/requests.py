"""Onboarding requests as operators see them, and what they decide.

The requests themselves are in the memory of the protocols worker, in each of its parts (`protocols.doorman`); their
passwords are sealed there, and opened here only to seal them for the integration that is made of one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from portal import activity, bans, clock, domains, integrations, presence, worker_client
from portal.attempt import origin_of
from portal.config import Settings
from portal.credentials import Sealer
from portal.db import writing
from portal.fields import FieldError
from portal.integrations import Actor
from portal.kinds import KINDS, protocol
from portal.models import Integration, Revision
from portal.onboarding import ignored, offers, window
from portal.onboarding.offers import Offer
from portal.onboarding.window import NotOpen
from portal.worker_client import MQTT, OPCUA, Refused, Silent
from vrpc_topics import identity

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
    is_held: bool = False  # it waits at the door
    is_rival: bool = False  # another one knocks with the same username and other credentials

    @property
    def detected(self) -> str:
        """Return the type of client that this seems to be."""
        return "vrpc" if identity(self.will_topic) is not None else self.protocol

    @property
    def type(self) -> str:
        """Return the type of the integration to make: the detected one, if its server lets it in by this door."""
        return self.detected if KINDS[self.detected].door == self.protocol else self.protocol


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
    rows: list[dict[str, Any]] = []
    offered: list[dict[str, Any]] = []
    silent: list[str] = []
    more = 0
    for part in parts(settings):
        found = worker_client.ask(part, "onboarding_list")
        if found is None:
            silent.append(part)
            continue
        rows += found["requests"]
        offered += found["offers"]
        more += found["more"]
    taken = _taken(row["username"] for row in rows)  # decided on a moment ago
    rows = [row for row in rows if row["username"] not in taken]
    names = Counter(row["username"] for row in rows)
    requests = [_request(row, is_rival=names[row["username"]] > 1) for row in rows]
    requests.sort(key=lambda one: one.first_at)  # so that no row moves when another comes
    return Found(tuple(requests), more, tuple(offers.of(offered)), tuple(silent))


def parts(settings: Settings) -> list[str]:
    """Return the parts of the protocols worker at which clients knock."""
    return [MQTT] if settings.opcua_port is None else [MQTT, OPCUA]


def approve(ids: Collection[str], actor: Actor, sealer: Sealer, settings: Settings) -> list[Outcome]:
    """Make integrations of these requests; those that are gone are left out.

    Raises `NotOpen`, and `Silent` if no part answers that is asked.  If some do, or the window closes in between, what
    came of each is returned.
    """
    window.held(clock.now())
    outcomes: list[Outcome] = []
    silent: list[Outcome] = []
    for part, own in _by_part(ids, settings):
        try:
            rows = worker_client.have(part, "onboarding_sealed", own)
        except Silent:
            silent.append(Outcome(protocol(part), None, SILENT))
            continue
        for row in rows:
            sealed = row.pop("sealed")
            outcomes.append(_approve(_request(row), sealed, actor, sealer, settings))
        worker_client.ask(part, "onboarding_approved", own)
    if silent and not outcomes:
        raise Silent
    return outcomes + silent


def _approve(request: Request, sealed: bytes, actor: Actor, sealer: Sealer, settings: Settings) -> Outcome:
    domain, role = _place(request, settings)
    password = sealer.open(sealed)
    try:
        with writing():
            Revision.hold(window.ONBOARDING)
            window.held(clock.now())
            made = integrations.create(
                actor,
                sealer,
                request.type,
                username=request.username,
                password=password,
                note=_note(request.name),
                domain=domain,
                role=role,
            )
            _record(APPROVED, request, actor, made)
    except FieldError as error:
        fault = DECIDED if _is_in(request.username, password, sealer) else error.message
        return Outcome(request.username, None, fault)
    except NotOpen as error:
        return Outcome(request.username, None, str(error))
    return Outcome(request.username, made)


def _place(request: Request, settings: Settings) -> tuple[str, str]:
    """Return the domain and the role of the integration to make: those that the Will tells of."""
    if request.type != "vrpc":
        return "", ""
    known = identity(request.will_topic)
    return (known.domain, known.kind) if known is not None else (domains.default(settings), "")


def _is_in(username: str, password: str, sealer: Sealer) -> bool:
    """Tell whether these credentials are those of an integration."""
    found = Integration.get_or_none(Integration.username == username)
    return found is not None and sealer.open(found.sealed_password) == password


def dismiss(ids: Collection[str], actor: Actor, settings: Settings, *, for_good: bool = False) -> list[Request]:
    """Have no more of these clients while this window is open, or for good.  Raises `NotOpen` and `Silent`."""
    window.held(clock.now())
    dismissed = []
    for part, own in _by_part(ids, settings):
        for row in worker_client.have(part, "onboarding_sealed", own):
            del row["sealed"]
            request = _request(row)
            _record_dismissal(request, actor, for_good=for_good)
            dismissed.append(request)
        worker_client.ask(part, "onboarding_dismiss", own)
    return dismissed


def _record_dismissal(request: Request, actor: Actor, *, for_good: bool) -> None:
    window.held(clock.now())
    if for_good:
        if request.is_made_up and request.protocol == MQTT and request.client_id:  # it will be given another username
            ignored.add(actor, request.protocol, "", request.client_id, told(request))
        client_id = "" if request.client_id_varies else request.client_id
        ignored.add(actor, request.protocol, request.username, client_id, told(request))
        return
    with writing():
        _record(DISMISSED, request, actor)


def ban(id: str, actor: Actor, settings: Settings) -> str | None:
    """Ban the address that a request came from; return it, None if the request is gone.  Raises `Silent`."""
    for part, own in _by_part([id], settings):
        for row in worker_client.have(part, "onboarding_sealed", own):
            address = str(row["address"])
            bans.add(address, str(row["protocol"]), str(row["username"]), BAN_HOURS, actor)
            for other in parts(settings):
                worker_client.ask(other, "onboarding_dismiss_origin", origin_of(address))
            return address
    return None


def accept(integration_id: int, offer_id: str, actor: Actor, sealer: Sealer, settings: Settings) -> Integration | None:
    """Give an integration the password that its client has now; None if it is not offered any more.

    Whoever is online with the right one is not cut off for it.  Raises `NotOpen`, `NotFound`, `Refused` and `Silent`.
    """
    window.held(clock.now())
    if presence.count_by_integration([integration_id], clock.now()):
        raise Refused(ONLINE)
    for part, (own,) in _by_part([offer_id], settings):
        row = worker_client.have(part, "onboarding_offered", integration_id, own)
        if row is None or not row["is_clear"]:
            return None
        sealed = row.pop("sealed")
        detail = offers.told(*offers.of([row]))
        with writing():
            Revision.hold(window.ONBOARDING)
            window.held(clock.now())
            changed = integrations.set_password(integration_id, sealer.open(sealed), actor, sealer)
            now, by = clock.now(), actor
            activity.record(ACCEPTED, now, integration=changed, account=by.name, address=by.address, detail=detail)
        worker_client.ask(part, "onboarding_let_in", integration_id)
        return changed
    return None


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
    return {
        "id": request.id,
        "type": request.type,
        "detected": request.detected,
        "protocol": request.protocol,
        "username": request.username,
        "client_id": request.client_id,
        "address": request.address,
        "will_topic": request.will_topic,
        "name": request.name,
        "tries": request.tries,
        "first_at": request.first_at.isoformat(),
        "last_at": request.last_at.isoformat(),
        "made_up": request.is_made_up,
        "held": request.is_held,
        "rival": request.is_rival,
    }


def _note(name: str) -> str:
    return " ".join(name.split())


def _by_part(ids: Collection[str], settings: Settings) -> list[tuple[str, list[str]]]:
    """Return the ids that each part gave out."""
    by_part = [(part, [id for id in ids if id.partition(".")[0] == part]) for part in parts(settings)]
    return [(part, own) for part, own in by_part if own]


def _taken(usernames: Iterable[str]) -> set[str]:
    wanted = set(usernames)
    if not wanted:
        return set()
    return {row.username for row in Integration.select(Integration.username).where(Integration.username.in_(wanted))}


def _request(row: dict[str, Any], *, is_rival: bool = False) -> Request:
    times = {name: datetime.fromtimestamp(row[name], UTC) for name in ("first_at", "last_at")}
    return Request(**row | times, is_rival=is_rival)
