"""The attributes of topics, and of the levels above them (Part 3, 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from asyncua import ua

from protocols.opcua.topics import naming
from protocols.opcua.topics.scope import Scope
from protocols.opcua.values.attributes import refusal, variant

_READ, _WRITE, _HISTORY = 0x01, 0x02, 0x04  # AccessLevel
_A = ua.AttributeIds
_T = ua.VariantType


class Place(NamedTuple):
    """A topic with its value, or a level above topics that is none itself."""

    topic: str
    value: ua.DataValue | None


_Getter = Callable[[Place, Scope], ua.DataValue]

_COMMON: dict[ua.AttributeIds, _Getter] = {
    _A.NodeId: lambda place, scope: variant(naming.node_id(place.topic), _T.NodeId),
    _A.NodeClass: lambda place, scope: variant(node_class(is_value=place.value is not None).value, _T.Int32),
    _A.BrowseName: lambda place, scope: variant(naming.browse_name(place.topic), _T.QualifiedName),
    _A.DisplayName: lambda place, scope: variant(naming.display_name(place.topic), _T.LocalizedText),
    _A.Description: lambda place, scope: variant(ua.LocalizedText(place.topic), _T.LocalizedText),
    _A.WriteMask: lambda place, scope: variant(0, _T.UInt32),
    _A.UserWriteMask: lambda place, scope: variant(0, _T.UInt32),
}
_OF_OBJECTS: dict[ua.AttributeIds, _Getter] = {
    **_COMMON,
    _A.EventNotifier: lambda place, scope: variant(0, _T.Byte),
}
_OF_VARIABLES: dict[ua.AttributeIds, _Getter] = {
    **_COMMON,
    _A.Value: lambda place, scope: place.value or refusal(ua.StatusCodes.BadNoData),
    _A.DataType: lambda place, scope: variant(_data_type(place), _T.NodeId),
    _A.ValueRank: lambda place, scope: variant(ua.ValueRank.Scalar.value, _T.Int32),
    _A.ArrayDimensions: lambda place, scope: ua.DataValue(ua.Variant(None, _T.UInt32, is_array=True)),
    _A.AccessLevel: lambda place, scope: variant(_READ | _WRITE | _HISTORY, _T.Byte),
    _A.UserAccessLevel: lambda place, scope: variant(_user_access_level(place, scope), _T.Byte),
    _A.MinimumSamplingInterval: lambda place, scope: variant(0.0, _T.Double),
    _A.Historizing: lambda place, scope: variant(True, _T.Boolean),
}


def read(place: Place, attribute: ua.AttributeIds, scope: Scope) -> ua.DataValue:
    """Return an attribute of a place that exists, and may be seen."""
    getter = (_OF_VARIABLES if place.value is not None else _OF_OBJECTS).get(attribute)
    return getter(place, scope) if getter is not None else refusal(ua.StatusCodes.BadAttributeIdInvalid)


def node_class(*, is_value: bool) -> ua.NodeClass:
    """Return what a place is."""
    return ua.NodeClass.Variable if is_value else ua.NodeClass.Object


def _data_type(place: Place) -> ua.NodeId:
    """Return the type of the value that there is now: the next one may have another."""
    found = place.value.Value if place.value is not None else None
    if found is None or found.VariantType is _T.Null:
        return ua.NodeId(ua.ObjectIds.BaseDataType)
    return ua.NodeId(found.VariantType.value)


def _user_access_level(place: Place, scope: Scope) -> int:
    return _READ | _HISTORY | (_WRITE if scope.may_write(place.topic) else 0)
