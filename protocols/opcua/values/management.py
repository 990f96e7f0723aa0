"""AddNodes and DeleteNodes in an integration's own folder (Part 4, 5.8)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from asyncua import ua
from asyncua.ua.uaprotocol_auto import VariableAttributes  # what is decoded; ua.VariableAttributes is a subclass

from protocols.opcua.values import kinds, naming
from protocols.opcua.values.errors import Refused
from protocols.opcua.values.nodes import Nodes
from protocols.opcua.values.reader import Reader
from protocols.opcua.values.tree import Node, Texts, text_bytes

_Ids = ua.ObjectIds
_PARENTING = frozenset({_Ids.Organizes, _Ids.HasComponent, _Ids.HasProperty})
_TYPES = {
    ua.NodeClass.Object: frozenset({0, _Ids.FolderType, _Ids.BaseObjectType}),
    ua.NodeClass.Variable: frozenset({0, _Ids.BaseDataVariableType, _Ids.PropertyType, _Ids.BaseVariableType}),
}
_HIGHEST_BUILT_IN = 25
_STEP = 100  # nodes that are deleted before others may have their turn


def add(nodes: Nodes, reader: Reader, item: ua.AddNodesItem, now: datetime) -> Node:
    """Add a folder or a variable to the reader's own folder; raise Refused."""
    parent = _find_parent(reader, item.ParentNodeId)
    allowed = _TYPES.get(item.NodeClass)
    if allowed is None:
        raise Refused(ua.StatusCodes.BadNodeClassInvalid)
    if not _is_standard(item.ReferenceTypeId, _PARENTING):
        raise Refused(ua.StatusCodes.BadReferenceTypeIdInvalid)
    if not _is_standard(item.TypeDefinition, allowed):
        raise Refused(ua.StatusCodes.BadTypeDefinitionInvalid)
    name = _name(reader, parent, item)
    texts = _texts(item.NodeAttributes, name.rpartition("/")[2], nodes.limits.name_bytes)
    if item.NodeClass == ua.NodeClass.Object:
        return nodes.make_folder(reader.folder, name, texts)
    value, kind = _first_value(item.NodeAttributes)
    node = nodes.create(reader.folder, name, value, now, texts)
    node.kind = node.kind or kind
    return node


async def delete(nodes: Nodes, reader: Reader, node_id: ua.NodeId, give_turn: Callable[[], Awaitable[None]]) -> None:
    """Delete a node of the reader's own, with everything below it, some at a time; raise Refused."""
    if node_id.NamespaceIndex != naming.NAMESPACE or node_id == naming.ROOT:
        raise Refused(ua.StatusCodes.BadUserAccessDenied)
    node = find(reader, node_id)
    if node is None:
        raise Refused(ua.StatusCodes.BadNodeIdUnknown)
    if node.folder is not reader.folder or not node.name:
        raise Refused(ua.StatusCodes.BadUserAccessDenied)
    while nodes.prune(node, _STEP):
        await give_turn()
        if node.folder.nodes.get(node.name) is not node:
            return  # somebody else was quicker
    nodes.delete(node)


def find(reader: Reader, node_id: ua.NodeId) -> Node | None:
    """Return an integration's node, if there is one for this reader."""
    if node_id.NamespaceIndex != naming.NAMESPACE or not isinstance(node_id.Identifier, str):
        return None
    return reader.find(node_id.Identifier)


def _find_parent(reader: Reader, node_id: ua.NodeId) -> Node:
    parent = find(reader, node_id)
    if parent is None and node_id.NamespaceIndex == naming.NAMESPACE and node_id != naming.ROOT:
        raise Refused(ua.StatusCodes.BadParentNodeIdInvalid)
    if parent is None or parent.folder is not reader.folder:
        raise Refused(ua.StatusCodes.BadUserAccessDenied)
    return parent


def _name(reader: Reader, parent: Node, item: ua.AddNodesItem) -> str:
    """Return the name of a new node: as its node id says, if one is asked for, and below its parent in any case."""
    above = f"{parent.name}/" if parent.name else ""
    wanted = item.RequestedNewNodeId
    browse_name = item.BrowseName.Name or ""
    if wanted.has_null_identifier():
        if not browse_name:
            raise Refused(ua.StatusCodes.BadBrowseNameInvalid)
        return above + browse_name
    if wanted.NamespaceIndex != naming.NAMESPACE or not isinstance(wanted.Identifier, str):
        raise Refused(ua.StatusCodes.BadNodeIdRejected)
    folder, name = reader.place(wanted.Identifier)
    if folder is not reader.folder:
        raise Refused(ua.StatusCodes.BadUserAccessDenied)
    if not name.startswith(above):
        raise Refused(ua.StatusCodes.BadParentNodeIdInvalid)
    if browse_name not in (name[len(above) :], name.rpartition("/")[2]):
        raise Refused(ua.StatusCodes.BadBrowseNameInvalid)
    return name


def _first_value(given: Any) -> tuple[ua.DataValue, kinds.Kind | None]:
    """Return the first value of a variable, and its kind where its data type says it and the value does not."""
    if not isinstance(given, VariableAttributes):
        raise Refused(ua.StatusCodes.BadNodeAttributesInvalid)
    specified = given.SpecifiedAttributes
    value = given.Value if specified & ua.NodeAttributesMask.Value else None
    wanted = _built_in(given.DataType) if specified & ua.NodeAttributesMask.DataType else ua.VariantType.Null
    if value is None or value.VariantType == ua.VariantType.Null:
        kind = kinds.Kind(wanted, max(given.ValueRank, kinds.SCALAR) or 1) if wanted in kinds.KEPT else None
        return ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadWaitingForInitialData)), kind
    if wanted in kinds.NUMBERS and wanted != value.VariantType:
        value = kinds.fit(value, kinds.Kind(wanted, kinds.kind_of(value).rank))
    return ua.DataValue(value), None


def _texts(given: Any, level: str, most: int) -> Texts | None:
    """Return the texts of a new node, unless they say no more than its name; raise Refused for long ones."""
    specified = getattr(given, "SpecifiedAttributes", 0)
    has_name = specified & ua.NodeAttributesMask.DisplayName and given.DisplayName.Text
    has_description = specified & ua.NodeAttributesMask.Description and given.Description.Text
    found = Texts(
        given.DisplayName if has_name else ua.LocalizedText(level),
        given.Description if has_description else ua.LocalizedText(""),
    )
    if not has_description and found.display_name == ua.LocalizedText(level):
        return None
    if max(map(text_bytes, found)) > most:
        raise Refused(ua.StatusCodes.BadNodeAttributesInvalid)
    return found


def _built_in(data_type: ua.NodeId) -> ua.VariantType:
    """Return the type that a data type is, or Null."""
    number = data_type.Identifier
    if data_type.NamespaceIndex == 0 and isinstance(number, int) and number <= _HIGHEST_BUILT_IN:
        return ua.VariantType(number)
    return ua.VariantType.Null


def _is_standard(node_id: ua.NodeId, allowed: frozenset[int]) -> bool:
    return bool(node_id.NamespaceIndex == 0 and node_id.Identifier in allowed)
