"""The five types of integration: what each is called, and whether its server is part of this release."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of integration.  `door` is the protocol whose server lets it in, None while there is no such server."""

    type: str
    label: str
    icon: str
    summary: str
    door: str | None
    topics: tuple[str, ...] = ("#",)  # that a new one may publish and subscribe to
    own: str = ""  # what it may use without a permission


KINDS = {
    kind.type: kind
    for kind in (
        Kind(
            "mqtt",
            "MQTT",
            "broadcast-pin",
            "Devices and gateways that publish and subscribe",
            "mqtt",
        ),
        Kind("opcua", "OPC UA", "hdd-rack", "PLCs, SCADA and historians", "opcua", (), "its own folder"),
        Kind("http", "HTTP", "braces", "Scripts and services that call the REST API", "http"),
        Kind("vrpc", "VRPC", "code-square", "Custom code and libraries, callable from outside", "mqtt", ()),
        Kind(
            "edge",
            "Edge Connector",
            "router",
            "Files, machines and databases of a private network",
            None,
        ),
    )
}


NAMES = {"hub": "Topics"}  # of what is no door


def protocol(name: str) -> str:
    """Return what the protocol of a door is called."""
    return KINDS[name].label if name in KINDS else NAMES.get(name, name.upper())


def not_served(kind: Kind) -> str:
    """Say plainly that clients of this type cannot connect yet."""
    return f"This release has no {kind.label} server yet: clients cannot connect with this type."
