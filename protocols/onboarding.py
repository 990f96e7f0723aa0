"""Onboarding requests: who tries to log in with an unknown username while the window is open.

A state machine without a database, a clock or a key: `now` is seconds since 1970, `waited` how long a login has been
waiting, and a password comes as a digest, to tell it from another, and is sealed once when it is kept.

- Repeated tries with the same credentials from the same address are one request.
- One try of a request may wait at the door at a time, the newest one: what asks on for it shows that it is there, so
  that nobody has to say when its client has left.  If too many wait, an address with far more than the newcomer's gives
  a place up.
- A client without a username is told credentials that are made up for it, with another password at each try; as long as
  it does not come with them, it is one request by its protocol, client id and address.
- Each address may have so many requests, and so many usernames in a window, whatever has become of their requests; and
  all together may have so many.  When there are too many, an address with far more than the newcomer's gives one up;
  else any from far away, if the newcomer is from near; else that address itself, or one with more than it has, of the
  less patient half of all (to who is far away, of the far ones), if it was shown for long enough.  It is the one whose
  client has been least patient.  If there is none, the newcomer is counted only.
- While there are too many, an address from far away has its turn now and then, however often it tries.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from protocols.crowding import Turns, gives_up_place, gives_way
from protocols.knocks import Knock, Offer, Request
from protocols.offers import Offers
from protocols.origins import Origins

LOOKS = {"http": 0.5}  # seconds between two looks whether a client that waits may come in
LOOK = 0.05
PATIENCE = {"mqtt": 14.0, "opcua": 3.0}  # seconds after which clients give up: PubSubClient 15, asyncua 4
GONE = 1.5  # seconds without a look, after which a client that waited has left
SAME = 0.5  # seconds between the beginnings of two tries that are taken for one
SETTLES = 5.0  # seconds in which an approval is known everywhere
FULL = 0.25  # seconds between two searches for what could give way
MOST_DISMISSED = 1_000

Seal = Callable[[], bytes]
Ignored = tuple[str, str, str]  # protocol, username, client id; "" for any client id


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept, and how many may wait."""

    requests: int
    held: int
    hold: float  # seconds
    per_address: int = 32


