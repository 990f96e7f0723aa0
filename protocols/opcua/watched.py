"""The standard nodes that are monitored: asyncua tells one of us of each, and we tell everybody in turns."""

from __future__ import annotations

from collections.abc import Callable

from asyncua import ua
from asyncua.server.address_space import AddressSpace

from protocols.opcua.values.watching import Crowds, Watcher, Watchers


class Watched:
    """Who monitors what; `call_soon` runs a function in the next turn of the loop."""

    def __init__(self, aspace: AddressSpace, crowds: Crowds) -> None:
        self._aspace = aspace
        self._crowds = crowds
        self._handles: dict[tuple[ua.NodeId, ua.AttributeIds], int] = {}  # by which asyncua knows what is watched
        self._watchers: dict[int, Watchers] = {}

    def follow(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        """Tell crowds in turns of this loop."""
        self._crowds.call_soon = call_soon

    def watch(self, node_id: ua.NodeId, attribute: ua.AttributeIds) -> Watchers:
        """Return who watches an attribute of a node that exists."""
        handle = self._handles.get((node_id, attribute))
        if handle is None:
            _, handle = self._aspace.add_datachange_callback(node_id, attribute, self._changed)
            self._handles[node_id, attribute] = handle
            self._watchers[handle] = Watchers()
        return self._watchers[handle]

    def leave(self, node_id: ua.NodeId, attribute: ua.AttributeIds, watcher: Watcher) -> None:
        """Tell somebody no more who watched it."""
        handle = self._handles[node_id, attribute]
        members = self._watchers[handle].members
        del members[watcher]
        if not members:
            del self._handles[node_id, attribute], self._watchers[handle]
            self._aspace.delete_datachange_callback(handle)

    async def _changed(self, handle: int, value: ua.DataValue) -> None:
        self._crowds.tell(self._watchers[handle], None, value, 0)
