"""The agent's own class: how it is, and which feeds it has.  This is what Gatehouse manages it by."""

from __future__ import annotations

import platform
import socket
import time
from collections.abc import Callable
from typing import Any

from edge_connector import VERSION
from edge_connector.config import Config
from edge_connector.connectors.base import Connector
from edge_connector.described import offered
from edge_connector.errors import Refused
from edge_connector.feeding import Feeding
from edge_connector.logtail import LINES, Tail
from edge_connector.sender import Sender
from edge_connector.settings import Table
from edge_connector.updating import Updater

_FAULT = 300  # characters of a fault in a list


class EdgeConnector(Connector):
    """Static functions, which change nothing of what the configuration file says."""

    def __init__(
        self,
        config: Config,
        connectors: dict[str, Connector],
        feeding: Feeding,
        sender: Sender,
        tail: Tail,
        updater: Updater,
    ) -> None:
        super().__init__(config.name, Table("", {}))
        self._config = config
        self._connectors = connectors
        self._feeding = feeding
        self._sender = sender
        self._tail = tail
        self._updater = updater
        self._started = time.monotonic()
        self.restart_requested: Callable[[], None] = lambda: None
        self.link_status: Callable[[], dict[str, Any]] = dict

    @offered(reads=True)
    def status(self) -> dict[str, Any]:
        """Tells how the agent is: versions, host, connectors, the connection, and what is buffered and sent

        :returns: name, version, python, host, system, uptime, connectors, feeds, connection, values, update
        """
        return {
            "name": self._config.name,
            "version": VERSION,
            "python": platform.python_version(),
            "host": socket.gethostname(),
            "system": f"{platform.system()} {platform.machine()}",
            "uptime": round(time.monotonic() - self._started, 1),
            "connectors": {name: type(one).__name__ for name, one in self._connectors.items()},
            "feeds": len(self._feeding.names()),
            "connection": self.link_status(),
            "values": self._sender.status(),
            "update": self._updater.status(),
        }

    @offered(reads=True)
    def log(self, lines: int = 100) -> list[str]:
        """Returns the newest lines of the log

        :param lines: How many, 1000 at most
        :returns: Lines, oldest first
        """
        if not 1 <= lines <= LINES:
            raise Refused(f"lines has to be from 1 to {LINES}")
        return self._tail.lines(lines)

    @offered(reads=True)
    def feeds(self) -> dict[str, Any]:
        """Returns all polls and watches, with what came of each

        :returns: By name: definition, running, readings, sent, faults, fault, late
        """
        return self._feeding.status()

    @offered(reads=True)
    def some_feeds(self, search: str = "", first: int = 0, most: int = 50) -> dict[str, Any]:
        """Returns a page of the polls and watches by name, with what came of each, and without their arguments

        :param search: What their name, connector or topic contains
        :param first: How many of those to leave out
        :param most: How many to return
        :returns: An object with count, matching and feeds
        """
        count, matching, found = self._feeding.some(search, first, most)
        return {"count": count, "matching": matching, "feeds": [_brief(name, one) for name, one in found.items()]}

    @offered(reads=True)
    def feed(self, name: str) -> dict[str, Any] | None:
        """Returns how a poll or a watch is defined

        :param name: Name of the feed
        :returns: Its definition, or null if there is none of this name
        """
        return self._feeding.definition(name)

    @offered()
    def set_feed(self, name: str, definition: dict[str, Any]) -> bool:
        """Makes or changes a poll or a watch; it holds at once, and after a restart

        :param name: Name of the feed
        :param definition: connector, function, arguments, topic, interval, send, deadband, spread, retain
        :returns: Always true
        """
        self._feeding.change({name: definition}, whole=False)
        return True

    @offered()
    def remove_feed(self, name: str) -> bool:
        """Ends a poll or a watch for good

        :param name: Name of the feed
        :returns: Whether there was one
        """
        found = name in self._feeding.names()
        self._feeding.change({name: None}, whole=False)
        return found

    @offered()
    def set_feeds(self, feeds: dict[str, Any]) -> int:
        """Sets all polls and watches at once, all or none; what is not among them ends

        :param feeds: Definitions by name
        :returns: How many there are
        """
        if any(one is None for one in feeds.values()):
            raise Refused("a feed is an object")
        self._feeding.change(feeds, whole=True)
        return len(feeds)

    @offered()
    def restart(self) -> bool:
        """Starts the agent anew, with its configuration file read again; what is buffered stays

        :returns: Always true
        """
        if self._updater.is_under_way:
            raise Refused("an update is under way")
        self.restart_requested()
        return True

    @offered()
    def update(self, version: str, archive_base64: str, mac: str) -> bool:
        """Installs another release, and tries it: if it does not connect within a minute, this one comes back

        :param version: Version of the release
        :param archive_base64: Its archive
        :param mac: HMAC-SHA256 of version, a zero byte and archive, with the integration's password, in hexadecimal
        :returns: Always true; what becomes of it is told by status
        """
        self._updater.begin(version, archive_base64, mac)
        return True


def _brief(name: str, feed: dict[str, Any]) -> dict[str, Any]:
    """Return what a list shows of a feed."""
    definition = feed["definition"]
    shown = {key: definition.get(key) for key in ("connector", "function", "topic", "interval", "send")}
    came = {key: feed[key] for key in feed if key != "definition"}
    return {"name": name, **shown, **came, "fault": feed["fault"][:_FAULT]}