class Requests:
    """Keeps requests while a window is open, and decides who may wait."""

    def __init__(self, bounds: Bounds, new_id: Callable[[], str]) -> None:
        self._bounds = bounds
        self._new_id = new_id
        self._window: int | None = None
        self._closes_at = 0.0
        self._ignored: frozenset[Ignored] = frozenset()
        self._by_key: dict[tuple[str, ...], Request] = {}
        self._by_id: dict[str, Request] = {}
        self._offers = Offers(new_id)
        self._dismissed: OrderedDict[tuple[str, ...], None] = OrderedDict()  # keys, places, and nameless ones
        self._origins = Origins(bounds.per_address)
        self._places: Counter[tuple[str, str, str]] = Counter()  # requests by `Knock.place`
        self._held: dict[str, Request] = {}
        # Until when there is no room, and from how many requests of its own on, for an address that is near, or far.
        self._full: dict[bool, tuple[float, int]] = {}
        self._turns = Turns()
        self.more = 0  # tries that were counted only

    # --- the window

    def follow(self, window: int | None, closes_at: float, ignored: Collection[Ignored]) -> None:
        """Take over which window is open, and who is ignored for good; another window begins empty."""
        if window != self._window:
            self._clear()
        self._window, self._closes_at = window, closes_at
        self._ignored = frozenset(ignored)
        for request in [one for one in self._by_id.values() if self._is_ignored(one.knock)]:
            self._drop(request)

    def is_open(self, now: float) -> bool:
        """Tell whether a window is open; what was kept is forgotten at its end."""
        if self._window is None:
            return False
        if now < self._closes_at:
            return True
        self._window = None
        self._clear()
        return False

    def _clear(self) -> None:
        for kept in (self._by_key, self._by_id, self._offers, self._dismissed, self._places, self._held, self._full):
            kept.clear()
        self._origins.clear()
        self._turns.clear()
        self.more = 0

    # --- a login

    def is_hopeless(self, place: tuple[str, str, str], now: float, *, is_near: bool = False) -> bool:
        """Tell at once whether there is neither a request of this client nor room for one; floods ask no more."""
        return place not in self._places and not self._has_room(place, now, is_near=is_near)

    def takes(self, knock: Knock, now: float) -> bool:
        """Tell whether there is, or may be, a request of this client."""
        if not self.is_open(now) or self._is_ignored(knock) or self._is_dismissed(knock):
            return False
        return knock.key in self._by_key or self._has_room(knock.place, now, is_near=knock.is_near)

    def _has_room(self, place: tuple[str, str, str], now: float, *, is_near: bool) -> bool:
        *name, origin = place
        is_full = len(self._by_id) >= self._bounds.requests
        if is_full and not is_near and not self._turns.has(origin, now):
            return False
        until, least = self._full.get(is_near, (0.0, 0))
        if now < until and self._origins.requests_of(origin) >= least:
            return False
        return self._origins.may_ask(origin, tuple(name))

    def knock(self, knock: Knock, now: float, waited: float, seal: Seal) -> float | None:
        """Note a try; return for how long it may wait on, 0 if it may not, and None if there is no request of it."""
        request = self._find(knock, now, seal)
        if request is None:
            return None
        look = LOOKS.get(knock.protocol, LOOK)
        began = now - waited
        if began > request.since + SAME or now < request.last_at:  # the latter where a clock was set back
            request.since = began
            request.tries += 1
            request.client_id_varies |= request.knock.client_id != knock.client_id
            request.knock = knock if knock.name else knock._replace(name=request.knock.name)
        elif began < request.since - SAME or 0 <= now - request.looked_at < look / 2:
            return 0.0  # a newer try has its place, or another one of the same moment
        request.last_at = now
        request.is_told = False
        return look if self._may_wait(request, now, waited) else 0.0

    def told(self, knock: Knock) -> Request | None:
        """Return the request of a client that was told other credentials, and has not come with them yet."""
        if knock.nameless is None or not self._origins.requests_of(knock.origin):
            return None
        told = (one for one in self._by_id.values() if one.is_told and one.approved_at is None)
        return next((one for one in told if one.knock.nameless == knock.nameless), None)

    def tell(self, knock: Knock, now: float, seal: Seal) -> bool:
        """Note a client that will be told these credentials; return whether there is a request of it."""
        is_nobodys = knock.nameless in self._dismissed or self._is_ignored(knock._replace(username=""))
        if is_nobodys or not self.is_open(now):
            return False
        request = self.told(knock)
        if request is not None and request.knock.username == knock.username:
            del self._by_key[request.knock.key]  # what it was told before is not what it is let in with
            request.sealed, request.knock = seal(), knock
            self._by_key[knock.key] = request
        elif (request := self._find(knock, now, seal)) is None:
            return False
        request.is_made_up = request.is_told = True
        request.tries += 1
        request.since = request.last_at = now
        return True

    def _may_wait(self, request: Request, now: float, waited: float) -> bool:
        hold = min(self._bounds.hold, PATIENCE.get(request.knock.protocol, self._bounds.hold))
        if waited >= hold and request.approved_at is None:
            self._held.pop(request.id, None)
            return False
        if request.id not in self._held and len(self._held) >= self._bounds.held:
            self._held = {one.id: one for one in self._held.values() if _is_there(one, now)}
            if len(self._held) >= self._bounds.held:
                if (other := gives_up_place(self._held.values(), request.knock)) is None:
                    return False
                del self._held[other.id]
        self._held[request.id] = request
        request.looked_at = now
        return True

    def _find(self, knock: Knock, now: float, seal: Seal) -> Request | None:
        """Return the request of a client, made if there is room for it."""
        is_taken = self.takes(knock, now)
        request = self._by_key.get(knock.key)
        if request is not None and is_taken:
            if request.approved_at is None or 0 <= now - request.approved_at < SETTLES:
                return request
            self._drop(request)  # it was let in, and its integration is no more
        if not is_taken or not self._make_room(knock, now):
            self.more += self.is_open(now) and not self._is_dismissed(knock) and not self._is_ignored(knock)
            return None
        request = Request(self._new_id(), knock, seal(), now, now)
        self._by_key[knock.key] = self._by_id[request.id] = request
        self._origins.came(knock.origin, knock.place[:2])
        self._places[knock.place] += 1
        return request

    def _make_room(self, knock: Knock, now: float) -> bool:
        """Make room for the request of a client."""
        if len(self._by_id) < self._bounds.requests:
            return True
        request = gives_way(self._by_id.values(), self._origins, knock, now)
        if request is None:
            self._full[knock.is_near] = now + FULL, self._origins.requests_of(knock.origin)
            return False
        self._drop(request)
        self.more += 1
        return True

    def _drop(self, request: Request) -> None:
        del self._by_id[request.id], self._by_key[request.knock.key]
        self._places[request.knock.place] -= 1
        if not self._places[request.knock.place]:
            del self._places[request.knock.place]
        self._held.pop(request.id, None)
        if request.approved_at is None:
            self._origins.left(request.knock.origin)

    def _is_ignored(self, knock: Knock) -> bool:
        protocol, username = knock.protocol, knock.username
        return (protocol, username, "") in self._ignored or (protocol, username, knock.client_id) in self._ignored

    def _is_dismissed(self, knock: Knock) -> bool:
        if self._origins.is_banned(knock.origin):
            return True
        return knock.place in self._dismissed or knock.key in self._dismissed

    # --- a known client with another password

    def offer(self, integration_id: int, knock: Knock, now: float, seal: Seal) -> None:
        """Note a password that an integration does not have."""
        if self.is_open(now) and not self._is_dismissed(knock):
            self._offers.note(integration_id, knock, now, seal)

    def offers(self, now: float) -> list[Offer]:
        """Return these passwords."""
        return self._offers.all() if self.is_open(now) else []

    def let_in(self, integration_id: int) -> None:
        """Forget what was offered for an integration: its client has come in."""
        self._offers.forget(integration_id)

    # --- decisions

    def listed(self, now: float) -> list[Request]:
        """Return the requests to decide on, the newest first."""
        if not self.is_open(now):
            return []
        for request in list(self._by_id.values()):
            if request.approved_at is not None and not 0 <= now - request.approved_at < SETTLES:
                self._drop(request)
        open_ones = [one for one in self._by_id.values() if one.approved_at is None]
        return sorted(open_ones, key=lambda one: one.first_at, reverse=True)

    def is_held(self, request: Request, now: float) -> bool:
        """Tell whether a client of this request waits at the door."""
        return request.id in self._held and _is_there(request, now)

    def get(self, id: str, now: float) -> Request | None:
        """Return a request that is open."""
        request = self._by_id.get(id) if self.is_open(now) else None
        return request if request is not None and request.approved_at is None else None

    def approved(self, keys: Iterable[tuple[str, ...]], now: float) -> None:
        """Take requests off the list: their credentials are in the database, and soon known here."""
        for key in keys:
            if (request := self._by_key.get(key)) is not None and request.approved_at is None:
                request.approved_at = now
                self._origins.left(request.knock.origin)
                self._origins.let_in(request.knock.origin, request.knock.place[:2])

    def dismiss(self, keys: Iterable[tuple[str, ...]]) -> None:
        """Have no more in this window of who is known by `Knock.key`, `place` or `nameless`; who waits is refused."""
        for key in keys:
            self._dismissed[key] = None
            if len(self._dismissed) > MOST_DISMISSED:
                self._dismissed.popitem(last=False)
            for request in [one for one in self._by_id.values() if key in _names(one)]:
                self._drop(request)

    def dismiss_origin(self, origin: str) -> None:
        """Have no more of what comes from an address in this window."""
        self._origins.ban(origin)
        for request in [one for one in self._by_id.values() if one.knock.origin == origin]:
            self._drop(request)
        self._offers.forget_origin(origin)


def _names(request: Request) -> tuple[tuple[str, ...] | None, ...]:
    knock = request.knock
    return knock.key, knock.place, knock.nameless if request.is_made_up else None


def _is_there(request: Request, now: float) -> bool:
    return 0 <= now - request.looked_at < GONE
