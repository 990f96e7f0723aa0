"""Agents and clients of one domain, by kind and transport, which tests share: each takes up to a second to start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from portal import certificate
from tests.support.stack import HOST, Stack
from tests.support.vrpc import Agent, Client, Clients

DOMAIN = "team.default"


class Team:
    """An agent and a client of each kind over each transport, made when they are asked for."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack, self.folder, self.domain = stack, folder, DOMAIN
        self._integrations: dict[str, dict[str, Any]] = {}
        self._agents: dict[tuple[str, str], Agent] = {}
        self._programs: dict[str, Clients] = {}
        self._clients: dict[tuple[str, str], Client] = {}

    def integration(self, role: str) -> dict[str, Any]:
        """Return the integration of all agents, or of all clients."""
        if role not in self._integrations:
            self._integrations[role] = self.stack.add(type="vrpc", domain=self.domain, role=role)
        return self._integrations[role]

    def agent(self, kind: str, transport: str = "tcp") -> Agent:
        """Return the running agent of a kind over a transport."""
        way = (kind, transport)
        if way not in self._agents:
            name, url = f"{kind}-{transport}", broker(self.stack, transport)
            self._agents[way] = Agent(
                kind, url, self.domain, name, self.folder / name, self.integration("agent"), **trust(self.stack)
            )
        return self._agents[way].ready()

    def client(self, kind: str, transport: str = "tcp") -> Client:
        """Return the connected client of a kind over a transport."""
        way = (kind, transport)
        if way not in self._clients:
            self._clients[way] = self.newcomer(kind, transport)
        return self._clients[way]

    def newcomer(self, kind: str, transport: str = "tcp", **options: Any) -> Client:
        """Connect one more client."""
        url = broker(self.stack, transport)
        return self.program(kind).connect(url, self.domain, self.integration("client"), **options)

    def program(self, kind: str) -> Clients:
        """Return the running program of a kind's clients."""
        if kind not in self._programs:
            self._programs[kind] = Clients(kind, self.folder / f"clients-{kind}", **trust(self.stack))
        return self._programs[kind]

    def close(self) -> None:
        """End them all, and delete their integrations: the names of agents are free for another team then."""
        for program in (*self._agents.values(), *self._programs.values()):
            program.kill()
        if self.stack.beats():
            for integration in self._integrations.values():
                self.stack.flask("integrations", "delete", integration["username"], check=False)


def broker(stack: Stack, transport: str = "tcp") -> str:
    """Return the address of a listener, as agents and clients take it."""
    return {
        "tcp": f"mqtt://{HOST}:{stack.mqtt_port}",
        "tls": f"mqtts://{HOST}:{stack.tls_port}",
        "ws": f"ws://{HOST}:{stack.ws_port}/mqtt",
        "wss": f"wss://{HOST}:{stack.wss_port}/mqtt",
    }[transport]


def trust(stack: Stack) -> dict[str, str]:
    """Return the environment in which Python trusts the product's certificate; npm's package looks at none."""
    return {"SSL_CERT_FILE": str(stack.folder / "data" / certificate.FILE)}
