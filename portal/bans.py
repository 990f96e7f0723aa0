"""Bans and known logins in the database, which all processes and nodes share; what a person does with bans.

The counters behind them are each process's own: what is counted is lost with it, what is banned is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import partial

from portal import activity, clock, guard
from portal.attempt import Pair, origin_of
from portal.changes import Changes
from portal.db import connected, writing
from portal.guard import ADDRESS, BY_OPERATOR, KNOWN_FOR, MAX_BANS, MAX_KNOWN, REMEMBERED, USERNAME, Guard
from portal.integrations import MAX_ID, Actor
from portal.models import Ban, Integration, KnownLogin, Revision, tuples

BANS, KNOWN = "bans", "known logins"  # names of counters
SAVED_AT_ONCE = 1_000
INSERT_ROWS = 100


class NotFound(LookupError):
    """There is no such ban (any more)."""


class Keeper:
    """Keeps a guard in step with the database: writes what it decided, reads what others did."""

    def __init__(self, of: Guard) -> None:
        self._guard = of
        self._changes = Changes()
        self._read = {BANS: -1, KNOWN: -1}
        self._last_known_id = 0

    def sync(self, now: datetime) -> None:
        """Write, then read; costs next to nothing when there is nothing to do.  Raises `db.Unavailable`."""
        self._write()
        self._changes.tell(partial(self._follow, now))

    def close(self) -> None:
        """Let go of the connection to the database."""
        self._changes.close()

    def _follow(self, now: datetime, counters: Mapping[str, int]) -> None:
        if counters[BANS] != self._read[BANS]:
            self._guard.follow(_remembered(now), now.timestamp())
        if counters[KNOWN] != self._read[KNOWN]:
            self._learn(now)
        self._read = {name: counters[name] for name in self._read}

    def _write(self) -> None:
        bans, known = self._guard.unsaved(SAVED_AT_ONCE)
        if not (bans or known):
            return
        counted = {}
        with connected(), writing():
            if bans:
                counted[BANS] = Revision.bump(BANS)
                for ban in bans:
                    _save(ban)
            if known:
                counted[KNOWN] = Revision.bump(KNOWN)
                _save_known(known)
        self._guard.saved(bans, known)
        for name, value in counted.items():
            if value == self._read[name] + 1:  # what was written here need not be read
                self._read[name] = value

    def _learn(self, now: datetime) -> None:
        fresh = tuples(
            KnownLogin.select(KnownLogin.id, KnownLogin.username, KnownLogin.origin, KnownLogin.last_at)
            .where(KnownLogin.id > self._last_known_id, KnownLogin.last_at > now - timedelta(seconds=KNOWN_FOR))
            .order_by(KnownLogin.last_at.desc())
            .limit(MAX_KNOWN)
        )
        self._guard.learn(((username, origin), at.timestamp()) for _, username, origin, at in reversed(fresh))
        self._last_known_id = max([self._last_known_id, *(row[0] for row in fresh)])


def current(now: datetime, limit: int = -1) -> list[Ban]:
    """Return the bans that hold, the newest first."""
    query = Ban.select().where(Ban.until > now).order_by(Ban.since.desc(), Ban.id.desc())
    return list(query.limit(limit) if limit >= 0 else query)


def count(now: datetime) -> int:
    """Return how many bans hold."""
    return int(Ban.select().where(Ban.until > now).count())


def of_username(username: str, now: datetime) -> Ban | None:
    """Return the ban that a username is under, or None."""
    query = Ban.select().where(Ban.kind == USERNAME, Ban.name == username, Ban.until > now)
    found: Ban | None = query.first()
    return found


def add(address: str, protocol: str, username: str, hours: int, actor: Actor) -> None:
    """Ban an address because an operator says so; the username is the last one that came from it."""
    now = clock.now()
    until = now + timedelta(hours=hours)
    values = {
        "since": now,
        "until": until,
        "times": 1,
        "failures": BY_OPERATOR,
        "protocol": protocol,
        "last_username": username,
        "last_address": address,
    }
    with writing():
        Revision.bump(BANS)
        row = {"kind": ADDRESS, "name": origin_of(address), **values}
        Ban.insert(**row).on_conflict(conflict_target=[Ban.kind, Ban.name], update=values).execute()
        told = f"address {row['name']} banned for {hours} hours"
        activity.record("ban.set", now, account=actor.name, address=actor.address, detail=told)


def lift(ban_id: int, actor: Actor) -> Ban:
    """End a ban; the next one of its kind is a first one again.  Raises `NotFound`."""
    with writing():
        Revision.bump(BANS)
        now = clock.now()
        found = Ban.get_or_none(Ban.id == ban_id, Ban.until > now) if ban_id < MAX_ID else None
        if found is None:
            raise NotFound("this ban is over already")
        _record("ban.lifted", now, found, _called(found), account=actor.name, address=actor.address)
        found.delete_instance()
    return found


def lift_by_name(name: str, actor: Actor) -> list[Ban]:
    """End the bans of an address or a username.  Raises `NotFound`."""
    wanted = origin_of(name)
    found = [ban for ban in current(clock.now()) if ban.name == (wanted if ban.kind == ADDRESS else name)]
    if not found:
        raise NotFound(f"no ban holds for {name!r}")
    return [lift(ban.id, actor) for ban in found]


def prune(now: datetime) -> int:
    """Delete what is remembered no longer, and what is too much; return the number of rows deleted."""
    deleted = int(Ban.delete().where(Ban.until < now - timedelta(seconds=REMEMBERED)).execute())
    deleted += int(KnownLogin.delete().where(KnownLogin.last_at < now - timedelta(seconds=KNOWN_FOR)).execute())
    for model, order, most in ((Ban, Ban.until, MAX_BANS), (KnownLogin, KnownLogin.last_at, MAX_KNOWN)):
        boundary = model.select(order).order_by(order.desc()).offset(most).limit(1).scalar()
        if boundary is not None:
            deleted += int(model.delete().where(order <= boundary).execute())
    return deleted


def as_json(ban: Ban) -> dict[str, object]:
    """Return a ban as the command line and the API show it."""
    return {
        "kind": ban.kind,
        "name": ban.name,
        "since": ban.since.isoformat(),
        "until": ban.until.isoformat(),
        "times": ban.times,
        "failures": ban.failures,
        "protocol": ban.protocol,
        "last_username": ban.last_username,
        "last_address": ban.last_address,
    }


def _save(ban: guard.Ban) -> None:
    since, until = (datetime.fromtimestamp(moment, UTC) for moment in (ban.since, ban.until))
    values = {
        "since": since,
        "until": until,
        "times": ban.times,
        "failures": ban.failures,
        "protocol": ban.protocol,
        "last_username": ban.last_username,
        "last_address": ban.last_address,
    }
    row = {"kind": ban.kind, "name": ban.name, **values}
    Ban.insert(**row).on_conflict(conflict_target=[Ban.kind, Ban.name], update=values).execute()
    minutes = round((until - since).total_seconds() / 60)
    detail = f"{_called(ban)} banned for {minutes} minutes after {ban.failures} wrong passwords"
    _record(activity.BANNED, since, ban, detail, protocol=ban.protocol)


def _called(ban: Ban | guard.Ban) -> str:
    """Return what a ban is of, in an entry that has the username beside it."""
    return f"address {ban.name}" if ban.kind == ADDRESS else "username"


def _record(kind: str, now: datetime, ban: Ban | guard.Ban, detail: str, **who: str | None) -> None:
    username = ban.name if ban.kind == USERNAME else None
    integration = Integration.get_or_none(Integration.username == username) if username else None
    activity.record(kind, now, integration=integration, username=username, detail=detail, **who)


def _save_known(known: Mapping[Pair, float]) -> None:
    rows = [
        {"username": username, "origin": origin, "last_at": datetime.fromtimestamp(at, UTC)}
        for (username, origin), at in known.items()
    ]
    for start in range(0, len(rows), INSERT_ROWS):
        KnownLogin.insert_many(rows[start : start + INSERT_ROWS]).on_conflict(
            conflict_target=[KnownLogin.username, KnownLogin.origin], preserve=[KnownLogin.last_at]
        ).execute()


def _remembered(now: datetime) -> Iterator[guard.Ban]:
    """Read the bans that hold, and those that make the next one longer, the oldest first."""
    columns = [getattr(Ban, column.name) for column in fields(guard.Ban)]
    remembered = Ban.until > now - timedelta(seconds=REMEMBERED)
    rows = tuples(Ban.select(*columns).where(remembered).order_by(Ban.since.desc()).limit(MAX_BANS))
    for kind, name, since, until, *rest in reversed(rows):
        yield guard.Ban(kind, name, since.timestamp(), until.timestamp(), *rest)
