"""Renews the certificates that Gatehouse made for itself in good time, and has it put on record."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal import certificate, clock, renewal
from portal.config import SettingError, Settings
from portal.renewal import Renewed
from protocols.contract import Refused

log = logging.getLogger(__name__)

EVERY = 3_600  # seconds between two looks


@dataclass(frozen=True, slots=True)
class Own:
    """The certificate of one part; `not_after` returns None for one that is not to be renewed."""

    part: str
    not_after: Callable[[], datetime | None]
    renew: Callable[[], Renewed]


def of_tls(part: str, settings: Settings) -> Own:
    """Return the certificate of the TLS listeners, which is a file; its keeper takes a new one over."""

    def not_after() -> datetime | None:
        found = certificate.read(settings)
        return found.not_after if found.renewed_at is not None else None

    return Own(part, not_after, lambda: certificate.renew(settings, clock.now()))


def of_server(part: str, actions: Mapping[str, Callable[..., Any]]) -> Own:
    """Return the certificate of a server that looks after its own."""
    return Own(
        part,
        lambda: datetime.fromisoformat(actions["certificate"]()["not_after"]),
        lambda: Renewed(**actions["renew_certificate"]()),
    )


class Renewals:
    """Looks after one certificate; `record` is told what is renewed."""

    def __init__(self, own: Own, record: Callable[[str, Renewed], None]) -> None:
        self._own = own
        self._record = record
        self._announced: datetime | None = None

    def look(self) -> None:
        """Renew the certificate if it is time to, or say when that will be."""
        name = renewal.OF[self._own.part]
        try:
            not_after, now = self._own.not_after(), clock.now()
            if not_after is None:
                return
            if not renewal.is_due(not_after, now):
                self._announce(name, renewal.planned(not_after), now)
                return
            renewed = self._own.renew()
        except TimeoutError:
            log.warning("the server did not answer about the certificate of %s; it is asked again in an hour", name)
        except (SettingError, Refused) as error:
            log.error("the certificate of %s cannot be renewed: %s", name, error)
        else:
            log.warning(
                "the certificate of %s was renewed, with the same key; clients that were given it must trust %s",
                name,
                renewed.after,
            )
            self._record(self._own.part, renewed)

    def _announce(self, name: str, planned: datetime, now: datetime) -> None:
        if planned - renewal.NOTICE <= now and planned != self._announced:
            self._announced = planned
            log.warning(
                "the certificate of %s will be renewed on %s; clients that were given it must trust the new one then",
                name,
                planned.date(),
            )
