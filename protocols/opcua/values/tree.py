"""Integrations' folders and what is in them.

A name with several levels makes folders on its way.  A node may have a value and others below it, as topics may.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from asyncua import ua

from protocols.opcua.values import naming
from protocols.opcua.values.history import Ring
from protocols.opcua.values.kinds import Kind
from protocols.opcua.values.watching import Watchers

OVERHEAD = 768  # bytes that a node takes, whatever it holds
TEXTS = 512  # bytes that two texts take, beside their own


class Texts(NamedTuple):
    """The DisplayName and the Description that a node was added with."""

    display_name: ua.LocalizedText
    description: ua.LocalizedText

    @property
    def size(self) -> int:
        """Return how much room they take."""
        return TEXTS + sum(map(text_bytes, self))


def text_bytes(text: ua.LocalizedText) -> int:
    """Return how many bytes a text and its locale have."""
    return sum(len((part or "").encode()) for part in (text.Text, text.Locale))


class Node:
    """A variable, once it has a value; a folder otherwise."""

    __slots__ = (
        "children",
        "folder",
        "is_kept",
        "kind",
        "level",
        "name",
        "parent",
        "record",
        "ring",
        "ring_record",
        "size",
        "texts",
        "value",
        "watchers",
        "writes",
    )

    def __init__(self, folder: Folder, name: str, parent: Node | None) -> None:
        self.folder = folder
        self.name = name
        self.level = name.rpartition("/")[2]
        self.parent = parent
        self.children: dict[str, Node] | None = None
        self.is_kept = False  # a folder that was asked for stays when it is empty
        self.kind: Kind | None = None  # unknown while every status was bad
        self.value: ua.DataValue | None = None
        self.writes = 0
        self.size = 0  # bytes of its value
        self.texts: Texts | None = None  # where they are not what its name says
        self.ring: Ring | None = None
        self.watchers: Watchers | None = None
        self.record = 0  # its number in the store, and that of its history; 0 where there is none
        self.ring_record = 0

    @property
    def is_variable(self) -> bool:
        """Say whether it has a value."""
        return self.value is not None

    @property
    def identifier(self) -> str:
        """Return what its node id says, in the spelling that is valid for everybody."""
        return naming.identifier(self.folder.escaped, self.name)

    @property
    def node_id(self) -> ua.NodeId:
        """Return its node id."""
        return naming.node_id(self.identifier)

    @property
    def weight(self) -> int:
        """Return how much of its integration's room it takes."""
        return OVERHEAD + 2 * len(self.name) + self.size + (self.texts.size if self.texts is not None else 0)

    def below(self) -> Iterator[Node]:
        """Yield every node below this one, each before what is above it."""
        for child in list((self.children or {}).values()):
            yield from child.below()
            yield child


class Folder:
    """The nodes of one integration, by their names."""

    __slots__ = ("bytes", "escaped", "integration_id", "nodes", "ring_bytes", "root", "username", "waiting")

    def __init__(self, integration_id: int, username: str) -> None:
        self.integration_id = integration_id
        self.rename(username)
        self.root = Node(self, "", None)
        self.nodes: dict[str, Node] = {}
        self.bytes = 0
        self.ring_bytes = 0
        self.waiting: dict[str, Watchers] = {}  # for a node that was deleted to be there again

    def rename(self, username: str) -> None:
        """Have another username, and so other node ids."""
        self.username = username
        self.escaped = naming.escape(username)

    def missing(self, name: str) -> int:
        """Return how many nodes have to be made for this one."""
        count = 0
        while name and name not in self.nodes:
            count += 1
            name = name.rpartition("/")[0]
        return count

    def make(self, name: str) -> Node:
        """Return the node of this name, made with the folders on its way where it is missing."""
        node = self.nodes.get(name)
        if node is not None:
            return node
        if not name:
            return self.root
        parent = self.make(name.rpartition("/")[0])
        node = self.nodes[name] = Node(self, name, parent)
        node.watchers = self.waiting.pop(name, None)
        if parent.children is None:
            parent.children = {}
        parent.children[node.level] = node
        self.bytes += node.weight
        return node

    def remove(self, node: Node) -> None:
        """Take out a node that has none below it."""
        if node.parent is not None and node.parent.children is not None:
            del node.parent.children[node.level]
        del self.nodes[node.name]
        self.bytes -= node.weight
        if node.watchers:
            self.waiting[node.name] = node.watchers
