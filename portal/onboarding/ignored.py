"""Clients that are ignored for good: they are refused as ever, and no operator is asked about them."""

from __future__ import annotations

from portal import activity, clock
from portal.db import writing
from portal.integrations import MAX_ID, Actor
from portal.models import IgnoredClient, Revision
from portal.onboarding.window import ONBOARDING

MOST = 1_000
IGNORED, HEARD = "onboarding.ignored-for-good", "onboarding.heard-again"


class NotIgnored(LookupError):
    """There is no such client among those ignored (any more)."""


def everybody() -> list[IgnoredClient]:
    """Return who is ignored, the latest first."""
    return list(IgnoredClient.select().order_by(IgnoredClient.id.desc()).limit(MOST))


def count() -> int:
    """Return how many are ignored."""
    return int(IgnoredClient.select().count())


def add(actor: Actor, protocol: str, username: str, client_id: str, told: str) -> None:
    """Ignore a client from now on; one that is known by another client id makes up a new one each time.

    The username is "" for one that comes without, which is known by its client id alone.
    `told` is what activity says of it.
    """
    now = clock.now()
    with writing():
        Revision.bump(ONBOARDING)
        same = (IgnoredClient.protocol == protocol) & (IgnoredClient.username == username)
        if not username:
            same &= IgnoredClient.client_id == client_id
        elif IgnoredClient.select().where(same, IgnoredClient.client_id != client_id).exists():
            client_id = ""
        IgnoredClient.delete().where(same).execute()
        IgnoredClient.create(
            protocol=protocol, username=username, client_id=client_id, ignored_by=actor.name, ignored_at=now
        )
        newest_first = IgnoredClient.select(IgnoredClient.id).order_by(IgnoredClient.id.desc())
        too_old = newest_first.offset(MOST).limit(1).scalar()
        if too_old is not None:
            IgnoredClient.delete().where(IgnoredClient.id <= too_old).execute()
        _record(IGNORED, actor, protocol, username, told if client_id else f"{told}, by any client id")


def forget(ignored_id: int, actor: Actor) -> IgnoredClient:
    """Ignore a client no more.  Raises `NotIgnored`."""
    with writing():
        Revision.bump(ONBOARDING)
        found = IgnoredClient.get_or_none(IgnoredClient.id == ignored_id) if ignored_id < MAX_ID else None
        if found is None:
            raise NotIgnored("this client is not ignored any more")
        found.delete_instance()
        _record(
            HEARD,
            actor,
            found.protocol,
            found.username,
            f"client {found.client_id}" if found.client_id else "any client id",
        )
    return found


def as_json(row: IgnoredClient) -> dict[str, object]:
    """Return an ignored client as the command line shows it."""
    return {
        "id": row.id,
        "protocol": row.protocol,
        "username": row.username,
        "client_id": row.client_id,
        "ignored_by": row.ignored_by,
        "ignored_at": row.ignored_at.isoformat(),
    }


def _record(kind: str, actor: Actor, protocol: str, username: str, detail: str) -> None:
    activity.record(
        kind,
        clock.now(),
        username=username,
        account=actor.name,
        protocol=protocol,
        address=actor.address,
        detail=detail,
    )
