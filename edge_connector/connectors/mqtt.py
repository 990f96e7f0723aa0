"""Another broker of MQTT."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from edge_connector import config, topics
from edge_connector.connectors.base import Connector, Home
from edge_connector.connectors.mqtt_bridge import Direction, routes
from edge_connector.connectors.mqtt_values import Values, packed, plain
from edge_connector.described import Listener, offered
from edge_connector.errors import Refused, TimedOut
from edge_connector.link import Link
from edge_connector.outbox import Outbox
from edge_connector.sender import Sender, Unsendable
from edge_connector.settings import Table

MIB = 1024 * 1024


class MQTT(Connector):
    """Topics of a broker: those that the configuration names are bridged, read and published, and no others."""

    def __init__(self, name: str, table: Table) -> None:
        super().__init__(name, table)
        self._server = config.broker(table, table.text("username", ""), table.text("password", ""))
        self._in = routes(table, "in")
        self._out = routes(table, "out")
        self._readable = _filters(table, "read")
        self._publishable = _filters(table, "publish")
        self._seconds = table.number("seconds", 5, low=0.1, high=60)
        self._largest = table.integer("bytes", 4 * MIB, low=1024, high=64 * MIB)
        self._bound = table.integer("buffer_bytes", 16 * MIB, low=64 * 1024, high=2**40)
        self._values = Values(name, table.integer("topics", 10_000, low=1, high=1_000_000))
        self._refusals: dict[int, int] = {}
        self._link: Link | None = None
        self._sender: Sender | None = None
        self._ways: dict[str, Direction] = {}

    def begin(self, home: Home) -> None:
        home.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        link = Link(self._server, home.place, self._largest, name=self.name)
        sender = Sender(Outbox(home.folder / "outbox.db", self._bound), link.send)
        inward = self._ways["in"] = Direction(self.name, home.place, home.send, inward=True)
        outward = self._ways["out"] = Direction(self.name, home.place, sender.add, inward=False)
        for route in self._in:
            link.follow(route.filter, partial(inward.take, route))
        for route in self._out:
            home.follow(route.filter, partial(outward.take, route))
        for one in self._readable:
            link.follow(one, self._values.hear)
        link.on_up = sender.connected
        link.on_down = sender.disconnected
        link.on_acknowledged = self._acknowledged
        self._link, self._sender = link, sender
        sender.start()
        link.start()

    @offered(reads=True)
    def status(self) -> dict[str, Any]:
        """Tells how the connection to the broker is, and what the bridge has done

        :returns: connection; in and out, with passed, returned and dropped; buffer of what goes out; topics
        """
        link, sender = self._begun()
        ways = {name: way.status() for name, way in self._ways.items()}
        return {"connection": link.status(), **ways, "buffer": sender.status(), "topics": len(self._values)}

    @offered(reads=True)
    def value(self, topic: str) -> Any:
        """Returns what came last on a topic that the configuration lets be read

        :param topic: Name of the topic
        :returns: JSON as what it says, a text as it is, anything else as base64:…; a fault if nothing has come
        """
        self._check_readable(topic)
        if "+" in topic or "#" in topic:
            raise Refused("a topic has no + and no #: values takes filters")
        found = self._values.get(topic)
        if not found:
            raise Refused(f"nothing has come on {topic[:200]} yet")
        return plain(found[topic])

    @offered(reads=True)
    def values(self, filter: str) -> dict[str, Any]:
        """Returns what came last on topics that the configuration lets be read, as a poll can spread them

        :param filter: Topics, with + and #
        :returns: Values by topic
        """
        self._check_readable(filter)
        return {topic: plain(one) for topic, one in self._values.get(filter).items()}

    @offered(reads=True)
    def watch(self, filter: str, listener: Listener) -> Callable[[], None]:
        """Tells what is there on topics, and what comes

        :param filter: Topics, with + and #
        :param listener: Gets an object with topic and value
        :returns: Always true
        """
        self._check_readable(filter)
        return self._values.watch(filter, lambda topic, one: listener({"topic": topic, "value": plain(one)}))

    @offered(reads=True)
    def watch_value(self, filter: str, listener: Listener) -> Callable[[], None]:
        """Tells what is there on a topic, and what comes, without its name

        :param filter: The topic
        :param listener: Gets a value
        :returns: Always true
        """
        self._check_readable(filter)
        return self._values.watch(filter, lambda topic, one: listener(plain(one)))

    @offered()
    def publish(self, topic: str, value: Any, retain: bool = False) -> bool:
        """Publishes at the broker, where the configuration allows it; with QoS 1

        :param topic: Name of the topic
        :param value: A text as it is, bytes as base64:…, anything else as JSON
        :param retain: Whether the broker keeps it for who comes later
        :returns: Always true, when the broker has it
        """
        why = topics.fault(topic)
        if why:
            raise Refused(f"topic {why}")
        if not any(topics.matches(one, topic) for one in self._publishable):
            raise Refused(f"publishing to {topic[:200]} is not allowed by the agent's configuration")
        data = packed(value)
        return self._deliver(topic, data, retain)

    def close(self) -> None:
        if self._link is not None and self._sender is not None:
            self._sender.drain(1)
            self._link.stop(lambda: None)
            self._sender.stop()

    def _deliver(self, topic: str, data: bytes, retain: bool) -> bool:
        link, _ = self._begun()
        try:
            about = link.deliver(topic, data, retain)
            if about is None:
                raise Refused(f"there is no connection to the broker: {link.status()['trouble'] or 'it is being made'}")
            about.wait_for_publish(self._seconds)
            if not about.is_published():
                raise TimedOut(f"the broker has not answered within {self._seconds:g} s; it may still get the message")
        except (Unsendable, ValueError, RuntimeError) as error:  # the latter two are paho's
            raise Refused(f"the message cannot be sent: {error}") from None
        if about.mid in self._refusals:  # noted before paho says that it is published
            raise Refused(f"the broker refuses it, with reason {self._refusals.pop(about.mid):#x}")
        return True

    def _acknowledged(self, packet: int, reason: int) -> None:
        """Hear what became of a packet: one of the bridge, or one that somebody waits for."""
        if self._sender is not None:
            self._sender.acknowledged(packet, reason)
        self._refusals.pop(packet, None)
        if reason >= 0x80:
            self._refusals[packet] = reason

    def _begun(self) -> tuple[Link, Sender]:
        if self._link is None or self._sender is None:
            raise Refused("the agent has not started yet")
        return self._link, self._sender

    def _check_readable(self, filter: str) -> None:
        if topics.filter_fault(filter):
            raise Refused(f"filter {topics.filter_fault(filter)}")
        if not any(topics.covers(one, filter) for one in self._readable):
            raise Refused(f"reading {filter[:200]} is not allowed by the agent's configuration")


def _filters(table: Table, key: str) -> list[str]:
    found = table.texts(key, [])
    for one in found:
        if topics.filter_fault(one):
            raise table.fault(key, f"has {one!r}, which {topics.filter_fault(one)}")
    return found
