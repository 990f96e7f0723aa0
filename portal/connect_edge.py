"""How an Edge Connector connects: the beginning of its configuration, to copy."""

from __future__ import annotations

from portal.connect import Line, Login, Trust, script
from portal.listeners import PATH, Listener

TRANSPORTS = {"mqtt": "tcp", "mqtts": "tls"}  # what the agent calls a scheme, where it has another name

CONFIGURATION = """\
[server]
host = {host}
port = {port}
transport = {transport}
{more}username = {username}
password = {password}

[agent]
domain = {domain}
name = {name}

[connectors.machine]
kind = "system\""""


def lines(listener: Listener, trust: Trust | None, login: Login, domain: str) -> list[Line]:
    """Return the configuration for a listener."""
    transport = TRANSPORTS.get(listener.scheme, listener.scheme)
    more = f"path = {script(PATH)}\n" if listener.is_websocket else ""
    if listener.has_own_certificate and trust is not None and trust.signs_itself:
        more += f"fingerprint = {script(trust.fingerprint)}\n"
    text = CONFIGURATION.format(
        host=script(listener.host),
        port=listener.port,
        transport=script(transport),
        more=more,
        username=script(login.username),
        password=script(login.shown),
        domain=script(domain),
        name=script(login.username),
    )
    return [Line(f"{listener.transport}-edge", "The beginning of its edge.toml", text)]
