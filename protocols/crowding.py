"""Which onboarding request gives way to a newcomer, and who a place at the door, when there are too many."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection

from protocols.knocks import Knock, Request
from protocols.origins import Origins

SHOWN = 5.0  # seconds that a request is shown at least
TURN = 4.0  # seconds in which an address far away has one chance of a place in a full list, however often it tries
TRY = 1.0  # seconds for which a try that has its chance may ask
MOST_TURNS = 16_384  # addresses of which it is known when they had their turn
CROWD = 8  # requests that an address may have in any case without being the first to give one up


class Turns:
    """Gives each address the same chance of a place in a full list: who tries more often has no more of them."""

    def __init__(self) -> None:
        self._began: OrderedDict[str, float] = OrderedDict()

    def has(self, origin: str, now: float) -> bool:
        """Tell whether it is this address's turn; if it is, its next one is later."""
        since = now - self._began.get(origin, -TURN)
        if 0 <= since < TURN:
            return since < TRY
        self._began[origin] = now
        self._began.move_to_end(origin)
        if len(self._began) > MOST_TURNS:
            self._began.popitem(last=False)
        return True

    def clear(self) -> None:
        """Forget everything."""
        self._began.clear()


def gives_way(requests: Collection[Request], origins: Origins, knock: Knock, now: float) -> Request | None:
    """Return the request that gives way to that of a newcomer; None if there is none that should.

    What comes from near goes before what comes from far away.
    """
    asking = sorted((one for one in requests if one.approved_at is None), key=_patience)
    far = [one for one in asking if not one.knock.is_near]
    may_go = _crowd(asking, origins, origins.requests_of(knock.origin))
    if not may_go:
        may_go = far if knock.is_near and far else _shown(asking if knock.is_near else far, origins, knock.origin, now)
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


def gives_up_place(held: Collection[Request], knock: Knock) -> Request | None:
    """Return who gives up its place at the door to another client: one of an address with far more than this one.

    To a client from near it is anybody from far away.
    """
    far = [one for one in held if not one.knock.is_near]
    if knock.is_near and far:
        return min(far, key=lambda one: one.patience)
    places = Counter(one.knock.origin for one in held)
    other, most = max(places.items(), key=lambda item: item[1], default=(knock.origin, 0))
    if most <= 2 * (places[knock.origin] + 1):
        return None
    return min((one for one in held if one.knock.origin == other), key=lambda one: one.patience)
