"""What the protocol servers of this machine cannot write, as every page says it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from portal import worker_client

FRESH = 1.0  # seconds that the last answer is told again, so that few polls have to ask
PAUSE = 10.0  # seconds until a server that gave none is asked again


@dataclass(frozen=True, slots=True)
class Trouble:
    """One file that cannot be written as it should."""

    file: str
    fault: str
    meanwhile: str
    since: datetime


@dataclass(slots=True)
class Troubles:
    """What the server that answers pages has last said; may be asked by any thread."""

    _last: tuple[Trouble, ...] = ()
    _until: float = 0.0

    def now(self) -> tuple[Trouble, ...]:
        """Return what cannot be written; nothing where the server does not answer, which is said elsewhere."""
        if time.monotonic() >= self._until:
            self._until = time.monotonic() + FRESH
            found = worker_client.ask(worker_client.MQTT, "troubles")
            if found is None:
                self._until = time.monotonic() + PAUSE
            self._last = tuple(map(_read, found or ()))
        return self._last


def _read(row: dict[str, Any]) -> Trouble:
    return Trouble(row["file"], row["fault"], row["meanwhile"], datetime.fromtimestamp(row["since"], UTC))
