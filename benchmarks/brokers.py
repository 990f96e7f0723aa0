"""Gatehouse and its peers, running, with the credentials to use."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks import load, seed
from benchmarks.load import LoadFailed
from benchmarks.peers.aedes import Aedes
from benchmarks.peers.amqtt import Amqtt
from benchmarks.peers.installed import NotInstalled
from benchmarks.peers.mosquitto import Mosquitto
from benchmarks.seed import Credential
from benchmarks.stack import UNHAMPERED, Gatehouse, Product

NAMES = (Gatehouse.name, Mosquitto.name, Aedes.name, Amqtt.name)
PAUSE = 0.4  # seconds between two measurements, for a broker to put its house in order


@dataclass(slots=True)
class Broker:
    """A running broker with its credentials; several only for Gatehouse, each of an integration of its own."""

    product: Product
    credentials: list[Credential]
    seen: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.product.name

    @property
    def address(self) -> dict[str, Any]:
        """Return how the load reaches it."""
        user = self.credentials[0]
        return {"port": self.product.mqtt_port, "username": user.username, "password": user.password}

    def run(self, what: str, job: str, options: Mapping[str, Any]) -> None:
        """Run a job of the load against it, and keep the answer, or why there is none."""
        time.sleep(PAUSE)
        try:
            answer = load.run(job, **self.address, pids=self.product.pids, **options)
        except LoadFailed as error:
            self.failed[what] = str(error)
        else:
            self.seen.setdefault(what, []).append(answer)

    def values(self, what: str, name: str) -> list[float]:
        """Return one value of a measurement, of each round."""
        return [answer[name] for answer in self.seen.get(what, [])]


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
