"""What can be done with integrations.  Each verb is one transaction that also counts the change and records it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import peewee as pw

from portal import activity, clock, fields
from portal.credentials import Sealer, generate_password, generate_username
from portal.db import writing
from portal.fields import FieldError
from portal.kinds import KINDS
from portal.models import Connection, Integration, Revision, tuples

GENERATE_ATTEMPTS = 8
# The columns that a change may touch; the last login is the presence thread's.
CHANGED = (
    "username",
    "sealed_password",
    "note",
    "active",
    "revision",
    "deactivation",
    "publish_filters",
    "subscribe_filters",
    "domain",
    "role",
)
MAX_ID = 2**63  # a greater number in an address is no id, and more than SQLite can be asked for
TAKEN = "This username is taken by another integration."


class NotFound(LookupError):
    """There is no such integration (any more)."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change: an account's e-mail address, or the command line; and from where."""

    name: str
    address: str | None = None


def by_username(username: str) -> Integration:
    """Return the integration of this username; raises `NotFound`."""
    found = Integration.get_or_none(Integration.username == username)
    if found is None:
        raise NotFound(f"no integration has the username {username!r}")
    return found


def by_id(integration_id: int) -> Integration:
    """Return an integration; raises `NotFound`."""
    found = Integration.get_or_none(Integration.id == integration_id) if integration_id < MAX_ID else None
    if found is None:
        raise NotFound(f"no integration has the id {integration_id}")
    return found


def create(
    actor: Actor,
    sealer: Sealer,
    type: str,
    *,
    username: str | None = None,
    password: str | None = None,
    note: str = "",
    domain: str = "",
    role: str = "",
) -> Integration:
    """Add an active integration; what is not given is generated, but the domain of VRPC.  Raises `FieldError`."""
    if type not in KINDS:
        raise FieldError("type", f"A type is one of {', '.join(KINDS)}.")
    domain, role = fields.place_in_domain(type, domain, role)
    secret = generate_password() if password is None else fields.password(password)
    with writing():
        revision = Revision.bump("integrations")
        name = _free_username() if username is None else fields.username(username)
        _refuse_taken(name)
        now = clock.now()
        integration = Integration.create(
            id=revision,  # SQLite by itself would use the id of a deleted integration again
            username=name,
            sealed_password=sealer.seal(secret),
            type=type,
            note=fields.note(note),
            created_at=now,
            created_by=actor.name,
            revision=revision,
            publish_filters=KINDS[type].topics,
            subscribe_filters=KINDS[type].topics,
            domain=domain,
            role=role,
        )
        _record("integration.created", integration, actor, KINDS[type].label)
    return integration


def rename(integration_id: int, username: str, actor: Actor) -> Integration:
    """Give an integration another username, which cuts its connections.  Raises `FieldError`."""
    username = fields.username(username)
    with _changing(integration_id) as integration:
        if integration.username != username:
            if integration.type == "edge":  # whose download and agent are called like it
                username = fields.edge_name("username", username)
            _refuse_taken(username)
            detail = f"was {integration.username}"
            integration.username = username
            _save(integration, "integration.renamed", actor, detail)
    return integration


def set_password(integration_id: int, password: str, actor: Actor, sealer: Sealer) -> Integration:
    """Give an integration another password, which cuts its connections.  Raises `FieldError`."""
    password = fields.password(password)
    with _changing(integration_id) as integration:
        integration.sealed_password = sealer.seal(password)
        _save(integration, "integration.password-changed", actor)
    return integration


def set_note(integration_id: int, note: str, actor: Actor) -> Integration:
    """Replace an integration's note.  Raises `FieldError`."""
    note = fields.note(note)
    with _changing(integration_id) as integration:
        if integration.note != note:
            integration.note = note
            _save(integration, "integration.note-changed", actor)
    return integration


def set_active(integration_id: int, active: bool, actor: Actor) -> Integration:
    """Activate or deactivate an integration; deactivating cuts its connections at once."""
    with _changing(integration_id) as integration:
        if integration.active != active:
            integration.active = active
            kind = "integration.activated" if active else "integration.deactivated"
            if not active:  # its connections are cut, even if it is activated again before anybody looks
                integration.deactivation = integration.revision
            _save(integration, kind, actor)
    return integration


