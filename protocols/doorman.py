"""Keeps the onboarding requests of one part: from the login that knocks to what pages ask about them."""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from portal import activity, clock, db, fields
from portal.attempt import Attempt, is_local
from portal.credentials import Sealer, generate_password, generate_username
from portal.onboarding import decisions, shares, window
from portal.onboarding.decisions import Decision
from portal.onboarding.window import Stand
from protocols.contract import Given, Login
from protocols.knocks import Knock, Offer, Request
from protocols.onboarding import Bounds, Requests

SHARE = 0.25  # seconds between two times that other nodes are shown what has changed
MOST_PROMISED = 10_000
PROMISE = 5.0  # seconds after which a client that was taken for one that knocks has left


class Doorman:
    """May be called from any thread; a password is sealed before it is kept, and nobody is shown it."""

    def __init__(
        self, part: str, node_id: str, bounds: Bounds, sealer: Sealer, is_known: Callable[[str], bool] = lambda _: False
    ) -> None:
        """`is_known` tells of an address whether some client has logged in from there."""
        self._is_known = is_known
        self._node_id = node_id
        self._sealer = sealer
        self._lock = threading.Lock()
        self._requests = Requests(bounds, lambda: f"{part}.{secrets.token_urlsafe(9)}")
        self._follower = window.Follower()
        self._decided = 0  # the number of the last decision that was followed
        self._shared = ""  # what other nodes were shown last
        self._next_share = 0.0
        self._promised: dict[tuple[str, str], float] = {}  # whose try is not counted as a guess yet: since when
        self.is_open = False

    def look(self, revisions: Mapping[str, int]) -> None:
        """Follow what these counters say has changed in the database."""
        if (stand := self._follower.look(revisions)) is not None:
            self.follow(stand)

    def expire(self) -> None:
        """Take away the window whose time is over; to be called by one part, with a thread of its own."""
        with suppress(*db.Unavailable), db.connected():  # the watcher says so
            window.expire(clock.now())

    def follow(self, stand: Stand) -> None:
        """Take over which window is open, and who is ignored for good."""
        with self._lock:
            opened = stand.window
            if opened is None:
                self._requests.follow(None, 0.0, stand.ignored)
                self._decided, self._shared = 0, ""
            else:
                self._requests.follow(opened.id, opened.closes_at.timestamp(), stand.ignored)
            self.is_open = opened is not None
            for decision in stand.decided:
                if decision.number > self._decided:
                    self._decided = decision.number
                    self._act(decision)

    def _act(self, decision: Decision) -> None:
        subject = decision.subject
        match decision.kind:
            case decisions.APPROVED:
                self._requests.approved(_keys(subject), _now())
            case decisions.IGNORED:
                self._requests.dismiss(_keys(subject))
            case decisions.BANNED:
                self._requests.dismiss_origin(subject["origin"])
            case decisions.ACCEPTED:
                self._requests.let_in(subject["integration_id"])

    def share(self) -> None:
        """Show the portals of other machines what knocks here, a few times a second.  Raises `db.Unavailable`."""
        if not self.is_open or time.monotonic() < self._next_share:
            return
        self._next_share = time.monotonic() + SHARE
        now = clock.now()
        with db.connected():
            if shares.are_wanted(self._node_id, now):
                document = shares.packed(self._known(with_sealed=True))
                if document != self._shared:
                    shares.write(self._node_id, document, now)
                    self._shared = document

    def sweep(self) -> None:
        """Forget everything once the time of the window is over."""
        if self.is_open:
            with self._lock:
                self.is_open = self._requests.is_open(_now())

    # --- logins

    def takes(self, login: Login, attempt: Attempt, now: float) -> bool:
        """Tell whether this login is, or may be, an onboarding request."""
        if not self.is_open:
            return False
        with self._lock:
            if self._is_hopeless(login, attempt, now) or not self._may_promise(now):
                return False
            if not _is_legal(login) or not self._requests.takes(self._knock(login, attempt), now):
                return False
            self._promised[attempt.pair] = now
            return True

    def knock(self, login: Login, attempt: Attempt, now: float, waited: float) -> float | None:
        """Note a try; return for how long it may wait on, 0 if it may not, and None if it is no request."""
        if not self.is_open:
            return None
        with self._lock:
            if self._is_hopeless(login, attempt, now):
                self._requests.more += 1
                return None
            if not _is_legal(login):
                return None
            held = self._requests.knock(self._knock(login, attempt), now, waited, partial(self._seal, login))
            if held is not None:
                self._promised.pop(attempt.pair, None)
            return held

    def give(self, login: Login, is_taken: Callable[[str], bool], now: float) -> Given | None:
        """Make up credentials for a client without a username, to knock with; None if it is no request."""
        if not self.is_open:
            return None
        with self._lock:
            nameless = self._knock(login, Attempt(login.protocol, "", b"", activity.printable(login.address)))
            before = self._requests.told(nameless)
            username = before.knock.username if before is not None else _new_username(is_taken)
            given = Given(username, generate_password())
            knocking = login._replace(username=username, password=given.password.encode())
            attempt = Attempt(login.protocol, username, given.password.encode(), nameless.address)
            if self._is_hopeless(knocking, attempt, now):
                self._requests.more += 1
                return None
            is_request = self._requests.tell(self._knock(knocking, attempt), now, partial(self._seal, knocking))
            return given if is_request else None

    def disappoints(self, attempt: Attempt) -> bool:
        """Tell whether this client was taken for one that knocks, and is none in the end."""
        if not self._promised:
            return False
        with self._lock:
            return self._promised.pop(attempt.pair, None) is not None

    def _may_promise(self, now: float) -> bool:
        if len(self._promised) < MOST_PROMISED:
            return True
        self._promised = {pair: since for pair, since in self._promised.items() if 0 <= now - since < PROMISE}
        return len(self._promised) < MOST_PROMISED

    def offer(self, integration_id: int, login: Login, attempt: Attempt, now: float) -> None:
        """Note a password that an integration does not have."""
        if self.is_open and _is_legal(login):
            with self._lock:
                self._requests.offer(integration_id, self._knock(login, attempt), now, partial(self._seal, login))

    def let_in(self, integration_id: int) -> None:
        """Note that a client has come in."""
        if self.is_open:
            with self._lock:
                self._requests.let_in(integration_id)

    def _seal(self, login: Login) -> bytes:
        return self._sealer.seal((login.password or b"").decode())

    def _knock(self, login: Login, attempt: Attempt) -> Knock:
        digest = self._sealer.digest(attempt.password)
        client_id, will_topic = activity.printable(login.client_id), activity.printable(login.will_topic)
        name = activity.printable(login.name)
        who = (attempt.name, digest, attempt.origin, attempt.address, client_id)
        return Knock(login.protocol, *who, will_topic, name, self._is_near(attempt))

    def _is_near(self, attempt: Attempt) -> bool:
        return is_local(attempt.address) or self._is_known(attempt.origin)

    def _is_hopeless(self, login: Login, attempt: Attempt, now: float) -> bool:
        place = login.protocol, attempt.name, attempt.origin
        return self._requests.is_hopeless(place, now, is_near=self._is_near(attempt))

    # --- pages

    def actions(self) -> Mapping[str, Callable[..., object]]:
        """Return what pages may ask; see `portal.onboarding.requests`."""
        return {
            "onboarding_list": self.listed,
            "onboarding_sealed": self.sealed,
            "onboarding_offered": self.offered,
        }

    def listed(self) -> dict[str, object]:
        """Return the requests, how many tries were counted only, and passwords that are offered; and who says so."""
        return self._known(with_sealed=False) | {"node": self._node_id}

    def _known(self, *, with_sealed: bool) -> dict[str, Any]:
        with self._lock:
            now = _now()
            found, offers = self._requests.listed(now), self._requests.offers(now)
            rows = [_row(one) | {"is_held": self._requests.is_held(one, now)} for one in found]
            offer_rows = [_offer_row(one) for one in offers]
            if with_sealed:
                sealed = [one.sealed for one in found] + [one.sealed for one in offers]
                for row, password in zip(rows + offer_rows, sealed, strict=True):
                    row["sealed"] = password
            return {"requests": rows, "more": self._requests.more, "offers": offer_rows}

    def sealed(self, ids: list[str]) -> list[dict[str, object]]:
        """Return those of these requests that are there, with their sealed passwords."""
        with self._lock:
            found = [self._requests.get(id, _now()) for id in ids]
            return [_row(one) | {"sealed": one.sealed} for one in found if one is not None]

    def offered(self, integration_id: int, id: str) -> dict[str, object] | None:
        """Return what is offered for an integration, with the sealed password; None if it is not there any more."""
        with self._lock:
            for offer in self._requests.offers(_now()):
                if offer.integration_id == integration_id and offer.id == id:
                    return _offer_row(offer) | {"sealed": offer.sealed}
            return None


