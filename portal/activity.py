"""What happened: logins, refusals, kicks, and every change by an account.  Bounded by age, by size, and by rate."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from portal.db import database
from portal.models import Activity, Integration

MAX_AGE = timedelta(days=90)
MAX_ROWS = 100_000  # of logins, and as many of changes, which no client can push out
WINDOW = timedelta(seconds=60)
MAX_REFUSED_PER_WINDOW = 300
MAX_LOGINS_PER_WINDOW = 20  # of one integration
MAX_TRACKED = 2_000
MAX_TEXT = 256

LOGIN = "login.accepted"
REFUSED = "login.refused"
CUT = "connection.cut"
BANNED = "ban.begun"
RENEWED = "certificate.renewed"
FORGOTTEN = "integration.session-forgotten"


def record(
    kind: str,
    now: datetime,
    *,
    integration: Integration | None = None,
    username: str | None = None,
    account: str | None = None,
    protocol: str | None = None,
    address: str | None = None,
    detail: str = "",
) -> int:
    """Write down one thing that an account or Gatehouse did, in the transaction that does it; return the row's id."""
    made = Activity.insert(
        at=now,
        last_at=now,
        kind=kind,
        integration_id=integration.id if integration else None,
        username=integration.username if integration else username,
        account=account,
        protocol=protocol,
        address=address,
        detail=detail[:MAX_TEXT],
    ).execute()
    return int(made)


Key = tuple[str, str | None, str, str, int | None]  # kind, username, address, detail, id of the integration

BEYOND = "and more, counted only"
REFUSED_BEYOND: Key = (REFUSED, None, "", "more refused logins, counted only", None)


class Note(Protocol):
    """What happened to a client, when, and over which protocol; what has the same key is a repeat."""

    @property
    def at(self) -> datetime: ...

    @property
    def protocol(self) -> str: ...

    @property
    def key(self) -> Key: ...


class LoginNote(NamedTuple):
    """One login or its end, as the protocol servers saw it, or what they did.  It never holds a password."""

    kind: str
    at: datetime
    protocol: str
    username: str | None
    address: str
    detail: str = ""
    integration_id: int | None = None

    @property
    def key(self) -> Key:
        return self.kind, self.username, self.address, self.detail, self.integration_id


class LoginLog:
    """Writes login notes: repeats within a minute become one row with a count.

    A client that retries for ever costs one row a minute.  Clients that try ever new usernames cost at most
    `MAX_REFUSED_PER_WINDOW` rows a minute, and an integration whose clients come with ever new client ids at most
    `MAX_LOGINS_PER_WINDOW`; the rest are counted in one row of their own.
    """

    def __init__(self) -> None:
        self._rows: OrderedDict[Key, tuple[int, datetime]] = OrderedDict()
        self._window_start: datetime | None = None
        self._listed: Counter[Key] = Counter()

    def write(self, notes: Sequence[Note]) -> None:
        """Write notes in order; call it inside a transaction.  Call `forget` if that transaction fails."""
        repeats: dict[int, tuple[int, datetime]] = {}
        for note in notes:
            key, at = note.key, note.at
            row_id = self._repeated(key, at)
            if row_id is None:
                beyond = self._beyond(key, at)
                if beyond is not None:
                    key, row_id = beyond, self._repeated(beyond, at)
                if row_id is None:
                    self._remember(key, self._insert(key, at, note.protocol), at)
                    continue
            repeats[row_id] = (repeats[row_id][0] + 1 if row_id in repeats else 1, at)
        # In plain SQL: while peewee puts a query together, logins wait.
        place = database.param
        sql = f"UPDATE activity SET count = count + {place}, last_at = {place} WHERE id = {place}"  # noqa: S608
        for row_id, (count, last_at) in repeats.items():
            database.execute_sql(sql, (count, Activity.last_at.db_value(last_at), row_id))

    def forget(self) -> None:
        """Start new rows: the ones remembered may not have been committed."""
        self._rows.clear()

    def _repeated(self, key: Key, at: datetime) -> int | None:
        """Return the row that something is a repeat of."""
        known = self._rows.get(key)
        return known[0] if known is not None and _within(known[1], at) else None

    def _beyond(self, key: Key, at: datetime) -> Key | None:
        """Count what is to be listed; beyond the rate, return the key of what stands for all that is not."""
        if self._window_start is None or not _within(self._window_start, at):
            self._window_start = at
            self._listed.clear()
        kind, username, _, _, integration_id = key
        refused = kind == REFUSED
        group = REFUSED_BEYOND if refused else (kind, username, "", BEYOND, integration_id)
        listed = self._listed[group] = self._listed[group] + 1
        return group if listed > (MAX_REFUSED_PER_WINDOW if refused else MAX_LOGINS_PER_WINDOW) else None

    def _insert(self, key: Key, at: datetime, protocol: str) -> int:
        kind, username, address, detail, integration_id = key
        return int(
            Activity.insert(
                at=at,
                last_at=at,
                kind=kind,
                integration_id=integration_id,
                username=username[:MAX_TEXT] if username is not None else None,
                protocol=protocol,
                address=address or None,
                detail=detail[:MAX_TEXT],
            ).execute()
        )

    def _remember(self, key: Key, row_id: int, at: datetime) -> None:
        self._rows[key] = (row_id, at)
        self._rows.move_to_end(key)
        if len(self._rows) > MAX_TRACKED:
            self._rows.popitem(last=False)


