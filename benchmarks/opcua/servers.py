"""Gatehouse and its peer, running, with the same credentials and the same variables."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks import load, processes, seed
from benchmarks.generator.opcua import wire
from benchmarks.peers.installed import NotInstalled
from benchmarks.peers.node_opcua import NodeOpcUa
from benchmarks.seed import Credential
from benchmarks.stack import HOST, READY_WITHIN, Gatehouse
from benchmarks.subject import Server

NAMES = (Gatehouse.name, NodeOpcUa.name)
VARIABLES = 100


@dataclass(slots=True)
class OpcUaServer(Server):
    """A running server, and what was seen of it."""

    namespace: int  # of its variables

    @property
    def address(self) -> dict[str, Any]:
        return {**self.login, "namespace": self.namespace, "variables": VARIABLES}

    def is_there(self) -> bool:
        """Tell whether it answers HEL: Gatehouse's socket is there before its address space."""
        try:
            with socket.create_connection((HOST, self.port), 1) as connection:
                connection.sendall(wire.hello(f"opc.tcp://{HOST}:{self.port}/"))
                return connection.recv(4) == b"ACKF"
        except OSError:
            return False

    @property
    def memory(self) -> int:
        """Return the proportional set size of all its processes."""
        return sum(processes.proportional_bytes(pid) for pid in self.product.pids)


@contextmanager
def running() -> Iterator[tuple[list[OpcUaServer], Credential, list[str]]]:
    """Run both; also yield the credential of an MQTT client of Gatehouse, and notes on a peer that cannot be had."""
    with ExitStack() as stack:
        gatehouse = Gatehouse()
        (user,) = seed.fill(gatehouse.settings, 1, kind="opcua")
        (mqtt,) = seed.fill(gatehouse.settings, 1)
        stack.enter_context(gatehouse)
        servers, notes = [OpcUaServer(gatehouse, user, gatehouse.opcua_port, 2)], []
        try:
            peer = NodeOpcUa(user.username, user.password, VARIABLES)
        except NotInstalled as error:
            notes.append(f"{NodeOpcUa.name} was not measured: {error}.")
        else:
            stack.enter_context(peer)
            servers.append(OpcUaServer(peer, user, peer.opcua_port, 1))
        for server in servers:
            processes.wait_until(server.is_there, READY_WITHIN, f"{server.name} to answer")
            load.run("opcua_prepare", **server.address)
        yield servers, mqtt, notes
