"""Fleets of Edge Connectors: one download whose members become integrations of their own when they first connect."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence

from portal import activity, clock, fields
from portal.credentials import Sealer
from portal.db import writing
from portal.edge.connectors import check_choice, join
from portal.fields import FieldError
from portal.integrations import Actor, NotFound
from portal.models import EdgeConnector, EdgeFleet, Integration, Revision

FLEETS = "fleets"  # the name of the counter
TOKEN_BYTES = 24  # 32 characters
MOST_MEMBERS = 10_000  # a token lies on each of them: one that is stolen must not fill the database


def create(
    actor: Actor, sealer: Sealer, *, prefix: str, domain: str, connectors: Sequence[str], target: str
) -> EdgeFleet:
    """Add a fleet that is open to new members.  Raises `FieldError`."""
    prefix = fields.edge_name("prefix", prefix, fields.PREFIX_LENGTH)
    check_choice(connectors, target)
    domain, _ = fields.place_in_domain("edge", domain, "")
    with writing():
        Revision.bump(FLEETS)
        if EdgeFleet.select().where(EdgeFleet.prefix == prefix).exists():
            raise FieldError("prefix", "This prefix is that of another fleet.")
        made = EdgeFleet.create(
            prefix=prefix,
            sealed_token=sealer.seal(secrets.token_urlsafe(TOKEN_BYTES)),
            domain=domain,
            connectors=connectors,
            target=target,
            created_at=clock.now(),
            created_by=actor.name,
        )
        _record("edge.fleet-created", made, actor)
    return made


def by_id(fleet_id: int) -> EdgeFleet:
    """Return a fleet; raises `NotFound`."""
    found: EdgeFleet | None = EdgeFleet.get_or_none(EdgeFleet.id == fleet_id)
    if found is None:
        raise NotFound(f"no fleet has the id {fleet_id}")
    return found


def everything() -> list[EdgeFleet]:
    """Return all fleets, by prefix."""
    return list(EdgeFleet.select().order_by(EdgeFleet.prefix))


def members(fleet_id: int) -> list[Integration]:
    """Return the integrations of a fleet, by username."""
    query = Integration.select().join(EdgeConnector, on=(EdgeConnector.integration == Integration.id))
    return list(query.where(EdgeConnector.fleet == fleet_id).order_by(Integration.username))


def token(fleet: EdgeFleet, sealer: Sealer) -> str:
    """Return what a new member of a fleet shows.  Raises `SealError`."""
    return sealer.open(fleet.sealed_token)


def admit(sealer: Sealer, *, prefix: str, shown: str, username: str, password: str, address: str) -> Integration | None:
    """Make the integration of a new member that shows the token; None if the fleet does not take it (any more).

    A fleet that has as many as it may have is closed.  Raises `FieldError`, for a username that is taken.
    """
    with writing():
        Revision.hold(FLEETS)
        fleet: EdgeFleet | None = EdgeFleet.get_or_none(EdgeFleet.prefix == prefix)
        if fleet is None or not fleet.is_open or not hmac.compare_digest(token(fleet, sealer), shown):
            return None
        if EdgeConnector.select().where(EdgeConnector.fleet == fleet).count() >= MOST_MEMBERS:
            _set_open(fleet, False, Actor(f"fleet {fleet.prefix}", address))
            return None
        return join(fleet, sealer, username=username, password=password, address=address)


def set_open(fleet_id: int, is_open: bool, actor: Actor) -> EdgeFleet:
    """Open a fleet to new members, or close it to them.  Raises `NotFound`."""
    with writing():
        Revision.hold(FLEETS)
        fleet = by_id(fleet_id)
        _set_open(fleet, is_open, actor)
    return fleet


def delete(fleet_id: int, actor: Actor) -> EdgeFleet:
    """Delete a fleet, whose members stay; nobody joins it any more.  Raises `NotFound`."""
    with writing():
        Revision.bump(FLEETS)
        fleet = by_id(fleet_id)
        _record("edge.fleet-deleted", fleet, actor)
        EdgeFleet.delete().where(EdgeFleet.id == fleet_id).execute()
    return fleet


def _set_open(fleet: EdgeFleet, is_open: bool, actor: Actor) -> None:
    Revision.bump(FLEETS)
    if fleet.is_open != is_open:
        fleet.is_open = is_open
        fleet.save(only=[EdgeFleet.is_open])
        _record("edge.fleet-opened" if is_open else "edge.fleet-closed", fleet, actor)


def _record(kind: str, fleet: EdgeFleet, actor: Actor) -> None:
    activity.record(kind, clock.now(), account=actor.name, address=actor.address, detail=fleet.prefix)
