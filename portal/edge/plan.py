"""What is to be in a download."""

from __future__ import annotations

import re
from dataclasses import dataclass

from portal.edge.choices import CONNECTORS, TARGETS, WINDOWS

_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,64}")


def label(name: str) -> str:
    """Return what the folder, the service and the container of an Edge Connector or a fleet are called."""
    return "gatehouse-edge-" + name.replace("@", "-")


@dataclass(frozen=True)
class Plan:
    """An Edge Connector, or a fleet of them where there is a token, and how it reaches this portal."""

    name: str  # of a fleet, the prefix
    domain: str
    connectors: tuple[str, ...]  # kinds, without the one that is always there
    target: str
    host: str
    port: int
    transport: str  # tcp, tls, ws or wss
    path: str = "/mqtt"  # of a WebSocket
    fingerprint: str = ""  # SHA-256 of the certificate; "" asks certificate authorities
    username: str = ""
    password: str = ""
    token: str = ""  # of a fleet, in place of username and password

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):  # it becomes part of scripts
            raise ValueError(f"{self.name!r} is no name of an Edge Connector")
        if self.target not in TARGETS or not CONNECTORS.keys() >= set(self.connectors):
            raise ValueError(f"{self.target} or one of {self.connectors} is unknown")

    @property
    def label(self) -> str:
        """Return what its folder, its service and its container are called."""
        return label(self.name)

    @property
    def is_for_windows(self) -> bool:
        return self.target == WINDOWS
