"""Puts an agent together: connectors, feeds, the buffer, and the connection."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from edge_connector.agent import Agent
from edge_connector.config import Config
from edge_connector.connectors import make
from edge_connector.connectors.base import Connector, Home
from edge_connector.errors import ConfigFault
from edge_connector.feeding import Feeding
from edge_connector.feeds import Store
from edge_connector.identity import Identity
from edge_connector.link import Link
from edge_connector.logtail import Tail
from edge_connector.management import EdgeConnector
from edge_connector.outbox import Message, Outbox
from edge_connector.running import Surroundings
from edge_connector.sender import Sender
from edge_connector.timetable import Timetable
from edge_connector.updating import Updater

log = logging.getLogger(__name__)


class Runtime:
    """A whole agent, from `start` to `stop`."""

    def __init__(self, config: Config, tail: Tail, installed: Path | None = None) -> None:
        self._connectors: dict[str, Connector] = {}
        for name, table in config.connectors.items():
            self._connectors[name] = make(name, table)
        try:
            config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigFault(f"agent.state cannot be made: {error}") from None
        self._timetable = Timetable()
        self._outbox = Outbox(config.state / "outbox.db", config.limits.buffer_bytes)  # keeps out a second agent
        try:
            identity = Identity(config.state / "identity.json", config.fleet)
        except BaseException:
            self._outbox.close()
            raise
        config = identity.completed(config)
        self._sender = Sender(self._outbox, self._send)
        around = Surroundings(self._timetable, self._sender.add, _wall, config.limits.result_bytes)
        store = Store(config.state / "feeds.json")
        self._feeding = Feeding(store, self._connectors, around, config.limits.feeds, config.domain)
        self.updater = Updater(config, installed)
        self.management = EdgeConnector(config, self._connectors, self._feeding, self._sender, tail, self.updater)
        self._agent = Agent(config, self._connectors, self.management, self._timetable, self._publish, self._subscribe)
        self._config = config
        self._identity = identity
        largest = config.limits.request_bytes * 4  # what is smaller, and too large, gets an answer that says so
        will = (self._agent.info_topic, self._agent.info("offline"))
        self._link = Link(config.server, f"{config.domain}/{config.name}/{identity.instance}", largest, will)
        self._link.password = lambda: identity.password(config.server.password)
        self._link.on_up = self._up
        self._link.on_down = self._sender.disconnected
        self._link.on_message = self._agent.received
        self._link.on_acknowledged = self._sender.acknowledged
        self.management.link_status = self._link.status
        self.on_connected: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Start everything.  Raises `EdgeError` for what the configuration could not tell."""
        for name, connector in self._connectors.items():
            connector.begin(self._home(name))
        self._feeding.start()
        self._timetable.start()
        self._sender.start()
        self._link.start()

    def stop(self) -> None:
        """End in order: nothing new is read, what is read is on the disk, and Gatehouse knows."""
        self._feeding.close()
        self._agent.close()
        self._timetable.stop()
        self._sender.drain(2)
        self._link.stop(self._goodbye)
        self._sender.stop()
        self._close_connectors()

    def discard(self) -> None:
        """Let go of an agent that was never started."""
        self._link.discard()
        self._outbox.close()
        self._close_connectors()

    def _home(self, name: str) -> Home:
        config = self._config
        place = f"{config.domain}/{config.name}/{name}"
        return Home(config.state / "connectors" / name, place, self._sender.add, self._link.follow)

    def _close_connectors(self) -> None:
        for connector in self._connectors.values():
            connector.close()

    def _goodbye(self) -> None:
        self._link.publish(self._agent.info_topic, self._agent.info("offline"), True)

    def _up(self, window: int) -> None:
        try:
            self._identity.accepted()
        except OSError as error:
            log.error("that this agent has joined its fleet cannot be kept: %s", error)
        for topic in self._agent.subscriptions():
            self._link.subscribe(topic)
        self._agent.connected()
        self._sender.connected(window)
        self.on_connected()

    def _send(self, message: Message, number: int | None) -> int | None:
        return self._link.send(message, number)

    def _publish(self, topic: str, payload: bytes, retain: bool) -> None:
        self._link.publish(topic, payload, retain)

    def _subscribe(self, topic: str) -> None:
        self._link.subscribe(topic)


def _wall() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
