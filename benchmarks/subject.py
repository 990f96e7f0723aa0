"""What the load is run against, and what was seen of it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks import load
from benchmarks.load import Load, LoadFailed
from benchmarks.seed import Credential
from benchmarks.stack import Product

PAUSE = 0.4  # seconds between two measurements, for a product to put its house in order


@dataclass(slots=True)
class Subject(ABC):
    """A running product; a kind of it says by `address` how the load reaches it."""

    product: Product
    seen: dict[str, list[dict[str, Any]]] = field(default_factory=dict, kw_only=True)
    failed: dict[str, str] = field(default_factory=dict, kw_only=True)

    @property
    def name(self) -> str:
        return self.product.name

    @property
    @abstractmethod
    def address(self) -> dict[str, Any]:
        """Return how the load reaches it."""

    def start(self, job: str, **options: Any) -> Load:
        """Start a job that goes on until it is told to end."""
        return Load(job, **self.address, pids=self.product.pids, **options)

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


@dataclass(slots=True)
class Server(Subject):
    """A running server whose clients have one credential."""

    credential: Credential
    port: int

    @property
    def login(self) -> dict[str, Any]:
        """Return where, and as whom, the load logs in."""
        return {"port": self.port, "username": self.credential.username, "password": self.credential.password}
