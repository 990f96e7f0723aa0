"""Notes from a thread which certificates clients use: a stranger's costs the others no time on the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

from cryptography import x509

from protocols.journal import Journal
from protocols.opcua.limits import Limits
from protocols.opcua.shelf import fingerprint
from protocols.opcua.trust import TrustFolder
from protocols.tally import network_of

_Sighting = tuple[x509.Certificate, str, datetime]


class Sightings:
    """What is to be noted in the folders; of what comes too fast some is left out until it is seen again."""

    def __init__(self, trust: TrustFolder, limits: Limits, journal: Journal) -> None:
        self._trust = trust
        self._limits = limits
        self._journal = journal
        self._waiting: dict[str, _Sighting] = {}
        self._task: asyncio.Task[None] | None = None

    def see(self, certificate: x509.Certificate, address: str, now: datetime) -> None:
        """Note that a client used a certificate, soon."""
        found = fingerprint(certificate)
        if found in self._waiting or self._trust.is_noted(found, now):
            return
        if found not in self._trust.trusted() and self._is_full(address):
            return
        self._waiting[found] = (certificate, address, now)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write())

    async def stop(self) -> None:
        """Write what waits."""
        if self._task is not None:
            await self._task

    def _is_full(self, address: str) -> bool:
        if len(self._waiting) >= self._limits.rejected_certificates:
            return True
        own = network_of(address)
        same = sum(network_of(other) == own for _, other, _ in self._waiting.values())
        return same >= self._limits.rejected_per_address

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, {}
                for address, fact in await asyncio.to_thread(self._note, batch):
                    self._journal.note(address, fact)
        finally:
            self._task = None

    def _note(self, batch: Mapping[str, _Sighting]) -> list[tuple[str, str]]:
        """Note these; return what is to be said, by the client's address."""
        found = [(address, self._trust.see(certificate, address, now)) for certificate, address, now in batch.values()]
        return [(address, fact) for address, fact in found if fact]
