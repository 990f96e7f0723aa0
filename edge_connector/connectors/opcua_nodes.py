"""Which node is meant, and whether the configuration allows it: by its id, or by the path that it lies below."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from asyncua import ua

from edge_connector.errors import Refused
from edge_connector.settings import Table

TOGETHER = 100  # nodes of one request: what small servers take
DEPTH = 30  # levels of a path
_KEPT = 50_000  # nodes whose place is remembered

T = TypeVar("T")

_STEP = re.compile(r"(?:(\d{1,5}):)?(.+)", re.DOTALL)


class Nodes:
    """Finds the nodes of a session; what was found is remembered for as long as the session lasts."""

    def __init__(self, client: Any) -> None:
        self._session = client.uaclient.session
        self._found: dict[str, Any] = {}
        self._parents: dict[str, set[str]] = {}

    async def find(self, places: Iterable[str]) -> list[Any]:
        """Return node ids of ids and paths.  Raises `Refused`."""
        wanted = list(places)
        parsed = {place: _parsed(place) for place in wanted if place not in self._found}
        paths = [(place, one) for place, one in parsed.items() if isinstance(one, ua.BrowsePath)]
        for some in batches(paths):
            results = await self._session.translate_browsepaths_to_nodeids([path for _, path in some])
            for (place, _), result in zip(some, results, strict=True):
                if not result.StatusCode.is_good() or not result.Targets:
                    raise Refused(f"there is no node {place[:200]} ({result.StatusCode.name})")
                parsed[place] = local(result.Targets[0].TargetId)
        if len(self._found) + len(parsed) > _KEPT:
            self._found.clear()
        self._found |= {place: one for place, one in parsed.items() if place.startswith("/")}
        return [parsed[place] if place in parsed else self._found[place] for place in wanted]

    async def outside(self, nodes: Iterable[str], tops: set[str]) -> list[str]:
        """Return those of some nodes that are not one of `tops`, and do not lie below one."""
        wanted = list(nodes)
        await self._climb(set(wanted) - tops, tops)
        return [one for one in wanted if not self._is_below(one, tops)]

    async def _climb(self, nodes: set[str], tops: set[str]) -> None:
        """Learn what nodes lie below, level by level."""
        if len(self._parents) > _KEPT:
            self._parents.clear()
        level = nodes
        for _ in range(DEPTH):
            for some in batches(sorted(level - self._parents.keys())):
                await self._ask_parents(some)
            level = self._above(level) - tops - level
            if not level:
                return

    async def _ask_parents(self, nodes: Sequence[str]) -> None:
        asked = [_up(node) for node in nodes]
        found = await self._session.browse(ua.BrowseParameters(NodesToBrowse=asked))
        for node, result in zip(nodes, found, strict=True):
            self._parents[node] = {local(one.NodeId).to_string() for one in result.References or []}

    def _is_below(self, node: str, tops: set[str]) -> bool:
        seen: set[str] = set()
        level = {node}
        while level:
            if level & tops:
                return True
            seen |= level
            level = self._above(level) - seen
        return False

    def _above(self, nodes: set[str]) -> set[str]:
        return {parent for one in nodes for parent in self._parents.get(one, ())}


class Allowed:
    """Which nodes may be used: `ns=2;s=Speed`, `ns=2;s=Line1.*`, `/2:Line1` with all that lies below, `*`."""

    def __init__(self, table: Table, key: str, default: list[str]) -> None:
        self._what = key
        self._ids: set[str] = set()
        self._beginnings: list[str] = []
        self._paths: list[str] = []
        for one in table.texts(key, default):
            try:
                self._add(one)
            except Refused as error:
                raise table.fault(key, f"has {one!r}: {error}") from None

    def _add(self, place: str) -> None:
        if place.endswith("*"):
            self._beginnings.append(place[:-1])
        elif place.startswith("/"):
            _parsed(place)
            self._paths.append(place)
        else:
            self._ids.add(_parsed(place).to_string())

    async def check(self, nodes: Iterable[Any], finder: Nodes) -> None:
        """Refuse nodes that are not allowed."""
        names = [one.to_string() for one in nodes]
        left = [one for one in names if one not in self._ids and not one.startswith(tuple(self._beginnings))]
        if left and self._paths:
            left = await finder.outside(left, await self._tops(finder))
        if left:
            raise Refused(f"{self._what} of {left[0][:200]} is not allowed by the agent's configuration")

    async def _tops(self, finder: Nodes) -> set[str]:
        """Return the nodes of the paths that there are at present."""
        found = set()
        for path in self._paths:
            try:
                found.add((await finder.find([path]))[0].to_string())
            except Refused:
                continue
        return found


def batches(nodes: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield nodes in parts that fit into a request."""
    for start in range(0, len(nodes), TOGETHER):
        yield nodes[start : start + TOGETHER]


def _parsed(place: str) -> Any:
    """Return a node id, or a path from the folder Objects."""
    if place.startswith("/"):
        return _path(place)
    try:
        found = ua.NodeId.from_string(place)
    except (ua.UaError, ValueError):
        raise Refused(f"{place[:200]!r} is no node: an id like ns=2;s=Speed, or a path like /2:Line1/2:Speed") from None
    if isinstance(found, ua.ExpandedNodeId) or not 0 <= found.NamespaceIndex <= 65_535:
        raise Refused(f"{place[:200]!r} is no node of this server: it has ns=0 to 65535")
    return found


def _path(place: str) -> Any:
    objects = ua.NodeId(ua.ObjectIds.ObjectsFolder)
    steps = [one.replace("\0", "/") for one in place[1:].replace("&/", "\0").split("/")] if len(place) > 1 else []
    if not steps:
        return objects
    if len(steps) > DEPTH:
        raise Refused(f"a path has {DEPTH} levels at most")
    elements = []
    for step in steps:
        found = _STEP.fullmatch(step)
        if found is None or int(found[1] or 0) > 65_535:
            raise Refused(f"{place[:200]!r} is no path: it is like /2:Line1/2:Speed")
        name = ua.QualifiedName(found[2], int(found[1] or 0))
        hierarchical = ua.NodeId(ua.ObjectIds.HierarchicalReferences)
        elements.append(ua.RelativePathElement(hierarchical, False, True, name))
    return ua.BrowsePath(objects, ua.RelativePath(elements))


def _up(node: str) -> Any:
    return ua.BrowseDescription(
        NodeId=ua.NodeId.from_string(node),
        BrowseDirection=ua.BrowseDirection.Inverse,
        ReferenceTypeId=ua.NodeId(ua.ObjectIds.HierarchicalReferences),
        IncludeSubtypes=True,
        ResultMask=0,
    )


def local(node: Any) -> Any:
    """Return an id as one of this server's, without what an expanded id adds."""
    return ua.NodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType)
