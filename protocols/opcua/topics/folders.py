"""Integrations' nodes as topics: what is written to them is published, and what others publish is written to them.

The topic `<username>/<name>` is the node `name` in the folder with the longest username that the topic begins with.
Whose message comes last in the hub has its value in the node, whichever this server has heard of first.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime

from asyncua import ua

from protocols.access import is_closed
from protocols.opcua.topics.hub import HubLink, Told
from protocols.opcua.topics.outbox import Outgoing
from protocols.opcua.topics.telling import value_of
from protocols.opcua.values import kinds, naming, payloads
from protocols.opcua.values.errors import Refused
from protocols.opcua.values.nodes import Nodes
from protocols.opcua.values.tree import Folder, Node

_BAD = 0x80000000
_LARGEST = 65_535  # bytes of a topic
_REMEMBERED = 10_000  # topics


class _Pending:
    """A value that was written here, and of which the hub has not said yet when it came."""

    __slots__ = ("mark", "number", "overtaken", "value")

    def __init__(self, mark: int, value: ua.DataValue) -> None:
        self.mark = mark
        self.value = value
        self.overtaken: ua.DataValue | None = None  # by which the node's value was replaced since
        self.number = 0  # of the message with that


class Folders:
    """Takes values out of nodes, and brings others' into them."""

    def __init__(
        self,
        nodes: Nodes,
        hub: HubLink,
        clock: Callable[[], datetime],
        is_new: Callable[[str], object],
        exists: Callable[[str], bool],
    ) -> None:
        """`is_new` is called with the username of each folder that begins to be listened to.

        `exists` says whether there is an integration of a username: its folder begins with its first login.
        """
        self._nodes = nodes
        self._hub = hub
        self._clock = clock
        self._is_new = is_new
        self._exists = exists
        self.domains: frozenset[str] = frozenset()  # of VRPC, whose topics are nobody's nodes
        self._marks = itertools.count(1)
        self._pending: dict[str, _Pending] = {}
        self._numbers: dict[str, int] = {}  # of the last message by which a topic was written here

    def connected(self) -> None:
        """What was written is sent again by itself, and what others have published is caught up with."""

    disconnected = connected

    # --- to the hub

    def opened(self, username: str) -> None:
        """Listen to what is published in an integration's folder."""
        if _is_topic(username):
            self._hub.listen([f"{username}/#"])
            self._is_new(username)

    def closed(self, username: str) -> None:
        """Listen no more."""
        if _is_topic(username):
            self._hub.unlisten([f"{username}/#"])
            for topic in [one for one in self._pending if one.startswith(f"{username}/")]:
                del self._pending[topic]

    def wrote(self, node: Node, integration_id: int) -> None:
        """Publish a node's value, unless its status is bad, or its topic cannot be one, or is another's."""
        topic = naming.topic(node.folder.username, node.name)
        value = node.value
        if value is None or value.StatusCode.value & _BAD or not _is_topic(topic):
            return
        if self.place(topic) != (node.folder, node.name):  # `b/c` of `a`, where there is `a/b`; or in a domain
            return
        mark = next(self._marks)
        self._pending[topic] = _Pending(mark, value)
        self._hub.put(Outgoing(topic, payloads.dump(value.Value), integration_id, mark))

    # --- from the hub

    def place(self, topic: str) -> tuple[Folder, str] | None:
        """Return the folder and the name of the node that a topic is.

        None where that folder has not begun, and in a domain of VRPC, as which an integration may happen to be called.
        """
        if is_closed(self.domains, topic):
            return None
        end = len(topic)
        for _ in range(self._nodes.limits.name_levels):
            end = topic.rfind("/", 0, end)
            if end < 0:
                return None
            folder = self._nodes.by_username.get(naming.escape(topic[:end]))
            if folder is not None:
                return folder, topic[end + 1 :]
            if self._exists(topic[:end]):
                return None
        return None

    def heard(self, told: Told) -> None:
        """Write a message to its node, which is created if it is missing; what comes back is there already."""
        place = self.place(told.topic) if not told.mark else None
        if place is None:
            return
        folder, name = place
        before = node.value if (node := folder.nodes.get(name)) is not None else None
        written = self._write(folder, name, told)
        if (pending := self._pending.get(told.topic)) is not None:
            pending.overtaken, pending.number = written, told.number
        elif before is not None and told.number < self._numbers.get(told.topic, 0):
            self._restore(folder, name, before, written)

    def published(self, message: Outgoing, number: int) -> None:
        """Note when the hub had a value: what came before it there does not stay in the node."""
        if len(self._numbers) >= _REMEMBERED:
            self._numbers.clear()
        self._numbers[message.topic] = number
        pending = self._pending.get(message.topic)
        if pending is None or pending.mark != message.mark:
            return
        del self._pending[message.topic]
        place = self.place(message.topic)
        if place is not None and pending.number < number:
            self._restore(*place, pending.value, pending.overtaken)

    def caught_up(self, username: str, told: Told, since: float) -> None:
        """Bring a node of a folder and the value of its topic together, of which nobody told: the later one holds.

        A node that is missing is made only for a value from after that time: it may have been deleted before.
        """
        place = self.place(told.topic)
        if place is None or place[0].username != username or told.topic in self._pending:
            return
        node = place[0].nodes.get(place[1])
        if node is None or node.value is None:
            if told.time > since:
                self._write(*place, told)
            return
        if _says(node, told):
            return
        written: datetime = node.value.ServerTimestamp
        if told.time > written.timestamp():
            self._write(*place, told)
        elif told.time < written.timestamp():  # it was written when there was no hub, before a restart
            self.wrote(node, node.folder.integration_id)

    def _restore(self, folder: Folder, name: str, value: ua.DataValue, overtaken: ua.DataValue | None) -> None:
        """Write one's own value again where a message has overtaken it that came before it in the hub."""
        node = folder.nodes.get(name)
        if node is not None and overtaken is not None and node.value is overtaken:
            again = ua.DataValue(value.Value, value.StatusCode, value.SourceTimestamp)
            self._put(folder, name, node, again)

    def _write(self, folder: Folder, name: str, told: Told) -> ua.DataValue | None:
        node = folder.nodes.get(name)
        if node is None and (told.deletes or told.payload is None):
            return None
        value = value_of(told, self._clock(), node.kind if node is not None else None)
        return self._put(folder, name, node, value)

    def _put(self, folder: Folder, name: str, node: Node | None, value: ua.DataValue) -> ua.DataValue | None:
        """Write a value, for which a node may change its kind; where it cannot be kept, the node says so."""
        before = node.kind if node is not None else None
        if node is not None and not value.StatusCode.value & _BAD:
            node.kind = kinds.kind_of(value.Value)
        try:
            written = self._nodes.publish(folder, name, value, self._clock())
        except Refused as refused:
            if node is None or node.value is None:
                return None
            node.kind = before
            bad = ua.DataValue(StatusCode=ua.StatusCode(refused.code), SourceTimestamp=value.SourceTimestamp)
            written = self._nodes.publish(folder, name, bad, self._clock())
        return written.value


def _is_topic(text: str) -> bool:
    """Say whether a topic may be called, or begin, like this."""
    if text.startswith("$") or "+" in text or "#" in text or "\0" in text:
        return False
    return len(text) * 4 <= _LARGEST or len(text.encode("utf-8", "surrogatepass")) <= _LARGEST


def _says(node: Node, told: Told) -> bool:
    """Say whether a node's value is what a message says."""
    value = node.value
    if value is None or told.payload is None or value.StatusCode.value & _BAD:
        return value is not None and told.deletes
    return payloads.dump(value.Value) == told.payload or payloads.load(told.payload, node.kind) == value.Value