def _within(start: datetime, at: datetime) -> bool:
    """Tell whether a time is in the window that starts then; a clock that was set back starts a new one."""
    return timedelta(0) <= at - start < WINDOW


def of_integration(integration_id: int, limit: int = 50) -> list[Activity]:
    """Return what last happened to one integration, newest first."""
    query = Activity.select().where(Activity.integration_id == integration_id)
    return list(query.order_by(Activity.id.desc()).limit(limit))


def newest_of(integration_id: int) -> Activity | None:
    """Return what happened to one integration last, be it a repeat."""
    query = Activity.select().where(Activity.integration_id == integration_id)
    newest: Activity | None = query.order_by(Activity.last_at.desc()).first()
    return newest


def last_refusal_of(integration_id: int) -> Activity | None:
    """Return the refused login of one integration that is listed last."""
    query = Activity.select().where(Activity.integration_id == integration_id, Activity.kind == REFUSED)
    refused: Activity | None = query.order_by(Activity.id.desc()).first()
    return refused


def refused_since(prefix: str, detail: str, since: datetime) -> Activity | None:
    """Return the login that was refused last for a reason, of usernames that begin alike; older ones are not read."""
    query = Activity.select().where(Activity.at >= since, Activity.kind == REFUSED, Activity.detail == detail)
    refused: Activity | None = query.where(Activity.username.startswith(prefix)).order_by(Activity.id.desc()).first()
    return refused


def read(*, kinds: Sequence[str] | None, before: int | None, limit: int) -> list[Activity]:
    """Return what happened, newest first: of these kinds, and older than the row `before`."""
    query = Activity.select().order_by(Activity.id.desc()).limit(limit)
    if kinds is not None:
        query = query.where(Activity.kind.in_(list(kinds)))
    if before is not None:
        query = query.where(Activity.id < before)
    return list(query)


def prune(now: datetime) -> int:
    """Delete what is too old or too much; return the number of rows deleted."""
    deleted = int(Activity.delete().where(Activity.at < now - MAX_AGE).execute())
    by_clients = Activity.kind.in_([LOGIN, REFUSED, CUT, BANNED])
    for group in (by_clients, ~by_clients):
        newest = Activity.select(Activity.id).where(group).order_by(Activity.id.desc())
        boundary = newest.offset(MAX_ROWS).limit(1).scalar()
        if boundary is not None:
            deleted += int(Activity.delete().where(group, Activity.id <= boundary).execute())
    return deleted


def printable(text: str) -> str:
    """Return what a client sent in a form that is safe to store and to show."""
    if text.isprintable():
        return text[:MAX_TEXT]
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[:MAX_TEXT])
