"""Which onboarding request gives way to a newcomer, and who a place at the door, when there are too many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from protocols.knocks import Request
from protocols.origins import Origins

SHOWN = 5.0  # seconds that a request is shown at least
CROWD = 8  # requests that an address may have in any case without being the first to give one up


def gives_way(requests: Collection[Request], origins: Origins, origin: str, now: float) -> Request | None:
    """Return the request that gives way to one from this address; None if there is none that should."""
    own = origins.requests_of(origin)
    asking = sorted((one for one in requests if one.approved_at is None), key=_patience)
    may_go = _crowd(asking, origins, own) or _shown(asking, origins, origin, now)
    return may_go[0] if may_go else None


def _crowd(asking: list[Request], origins: Origins, own: int) -> list[Request]:
    """Return the requests of the address that has most, if it has far more than one with so many of its own."""
    most = origins.most_requests()
    if most <= max(CROWD, 2 * (own + 1)):
        return []
    return [one for one in asking if origins.requests_of(one.knock.origin) == most]


def _shown(asking: list[Request], origins: Origins, origin: str, now: float) -> list[Request]:
    """Return who of the less patient half is shown for long enough, from this address and those that have more."""
    own = origins.requests_of(origin)
    shown = [one for one in asking[: (len(asking) + 1) // 2] if not 0 <= now - one.first_at <= SHOWN]
    return [one for one in shown if one.knock.origin == origin or origins.requests_of(one.knock.origin) > own]


def _patience(request: Request) -> tuple[float, float]:
    return request.patience, request.first_at


def gives_up_place(held: Collection[Request], origin: str) -> Request | None:
    """Return who gives up its place at the door to a client of this address: one of an address with far more."""
    places = Counter(one.knock.origin for one in held)
    other, most = max(places.items(), key=lambda item: item[1], default=(origin, 0))
    if most <= 2 * (places[origin] + 1):
        return None
    return min((one for one in held if one.knock.origin == other), key=lambda one: one.patience)
