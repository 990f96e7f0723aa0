"""Slows down guessing: counts wrong credentials by address and by username, keeps them waiting, bans for a time.

A state machine without a database or a clock: `now` is seconds since 1970.  `portal/bans.py` keeps what has to last.

- A *guess* is a username with a password.  The same wrong one again is a device that nobody told, and no new guess.
- So many guesses within the window ban an address (IPv6: its /64), and so many at one username ban that; but those of
  an address that is banned itself do not count: one that can be stopped itself keeps nobody else out.
- A ban refuses without a look at the password, except for a *known login*: a username from an address that it has come
  in from.  Under a ban its guesses are looked at one by one, so that its right password still gets in.
"""

from __future__ import annotations

import ipaddress
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from typing import TypeVar

from portal.config import Settings
from portal.tally import Tally

ADDRESS, USERNAME = "address", "username"

FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0  # seconds before a refusal
WAIT_GROWTH = 1.26  # with each guess: doubles with every three
TURN = 1.0  # seconds between two guesses of a known login under a ban
LONGEST_QUEUE = 10.0  # seconds that a login may wait for its turn
LONGEST_BAN = 24 * 3600.0
REMEMBERED = 24 * 3600.0  # after its end a ban still makes the next one longer
KNOWN_FOR = 30 * 24 * 3600.0
KNOWN_AGAIN = 24 * 3600.0  # a known login is noted no more often

MAX_TRACKED = 10_000  # addresses, as many usernames, and as many known logins under a ban
MAX_BANS = 5_000
MAX_KNOWN = 50_000

Name = TypeVar("Name")
Subject = tuple[str, str]  # a kind and a name: ("address", "192.0.2.7"), ("username", "plant/line1")
Pair = tuple[str, str]  # a username and an origin


@dataclass(frozen=True, slots=True)
class Rules:
    """How much guessing is let pass; a number of 0 turns that kind of ban off."""

    per_address: int = 20
    per_username: int = 20
    window: float = 600.0
    ban: float = 600.0  # the first one; each further one is twice as long

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        """Return the rules that the settings ask for."""
        minute = 60.0
        return cls(
            settings.guesses_per_address,
            settings.guesses_per_username,
            settings.guess_window * minute,
            settings.ban_minutes * minute,
        )

    def limit(self, kind: str) -> int:
        return self.per_address if kind == ADDRESS else self.per_username


@dataclass(frozen=True, slots=True)
class Ban:
    """An address or a username that is refused for a time."""

    kind: str
    name: str
    since: float
    until: float
    times: int  # which one in a row
    failures: int
    protocol: str
    last_username: str
    last_address: str

    @property
    def subject(self) -> Subject:
        return self.kind, self.name


class Attempt:
    """One attempt to come in, reduced to what counts; the username has to be printable and of bounded length."""

    __slots__ = ("address", "name", "origin", "password", "protocol")

    def __init__(self, protocol: str, username: str, password: bytes, address: str) -> None:
        self.protocol = protocol
        self.name = username
        self.password = password
        self.address = address
        self.origin = origin_of(address) if ":" in address else address

    @property
    def pair(self) -> Pair:
        return self.name, self.origin

    def of(self, kind: str) -> str:
        return self.origin if kind == ADDRESS else self.name


