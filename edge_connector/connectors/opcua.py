"""A server of OPC UA."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from asyncua import ua

from edge_connector.connectors import opcua_requests as requests
from edge_connector.connectors.base import Connector, Home
from edge_connector.connectors.loop import Loop
from edge_connector.connectors.opcua_identity import Identity, identity
from edge_connector.connectors.opcua_nodes import Allowed, Nodes
from edge_connector.connectors.opcua_session import Session, server, told
from edge_connector.connectors.opcua_values import told as reading
from edge_connector.connectors.opcua_watches import Watch, Watches
from edge_connector.described import Listener, offered
from edge_connector.errors import EdgeError, Refused
from edge_connector.settings import Table

log = logging.getLogger(__name__)

T = TypeVar("T")

_MANY = 1000  # nodes of one call
_DEEP = 10_000  # references of a node that are looked through
_FASTEST, _SLOWEST = 0.05, 3600.0  # seconds between two looks at a node that is watched


class OPCUA(Connector):
    """Nodes of a server, as far as the configuration allows: by default all may be read, none written or called."""

    def __init__(self, name: str, table: Table) -> None:
        super().__init__(name, table)
        logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)  # what goes wrong is said by calls and feeds
        self._server = server(table)
        self._readable = Allowed(table, "read", ["*"])
        self._writable = Allowed(table, "write", [])
        self._callable = Allowed(table, "methods", [])
        self._sampling = table.number("sampling", 1, low=_FASTEST, high=_SLOWEST)
        self._loop = Loop(name)
        self._watches = Watches(name)
        self._identity: Identity | None = None
        self._session: Session | None = None

    def begin(self, home: Home) -> None:
        if self._server.is_secure:
            self._identity = identity(home.folder, home.place)
        elif self._server.username:
            log.warning("%s: without security, the password goes to whoever answers at %s", self.name, self._server.url)
        self._session = Session(self.name, self._server, self._identity, self._watches.restore, self._watches.lost)
        self._loop.begin(self._session.run())

    @offered(reads=True)
    def browse(self, node: str = "/", start: int = 0, count: int = 100) -> dict[str, Any]:
        """Tells what lies below a node

        :param node: Id, like ns=2;s=Line1, or path from the folder Objects, like /2:Line1; / is that folder
        :param start: How many to leave out
        :param count: How many to return, 1000 at most
        :returns: nodes, each with node, name, display, class and type; more: whether there are more
        """
        if not 0 <= start <= _DEEP or not 1 <= count <= _MANY:
            raise Refused(f"start has to be from 0 to {_DEEP}, and count from 1 to {_MANY}")

        async def work(client: Any, nodes: Nodes) -> dict[str, Any]:
            (found,) = await nodes.find([node])
            below = await requests.below(client, found, start + count + 1)
            return {"nodes": below[start : start + count], "more": len(below) > start + count}

        return self._do(work)

    @offered(reads=True)
    def read(self, node: str) -> dict[str, Any]:
        """Reads a value

        :param node: Id or path
        :returns: value, type, status, source_time, server_time; the value is null if the status is bad
        """
        (found,) = self.read_many([node])
        return dict(found)

    @offered(reads=True)
    def read_many(self, nodes: list[Any]) -> list[Any]:
        """Reads values of many nodes with few requests

        :param nodes: Ids or paths, 1000 at most
        :returns: For each of them what read returns; a node that does not exist has that as its status
        """
        wanted = _places(nodes)

        async def work(client: Any, finder: Nodes) -> list[dict[str, Any]]:
            found = await finder.find(wanted)
            await self._readable.check(found, finder)
            return [reading(one) for one in await requests.read(client, found)]

        return self._do(work)

    @offered(reads=True)
    def value(self, node: str) -> Any:
        """Reads a value, without its type and time

        :param node: Id or path
        :returns: The value; a fault if its status is bad
        """
        found = self.read(node)
        if found["status"].startswith("Bad"):
            raise Refused(f"the value of {node[:200]} is not known: {found['status']}")
        return found["value"]

    @offered(reads=True)
    def values(self, nodes: dict[str, Any]) -> dict[str, Any]:
        """Reads many values, as a poll can spread them

        :param nodes: Ids or paths by name
        :returns: Values by name; null for what cannot be read
        """
        found = self.read_many(list(nodes.values()))
        return {name: one["value"] for name, one in zip(nodes, found, strict=True)}

    @offered()
    def write(self, node: str, value: Any) -> bool:
        """Writes a value of the node's own type, where the configuration allows it

        :param node: Id or path
        :param value: As read tells it: bytes as base64, a time as 2026-01-31T12:00:00Z; 64-bit integers also as a text
        :returns: Always true
        """

        async def work(client: Any, finder: Nodes) -> bool:
            found = await finder.find([node])
            await self._writable.check(found, finder)
            await requests.write(client, found[0], value)
            return True

        return self._do(work)

    @offered()
    def call(self, object: str, method: str, arguments: Sequence[Any] = []) -> list[Any]:
        """Calls a method, where the configuration allows both it and its object

        :param object: Id or path of the object
        :param method: Id or path of the method
        :param arguments: Values, as write takes them
        :returns: What the method returns
        """

        async def work(client: Any, finder: Nodes) -> list[Any]:
            found = await finder.find([object, method])
            await self._callable.check(found, finder)
            return await requests.call(client, found[0], found[1], arguments)

        return self._do(work)

    @offered(reads=True)
    def watch(self, node: str, listener: Listener) -> Callable[[], None]:
        """Tells of a node's values, at once and with each change

        :param node: Id or path
        :param listener: Gets what read returns; BadNoCommunication while there is no connection
        :returns: Always true
        """
        return self._watch({"node": node}, lambda found: listener(reading(found)))

    @offered(reads=True)
    def watch_value(self, node: str, listener: Listener) -> Callable[[], None]:
        """Tells of a node's values, at once and with each change, without type and time

        :param node: Id or path
        :param listener: Gets a value; null while none is known
        :returns: Always true
        """
        return self._watch({"node": node}, lambda found: listener(reading(found)["value"]))

    @offered(reads=True)
    def watch_item(self, item: dict[str, Any], listener: Listener) -> Callable[[], None]:
        """Tells of a node's values as watch does, as closely as wanted

        :param item: node; interval in seconds; deadband that a number has to exceed; percent, if that is of its range
        :param listener: Gets what read returns
        :returns: Always true
        """
        return self._watch(item, lambda found: listener(reading(found)))

    @offered(reads=True)
    def status(self) -> dict[str, Any]:
        """Tells how the connection to the server is

        :returns: server, connected, trouble, watches
        """
        return {**self._begun().status(), "watches": len(self._watches)}

    @offered(reads=True)
    def identity(self) -> dict[str, str]:
        """Tells by which certificate the server knows this agent, which it may have to be told to trust

        :returns: certificate (PEM), fingerprint, uri
        """
        if self._identity is None:
            raise Refused("there is no certificate: this connection is not secured")
        return self._identity.told()

    def close(self) -> None:
        self._loop.stop()

    # --- watches

    def _watch(self, item: dict[str, Any], tell: Callable[[Any], None]) -> Callable[[], None]:
        place, options = _item(item, self._sampling)

        async def work(client: Any, finder: Nodes) -> Watch:
            found = await finder.find([place])
            await self._readable.check(found, finder)
            watch = Watch(node=found[0], tell=tell, **options)
            await self._watches.add(client, watch)
            return watch

        watch = self._do(work)
        return lambda: self._unwatch(watch)

    def _unwatch(self, watch: Watch) -> None:
        with contextlib.suppress(EdgeError, ua.UaError, OSError):
            self._loop.run(self._watches.remove(watch), self._server.seconds)

    # --- the server

    def _do(self, work: Callable[[Any, Nodes], Awaitable[T]]) -> T:
        """Return what comes of some requests.  Raises `Refused`."""
        session = self._begun()

        async def done() -> T:
            client, nodes = await session.current()
            return await work(client, nodes)

        asked: Coroutine[Any, Any, T] = done()
        try:
            return self._loop.run(asked, self._server.seconds)
        except Exception as error:  # whatever the server answered is told, and the agent goes on
            log.debug("%s: a request failed", self.name, exc_info=True)
            raise told(error) from None

    def _begun(self) -> Session:
        if self._session is None:
            raise Refused("the agent has not started yet")
        return self._session


def _places(nodes: list[Any]) -> list[str]:
    if len(nodes) > _MANY:
        raise Refused(f"there are {_MANY} nodes at most")
    if not all(isinstance(one, str) for one in nodes):
        raise Refused("a node is a text: an id like ns=2;s=Speed, or a path like /2:Line1/2:Speed")
    return nodes


def _item(item: dict[str, Any], sampling: float) -> tuple[str, dict[str, Any]]:
    """Return the node of what is to be watched, and how closely.  Raises `Refused`."""
    unknown = sorted(set(item) - {"node", "interval", "deadband", "percent"})
    if unknown:
        raise Refused(f"an item has no {unknown[0][:60]!r}")
    (place,) = _places([item.get("node")])
    interval, deadband, percent = item.get("interval", sampling), item.get("deadband", 0), item.get("percent", False)
    if isinstance(interval, bool) or not isinstance(interval, int | float) or not _FASTEST <= interval <= _SLOWEST:
        raise Refused(f"interval has to be from {_FASTEST:g} to {_SLOWEST:g} seconds")
    if isinstance(deadband, bool) or not isinstance(deadband, int | float) or not deadband >= 0:
        raise Refused("deadband has to be a number that is not negative")
    if not isinstance(percent, bool):
        raise Refused("percent has to be true or false")
    return place, {"interval": float(interval), "deadband": float(deadband), "percent": percent}
