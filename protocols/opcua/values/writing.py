"""Write to integrations' nodes (Part 4, 5.11.4), and the calls of the method that does the same."""

from __future__ import annotations

from datetime import datetime

from asyncua import ua
from asyncua.server.address_space import AddressSpace

from protocols.opcua.values import management, method, naming
from protocols.opcua.values.errors import Refused
from protocols.opcua.values.nodes import GOOD, Nodes
from protocols.opcua.values.reader import Reader
from protocols.opcua.values.tree import Node

_CURRENT_WRITE = 1 << ua.AccessLevel.CurrentWrite


def write(nodes: Nodes, reader: Reader, asked: ua.WriteValue, now: datetime) -> Node:
    """Write a value, and return where; a node of the reader's own that is missing is created.  Raise Refused."""
    if asked.NodeId.Identifier.endswith("/"):
        raise Refused(ua.StatusCodes.BadNodeIdInvalid, "a level of a name is empty")
    folder, name = reader.place(asked.NodeId.Identifier)
    if folder is not reader.folder:
        node: Node | None = _foreign(reader, asked.NodeId.Identifier)
    else:
        node = reader.folder.nodes.get(name)
    if asked.AttributeId != ua.AttributeIds.Value:
        raise Refused(ua.StatusCodes.BadNotWritable if node or not name else ua.StatusCodes.BadNodeIdUnknown)
    if asked.IndexRange:
        raise Refused(ua.StatusCodes.BadWriteNotSupported)
    if node is not None:
        nodes.write(node, asked.Value, now)
        return node
    if not name or naming.is_reserved(name):
        raise Refused(ua.StatusCodes.BadNotWritable)
    return nodes.publish(reader.folder, name, asked.Value, now)


def _foreign(reader: Reader, identifier: str) -> Node:
    """Return another integration's variable that the reader may write; who may not is not told whether it exists."""
    folder, name = reader.place(identifier)
    if folder is None or not reader.may_write(folder, name):
        raise Refused(ua.StatusCodes.BadUserAccessDenied)
    node = folder.nodes.get(name)
    if node is None or not node.is_variable:
        raise Refused(ua.StatusCodes.BadNodeIdUnknown)
    return node


def why_not(aspace: AddressSpace, node_id: ua.NodeId) -> int:
    """Return the StatusCode for a node that is no integration's, none of which is ever written."""
    if aspace.read_attribute_value(node_id, ua.AttributeIds.NodeId).StatusCode != GOOD:
        return int(ua.StatusCodes.BadNodeIdUnknown)
    level = aspace.read_attribute_value(node_id, ua.AttributeIds.AccessLevel).Value
    if level is None or not (level.Value or 0) & _CURRENT_WRITE:
        return int(ua.StatusCodes.BadNotWritable)
    return int(ua.StatusCodes.BadUserAccessDenied)


def call(nodes: Nodes, reader: Reader, asked: ua.CallMethodRequest, now: datetime) -> Node:
    """Call `publish`, and return where it has written; raise Refused."""
    if management.find(reader, asked.ObjectId) is not reader.folder.root:
        raise Refused(ua.StatusCodes.BadNodeIdUnknown)
    if not isinstance(asked.MethodId.Identifier, str) or reader.place(asked.MethodId.Identifier) != (
        reader.folder,
        naming.METHOD,
    ):
        raise Refused(ua.StatusCodes.BadMethodInvalid)
    name, value = method.read_arguments(asked.InputArguments)
    return nodes.publish(reader.folder, name, value, now)
