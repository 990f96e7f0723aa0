"""Where clients can connect: each listener with its address, as pages show it."""

from __future__ import annotations

from dataclasses import dataclass

from portal.config import Settings
from portal.kinds import KINDS

TLS = frozenset({"tls", "wss"})
SCHEMES = {
    "mqtt": "mqtt",
    "mqtt-tls": "mqtts",
    "mqtt-ws": "ws",
    "mqtt-wss": "wss",
    "opcua": "opc.tcp",
}
REST = "/api/v1"
LABELS = {"tcp": "TCP", "tls": "TLS", "ws": "WebSocket", "wss": "WebSocket, TLS", "web": "This portal"}
PATH = "/mqtt"


@dataclass(frozen=True, slots=True)
class Listener:
    """One way in; `transport` as in the contract of the protocol servers."""

    protocol: str
    transport: str
    host: str
    port: int
    scheme: str

    @property
    def label(self) -> str:
        return LABELS[self.transport] if self.protocol == "mqtt" else KINDS[self.protocol].label

    @property
    def is_websocket(self) -> bool:
        return self.scheme in {"ws", "wss"}

    @property
    def has_own_certificate(self) -> bool:
        """Tell whether it is this program, not a proxy, that speaks TLS."""
        return self.transport in TLS

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"ws": 80, "http": 80, "wss": 443, "https": 443}.get(self.scheme) == self.port
        path = PATH if self.is_websocket else REST if self.protocol == "http" else ""
        return f"{self.scheme}://{host}{'' if usual else f':{self.port}'}{path}"


def of(settings: Settings, host: str, web_port: int, *, web_is_secure: bool) -> list[Listener]:
    """Return the listeners that are turned on, for a browser that reached the portal by this host and port."""
    found = []
    for name, port in settings.ports.items():
        protocol, _, transport = name.partition("-")
        transport = transport or "tcp"
        found.append(Listener(protocol, transport, host, port, SCHEMES[name]))
    if settings.mqtt_web:
        found.append(Listener("mqtt", "web", host, web_port, "wss" if web_is_secure else "ws"))
    found.append(Listener("http", "http", host, web_port, "https" if web_is_secure else "http"))
    return sorted(found, key=lambda listener: listener.protocol)
