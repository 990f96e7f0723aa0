"""Who is connected: written in batches by the protocols worker, read by the pages.

Presence belongs to a connection.  An integration is online while it has one on a node whose heartbeat is fresh.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import peewee as pw

from portal.activity import LOGIN, Key, LoginLog, LoginNote, Note
from portal.config import Settings
from portal.db import database, writing
from portal.models import Connection, Integration, Node, Revision, insert_missing, tuples

MAIN = "mqtt"  # the part that also has what comes by the portal's own port
WEB = frozenset({MAIN, "http"})  # what may come by that port
FRESH = timedelta(seconds=5)  # a node is up while its heartbeat is not older
GONE = timedelta(minutes=1)  # the connections of a node that was silent for longer are deleted
INSERT_ROWS = 400
COLUMNS = (
    "id",
    "integration_id",
    "node_id",
    "protocol",
    "client_id",
    "address",
    "connected_at",
    "version",
    "transport",
    "kicked",
)


class Connected(NamedTuple):
    """An accepted login with its open connection; with a username the login is noted, too."""

    connection_id: str
    integration_id: int
    protocol: str
    client_id: str
    address: str
    at: datetime
    version: str = ""
    transport: str = "tcp"
    username: str | None = None

    @property
    def key(self) -> Key:
        return LOGIN, self.username, self.address, self.client_id, self.integration_id


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The end of a connection."""

    connection_id: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A sign of life of the node; it takes the same path as presence, and so vouches for it."""

    at: datetime


Event = Connected | Disconnected | LoginNote | Heartbeat


# Every transaction here counts the change first: the counter's row is the one lock that they all take, so that no two
# of them wait for each other.


@dataclass(frozen=True, slots=True)
class Down:
    """The protocols whose servers should run and do not, and whether that is all of them."""

    protocols: tuple[str, ...]
    everything: bool

    @property
    def version(self) -> str:
        """Return a word for this state."""
        return "down" if self.everything else ",".join(self.protocols) or "up"


class NodeGone(Exception):
    """Another node took this one for dead and deleted it, with its connections."""


def start_node(node_id: str, now: datetime, listeners: Mapping[str, int]) -> None:
    """Announce a node, and clear what an earlier run of it left behind."""
    row = {"started_at": now, "heartbeat_at": now, "listeners": json.dumps(dict(listeners))}
    with writing():
        Revision.bump("presence")
        Node.insert(id=node_id, **row).on_conflict(conflict_target=[Node.id], update=row).execute()
        Connection.delete().where(Connection.node == node_id).execute()


def stop_node(node_id: str) -> None:
    """Sign a node off, with its connections."""
    with writing():
        Revision.bump("presence")
        Node.delete().where(Node.id == node_id).execute()


def sweep(now: datetime) -> int:
    """Delete nodes that have been silent for long, with their connections; return how many nodes."""
    gone = Node.select(Node.id).where(Node.heartbeat_at < now - GONE)
    if not gone.exists():
        return 0
    with writing():
        Revision.bump("presence")
        deleted = Node.delete().where(Node.heartbeat_at < now - GONE).execute()
    return int(deleted)


class Writer:
    """Writes a node's presence events to the database, a batch in a transaction.

    What comes once for each connection is plain SQL: while peewee puts a query together, logins wait.
    """

    def __init__(self, node_id: str) -> None:
        self._node_id = node_id
        self._log = LoginLog()

    def write(self, events: Sequence[Event]) -> None:
        """Write all of a batch or nothing.  Raises peewee's errors, and `NodeGone`."""
        opened: list[Connected] = []
        closed: set[str] = set()
        beats: list[datetime] = []
        notes: list[Note] = []
        for event in events:
            if isinstance(event, Connected):
                opened.append(event)
                if event.username is not None:
                    notes.append(event)
            elif isinstance(event, Disconnected):
                closed.add(event.connection_id)
            elif isinstance(event, LoginNote):
                notes.append(event)
            else:
                beats.append(event.at)
        try:
            with writing():
                if opened or closed:
                    Revision.bump("presence")
                if beats:
                    self._beat(beats[-1])
                if opened or closed:
                    self._open([event for event in opened if event.connection_id not in closed])
                    self._close(closed)
                    self._set_last_login(opened)
                self._log.write(notes)
        except (pw.PeeweeException, NodeGone):
            self._log.forget()
            raise

    def replace(self, live: Collection[Connected]) -> None:
        """Make the table show exactly these connections for this node."""
        with writing():
            Revision.bump("presence")
            Connection.delete().where(Connection.node == self._node_id).execute()
            self._open(live)
            self._set_last_login(live)

    def _beat(self, at: datetime) -> None:
        if not Node.update(heartbeat_at=at).where(Node.id == self._node_id).execute():
            raise NodeGone(self._node_id)

    def _open(self, opened: Iterable[Connected]) -> None:
        """Insert connections, except those of integrations that were deleted meanwhile."""
        opened = list(opened)
        for start in range(0, len(opened), INSERT_ROWS):
            part = opened[start : start + INSERT_ROWS]
            wanted = list({event.integration_id for event in part})
            places = ", ".join([database.param] * len(wanted))
            sql = f"SELECT id FROM integration WHERE id IN ({places})"  # noqa: S608
            there = {row[0] for row in database.execute_sql(sql, wanted).fetchall()}
            if rows := self._rows(event for event in part if event.integration_id in there):
                insert_missing(Connection, COLUMNS, rows)

    def _rows(self, opened: Iterable[Connected]) -> list[tuple[object, ...]]:
        node_id, time = self._node_id, Connection.connected_at.db_value
        return [
            (id, integration_id, node_id, protocol, client_id, address, time(at), version, transport, False)
            for id, integration_id, protocol, client_id, address, at, version, transport, _ in opened
        ]

    def _close(self, closed: Collection[str]) -> None:
        ids = list(closed)
        for start in range(0, len(ids), INSERT_ROWS):
            part = ids[start : start + INSERT_ROWS]
            places = ", ".join([database.param] * len(part))
            database.execute_sql(f"DELETE FROM connection WHERE id IN ({places})", part)  # noqa: S608

    def _set_last_login(self, opened: Iterable[Connected]) -> None:
        sql = f"UPDATE integration SET last_login = {database.param} WHERE id = {database.param}"  # noqa: S608
        latest = {event.integration_id: event.at for event in opened}
        for integration_id, at in latest.items():
            database.execute_sql(sql, (Integration.last_login.db_value(at), integration_id))


