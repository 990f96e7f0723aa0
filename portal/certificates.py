"""The certificates of all servers: what operators are told ahead, and renewing one now."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime

from portal import activity, certificate, clock, opcua, renewal, worker_client
from portal.config import SettingError, Settings
from portal.db import writing
from portal.integrations import Actor
from portal.renewal import Renewed
from portal.worker_client import MQTT, OPCUA, Refused

FRESH = 10.0  # seconds that what is known of the certificates is told again, so that no poll has to ask


@dataclass(frozen=True, slots=True)
class End:
    """When the certificate of a part ends, and whether it is renewed by itself."""

    part: str
    not_after: datetime
    renews: bool

    @property
    def at(self) -> datetime:
        """Return when clients will meet another certificate, or one that has expired."""
        return renewal.planned(self.not_after) if self.renews else self.not_after


@dataclass(slots=True)
class Notices:
    """What operators are told of the certificates; may be asked by any thread."""

    settings: Settings
    _ends: dict[str, End] = field(default_factory=dict)
    _until: float = 0.0

    def now(self, now: datetime) -> tuple[End, ...]:
        """Return what ends or is renewed within the time that is told ahead; of a server that is silent, the last."""
        if time.monotonic() >= self._until:
            self._until = time.monotonic() + FRESH
            self._ends = {part: end for part, end in self._look().items() if end is not None}
        return tuple(end for end in self._ends.values() if end.at - renewal.NOTICE <= now)

    def forget(self) -> None:
        """Look again the next time."""
        self._until = 0.0

    def _look(self) -> dict[str, End | None]:
        found: dict[str, End | None] = {}
        if self.settings.needs_certificate:
            found[MQTT] = _tls(self.settings)
        if self.settings.opcua_port is not None:
            own = opcua.certificate()
            found[OPCUA] = End(OPCUA, own.not_after, True) if own is not None else self._ends.get(OPCUA)
        return found


def _tls(settings: Settings) -> End | None:
    try:
        found = certificate.read(settings)
    except SettingError:  # the page *Server* says why
        return None
    return End(MQTT, found.not_after, found.renewed_at is not None)


def renew(part: str, settings: Settings, actor: Actor) -> None:
    """Renew the certificate of a part now.  Raises `Refused` and `worker_client.Silent`."""
    if part == OPCUA:
        renewed = Renewed(**worker_client.have(OPCUA, "renew_certificate"))
    else:
        try:
            renewed = certificate.renew(settings, clock.now())
        except SettingError as error:
            raise Refused(f"{error}.") from None
    with writing():
        activity.record(
            activity.RENEWED,
            clock.now(),
            account=actor.name,
            address=actor.address,
            protocol=part,
            detail=renewed.told(part),
        )
