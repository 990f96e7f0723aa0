"""The values of all integrations: what may be written, created and deleted, and how much of it there may be.

Nothing here asks for permissions, or knows the time: see `Reader`, and each call's `now`.  A value that is written is
taken over: the caller must not change it afterwards.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from itertools import islice
from typing import Protocol

from asyncua import ua

from protocols.contract import Usage
from protocols.hits import Hits
from protocols.opcua.values import kinds, naming
from protocols.opcua.values.archive import Archive
from protocols.opcua.values.errors import Refused
from protocols.opcua.values.kinds import Kind
from protocols.opcua.values.limits import ValueLimits
from protocols.opcua.values.outside import NoOutside, Outside
from protocols.opcua.values.tree import OVERHEAD, Folder, Node, Texts
from protocols.opcua.values.watching import Crowds

GOOD = ua.StatusCode()
_BAD = 0x80000000
_DELETED = ua.StatusCode(ua.StatusCodes.BadNodeIdUnknown)


class Keeping(Protocol):
    """Whatever brings nodes and values through a restart."""

    def changed(self, node: Node) -> None:
        """Keep a node as it is now."""
        ...

    def dropped(self, node: Node) -> None:
        """Forget a node."""
        ...


class Nodes:
    """The folders of all integrations, and the rules for what is in them."""

    def __init__(self, limits: ValueLimits, keeper: Keeping) -> None:
        self.limits = limits
        self.hits = Hits()
        self.folders: dict[int, Folder] = {}
        self.by_username: dict[str, Folder] = {}  # as node ids spell it
        self.count = 0
        self.bytes = 0
        self.archive = Archive(limits, self.hits, self.folders)
        self.crowds = Crowds(limits.queue, limits.queue_bytes)
        self._keeper = keeper
        self.outside: Outside = NoOutside()

    # --- folders

    def adopt(self, integration_id: int, username: str) -> Folder:
        """Return the folder of an integration; its username may be new."""
        folder = self.folders.get(integration_id)
        if folder is None:
            folder = Folder(integration_id, username)
            self._open(folder)
        elif folder.username != username:
            self._close(folder)
            folder.rename(username)
            self._open(folder)
        return folder

    def _open(self, folder: Folder) -> None:
        self.folders[folder.integration_id] = self.by_username[folder.escaped] = folder
        self.outside.opened(folder.username)

    def _close(self, folder: Folder) -> None:
        if self.by_username.get(folder.escaped) is folder:
            del self.by_username[folder.escaped]
            self.outside.closed(folder.username)

    def forget(self, integration_ids: Collection[int]) -> None:
        """Drop the folders of these integrations with all that is in them."""
        for integration_id in integration_ids:
            folder = self.folders.pop(integration_id, None)
            if folder is None:
                continue
            for node in list(folder.root.below()):
                self._remove(node)
            self._close(folder)

    def find(self, identifier: str) -> Node | None:
        """Return the node of a node id's identifier."""
        first, _, name = identifier.partition("/")
        folder = self.by_username.get(first)
        if folder is None:
            return None
        return folder.nodes.get(name) if name else folder.root

    def usage(self) -> list[Usage]:
        """Return the limits that are settings."""
        folders = self.folders.values()
        used: dict[str, int | None] = {
            "nodes": max((len(folder.nodes) for folder in folders), default=0),
            "nodes_total": self.count,
            "value_bytes": None,
            "values_bytes": max((folder.bytes for folder in folders), default=0),
            "values_total_bytes": self.bytes,
            "history_values": None,
            "history_total_bytes": self.archive.bytes,
        }
        return [
            Usage(f"OPCUA_{name.upper()}", count, getattr(self.limits, name), self.hits.counts[name])
            for name, count in used.items()
        ]

    # --- nodes

    def make_folder(self, folder: Folder, name: str, texts: Texts | None = None) -> Node:
        """Return an empty folder, which stays; raise Refused if the name is taken, or there is no room."""
        self._check_free(folder, name, texts)
        return self.describe(self._made(folder, name), texts)

    def create(self, folder: Folder, name: str, value: ua.DataValue, now: datetime, texts: Texts | None = None) -> Node:
        """Return a new variable; raise Refused if the name is taken, or there is no room."""
        self._check_free(folder, name, texts)
        return self.describe(self.publish(folder, name, value, now), texts)

    def publish(self, folder: Folder, name: str, value: ua.DataValue, now: datetime) -> Node:
        """Write a value to a node, which is created if it is missing; raise Refused, and create nothing."""
        node = folder.nodes.get(name)
        if node is None:
            naming.check_name(name, self.limits)
            self._check_room(folder, folder.missing(name), OVERHEAD + 2 * len(name) + self._weigh(value))
            node = self._made(folder, name, is_kept=False)
            try:
                self.write(node, value, now)
            except Refused:
                self.delete(node)
                raise
            return node
        self.write(node, value, now)
        return node

    def describe(self, node: Node, texts: Texts | None) -> Node:
        """Have a node, which is new, say more of itself than its name."""
        if texts is not None:
            node.texts = texts
            node.folder.bytes += texts.size
            self.bytes += texts.size
        return node

    def delete(self, node: Node) -> None:
        """Delete a node with everything below it, and folders above it that nobody asked for and are empty now."""
        for one in [*node.below(), node]:
            self._remove(one)
        parent = node.parent
        while parent is not None and parent.name and not (parent.children or parent.is_kept or parent.is_variable):
            self._remove(parent)
            parent = parent.parent

    def prune(self, node: Node, most: int) -> bool:
        """Delete so many of the nodes below this one; return whether there may be more."""
        found = list(islice(node.below(), most))
        for one in found:
            self._remove(one)
        return len(found) == most

    def _check_free(self, folder: Folder, name: str, texts: Texts | None) -> None:
        naming.check_name(name, self.limits)
        node = folder.nodes.get(name)
        if node is not None and (node.is_variable or node.is_kept):
            raise Refused(ua.StatusCodes.BadNodeIdExists, f"there is a node {name!r} already")
        size = OVERHEAD + 2 * len(name) + (texts.size if texts is not None else 0)
        self._check_room(folder, folder.missing(name), size)

    def _made(self, folder: Folder, name: str, *, is_kept: bool = True) -> Node:
        nodes, weight = len(folder.nodes), folder.bytes
        node = folder.make(name)
        self.count += len(folder.nodes) - nodes
        self.bytes += folder.bytes - weight
        node.is_kept = node.is_kept or is_kept
        if is_kept:
            self._keeper.changed(node)
        return node

    def _remove(self, node: Node) -> None:
        self.count -= 1
        self.bytes -= node.weight
        self.archive.drop(node)
        node.folder.remove(node)
        self._keeper.dropped(node)
        if node.watchers:
            self.crowds.tell(node.watchers, node, ua.DataValue(StatusCode=_DELETED), 0)

    # --- values

    def write(self, node: Node, value: ua.DataValue, now: datetime) -> None:
        """Write a value that a client, or the portal, states; raise Refused if it does not fit."""
        wire = self._normalise(node, value)
        if wire > self.limits.value_bytes:
            self.hits.add("value_bytes")
            raise Refused(
                ua.StatusCodes.BadOutOfRange, f"a value has {wire} bytes, more than {self.limits.value_bytes}"
            )
        size = wire + kinds.burden(value.Value)
        if size > node.size:
            self._check_room(node.folder, 0, size - node.size)
        self._grow(node, size - node.size)
        if node.kind is None and value.Value.VariantType is not ua.VariantType.Null:
            node.kind = kinds.kind_of(value.Value)
        value.ServerTimestamp = now
        # asyncua reads and writes picoseconds and the server's time in the wrong order: none are ever sent.
        value.SourcePicoseconds = value.ServerPicoseconds = None
        if value.SourceTimestamp is None:
            value.SourceTimestamp = now
        node.value = value
        node.writes += 1
        if self.limits.history_values:
            self.archive.add(node, value, size)
        self._keeper.changed(node)
        if node.watchers:
            self.crowds.tell(node.watchers, node, value, size)

    def restore(self, folder: Folder, name: str, kind: Kind | None, value: ua.DataValue | None) -> Node:
        """Return a node as it was kept; nobody is told, and nothing is refused."""
        node = self._made(folder, name, is_kept=False)
        node.kind, node.value = kind, value
        if value is not None:
            self._grow(node, kinds.measure(value.Value) + kinds.burden(value.Value))
        return node

    def _normalise(self, node: Node, value: ua.DataValue) -> int:
        """Make a value one of its node's kind; return its size on the wire."""
        status = value.StatusCode
        if status is None:
            value.StatusCode = GOOD
        elif status.value & _BAD:  # of a bad value, there is only the status (Part 4, 7.11)
            value.Value = ua.Variant()
            return 0
        variant, kind = value.Value, node.kind
        if kind is None:
            kinds.kind_of(variant)
        elif variant.VariantType is not kind.type or variant.is_array or kind.rank != kinds.SCALAR:
            variant = value.Value = kinds.fit(variant, kind)
        if variant.VariantType is ua.VariantType.ExtensionObject:
            variant = value.Value = kinds.seal(variant)
        if variant.is_array and variant.Value is None:
            variant.Value = []
        return kinds.measure(variant)

    def _weigh(self, value: ua.DataValue) -> int:
        """Return how much room the value of a new node will take."""
        if value.StatusCode is not None and value.StatusCode.value & _BAD:
            return 0
        kinds.kind_of(value.Value)
        return kinds.measure(value.Value) + kinds.burden(value.Value)

    def _grow(self, node: Node, by: int) -> None:
        node.size += by
        node.folder.bytes += by
        self.bytes += by

    def _check_room(self, folder: Folder, nodes: int, size: int) -> None:
        limits = self.limits
        count, room = len(folder.nodes) + nodes, folder.bytes + size
        if nodes and count > limits.nodes:
            self._refuse("nodes", ua.StatusCodes.BadTooManyOperations, "this integration has as many nodes as it may")
        if nodes and self.count + nodes > limits.nodes_total and count > limits.reserve_nodes:
            self._refuse("nodes_total", ua.StatusCodes.BadTooManyOperations, "there are as many nodes as there may be")
        if room > limits.values_bytes:
            self._refuse(
                "values_bytes", ua.StatusCodes.BadOutOfMemory, "the values of this integration take all its room"
            )
        if self.bytes + size > limits.values_total_bytes and room > limits.reserve_bytes:
            self._refuse("values_total_bytes", ua.StatusCodes.BadOutOfMemory, "all values together take all the room")

    def _refuse(self, limit: str, code: int, fact: str) -> None:
        self.hits.add(limit)
        raise Refused(code, fact)
