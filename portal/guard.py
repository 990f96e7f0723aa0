"""Slows down guessing: counts wrong credentials by address and by username, keeps them waiting, bans for a time.

A state machine without a database or a clock: `now` is seconds since 1970.  `portal/bans.py` keeps what has to last.

- A *guess* is a username with a password.  The same wrong one again is a device that nobody told, and no new guess.
- So many guesses within the window ban an address (IPv6: its /64), and so many at one username ban that; but those of
  one address that is banned itself do not count: who can be stopped alone keeps nobody else out.
- A ban refuses without a look at the password, except for a *known login*: a username from an address that it has come
  in from.  Under a ban its guesses are looked at one by one, so that its right password still gets in.
"""

from __future__ import annotations

import os
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import TypeVar

from portal.attempt import Attempt, Pair
from portal.config import Settings
from portal.tally import Tally

ADDRESS, USERNAME = "address", "username"
BY_OPERATOR = 0  # the failures of a ban that an operator set, which holds also where bans for guessing are turned off

FIRST_WAIT, LONGEST_WAIT = 0.1, 3.0  # seconds before a refusal
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
        self._known_origins: Counter[str] = Counter()  # of these
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
                    tally = self._tally(tallies, _name(kind, attempt))
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
                    if (tally := tallies.get(_name(kind, attempt))) is not None:
                        tally.discard(guess)
            known = self._known.get(attempt.pair)
            if known is None or not 0 <= now - known < KNOWN_AGAIN:
                self._remember(attempt.pair, now)
                self._new_known[attempt.pair] = now
                if len(self._new_known) > MAX_KNOWN:
                    del self._new_known[next(iter(self._new_known))]

    def knows(self, origin: str) -> bool:
        """Tell whether some client has logged in from this address."""
        return origin in self._known_origins

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
        name = _name(kind, attempt)
        ban = self._bans.get((kind, name))
        if ban is not None and now < ban.until and (limit or ban.failures == BY_OPERATOR):
            return True
        if not limit:
            return False
        tally = self._tallies[kind].get(name)
        if tally is None or len(tally) < limit:
            return False
        tally.forget(now - self.rules.window)
        if kind == USERNAME:
            self._pardon(tally, now)
        if len(tally) < limit:
            return False
        self._begin(kind, name, attempt, len(tally), now)
        return True

    def _pardon(self, tally: Tally, now: float) -> None:
        """Do not count the guesses of one address that was banned for them; several are an attack from all sides."""
        if now - tally.pardoned_at >= self.rules.window:
            tally.pardoned, tally.pardoned_at = next((o for o, at in tally if self._was_stopped(o, at)), None), now
        tally.drop(lambda origin, at: origin == tally.pardoned and self._was_stopped(origin, at))

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
        self._known_origins[pair[1]] += pair not in self._known
        self._known[pair] = at
        self._known.move_to_end(pair)
        if len(self._known) > MAX_KNOWN:
            (_, origin), _ = self._known.popitem(last=False)
            self._known_origins[origin] -= 1
            if not self._known_origins[origin]:
                del self._known_origins[origin]

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


def _name(kind: str, attempt: Attempt) -> str:
    return attempt.origin if kind == ADDRESS else attempt.name
