"""What one session sees of the values, and may change."""

from __future__ import annotations

from protocols.access import Access
from protocols.contract import Grant
from protocols.opcua.values import naming
from protocols.opcua.values.nodes import Nodes
from protocols.opcua.values.tree import Folder, Node

_READERS = 10_000  # that are remembered
_REMEMBERED = 10_000  # decisions about others' nodes, by each


class Reader:
    """An integration, with the grant that it has now.

    Its own folder is open to it, whatever its grant says.  Of others' nodes there is what its grant lets it read, with
    the folders that lead there.  Where its username is spelled otherwise in node ids, what begins with the username as
    it is means its own nodes, and hides others' nodes with such ids.
    """

    __slots__ = ("_access", "_nodes", "_readable", "client_id", "folder", "grant", "spelling")

    def __init__(self, nodes: Nodes, grant: Grant, client_id: str) -> None:
        self._nodes = nodes
        self.client_id = client_id
        self.follow(grant)

    def follow(self, grant: Grant) -> None:
        """Have another grant from now on."""
        self.grant = grant
        self.folder: Folder = self._nodes.adopt(grant.integration_id, grant.username)
        self._access = Access(grant, self.client_id)
        self._readable: dict[str, bool] = {}
        self.spelling = f"{grant.username}/" if self.folder.escaped != grant.username else ""

    def place(self, identifier: str) -> tuple[Folder | None, str]:
        """Return the folder and the name that a node id stands for; None for a folder that does not exist."""
        if identifier.endswith("/"):  # "a/" is no node: it is not to be taken for the folder "a"
            return None, ""
        if self.spelling and f"{identifier}/".startswith(self.spelling):
            return self.folder, identifier[len(self.spelling) :]
        first, _, name = identifier.partition("/")
        return self._nodes.by_username.get(first), name

    def find(self, identifier: str) -> Node | None:
        """Return the node of a node id, if there is one for this reader."""
        folder, name = self.place(identifier)
        if folder is None:
            return None
        node = folder.nodes.get(name) if name else folder.root
        if folder is self.folder or (node is not None and self.may_see(node)):
            return node
        return None

    def may_see(self, node: Node) -> bool:
        """Say whether a node exists for this reader: it, or what is below it, may be read."""
        if node.folder is self.folder:
            return True
        if self.spelling and f"{node.identifier}/".startswith(self.spelling):
            return False
        return (node.is_variable and self._may_read_topic(node)) or (
            (not node.is_variable or bool(node.children)) and self._access.may_receive_below(_topic(node))
        )

    def may_read(self, node: Node) -> bool:
        """Say whether the value of a node may be read."""
        return node.folder is self.folder or (self.may_see(node) and self._may_read_topic(node))

    def may_write(self, folder: Folder, name: str) -> bool:
        """Say whether a value may be written to the node of this name, should there be one."""
        if folder is self.folder:
            return True
        return bool(name) and self._access.may_publish(naming.topic(folder.username, name))

    def _may_read_topic(self, node: Node) -> bool:
        topic = _topic(node)
        known = self._readable.get(topic)
        if known is None:
            if len(self._readable) >= _REMEMBERED:
                self._readable.clear()
            known = self._readable[topic] = self._access.may_receive(topic)
        return known


class Readers:
    """The readers of all sessions; each follows its grant when it is asked for."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._made: dict[tuple[int, str], Reader] = {}

    def of(self, grant: Grant, client_id: str) -> Reader:
        """Return what a session with this grant is."""
        key = grant.integration_id, client_id
        reader = self._made.get(key)
        if reader is None:
            if len(self._made) >= _READERS:
                self._made.clear()
            reader = self._made[key] = Reader(self._nodes, grant, client_id)
        elif (reader.grant is not grant and reader.grant != grant) or (
            self._nodes.folders.get(grant.integration_id) is not reader.folder
        ):
            reader.follow(grant)
        return reader


def _topic(node: Node) -> str:
    return naming.topic(node.folder.username, node.name) if node.name else node.folder.username