def set_permissions(
    integration_id: int,
    actor: Actor,
    *,
    publish: Iterable[str] | None = None,
    subscribe: Iterable[str] | None = None,
) -> Integration:
    """Say to which topics an integration may publish and subscribe; None leaves it as it is.  Raises `FieldError`."""
    wanted = {
        name: fields.topic_filters(name, lines)
        for name, lines in (("publish", publish), ("subscribe", subscribe))
        if lines is not None
    }
    with _changing(integration_id) as integration:
        kind = KINDS[integration.type]
        if wanted and not kind.has_filters:
            follow = f"The topics of a {kind.label} integration follow from its domain and its role."
            raise FieldError(next(iter(wanted)), follow)
        changes = []
        for name, filters in wanted.items():
            if getattr(integration, f"{name}_filters") != filters:
                setattr(integration, f"{name}_filters", filters)
                changes.append(f"{name}: {', '.join(filters) or 'nothing'}")
        if changes:
            _save(integration, "integration.permissions-changed", actor, "; ".join(changes))
    return integration


def set_domain(integration_id: int, actor: Actor, *, domain: str, role: str = "") -> Integration:
    """Put an integration into a domain of VRPC, in a role; an HTTP one without a domain calls nothing.

    Open connections follow at once.  Raises `FieldError`.
    """
    with _changing(integration_id) as integration:
        before = integration.domain, integration.role
        wanted = fields.place_in_domain(integration.type, domain, role)
        if wanted != before:
            integration.domain, integration.role = wanted
            _save(integration, "integration.domain-changed", actor, f"{told_place(*wanted)}; was {told_place(*before)}")
    return integration


def told_place(domain: str, role: str) -> str:
    """Return in words which part an integration has in which domain."""
    part = {"agent": "an agent", "client": "a client", "both": "agent and client"}
    return f"{part[role]} in {domain}" if domain else "in no domain"


def delete(integration_id: int, actor: Actor) -> Integration:
    """Delete an integration, which cuts its connections; return what it was."""
    with _changing(integration_id) as integration:
        Revision.bump("presence")  # its connections go with it; and the presence thread's order of locks
        _record("integration.deleted", integration, actor, KINDS[integration.type].label)
        Integration.delete().where(Integration.id == integration_id).execute()
    return integration


def reveal(integration_id: int, actor: Actor, sealer: Sealer) -> str:
    """Return an integration's password in the clear, and record who asked for it.  Raises `SealError`."""
    with writing():
        integration = by_id(integration_id)
        password = sealer.open(integration.sealed_password)
        _record("integration.password-shown", integration, actor)
    return password


def disconnect(integration_id: int, actor: Actor, connection_id: str | None = None) -> int:
    """Have one open connection closed, or all of an integration's; its client may come back.  Return how many."""
    with writing():
        integration = by_id(integration_id)
        rows = Connection.integration == integration_id
        if connection_id is not None:
            rows &= Connection.id == connection_id
        count, names = _kick(rows)
        if count:
            detail = f"client {names[0]}" if count == 1 else f"{count} connections"
            _record("integration.disconnected", integration, actor, detail)
    return count


def _kick(rows: pw.Expression) -> tuple[int, list[str]]:
    """Ask for connections to be closed; return how many that are, and the client ids of the first two."""
    Revision.bump("presence")
    Revision.bump("kicks")
    asked = rows & (Connection.kicked == False)  # noqa: E712 - SQL
    names = [str(row[0]) for row in tuples(Connection.select(Connection.client_id).where(asked).limit(2))]
    return int(Connection.update(kicked=True).where(asked).execute()), names


@contextmanager
def _changing(integration_id: int) -> Iterator[Integration]:
    """Hold an integration while it is changed: counting the change first makes other writers wait."""
    with writing():
        revision = Revision.bump("integrations")
        integration = by_id(integration_id)
        integration.revision = revision
        yield integration


def _save(integration: Integration, kind: str, actor: Actor, detail: str = "") -> None:
    integration.save(only=[getattr(Integration, name) for name in CHANGED])
    _record(kind, integration, actor, detail)


def _record(kind: str, integration: Integration, actor: Actor, detail: str = "") -> None:
    activity.record(
        kind,
        clock.now(),
        integration=integration,
        account=actor.name,
        address=actor.address,
        detail=detail,
    )


def _refuse_taken(username: str) -> None:
    if Integration.select().where(Integration.username == username).exists():
        raise FieldError("username", TAKEN)


def _free_username() -> str:
    for attempt in range(GENERATE_ATTEMPTS):
        name = generate_username(attempt)
        if not Integration.select().where(Integration.username == name).exists():
            return name
    raise FieldError("username", "No free username was found; state one.")
