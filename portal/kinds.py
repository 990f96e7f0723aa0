"""The five types of integration: what each is called, which door lets it in, and what it may have."""

from __future__ import annotations

from dataclasses import dataclass

from vrpc_topics import AGENT, CLIENT


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of integration.  `door` is the protocol whose server lets it in."""

    type: str
    label: str
    icon: str
    summary: str
    door: str
    topics: tuple[str, ...] = ("#",)  # that a new one may publish and subscribe to
    own: str = ""  # what it may use without a permission
    roles: tuple[str, ...] = ()  # that it may have in a domain of VRPC; the first one where none is stated
    is_placed: bool = False  # it is always in a domain
    has_filters: bool = True  # an operator says which topics it may use
    is_single: bool = False  # it lets in one client identifier at a time


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
        Kind(
            "http",
            "HTTP",
            "braces",
            "Scripts and services that call the REST API",
            "http",
            roles=(CLIENT,),
        ),
        Kind(
            "vrpc",
            "VRPC",
            "code-square",
            "Custom code and libraries, callable from outside",
            "mqtt",
            (),
            roles=("both", AGENT, CLIENT),
            is_placed=True,
            has_filters=False,
        ),
        Kind(
            "edge",
            "Edge Connector",
            "router",
            "Files, machines and databases of a private network",
            "mqtt",
            own="its part as an agent in its domain",
            roles=(AGENT,),
            is_placed=True,
            is_single=True,
        ),
    )
}


NAMES = {"hub": "Topics"}  # of what is no door


def protocol(name: str) -> str:
    """Return what the protocol of a door is called."""
    return KINDS[name].label if name in KINDS else NAMES.get(name, name.upper())
