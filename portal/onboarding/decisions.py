"""What operators have decided while the window is open; every part of every node follows it, a new one from the start.

The rows go with the window.  What a subject holds, by kind: approved and ignored `keys`, which is who is meant (see
`protocols.knocks`); banned `origin`; accepted `integration_id`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from portal.models import OnboardingDecision

APPROVED, IGNORED, BANNED, ACCEPTED = "approved", "ignored", "banned", "accepted"


class Decision(NamedTuple):
    """One decision; numbers grow."""

    number: int
    kind: str
    subject: dict[str, Any]


def record(kind: str, **subject: object) -> None:
    """Add a decision, in a transaction that counts a change of the onboarding."""
    OnboardingDecision.create(kind=kind, subject=json.dumps(subject))


def read() -> tuple[Decision, ...]:
    """Return all of the open window, in their order."""
    rows = OnboardingDecision.select().order_by(OnboardingDecision.id)
    return tuple(Decision(row.id, row.kind, json.loads(row.subject)) for row in rows)


def dropped() -> Callable[[Mapping[str, Any]], bool]:
    """Return what tells whether a request, as a part of the protocols worker tells of it, is ignored or banned.

    The part itself knows it a moment later.
    """
    taken = read()
    keys = {tuple(key) for one in taken if one.kind == IGNORED for key in one.subject["keys"]}
    origins = {one.subject["origin"] for one in taken if one.kind == BANNED}

    def is_dropped(row: Mapping[str, Any]) -> bool:
        protocol, username, _, origin = key = tuple(row["key"])
        names = {key, (protocol, username, origin), tuple(row["nameless"] or ())}
        return origin in origins or not keys.isdisjoint(names)

    return is_dropped
