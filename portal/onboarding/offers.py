"""Passwords that known clients come with instead of their own, as operators see them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from portal.attempt import origin_of
from portal.models import Integration, KnownLogin, tuples


@dataclass(frozen=True, slots=True)
class Offer:
    """A password that a known client comes with instead of its own."""

    id: str
    integration_id: int
    address: str
    client_id: str
    tries: int
    first_at: datetime
    last_at: datetime
    is_clear: bool  # there was one only, which can be accepted
    digest: str  # tells it from others
    is_new_address: bool  # its integration has not logged in from there before


def of(rows: Sequence[dict[str, Any]]) -> list[Offer]:
    """Return what a part of the protocols worker says of them."""
    known = _known(row["integration_id"] for row in rows) if rows else set()
    return [_offer(row, known) for row in rows]


def told(offer: Offer) -> str:
    """Return who has offered a password, for the activity."""
    tries = "1 try" if offer.tries == 1 else f"{offer.tries} tries"
    client = f"client {offer.client_id[:100]} " if offer.client_id else ""
    new = ", a new address" if offer.is_new_address else ""
    return f"{client}from {offer.address}{new}, {tries} since {offer.first_at:%H:%M:%S} UTC"


def _offer(row: dict[str, Any], known: set[tuple[int, str]]) -> Offer:
    times = {name: datetime.fromtimestamp(row[name], UTC) for name in ("first_at", "last_at")}
    is_new = (row["integration_id"], origin_of(row["address"])) not in known
    return Offer(**row | times, is_new_address=is_new)


def _known(integration_ids: Iterable[int]) -> set[tuple[int, str]]:
    """Return the addresses that these have logged in from."""
    query = (
        KnownLogin.select(Integration.id, KnownLogin.origin)
        .join(Integration, on=(Integration.username == KnownLogin.username))
        .where(Integration.id.in_(list(integration_ids)))
    )
    return {(int(id), str(origin)) for id, origin in tuples(query)}
