"""How an Edge Connector connects: the beginning of its configuration, to copy."""

from __future__ import annotations

from portal.connect import Line, Login, Trust
from portal.edge import configuration, ways
from portal.listeners import PATH, Listener

MACHINE = {"kind": "system"}


def lines(listener: Listener, trust: Trust | None, login: Login, domain: str) -> list[Line]:
    """Return the configuration for a listener."""
    (way,) = ways.of([listener], trust)
    server: dict[str, str | int] = {"host": listener.host, "port": way.port, "transport": way.transport}
    server |= {"path": PATH} if listener.is_websocket else {}
    server |= {"fingerprint": way.fingerprint} if way.fingerprint else {}
    server |= {"username": login.username, "password": login.shown}
    agent = configuration.table("agent", {"domain": domain, "name": login.username})
    text = f"{configuration.table('server', server)}\n{agent}\n{configuration.table('connectors.machine', MACHINE)}"
    return [Line(f"{listener.transport}-edge", "The beginning of its edge.toml", text.rstrip())]
