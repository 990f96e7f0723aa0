"""The configuration file: where to connect to, who this agent is, and what it offers.

It is read once, at the start.  Nothing that comes over the connection changes it.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from edge_connector.errors import ConfigFault
from edge_connector.settings import Table

TRANSPORTS = {"tcp": 1883, "tls": 8883, "ws": 8083, "wss": 8084}
NAME = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
PREFIX = re.compile(r"[A-Za-z0-9_.-]{1,32}")
TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}")
MIB = 1024 * 1024


@dataclass(frozen=True)
class Server:
    """Where Gatehouse is, and how to tell that it is the right one."""

    host: str
    port: int
    transport: str
    path: str  # of a WebSocket
    fingerprint: str  # SHA-256 of the certificate, lower-case hex; "" asks certificate authorities
    ca: str  # a file of authorities; "" stands for those of the system
    username: str
    password: str

    @property
    def is_encrypted(self) -> bool:
        return self.transport in ("tls", "wss")


@dataclass(frozen=True)
class Fleet:
    """Agents of one configuration, each of which becomes an integration of its own."""

    prefix: str
    token: str  # lets new members in, as long as the fleet is open


@dataclass(frozen=True)
class Limits:
    """What callers and readings may use."""

    request_bytes: int
    result_bytes: int
    call_seconds: float
    calls_waiting: int  # for each connector, beside those under way
    buffer_bytes: int
    feeds: int


@dataclass(frozen=True)
class Config:
    """All of it."""

    server: Server
    domain: str
    name: str  # of a member of a fleet, "" until it knows it, as its username and password
    fleet: Fleet | None
    state: Path
    updates: bool  # may new releases come over the connection?
    log_level: str
    limits: Limits
    connectors: dict[str, Table]


def load(path: Path) -> Config:
    """Read a file.  Raises `ConfigFault`."""
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigFault(f"cannot read {path}: {error}") from None
    top = Table("", values, path.absolute().parent)
    agent = top.table("agent")
    fleet = _fleet(top.table("fleet")) if "fleet" in top else None
    if fleet is not None and "name" in agent:
        raise agent.fault("name", "cannot be given beside fleet, whose members make theirs")
    found = Config(
        server=_server(top.table("server"), fleet),
        domain=_level(agent, "domain", re.compile(r"[^/+#*\x00-\x1f]{1,128}")),
        name="" if fleet else _level(agent, "name", NAME),
        fleet=fleet,
        state=path.absolute().parent / agent.text("state", "state"),
        updates=agent.flag("updates", True),
        log_level=agent.choice("log_level", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"),
        limits=_limits(top.table("limits", {})),
        connectors=_connectors(top),
    )
    agent.done()
    top.done()
    return found


def _fleet(table: Table) -> Fleet:
    found = Fleet(_level(table, "prefix", PREFIX), table.text("token"))
    if not TOKEN.fullmatch(found.token):
        raise table.fault("token", "has letters, digits, _ and - only")
    table.done()
    return found


def _server(table: Table, fleet: Fleet | None) -> Server:
    if fleet is not None and ("username" in table or "password" in table):
        raise table.fault("username", "and password cannot be given beside fleet, whose members make theirs")
    found = broker(table, "" if fleet else table.text("username"), "" if fleet else table.text("password"))
    table.done()
    return found


def broker(table: Table, username: str, password: str) -> Server:
    """Return the server of MQTT that a table names.  Raises `ConfigFault`."""
    transport = table.choice("transport", tuple(TRANSPORTS), "tls")
    found = Server(
        host=table.text("host"),
        port=table.integer("port", TRANSPORTS[transport], low=1, high=65_535),
        transport=transport,
        path=table.text("path", "/mqtt"),
        fingerprint=table.fingerprint(),
        ca=str(table.path("ca")) if "ca" in table else "",
        username=username,
        password=password,
    )
    if not found.is_encrypted and (found.fingerprint or found.ca):
        raise table.fault("transport", f"{transport!r} is not encrypted: fingerprint and ca need tls or wss")
    if found.fingerprint and found.ca:
        raise table.fault("ca", "cannot be given beside fingerprint")
    return found


def _limits(table: Table) -> Limits:
    found = Limits(
        request_bytes=table.integer("request_bytes", MIB, low=1024, high=64 * MIB),
        result_bytes=table.integer("result_bytes", MIB, low=1024, high=64 * MIB),
        call_seconds=table.number("call_seconds", 30, low=0.1, high=3600),
        calls_waiting=table.integer("calls_waiting", 64, low=1, high=10_000),
        buffer_bytes=table.integer("buffer_bytes", 64 * MIB, low=64 * 1024, high=2**40),
        feeds=table.integer("feeds", 5_000, low=0, high=100_000),
    )
    table.done()
    return found


def _connectors(top: Table) -> dict[str, Table]:
    found = top.tables("connectors", {})
    for name in found:
        if not NAME.fullmatch(name) or name.startswith("__"):
            raise ConfigFault(f"connectors.{name} is no name: letters, digits and _ . @ - only")
    return found


def _level(table: Table, key: str, allowed: re.Pattern[str]) -> str:
    found = table.text(key)
    if not allowed.fullmatch(found) or found.startswith(("$", "__")):
        raise table.fault(key, "cannot be a level of a topic")
    return found