@lru_cache(4096)
def origin_of(address: str) -> str:
    """Return what an address is counted as: a customer of a provider commands a whole /64 of IPv6."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


class Guard:
    """Counts and decides; may be called from any thread."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._key = os.urandom(32)
        self._lock = threading.Lock()
        self._tallies: dict[str, OrderedDict[str, Tally]] = {ADDRESS: OrderedDict(), USERNAME: OrderedDict()}
        self._queues: OrderedDict[Pair, Tally] = OrderedDict()
        self._bans: dict[Subject, Ban] = {}
        self._known: OrderedDict[Pair, float] = OrderedDict()
        self._new_bans: dict[Subject, Ban] = {}
        self._new_known: dict[Pair, float] = {}

    # --- a login, step by step

    def approach(self, attempt: Attempt, now: float) -> float | None:
        """Return in how many seconds the credentials may be looked at; None if they may not."""
        with self._lock:
            if not self._is_banned(attempt, now):
                return 0.0
            if not self._is_known(attempt, now):
                return None
            queue = self._queues.get(attempt.pair)
            if queue is None or queue.turn <= now:
                return 0.0
            if queue.turn - now > LONGEST_QUEUE:
                return None
            pause = queue.turn - now
            queue.turn += TURN
            return pause

    def guessed(self, attempt: Attempt, now: float) -> float:
        """Count wrong credentials; return for how many seconds to keep the client waiting."""
        guess = self._digest(attempt)
        with self._lock:
            if self._is_banned(attempt, now):
                queue = self._tally(self._queues, attempt.pair)
                if queue.add(guess, attempt.origin, now, self.rules.window):
                    queue.turn = max(queue.turn, now) + TURN
                return _wait(len(queue))
            most = 0
            for kind, tallies in self._tallies.items():
                if self.rules.limit(kind):
                    tally = self._tally(tallies, attempt.of(kind))
                    tally.add(guess, attempt.origin, now, self.rules.window)
                    tally.shorten(self.rules.limit(kind))
                    most = max(most, len(tally))
            return _wait(most)

    def refused(self, attempt: Attempt, now: float) -> None:
        """Ban, if these wrong credentials were too many."""
        with self._lock:
            self._is_banned(attempt, now)

    def passed(self, attempt: Attempt, now: float, *, guessed: bool = False) -> None:
        """Note a known login; `guessed` says that its credentials were wrong when it came, and are right now."""
        with self._lock:
            if guessed:
                guess = self._digest(attempt)
                for kind, tallies in self._tallies.items():
                    if (tally := tallies.get(attempt.of(kind))) is not None:
                        tally.discard(guess)
            known = self._known.get(attempt.pair)
            if known is None or not 0 <= now - known < KNOWN_AGAIN:
                self._remember(attempt.pair, now)
                self._new_known[attempt.pair] = now
                if len(self._new_known) > MAX_KNOWN:
                    del self._new_known[next(iter(self._new_known))]

    # --- what lasts

    def unsaved(self, known: int) -> tuple[list[Ban], dict[Pair, float]]:
        """Return the bans, and at most so many known logins, that have not been saved."""
        with self._lock:
            return list(self._new_bans.values()), dict(islice(self._new_known.items(), known))

    def saved(self, bans: Iterable[Ban], known: dict[Pair, float]) -> None:
        """Take it that these are saved."""
        with self._lock:
            for ban in bans:
                if self._new_bans.get(ban.subject) is ban:
                    del self._new_bans[ban.subject]
            for pair, at in known.items():
                if self._new_known.get(pair) == at:
                    del self._new_known[pair]

    def follow(self, bans: Iterable[Ban], now: float) -> None:
        """Hold these bans, and those that are not saved yet; others were lifted, and what led to them is forgotten."""
        with self._lock:
            before, self._bans = self._bans, {ban.subject: ban for ban in bans} | self._new_bans
            for kind, name in before.keys() - self._bans.keys():
                if now < before[kind, name].until:
                    self._tallies[kind].pop(name, None)
                    self._forget_origin(name if kind == ADDRESS else None)

    def learn(self, known: Iterable[tuple[Pair, float]]) -> None:
        """Add known logins that were saved, the latest last."""
        with self._lock:
            for pair, at in known:
                self._remember(pair, at)

    # --- inside

    def _is_banned(self, attempt: Attempt, now: float) -> bool:
        """Tell whether a ban holds for this attempt; one that is due begins."""
        # The address first: its guesses then do not ban the username too.
        address = self._is_subject_banned(ADDRESS, attempt, now)
        return self._is_subject_banned(USERNAME, attempt, now) or address

    def _is_subject_banned(self, kind: str, attempt: Attempt, now: float) -> bool:
        limit = self.rules.limit(kind)
        if not limit:
            return False
        name = attempt.of(kind)
        ban = self._bans.get((kind, name))
        if ban is not None and now < ban.until:
            return True
        tally = self._tallies[kind].get(name)
        if tally is None or len(tally) < limit:
            return False
        tally.forget(now - self.rules.window)
        if kind == USERNAME:
            tally.drop(self._was_stopped)
        if len(tally) < limit:
            return False
        self._begin(kind, name, attempt, len(tally), now)
        return True

    def _was_stopped(self, origin: str, at: float) -> bool:
        """Tell whether an address was banned after it guessed."""
        ban = self._bans.get((ADDRESS, origin))
        return ban is not None and ban.since >= at

    def _forget_origin(self, origin: str | None) -> None:
        if origin is not None:
            for tally in self._tallies[USERNAME].values():
                tally.drop(lambda other, at: other == origin)

    def _begin(self, kind: str, name: str, attempt: Attempt, failures: int, now: float) -> None:
        before = self._bans.get((kind, name))
        times = before.times + 1 if before is not None and now - before.until < REMEMBERED else 1
        until = now + min(LONGEST_BAN, self.rules.ban * 2 ** min(times - 1, 20))
        ban = Ban(kind, name, now, until, times, failures, attempt.protocol, attempt.name, attempt.address)
        self._bans.pop(ban.subject, None)  # so that the newest comes last
        self._bans[ban.subject] = self._new_bans[ban.subject] = ban
        del self._tallies[kind][name]
        for held in (self._bans, self._new_bans):
            if len(held) > MAX_BANS:
                del held[next(iter(held))]

    def _is_known(self, attempt: Attempt, now: float) -> bool:
        at = self._known.get(attempt.pair)
        return at is not None and now - at < KNOWN_FOR

    def _remember(self, pair: Pair, at: float) -> None:
        self._known[pair] = at
        self._known.move_to_end(pair)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def _tally(self, tallies: OrderedDict[Name, Tally], name: Name) -> Tally:
        tally = tallies.get(name)
        if tally is None:
            tally = tallies[name] = Tally()
            if len(tallies) > MAX_TRACKED:
                tallies.popitem(last=False)
        tallies.move_to_end(name)
        return tally

    def _digest(self, attempt: Attempt) -> int:
        guess = blake2b(attempt.name.encode(), key=self._key, digest_size=8)
        guess.update(b"\0" + attempt.password)
        return int.from_bytes(guess.digest(), "big")


def _wait(guesses: int) -> float:
    return min(LONGEST_WAIT, FIRST_WAIT * WAIT_GROWTH ** min(guesses, 40))
