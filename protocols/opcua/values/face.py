"""What the portal shows of integrations' nodes, and does with them.  Everything runs on the server's loop."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from asyncua import ua

from protocols.contract import Refused as CannotBeDone
from protocols.opcua.values import text
from protocols.opcua.values.errors import Refused, Unreadable, ValuesError
from protocols.opcua.values.nodes import Nodes
from protocols.opcua.values.tree import Node

MOST = 1_000  # nodes of one page
_Codes = ua.StatusCodes
_ABOUT = {  # which input of `create` is refused with a StatusCode; the others are about the room that there is
    _Codes.BadNodeIdInvalid: "name",
    _Codes.BadNodeIdExists: "name",
    _Codes.BadOutOfRange: "value",
    _Codes.BadTypeMismatch: "value",
}


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """One variable, in plain values that can be sent to another process."""

    name: str
    node_id: str  # ns=2;s=...
    data_type: str  # "Double", "Double[]"; "" while it has had no value
    value: str  # as a short text
    status: str  # "Good", "BadSensorFailure", ...
    source_time: str  # ISO 8601, UTC
    writes: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some nodes by their names, and where to go on; no cursor when there are no more."""

    nodes: tuple[NodeInfo, ...]
    cursor: str | None
    total: int  # variables that the integration has


class Face:
    """The portal's way in: no permissions are asked for, the limits hold."""

    def __init__(self, nodes: Nodes, clock: Callable[[], datetime]) -> None:
        self._nodes = nodes
        self._clock = clock

    def nodes(self, integration_id: int, *, prefix: str = "", limit: int = 100, cursor: str | None = None) -> Page:
        """Return the variables of an integration whose names begin with a prefix, after the one of the cursor."""
        folder = self._nodes.folders.get(integration_id)
        if folder is None:
            return Page((), None, 0)
        variables = {name: node for name, node in folder.nodes.items() if node.is_variable}
        names = sorted(name for name in variables if name.startswith(prefix))
        start = bisect_right(names, cursor) if cursor is not None else 0
        shown = names[start : start + max(1, min(limit, MOST))]
        more = shown[-1] if shown and start + len(shown) < len(names) else None
        return Page(tuple(describe(variables[name]) for name in shown), more, len(variables))

    def create(self, integration_id: int, username: str, name: str, data_type: str, value: str) -> NodeInfo:
        """Create a node with a first value.  Raises Refused or Unreadable."""
        first = ua.DataValue(text.parse(data_type, value))
        folder = self._nodes.adopt(integration_id, username)
        node = self._nodes.create(folder, name, first, self._clock())
        self._nodes.outside.wrote(node, 0)
        return describe(node)

    def actions(self) -> Mapping[str, Callable[..., object]]:
        """Return what pages may ask, by name; see `protocols.contract.Server`."""

        def nodes(integration_id: int, prefix: str, limit: int, cursor: str | None) -> dict[str, object]:
            return asdict(self.nodes(integration_id, prefix=prefix, limit=limit, cursor=cursor))

        def create(integration_id: int, username: str, name: str, data_type: str, value: str) -> dict[str, object]:
            try:
                return asdict(self.create(integration_id, username, name, data_type, value))
            except Unreadable:
                raise CannotBeDone(f"This is no {data_type}.", "value") from None
            except Refused as error:
                raise CannotBeDone(_sentence(error), _ABOUT.get(error.code, "")) from None

        def delete(integration_id: int, name: str) -> None:
            try:
                self.delete(integration_id, name)
            except ValuesError as error:
                raise CannotBeDone(_sentence(error)) from None

        return {"nodes": nodes, "create_node": create, "delete_node": delete}

    def delete(self, integration_id: int, name: str) -> None:
        """Delete a node with everything below it.  Raises Refused."""
        folder = self._nodes.folders.get(integration_id)
        node = folder.nodes.get(name) if folder is not None else None
        if node is None:
            raise Refused(ua.StatusCodes.BadNodeIdUnknown, f"there is no node {name!r}")
        self._nodes.delete(node)


def _sentence(error: ValuesError) -> str:
    """Return a fact as a page says it."""
    fact = str(error)
    return f"{fact[:1].upper()}{fact[1:]}."


def describe(node: Node) -> NodeInfo:
    """Return what is shown of a variable."""
    value = node.value
    if value is None:
        raise ValueError(f"{node.name!r} is no variable")
    return NodeInfo(
        node.name,
        node.node_id.to_string(),
        text.name_of(node.kind),
        text.show(value.Value),
        value.StatusCode.name,
        value.SourceTimestamp.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        node.writes,
    )
