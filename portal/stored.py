"""Sessions that a protocol server keeps for clients that are away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from portal import activity, clock, worker_client
from portal.db import writing
from portal.integrations import Actor
from portal.models import Integration

SHOWN = 50


@dataclass(frozen=True, slots=True)
class StoredSession:
    """What is kept for one client; `since` is None where the client left before the server started."""

    key: str
    client_id: str
    since: datetime | None
    ends_at: datetime | None
    subscription_count: int
    messages: int
    bytes: int
    dropped: int


@dataclass(frozen=True, slots=True)
class StoredSessions:
    """How many there are, and those whose clients left last."""

    count: int
    shown: tuple[StoredSession, ...]


def of(integration: Integration) -> StoredSessions | None:
    """Return the stored sessions of an integration; None where the server does not answer."""
    found = worker_client.ask(worker_client.MQTT, "stored_sessions", integration.id, SHOWN)
    if found is None:
        return None
    return StoredSessions(found["count"], tuple(_read(row) for row in found["shown"]))


def forget(integration: Integration, actor: Actor, key: str) -> None:
    """Have a session forgotten.  Raises `worker_client.Refused` and `worker_client.Silent`."""
    client_id = worker_client.have(worker_client.MQTT, "forget_session", integration.id, key)
    with writing():
        activity.record(
            activity.FORGOTTEN,
            clock.now(),
            integration=integration,
            account=actor.name,
            address=actor.address,
            detail=f"client {client_id}",
        )


def _read(row: dict[str, Any]) -> StoredSession:
    return StoredSession(**{**row, "since": _moment(row["since"]), "ends_at": _moment(row["ends_at"])})


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(min(seconds, _LAST), UTC)


_LAST = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())
