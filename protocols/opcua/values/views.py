"""What a reader finds by browsing and by paths (Part 4, 5.9)."""

from __future__ import annotations

from collections.abc import Iterator

from asyncua import ua

from protocols.opcua.values import attributes, method, naming
from protocols.opcua.values.nodes import Nodes
from protocols.opcua.values.reader import Reader
from protocols.opcua.values.tree import Node

_Ids = ua.ObjectIds
ORGANIZES = ua.NodeId(_Ids.Organizes)
HAS_COMPONENT = ua.NodeId(_Ids.HasComponent)
HAS_PROPERTY = ua.NodeId(_Ids.HasProperty)
HAS_TYPE = ua.NodeId(_Ids.HasTypeDefinition)

# Each type of reference that is used here, with those that it is a subtype of.
_SUPERTYPES = {
    ORGANIZES: {_Ids.References, _Ids.HierarchicalReferences},
    HAS_COMPONENT: {_Ids.References, _Ids.HierarchicalReferences, _Ids.HasChild, _Ids.Aggregates},
    HAS_PROPERTY: {_Ids.References, _Ids.HierarchicalReferences, _Ids.HasChild, _Ids.Aggregates},
    HAS_TYPE: {_Ids.References, _Ids.NonHierarchicalReferences},
}

_FOLDER_TYPE = ua.NodeId(_Ids.FolderType)
_VARIABLE_TYPE = ua.NodeId(_Ids.BaseDataVariableType)
_PROPERTY_TYPE = ua.NodeId(_Ids.PropertyType)
ROOT_NAME = ua.QualifiedName("Integrations", naming.NAMESPACE)

Found = Iterator[ua.ReferenceDescription]