def _fresh(now: datetime) -> Any:
    """Return the condition for a node that is up; a heartbeat from the future only tells that a clock was set back."""
    return Node.heartbeat_at.between(now - FRESH, now + FRESH)


def nodes_up(now: datetime) -> list[Node]:
    """Return the nodes with a fresh heartbeat."""
    return list(Node.select().where(_fresh(now)).order_by(Node.id))


def nodes_with_connections() -> list[tuple[Node, int]]:
    """Return every node that has not signed off, with the number of its connections."""
    counts = Connection.select(Connection.node, pw.fn.COUNT(Connection.id)).group_by(Connection.node)
    by_node = {str(row[0]): int(row[1]) for row in tuples(counts)}
    return [(node, by_node.get(node.id, 0)) for node in Node.select().order_by(Node.started_at)]


def carries(node: Node) -> frozenset[str]:
    """Return the protocols that a node serves; the main part needs no listener of its own for those of the web."""
    found = {name.partition("-")[0] for name in json.loads(node.listeners)}
    return frozenset(found | WEB if MAIN in found or not found else found)


def down(settings: Settings, now: datetime) -> Down:
    """Tell which protocol servers should run and do not."""
    expected = {name.partition("-")[0] for name in settings.ports} | (WEB if settings.mqtt_web else {"http"})
    running = {protocol for node in nodes_up(now) for protocol in carries(node)}
    missing = tuple(sorted(expected - running))
    return Down(missing, everything=not running or bool(expected) and not expected & running)


def is_up(node: Node, now: datetime) -> bool:
    """Tell whether the heartbeat of a node is fresh."""
    return bool(now - FRESH <= node.heartbeat_at <= now + FRESH)


def online_ids(now: datetime) -> pw.ModelSelect[Connection]:
    """Return the query for the ids of all integrations that are online."""
    return Connection.select(Connection.integration).join(Node).where(_fresh(now))


def connections_of(integration_id: int, now: datetime, limit: int | None = None) -> list[Connection]:
    """Return the open connections of one integration, newest first."""
    query = Connection.select().join(Node)
    live = (Connection.integration == integration_id) & (_fresh(now))
    return list(query.where(live).order_by(Connection.connected_at.desc(), Connection.id).limit(limit))


class Kicks:
    """Finds the connections of a node that somebody wants closed."""

    def __init__(self, node_id: str) -> None:
        self._node_id = node_id
        self._revision = 0

    def look(self, revisions: Mapping[str, int]) -> list[str]:
        """Return the ids of connections to close; costs nothing while the counter stands still."""
        if revisions["kicks"] == self._revision:
            return []
        query = Connection.select(Connection.id).where(Connection.node == self._node_id, Connection.kicked)
        found = [str(row[0]) for row in tuples(query)]
        self._revision = revisions["kicks"]
        return found


def count_by_integration(integration_ids: Collection[int], now: datetime) -> dict[int, int]:
    """Return the number of open connections of each of these integrations that has any."""
    query = (
        Connection.select(Connection.integration, pw.fn.COUNT(Connection.id))
        .join(Node)
        .where(Connection.integration.in_(list(integration_ids)), _fresh(now))
        .group_by(Connection.integration)
    )
    return {int(row[0]): int(row[1]) for row in tuples(query)}
