"""TranslateBrowsePathsToNodeIds (Part 4, 5.9.4), where asyncua's nodes and integrations' meet."""

from __future__ import annotations

from asyncua import ua

from protocols.opcua.space import GoOn
from protocols.opcua.values import management, naming
from protocols.opcua.values.reader import Reader
from protocols.opcua.values.views import ROOT_NAME, Views

_ALL = ua.Index(0xFFFFFFFF)  # the whole path led to the target


async def translate(
    views: Views, reader: Reader, path: ua.BrowsePath, go_on: GoOn[list[ua.BrowsePath], list[ua.BrowsePathResult]]
) -> ua.BrowsePathResult:
    """Return the node at the end of a path; asyncua follows it as far as the folder of integrations."""
    start, elements = path.StartingNode, path.RelativePath.Elements
    if not elements:
        return _refused(ua.StatusCodes.BadNothingToDo)
    if start.NamespaceIndex != naming.NAMESPACE:
        names = [element.TargetName for element in elements[:-1]]
        if ROOT_NAME not in names:
            return (await go_on([path]))[0]
        split = names.index(ROOT_NAME) + 1
        (found,) = await go_on([ua.BrowsePath(start, ua.RelativePath(elements[:split]))])
        if not found.Targets or found.Targets[0].TargetId != naming.ROOT:
            return found
        start, elements = naming.ROOT, elements[split:]
    elif start != naming.ROOT and management.find(reader, start) is None:
        return _refused(ua.StatusCodes.BadNodeIdUnknown)
    target = views.follow(reader, start, elements)
    if target is None:
        return _refused(ua.StatusCodes.BadNoMatch)
    return ua.BrowsePathResult(Targets=[ua.BrowsePathTarget(target, _ALL)])


def _refused(code: int) -> ua.BrowsePathResult:
    return ua.BrowsePathResult(ua.StatusCode(code))