class Views:
    """The references between integrations' nodes, for one reader at a time."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    def browse(self, reader: Reader, asked: ua.BrowseDescription) -> ua.BrowseResult:
        """Return the references of an integration's node; of the folder of integrations, those to integrations.

        They are an iterator: each is made when it is taken.
        """
        found = self._references(reader, asked.NodeId, asked)
        if found is None:
            return ua.BrowseResult(StatusCode=ua.StatusCode(ua.StatusCodes.BadNodeIdUnknown))
        return ua.BrowseResult(References=(one for one in found if is_wanted(one, asked)))

    def follow(self, reader: Reader, start: ua.NodeId, elements: list[ua.RelativePathElement]) -> ua.NodeId | None:
        """Return the node at the end of a path that leads downwards, if there is one for this reader."""
        found = start
        for element in elements:
            if element.IsInverse or element.TargetName is None:
                return None
            target = self._below(reader, found, element)
            if target is None:
                return None
            found = target
        return found

    def _references(
        self, reader: Reader, node_id: ua.NodeId, asked: ua.BrowseDescription | None = None
    ) -> Found | None:
        """Return the references of a node; to the nodes in it, only those that are asked for."""
        if node_id == naming.ROOT:
            return self._integrations(reader)
        if not isinstance(node_id.Identifier, str):
            return None
        folder, name = reader.place(node_id.Identifier)
        if folder is reader.folder and name in _OF_METHOD:
            return _OF_METHOD[name](reader)
        node = reader.find(node_id.Identifier)
        return _of_node(node, reader, asked) if node is not None else None

    def _integrations(self, reader: Reader) -> Found:
        for folder in list(self._nodes.folders.values()):
            if reader.may_see(folder.root):
                yield to_node(folder.root, ORGANIZES)

    def _below(self, reader: Reader, start: ua.NodeId, element: ua.RelativePathElement) -> ua.NodeId | None:
        if element.TargetName.NamespaceIndex != naming.NAMESPACE:
            references = self._references(reader, start) or ()  # the names of the nodes in it are none of these
            found = (one.NodeId for one in references if is_on_path(one, element))
            return next(found, None)
        if start == naming.ROOT:
            node = self._nodes.find(naming.escape(element.TargetName.Name or ""))
        else:
            parent = reader.find(start.Identifier) if isinstance(start.Identifier, str) else None
            if parent is reader.folder.root and element.TargetName.Name == naming.METHOD:
                return method.node_id(reader.folder)
            node = (parent.children or {}).get(element.TargetName.Name or "") if parent is not None else None
        if node is None or not reader.may_see(node) or not is_on_path(to_node(node), element):
            return None
        return node.node_id


def to_node(node: Node, reference_type: ua.NodeId | None = None, *, forward: bool = True) -> ua.ReferenceDescription:
    """Return a reference to a node; of the type that leads to such a node, if none is stated."""
    is_variable = node.is_variable
    return ua.ReferenceDescription(
        reference_type or _type_to(node),
        forward,
        node.node_id,
        attributes.browse_name(node),
        attributes.display_name(node),
        attributes.node_class(node),
        _VARIABLE_TYPE if is_variable else _FOLDER_TYPE,
    )


def _type_to(node: Node) -> ua.NodeId:
    return HAS_COMPONENT if node.is_variable else ORGANIZES


def _of_node(node: Node, reader: Reader, asked: ua.BrowseDescription | None) -> Found:
    yield to_type("BaseDataVariableType" if node.is_variable else "FolderType")
    if node.parent is None:
        yield _to_root()
    else:
        yield to_node(node.parent, _type_to(node), forward=False)
    if node is reader.folder.root:
        yield _to_method(reader)
    if asked is None or asked.BrowseDirection == ua.BrowseDirection.Inverse:
        return
    for child in list((node.children or {}).values()):
        is_there = child.folder.nodes.get(child.name) is child  # or was, when the first of them were told
        if is_there and _leads_to(child, asked) and reader.may_see(child):
            yield to_node(child)


def _of_method(reader: Reader) -> Found:
    yield to_node(reader.folder.root, HAS_COMPONENT, forward=False)
    yield ua.ReferenceDescription(
        HAS_PROPERTY,
        True,
        method.arguments_id(reader.folder),
        ua.QualifiedName(method.ARGUMENTS, 0),
        ua.LocalizedText(method.ARGUMENTS),
        ua.NodeClass.Variable,
        _PROPERTY_TYPE,
    )


def _of_arguments(reader: Reader) -> Found:
    yield to_type("PropertyType")
    yield _to_method(reader, HAS_PROPERTY, forward=False)


_OF_METHOD = {naming.METHOD: _of_method, method.ARGUMENTS_NAME: _of_arguments}


def _to_method(
    reader: Reader, reference_type: ua.NodeId = HAS_COMPONENT, *, forward: bool = True
) -> ua.ReferenceDescription:
    return ua.ReferenceDescription(
        reference_type,
        forward,
        method.node_id(reader.folder),
        ua.QualifiedName(naming.METHOD, naming.NAMESPACE),
        ua.LocalizedText(naming.METHOD),
        ua.NodeClass.Method,
        ua.NodeId(),
    )


def _to_root() -> ua.ReferenceDescription:
    name = ua.LocalizedText(ROOT_NAME.Name)
    return ua.ReferenceDescription(ORGANIZES, False, naming.ROOT, ROOT_NAME, name, ua.NodeClass.Object, _FOLDER_TYPE)


def to_type(name: str) -> ua.ReferenceDescription:
    is_object = name == "FolderType"
    return ua.ReferenceDescription(
        HAS_TYPE,
        True,
        ua.NodeId(getattr(_Ids, name)),
        ua.QualifiedName(name, 0),
        ua.LocalizedText(name),
        ua.NodeClass.ObjectType if is_object else ua.NodeClass.VariableType,
        ua.NodeId(),
    )


def is_wanted(reference: ua.ReferenceDescription, asked: ua.BrowseDescription) -> bool:
    if asked.BrowseDirection != ua.BrowseDirection.Both:
        if reference.IsForward != (asked.BrowseDirection == ua.BrowseDirection.Forward):
            return False
    if asked.NodeClassMask and not asked.NodeClassMask & reference.NodeClass:
        return False
    return is_of_type(reference.ReferenceTypeId, asked.ReferenceTypeId, asked.IncludeSubtypes)


def _leads_to(child: Node, asked: ua.BrowseDescription) -> bool:
    """Tell whether the reference to a node will be wanted, before it is made, which costs ten times as much."""
    if asked.NodeClassMask and not asked.NodeClassMask & attributes.node_class(child):
        return False
    return is_of_type(_type_to(child), asked.ReferenceTypeId, asked.IncludeSubtypes)


def is_on_path(reference: ua.ReferenceDescription, element: ua.RelativePathElement) -> bool:
    return (
        reference.IsForward
        and reference.BrowseName == element.TargetName
        and is_of_type(reference.ReferenceTypeId, element.ReferenceTypeId, element.IncludeSubtypes)
    )


def is_of_type(found: ua.NodeId, wanted: ua.NodeId, with_subtypes: bool) -> bool:
    if wanted.is_null() or wanted == found:
        return True
    return with_subtypes and wanted.NamespaceIndex == 0 and wanted.Identifier in _SUPERTYPES.get(found, ())
