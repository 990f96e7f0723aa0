"""When a certificate that Gatehouse made for itself gives way to a new one, and how that is told.

A renewal keeps the key.  Clients that were given the certificate itself have to trust the new one, so it is told
beforehand, and put on record.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

BEFORE_END = timedelta(days=60)
NOTICE = timedelta(days=30)  # before a renewal, or before a certificate of one's own expires
OF = {"mqtt": "MQTT over TLS", "opcua": "OPC UA"}  # whose certificate it is, by the part that uses it


class Renewed(NamedTuple):
    """The SHA-256 fingerprints of the old certificate and of the new one."""

    before: str
    after: str

    def told(self, part: str) -> str:
        """Return what activity says."""
        return f"{OF[part]}: {self.after} in the place of {self.before}"


def planned(not_after: datetime) -> datetime:
    """Return when a certificate with this end is renewed."""
    return not_after - BEFORE_END


def is_due(not_after: datetime, now: datetime) -> bool:
    """Tell whether it is time for a new one."""
    return planned(not_after) <= now
