"""The attributes of integrations' nodes (Part 3, 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from asyncua import ua

from protocols.opcua.values import kinds, method, naming
from protocols.opcua.values.reader import Reader
from protocols.opcua.values.tree import Folder, Node

# CurrentRead, CurrentWrite, HistoryRead, StatusWrite, TimestampWrite
_READ, _WRITE, _HISTORY, _STATUS, _TIMESTAMP = 0x01, 0x02, 0x04, 0x20, 0x40
_READING = _READ | _HISTORY
_WRITING = _WRITE | _STATUS | _TIMESTAMP

_A = ua.AttributeIds
_T = ua.VariantType


def variant(value: object, variant_type: ua.VariantType) -> ua.DataValue:
    """Return an attribute that has a value and no times."""
    return ua.DataValue(ua.Variant(value, variant_type))


def refusal(code: int) -> ua.DataValue:
    """Return what is read of an attribute that cannot be read."""
    return ua.DataValue(StatusCode=ua.StatusCode(code))


_Getter = Callable[[Node, Reader], ua.DataValue]

_COMMON: dict[ua.AttributeIds, _Getter] = {
    _A.NodeId: lambda node, reader: variant(node.node_id, _T.NodeId),
    _A.NodeClass: lambda node, reader: variant(node_class(node).value, _T.Int32),
    _A.BrowseName: lambda node, reader: variant(browse_name(node), _T.QualifiedName),
    _A.DisplayName: lambda node, reader: variant(display_name(node), _T.LocalizedText),
    _A.Description: lambda node, reader: variant(description(node), _T.LocalizedText),
    _A.WriteMask: lambda node, reader: variant(0, _T.UInt32),
    _A.UserWriteMask: lambda node, reader: variant(0, _T.UInt32),
}
_OF_OBJECTS: dict[ua.AttributeIds, _Getter] = {
    **_COMMON,
    _A.EventNotifier: lambda node, reader: variant(0, _T.Byte),
}
_OF_VARIABLES: dict[ua.AttributeIds, _Getter] = {
    **_COMMON,
    _A.Value: lambda node, reader: node.value or refusal(ua.StatusCodes.BadNoData),
    _A.DataType: lambda node, reader: variant(data_type(node), _T.NodeId),
    _A.ValueRank: lambda node, reader: variant(node.kind.rank if node.kind else ua.ValueRank.Any.value, _T.Int32),
    _A.ArrayDimensions: lambda node, reader: _array_dimensions(node),
    _A.AccessLevel: lambda node, reader: variant(_READING | _WRITING, _T.Byte),
    _A.UserAccessLevel: lambda node, reader: variant(_user_access_level(node, reader), _T.Byte),
    _A.MinimumSamplingInterval: lambda node, reader: variant(0.0, _T.Double),
    _A.Historizing: lambda node, reader: variant(True, _T.Boolean),
}


_GETTERS = {**_OF_OBJECTS, **_OF_VARIABLES}


def why_not(node: Node, attribute: ua.AttributeIds, reader: Reader) -> int:
    """Return the StatusCode with which an attribute cannot be read, or 0."""
    if attribute not in (_OF_VARIABLES if node.is_variable else _OF_OBJECTS):
        return int(ua.StatusCodes.BadAttributeIdInvalid)
    if attribute == _A.Value and not reader.may_read(node):
        return int(ua.StatusCodes.BadUserAccessDenied)
    return 0


def read(node: Node, attribute: ua.AttributeIds, reader: Reader) -> ua.DataValue:
    """Return an attribute of a node that exists for this reader."""
    code = why_not(node, attribute, reader)
    return refusal(code) if code else _GETTERS[attribute](node, reader)


def read_method(folder: Folder, name: str, attribute: ua.AttributeIds) -> ua.DataValue:
    """Return an attribute of the method, or of its arguments."""
    if name not in _OF_METHODS:
        return refusal(ua.StatusCodes.BadNodeIdUnknown)
    found = _OF_METHODS[name](folder).get(attribute)
    return variant(*found) if found is not None else refusal(ua.StatusCodes.BadAttributeIdInvalid)


def node_class(node: Node) -> ua.NodeClass:
    """Return what a node is."""
    return ua.NodeClass.Variable if node.is_variable else ua.NodeClass.Object


def browse_name(node: Node) -> ua.QualifiedName:
    """Return the last level of a node's name; of an integration's folder, the username as it is."""
    return ua.QualifiedName(_text(node), naming.NAMESPACE)


def display_name(node: Node) -> ua.LocalizedText:
    """Return the text that a node was added with, or its browse name as one."""
    return node.texts.display_name if node.texts is not None else ua.LocalizedText(_text(node))


def description(node: Node) -> ua.LocalizedText:
    """Return the text that a node was added with, if any."""
    return node.texts.description if node.texts is not None else ua.LocalizedText("")


def _text(node: Node) -> str:
    return node.level or node.folder.username


def data_type(node: Node) -> ua.NodeId:
    """Return the built-in type of a node's values, whose node id has the same number."""
    return ua.NodeId(node.kind.type.value if node.kind else ua.ObjectIds.BaseDataType)


def _array_dimensions(node: Node) -> ua.DataValue:
    """Return 0, for any length, for each dimension."""
    if node.kind is None or node.kind.rank == kinds.SCALAR:
        return ua.DataValue(ua.Variant(None, _T.UInt32, is_array=True))
    return ua.DataValue(ua.Variant([0] * node.kind.rank, _T.UInt32, is_array=True))


def _user_access_level(node: Node, reader: Reader) -> int:
    readable = _READING if reader.may_read(node) else 0
    return readable | (_WRITING if reader.may_write(node.folder, node.name) else 0)


_Attributes = Mapping[ua.AttributeIds, tuple[Any, ua.VariantType]]


def _method_attributes(folder: Folder) -> _Attributes:
    return {
        **_named(method.node_id(folder), ua.NodeClass.Method, naming.METHOD, naming.NAMESPACE),
        _A.Executable: (True, _T.Boolean),
        _A.UserExecutable: (True, _T.Boolean),
    }


def _argument_attributes(folder: Folder) -> _Attributes:
    return {
        **_named(method.arguments_id(folder), ua.NodeClass.Variable, method.ARGUMENTS, 0),
        _A.Value: (method.ARGUMENT_VALUE, _T.ExtensionObject),
        _A.DataType: (ua.NodeId(ua.ObjectIds.Argument), _T.NodeId),
        _A.ValueRank: (1, _T.Int32),
        _A.ArrayDimensions: ([2], _T.UInt32),
        _A.AccessLevel: (_READ, _T.Byte),
        _A.UserAccessLevel: (_READ, _T.Byte),
        _A.Historizing: (False, _T.Boolean),
    }


_OF_METHODS = {
    naming.METHOD: _method_attributes,
    method.ARGUMENTS_NAME: _argument_attributes,
}


def _named(node_id: ua.NodeId, found: ua.NodeClass, name: str, namespace: int) -> _Attributes:
    return {
        _A.NodeId: (node_id, _T.NodeId),
        _A.NodeClass: (found.value, _T.Int32),
        _A.BrowseName: (ua.QualifiedName(name, namespace), _T.QualifiedName),
        _A.DisplayName: (ua.LocalizedText(name), _T.LocalizedText),
        _A.WriteMask: (0, _T.UInt32),
        _A.UserWriteMask: (0, _T.UInt32),
    }