def _keys(subject: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [tuple(key) for key in subject["keys"]]


def _new_username(is_taken: Callable[[str], bool]) -> str:
    """Make up a username with a number, which nobody is likely to have."""
    return next(name for number in itertools.count(2) if not is_taken(name := generate_username(number)))


def _now() -> float:
    return clock.now().timestamp()


def _is_legal(login: Login) -> bool:
    """Tell whether an integration may have these credentials."""
    try:
        fields.username(login.username or "")
        fields.password((login.password or b"").decode())
    except ValueError:  # FieldError and UnicodeDecodeError
        return False
    return True


def _row(request: Request) -> dict[str, object]:
    knock = request.knock
    return {
        "id": request.id,
        "protocol": knock.protocol,
        "username": knock.username,
        "client_id": knock.client_id,
        "address": knock.address,
        "will_topic": knock.will_topic,
        "name": knock.name,
        "tries": request.tries,
        "first_at": request.first_at,
        "last_at": request.last_at,
        "client_id_varies": request.client_id_varies,
        "is_made_up": request.is_made_up,
        "is_told": request.is_told,
        "key": list(knock.key),
        "nameless": list(knock.nameless) if request.is_made_up and knock.nameless else None,
    }


def _offer_row(offer: Offer) -> dict[str, object]:
    return {
        "id": offer.id,
        "integration_id": offer.integration_id,
        "address": offer.knock.address,
        "client_id": offer.knock.client_id,
        "tries": offer.tries,
        "first_at": offer.first_at,
        "last_at": offer.last_at,
        "is_clear": bool(offer.sealed),
        "digest": offer.digest.hex(),
    }
