"""What a server of OPC UA is asked: services of the standard (Part 4), in requests that small servers take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asyncua import ua
from asyncua.common.ua_utils import data_type_to_variant_type

from edge_connector.connectors.opcua_nodes import batches, local
from edge_connector.connectors.opcua_values import plain, typed
from edge_connector.errors import Refused

_PAGE = 100  # references of one answer
_CONCRETE = 25  # DataTypes up to this number are types of values, but for those that are abstract
_ABSTRACT = 24  # BaseDataType: any type


async def below(client: Any, node: Any, most: int) -> list[dict[str, Any]]:
    """Return what a node refers to hierarchically, so much of it at most."""
    asked = ua.BrowseDescription(
        NodeId=node,
        BrowseDirection=ua.BrowseDirection.Forward,
        ReferenceTypeId=ua.NodeId(ua.ObjectIds.HierarchicalReferences),
        ResultMask=ua.BrowseResultMask.All,
    )
    session = client.uaclient.session
    page = ua.BrowseParameters(RequestedMaxReferencesPerNode=min(most, _PAGE), NodesToBrowse=[asked])
    (result,) = await session.browse(page)
    result.StatusCode.check()
    found = list(result.References or [])
    while result.ContinuationPoint:
        enough = len(found) >= most  # then the server is told to forget the rest
        (result,) = await session.browse_next(ua.BrowseNextParameters(enough, [result.ContinuationPoint]))
        result.StatusCode.check()
        found += result.References or []
    return [_described(one) for one in found[:most]]


async def read(client: Any, nodes: Sequence[Any]) -> list[Any]:
    """Return DataValues, in order."""
    found: list[Any] = []
    for some in batches(nodes):
        wanted = [ua.ReadValueId(NodeId=one, AttributeId=ua.AttributeIds.Value) for one in some]
        about = ua.ReadParameters(TimestampsToReturn=ua.TimestampsToReturn.Both, NodesToRead=wanted)
        answer = await client.uaclient.session.read(about)
        if len(answer) != len(some):
            raise Refused(f"the server answers with {len(answer)} values instead of {len(some)}")
        found += answer
    return found


async def write(client: Any, node: Any, value: Any) -> None:
    """Write a value, as what the node takes."""
    kind, rank = await _type_of(client, node)
    item = ua.WriteValue(NodeId=node, AttributeId=ua.AttributeIds.Value, Value=ua.DataValue(typed(value, kind, rank)))
    item.Value.StatusCode = None  # a value alone: many servers take neither a status nor a time
    (status,) = await client.uaclient.session.write(ua.WriteParameters([item]))
    status.check()


async def call(client: Any, owner: Any, method: Any, arguments: Sequence[Any]) -> list[Any]:
    """Call a method with arguments of the types that it has; return what it returns."""
    wanted = await _inputs(client, method)
    if len(wanted) != len(arguments):
        names = ", ".join(str(one.Name) for one in wanted)
        raise Refused(f"the method takes {len(wanted)} arguments ({names}), not {len(arguments)}")
    given = [
        typed(value, await _kind(client, one.DataType), one.ValueRank)
        for one, value in zip(wanted, arguments, strict=True)
    ]
    (result,) = await client.uaclient.session.call([ua.CallMethodRequest(owner, method, given)])
    result.StatusCode.check()
    return [plain(one.Value) for one in result.OutputArguments or []]


async def _type_of(client: Any, node: Any) -> tuple[Any, int]:
    """Return the type and the rank of a node's value."""
    wanted = [ua.AttributeIds.DataType, ua.AttributeIds.ValueRank]
    asked = [ua.ReadValueId(NodeId=node, AttributeId=one) for one in wanted]
    type_, rank = await client.uaclient.session.read(ua.ReadParameters(NodesToRead=asked))
    type_.StatusCode.check()
    rank.StatusCode.check()
    kind = await _kind(client, type_.Value.Value)
    if kind == ua.VariantType.Variant:  # the value that it has says more
        (value,) = await read(client, [node])
        if value.StatusCode.is_good() and value.Value.VariantType != ua.VariantType.Null:
            return value.Value.VariantType, rank.Value.Value
    return kind, rank.Value.Value


async def _kind(client: Any, type_: Any) -> Any:
    number = type_.Identifier if type_.NamespaceIndex == 0 else None
    if isinstance(number, int) and number <= _CONCRETE and number != _ABSTRACT:
        return ua.VariantType(number)
    return await data_type_to_variant_type(client.get_node(type_))


async def _inputs(client: Any, method: Any) -> list[Any]:
    step = ua.RelativePathElement(
        ua.NodeId(ua.ObjectIds.HasProperty), False, True, ua.QualifiedName("InputArguments", 0)
    )
    path = ua.BrowsePath(method, ua.RelativePath([step]))
    (found,) = await client.uaclient.session.translate_browsepaths_to_nodeids([path])
    if not found.StatusCode.is_good():  # a method without any has no such property
        return []
    (value,) = await read(client, [local(found.Targets[0].TargetId)])
    value.StatusCode.check()
    return list(value.Value.Value or [])


def _described(found: Any) -> dict[str, Any]:
    type_ = found.TypeDefinition
    return {
        "node": local(found.NodeId).to_string(),
        "name": found.BrowseName.to_string(),
        "display": found.DisplayName.Text,
        "class": ua.NodeClass(found.NodeClass).name,
        "type": None if type_.is_null() else local(type_).to_string(),
    }
