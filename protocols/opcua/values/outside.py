"""What is beyond the address space, and wants to know of integrations' nodes."""

from __future__ import annotations

from typing import Protocol

from protocols.opcua.values.tree import Node


class Outside(Protocol):
    """Whatever integrations' nodes are told to beyond this server: each is also a topic."""

    def opened(self, username: str) -> None:
        """An integration of this name has a folder from now on."""
        ...

    def closed(self, username: str) -> None:
        """No integration of this name has a folder any more."""
        ...

    def wrote(self, node: Node, integration_id: int) -> None:
        """This integration, or with 0 an account, has written a node's value."""
        ...


class NoOutside:
    """There is nothing beyond."""

    def opened(self, username: str) -> None:
        """Tell nobody."""

    closed = opened

    def wrote(self, node: Node, integration_id: int) -> None:
        """Tell nobody."""
