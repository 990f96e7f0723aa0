"""Fills an empty database with integrations, in one transaction."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

from portal import clock, db
from portal.config import Settings
from portal.credentials import Sealer, generate_password, generate_username
from portal.kinds import KINDS
from portal.models import Integration, Revision

ROWS = 500  # in one INSERT
OTHER_TYPES = ("opcua", "http", "vrpc", "edge")


@dataclass(frozen=True, slots=True)
class Credential:
    id: int
    username: str
    password: str


def fill(settings: Settings, count: int, *, past: bool = False, kind: str = "mqtt") -> list[Credential]:
    """Add integrations and return their credentials.

    Without `past` all are of one type and never logged in.  With it every fourth is of another type, every tenth is
    inactive, and most have logged in: a list as it looks after some years.
    """
    db.init(settings)
    db.migrate(settings)
    sealer = Sealer(settings.secret_key)
    try:
        with db.connected(), db.writing():
            first = int(Revision.get_by_id("integrations").value) + 1
            made = [
                Credential(number, f"{generate_username()}_{number}", generate_password())
                for number in range(first, first + count)
            ]
            rows = [_row(credential, sealer, past=past, kind=kind) for credential in made]
            for start in range(0, count, ROWS):
                Integration.insert_many(rows[start : start + ROWS]).execute()
            Revision.update(value=first + count).where(Revision.name == "integrations").execute()
    finally:
        db.database.close_all()
    return made


def _row(credential: Credential, sealer: Sealer, *, past: bool, kind: str) -> dict[str, object]:
    draw = random.Random(credential.id)
    now = clock.now()
    created = now - timedelta(days=draw.uniform(90, 900)) if past else now
    number = credential.id
    type = draw.choice(OTHER_TYPES) if past and number % 4 == 0 else kind
    roles = KINDS[type].roles
    return {
        "id": number,
        "username": credential.username,
        "sealed_password": sealer.seal(credential.password),
        "type": type,
        "domain": "bench.default" if roles else "",
        "role": roles[0] if roles else "",
        "note": f"Hall {number % 9}, line {number % 70}" if past and number % 2 else "",
        "active": not (past and number % 10 == 0),
        "last_login": now - timedelta(minutes=draw.uniform(1, 120_000)) if past and number % 5 else None,
        "created_at": created,
        "created_by": "bench@example.com",
        "revision": number,
    }
