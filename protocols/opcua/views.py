"""Browsing and finding nodes: asyncua's own, without the ways to make it work without end."""

from __future__ import annotations

from asyncua import ua
from asyncua.server.address_space import AddressSpace, ViewService

_NULL = ua.NodeId()


class Views(ViewService):
    """asyncua's view service, quick for large folders and bounded for long paths."""

    def __init__(self, aspace: AddressSpace) -> None:
        super().__init__(aspace)
        self._subtypes: dict[ua.NodeId, frozenset[ua.NodeId]] = {}

    def _suitable_reftype(self, ref1: ua.NodeId, ref2: ua.NodeId, subtypes: bool) -> bool:
        """Tell whether a reference is of a type; the types never change, so their tree is walked once each."""
        if ref1 in (_NULL, ref2):
            return True
        return subtypes and ref2 in self._all_subtypes(ref1)

    def _all_subtypes(self, reference: ua.NodeId) -> frozenset[ua.NodeId]:
        found = self._subtypes.get(reference)
        if found is None:
            found = frozenset(self._get_sub_ref(reference))
            if found:  # what clients make up is not kept
                self._subtypes[reference] = found
        return found

    def _navigate(self, start_nodeid: ua.NodeId, elements: list[ua.RelativePathElement]) -> list[ua.NodeId]:
        """Follow a path, each node once a step: to and fro between two nodes would double them at each."""
        found = [start_nodeid]
        for element in elements:
            reached = dict.fromkeys(
                node for one in found if one in self._aspace for node in self._find_elements_in_node(element, one)
            )
            found = list(reached)
        return found
