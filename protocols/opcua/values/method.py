"""The method `publish(name, value)`, which each integration has in its own folder and nobody else sees."""

from __future__ import annotations

from asyncua import ua

from protocols.opcua.values import naming
from protocols.opcua.values.errors import Refused
from protocols.opcua.values.tree import Folder

ARGUMENTS = "InputArguments"
ARGUMENTS_NAME = f"{naming.METHOD}/{ARGUMENTS}"

_NAME = ua.Argument(
    Name="name",
    DataType=ua.NodeId(ua.ObjectIds.String),
    ValueRank=ua.ValueRank.Scalar,
    Description=ua.LocalizedText("Of the node in your own folder, which is created if it is missing"),
)
_VALUE = ua.Argument(
    Name="value",
    DataType=ua.NodeId(ua.ObjectIds.BaseDataType),
    ValueRank=ua.ValueRank.Any,
    Description=ua.LocalizedText("To be written to it"),
)
ARGUMENT_VALUE = ua.Variant([_NAME, _VALUE], ua.VariantType.ExtensionObject, is_array=True)


def node_id(folder: Folder) -> ua.NodeId:
    """Return the node id of the method in a folder."""
    return naming.node_id(naming.identifier(folder.escaped, naming.METHOD))


def arguments_id(folder: Folder) -> ua.NodeId:
    """Return the node id of the property that describes the arguments."""
    return naming.node_id(naming.identifier(folder.escaped, ARGUMENTS_NAME))


def read_arguments(arguments: list[ua.Variant] | None) -> tuple[str, ua.DataValue]:
    """Return the name and the value of a call; raise Refused for other arguments."""
    given = arguments or []
    if len(given) < 2:
        raise Refused(ua.StatusCodes.BadArgumentsMissing)
    if len(given) > 2:
        raise Refused(ua.StatusCodes.BadTooManyArguments)
    name, value = given
    if name.VariantType is not ua.VariantType.String or not isinstance(name.Value, str):
        raise Refused(ua.StatusCodes.BadInvalidArgument, "the name is no String")
    return name.Value, ua.DataValue(value)
