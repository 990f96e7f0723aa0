"""Gatehouse and its peer, running, with the same credentials."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks import processes, seed
from benchmarks.peers.installed import NotInstalled
from benchmarks.peers.rabbitmq import RabbitMq
from benchmarks.seed import Credential
from benchmarks.stack import READY_WITHIN, Gatehouse
from benchmarks.subject import Server

NAMES = (Gatehouse.name, RabbitMq.name)


@dataclass(slots=True)
class HttpServer(Server):
    """A running server, and what was seen of it."""

    prefix: str  # of the kinds of requests that it takes

    @property
    def address(self) -> dict[str, Any]:
        return self.login


@contextmanager
def running() -> Iterator[tuple[list[HttpServer], Credential, list[str]]]:
    """Run both; also yield the credential of an MQTT client of Gatehouse, and notes on the peer."""
    with ExitStack() as stack:
        gatehouse = Gatehouse()
        (user,) = seed.fill(gatehouse.settings, 1, kind="http")
        (mqtt,) = seed.fill(gatehouse.settings, 1)
        stack.enter_context(gatehouse)
        processes.wait_until(gatehouse.acknowledges, READY_WITHIN, "all servers of Gatehouse to be there")
        servers = [HttpServer(gatehouse, user, gatehouse.port, "")]
        try:
            peer = stack.enter_context(RabbitMq(user.username, user.password))
        except NotInstalled as error:
            notes = [f"{RabbitMq.name} was not measured: {error}."]
        else:
            servers.append(HttpServer(peer, user, peer.port, "peer_"))
            notes = [f"{RabbitMq.name} {peer.version}."]
        yield servers, mqtt, notes
