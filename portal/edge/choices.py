"""What an Edge Connector can be made of: kinds of connectors, and machines that it runs on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

AGENT = Path(__file__).parents[2] / "edge_connector"  # the agent, as it is handed out
REQUIREMENTS = AGENT / "requirements"
WINDOWS = "windows"


@dataclass(frozen=True, slots=True)
class Choice:
    """A kind of connector; `label`, `icon` and `summary` are what pages show."""

    kind: str
    label: str
    icon: str
    summary: str
    targets: frozenset[str]  # that it works on


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of machine."""

    key: str
    label: str
    icon: str
    summary: str


TARGETS = {
    one.key: one
    for one in (
        Target("linux-x86_64", "Linux, x86-64", "pc-display", "PCs, servers and virtual machines, with Python 3.11"),
        Target("linux-arm64", "Linux, ARM64", "cpu", "Raspberry Pi and gateways with a 64-bit system, Python 3.11"),
        Target("linux-armv7", "Linux, ARMv7", "cpu", "Raspberry Pi and gateways with a 32-bit system, Python 3.11"),
        Target("docker", "Docker", "box-seam", "Any machine with Docker and its plugin Compose"),
        Target("macos", "macOS", "apple", "With Python 3.11; runs in a terminal"),
        Target(WINDOWS, "Windows", "windows", "With Python 3.11 from python.org"),
    )
}

_ALL = frozenset(TARGETS)
_CONFINED = _ALL - {WINDOWS}  # files are opened in a way that Windows does not have

_CONNECTORS = (
    Choice("files", "Files", "folder", "Lists, reads, writes and watches files of named folders", _CONFINED),
    Choice("sql", "SQL database", "database", "PostgreSQL, MySQL, MariaDB, SQLite and SQL Server", _ALL),
    Choice("http", "HTTP", "globe", "Requests to named servers", _ALL),
    Choice("modbus", "Modbus", "cpu", "Coils and registers, over TCP and RTU", _ALL),
    Choice("opcua", "OPC UA client", "hdd-rack", "Browses, reads, writes and follows nodes of servers", _ALL),
    Choice("mqtt", "MQTT client", "broadcast-pin", "Bridges named topics of another broker, both ways", _ALL),
    Choice("s7", "Siemens S7", "motherboard", "Data blocks, inputs, outputs and flags of S7 controllers", _ALL),
    Choice("serial", "Serial", "usb-plug", "Devices that speak in lines, over RS-232 and RS-485", _ALL),
)

SYSTEM = "system"  # is part of every Edge Connector
CONNECTORS = {one.kind: one for one in _CONNECTORS}


def unfit(connectors: list[str], target: str) -> list[str]:
    """Return the labels of those connectors that do not work on a target."""
    return [CONNECTORS[kind].label for kind in connectors if target not in CONNECTORS[kind].targets]
