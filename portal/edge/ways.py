"""How an Edge Connector that is downloaded reaches this server, and how it is installed on each kind of machine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from portal.connect import Line, Trust
from portal.edge.choices import WINDOWS
from portal.fields import FieldError
from portal.listeners import Listener

TRANSPORTS = {"mqtt": "tcp", "mqtts": "tls", "ws": "ws", "wss": "wss"}  # what the agent calls a scheme
ENCRYPTED = frozenset({"tls", "wss"})
DOCKER, MACOS = "docker", "macos"
HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")
HERE = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Way:
    """One way to this server; `fingerprint` is "" where certificate authorities are asked."""

    key: str
    label: str
    transport: str
    port: int
    fingerprint: str

    @property
    def is_encrypted(self) -> bool:
        return self.transport in ENCRYPTED


@dataclass(frozen=True, slots=True)
class Server:
    """Where an Edge Connector is told to connect to."""

    host: str
    port: int
    way: Way


def of(listeners: Sequence[Listener], trust: Trust | None) -> list[Way]:
    """Return the ways that these listeners are, those that are encrypted first."""
    found = []
    for one in listeners:
        is_pinned = one.has_own_certificate and trust is not None and trust.signs_itself
        fingerprint = trust.fingerprint if is_pinned and trust is not None else ""
        found.append(Way(one.transport, one.label, TRANSPORTS[one.scheme], one.port, fingerprint))
    return sorted(found, key=lambda way: (not way.is_encrypted, way.transport in ("ws", "wss")))


def read(typed: Mapping[str, str], ways: Sequence[Way]) -> Server:
    """Return where an Edge Connector is to connect to, as it was typed.  Raises `FieldError`."""
    host = typed.get("host", "").strip().strip("[]")
    if not HOST.fullmatch(host):
        raise FieldError("host", "The name or the address of this server is required, such as gatehouse.example.com.")
    way = next((one for one in ways if one.key == typed.get("way")), None)
    if way is None:
        raise FieldError("way", "Choose how it connects.")
    port = typed.get("port", "").strip()
    if port and not (port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65_536):
        raise FieldError("port", "A port is a number from 1 to 65,535.")
    return Server(host, int(port) if port else way.port, way)


def steps(label: str, file: str, target: str) -> list[Line]:
    """Return what to do on the machine, one command after the other."""
    unpack = Line("unpack", "Unpack the archive, where it is", f"tar xzf {file} && cd {label}")
    fill = Line("fill", "Say what its connectors may reach", "nano edge.toml")
    if target == WINDOWS:
        unpack = Line("unpack", "Unpack the archive, in a PowerShell", f"Expand-Archive {file} . ; cd {label}")
        fill = Line("fill", fill.title, "notepad edge.toml")
        command = "powershell -ExecutionPolicy Bypass -File install.ps1"
        return [unpack, fill, Line("install", "Install and start it, as an administrator", command)]
    if target == DOCKER:
        return [unpack, fill, Line("install", "Build and start it", "sudo docker compose up --detach --build")]
    if target == MACOS:
        return [unpack, fill, Line("install", "Install it; it says how it is started", "sh install.sh")]
    return [unpack, fill, Line("install", "Install and start it", "sudo sh install.sh")]


def looks(label: str, target: str) -> str:
    """Return the command that tells on the machine how it is; "" where there is none."""
    if target == WINDOWS:
        return f"Get-ScheduledTask {label}"
    if target == DOCKER:
        return "sudo docker compose logs"
    return "" if target == MACOS else f"journalctl -u {label}"


def removes(label: str, target: str) -> str:
    """Return the command that removes it from the machine."""
    if target == WINDOWS:
        return "install.ps1 -Uninstall"
    if target == DOCKER:
        return "sudo docker compose down --volumes"
    return "sh install.sh uninstall" if target == MACOS else "sudo sh install.sh uninstall"
