"""Browsing topics, and finding them by paths (Part 4, 5.9)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from asyncua import ua
from asyncua.common.utils import ServiceError

from protocols.linking import Away
from protocols.opcua.topics import attributes, naming
from protocols.opcua.topics.hub import HubLink
from protocols.opcua.topics.scope import Scope
from protocols.opcua.values.views import HAS_COMPONENT, ORGANIZES, is_of_type, is_wanted, to_type

_Ids = ua.ObjectIds
_DOWN = (ORGANIZES, HAS_COMPONENT)
_PIECE = 200  # places that the hub is asked for at a time


async def below(
    hub: HubLink, scope: Scope, topic: str | None, asked: ua.BrowseDescription
) -> AsyncIterator[ua.ReferenceDescription]:
    """Yield the references to what is one level below a topic, or with None below the root.

    Raises ServiceError if there is no hub.
    """
    if asked.BrowseDirection == ua.BrowseDirection.Inverse:
        return
    levels = topic.split("/") if topic is not None else []
    cursor: str | None = None
    while True:
        try:
            places, cursor = await hub.children(levels, cursor, _PIECE, scope)
        except Away:
            raise ServiceError(ua.StatusCodes.BadNoCommunication) from None
        for name, is_value, _ in places:
            reference = to_place(naming.below(topic, name), is_value=is_value)
            if is_wanted(reference, asked):
                yield reference
        if cursor is None:
            return


async def of_place(
    hub: HubLink, scope: Scope, topic: str, asked: ua.BrowseDescription, *, is_value: bool, is_in_value: bool
) -> AsyncIterator[ua.ReferenceDescription]:
    """Yield the references of a place that exists, and may be in one that is a value itself."""
    to_own_type = to_type("BaseDataVariableType" if is_value else "FolderType")
    for reference in (to_own_type, _to_parent(topic, is_value=is_value, is_in_value=is_in_value)):
        if is_wanted(reference, asked):
            yield reference
    async for reference in below(hub, scope, topic, asked):
        yield reference


def target(topic: str | None, elements: list[ua.RelativePathElement]) -> str | None:
    """Return where a path would lead that begins at a topic, or with None at the root; None if it leads nowhere."""
    found = topic
    for element in elements:
        name = element.TargetName
        level = name.Name or "" if name is not None else "/"
        if element.IsInverse or "/" in level or name.NamespaceIndex != naming.NAMESPACE:
            return None
        if not any(is_of_type(one, element.ReferenceTypeId, element.IncludeSubtypes) for one in _DOWN):
            return None
        found = naming.below(found, level)
    return found


def to_place(topic: str, *, is_value: bool) -> ua.ReferenceDescription:
    """Return a reference from above to a place."""
    return ua.ReferenceDescription(
        HAS_COMPONENT if is_value else ORGANIZES,
        True,
        naming.node_id(topic),
        naming.browse_name(topic),
        naming.display_name(topic),
        attributes.node_class(is_value=is_value),
        ua.NodeId(_Ids.BaseDataVariableType if is_value else _Ids.FolderType),
    )


def _to_parent(topic: str, *, is_value: bool, is_in_value: bool) -> ua.ReferenceDescription:
    above, slash, _ = topic.rpartition("/")
    if slash:
        up = to_place(above, is_value=is_in_value)
        up.ReferenceTypeId = HAS_COMPONENT if is_value else ORGANIZES
        up.IsForward = False
        return up
    return ua.ReferenceDescription(
        HAS_COMPONENT if is_value else ORGANIZES,
        False,
        naming.ROOT,
        naming.ROOT_NAME,
        ua.LocalizedText(naming.ROOT_NAME.Name),
        ua.NodeClass.Object,
        ua.NodeId(_Ids.FolderType),
    )
