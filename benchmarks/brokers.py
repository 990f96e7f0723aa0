"""Gatehouse and its peers, running, with the credentials to use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks import seed
from benchmarks.peers.aedes import Aedes
from benchmarks.peers.amqtt import Amqtt
from benchmarks.peers.installed import NotInstalled
from benchmarks.peers.mosquitto import Mosquitto
from benchmarks.seed import Credential
from benchmarks.stack import UNHAMPERED, Gatehouse
from benchmarks.subject import Subject

NAMES = (Gatehouse.name, Mosquitto.name, Aedes.name, Amqtt.name)


@dataclass(slots=True)
class Broker(Subject):
    """A running broker with its credentials; several only for Gatehouse, each of an integration of its own."""

    credentials: list[Credential]

    @property
    def address(self) -> dict[str, Any]:
        """Return how the load reaches it."""
        user = self.credentials[0]
        return {"port": self.product.mqtt_port, "username": user.username, "password": user.password}


@contextmanager
def running(credentials: int = 1) -> Iterator[tuple[list[Broker], list[str]]]:
    """Run Gatehouse and every peer that can be had; also yield notes on those that cannot."""
    with ExitStack() as stack:
        gatehouse = Gatehouse(UNHAMPERED)
        users = seed.fill(gatehouse.settings, credentials)
        brokers = [Broker(stack.enter_context(gatehouse), users)]
        notes = []
        for kind in (Mosquitto, Aedes, Amqtt):
            try:
                product = stack.enter_context(kind(users[0].username, users[0].password))
            except NotInstalled as error:
                notes.append(f"{kind.name} was not measured: {error}.")
            else:
                brokers.append(Broker(product, users[:1]))
        yield brokers, notes
