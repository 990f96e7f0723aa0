"""The certificates of clients: those that are trusted, and those that an operator has not looked at.

The folder is where the server and the portal meet; both only add, move and delete files:

    trusted/<SHA-256 in hex>.der     and any other *.der, *.pem, *.crt or *.cer that an operator puts there
    rejected/<SHA-256 in hex>.der
    …/<SHA-256 in hex>.json          beside it: {"first_seen", "last_seen" (ISO 8601, UTC), "address"}

A note is named by the fingerprint even where the certificate's own file is not.
To trust a certificate is to move its two files from `rejected` to `trusted`; the server looks at each login.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from protocols.opcua.certificate import application_uri
from protocols.opcua.shelf import LARGEST, Shelf, fingerprint
from protocols.tally import network_of

TRUSTED = "trusted"
REJECTED = "rejected"
NOTED_AGAIN = timedelta(minutes=1)  # the least between two notes of when one was seen


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What a person needs to know of a client's certificate."""

    fingerprint: str  # SHA-256, in hex: its name in all that follows
    trusted: bool
    subject: str
    application_uri: str
    not_before: datetime
    not_after: datetime
    first_seen: datetime | None = None  # None for one that an operator put there
    last_seen: datetime | None = None
    address: str = ""


class TrustFolder:
    """Keeps the two folders; `most` in quarantine altogether, and `most_per_address` of one address.

    `see` may be called from another thread than the rest.
    """

    def __init__(self, folder: Path, most: int = 100, most_per_address: int = 10) -> None:
        self._trusted = Shelf(folder / TRUSTED)
        self._rejected = Shelf(folder / REJECTED)
        self._most = most
        self._most_per_address = most_per_address
        self._lock = threading.RLock()
        self._fingerprints: frozenset[str] = frozenset()
        self._notes: dict[str, _Seen] = {}

    def prepare(self) -> None:
        """Make the folders, and look at what is there.  Raises OSError."""
        for shelf in (self._trusted, self._rejected):
            shelf.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock:
            self._refresh()

    def trusted(self) -> frozenset[str]:
        """Return the fingerprints that are trusted: the same object until there are others."""
        if self._trusted.has_changed():
            with self._lock:
                self._refresh_trusted()
        return self._fingerprints

    def is_trusted(self, certificate: x509.Certificate) -> bool:
        """Tell whether an operator trusts a certificate."""
        return fingerprint(certificate) in self.trusted()

    def is_noted(self, name: str, now: datetime) -> bool:
        """Tell whether there is nothing to note of a certificate that is used now."""
        seen = self._notes.get(name)
        return seen is not None and now - seen.last_seen < NOTED_AGAIN

    def see(self, certificate: x509.Certificate, address: str, now: datetime) -> str:
        """Note that a client used a certificate; one that is not trusted goes into quarantine.

        Returns what is to be said of the client, if anything: nobody but clients decides how often.
        """
        try:
            with self._lock:
                is_new = self._see(certificate, address, now)
        except OSError as error:
            return f"its certificate cannot be noted in {error.filename}: {error.strerror}"
        return f"a certificate that nobody trusts yet: {fingerprint(certificate)}" if is_new else ""

    def _see(self, certificate: x509.Certificate, address: str, now: datetime) -> bool:
        """Note it; return whether it is in quarantine from now on."""
        self._refresh()
        found = fingerprint(certificate)
        is_new = found not in self._fingerprints and found not in self._rejected.found
        if is_new:
            der = certificate.public_bytes(Encoding.DER)
            if len(der) > LARGEST:
                return False
            self._make_room(address)
        shelf = self._trusted if found in self._fingerprints else self._rejected
        seen = self._noted(shelf, found) if not is_new else None
        if seen is None or now - seen.last_seen >= NOTED_AGAIN:
            noted = _Seen(seen.first_seen if seen else now, now, address)
            _note(shelf.note(found), noted)
            self._notes[found] = noted
        if is_new:  # after its note, so that whoever finds it finds all of it
            _write(self._rejected.folder / f"{found}.der", der)
        return is_new

    def all(self) -> list[ClientCertificate]:
        """Return all of them, those in quarantine first, the latest first."""
        with self._lock:
            self._refresh()
            found = [
                _describe(name, certificate, _seen(shelf.note(name)), trusted=shelf is self._trusted)
                for shelf in (self._rejected, self._trusted)
                for name in shelf.found
                if (certificate := shelf.certificate(name)) is not None
                and (shelf is self._trusted or name not in self._fingerprints)
            ]
        return sorted(found, key=lambda one: (one.trusted, -(one.last_seen.timestamp() if one.last_seen else 0)))

    def trust(self, name: str) -> bool:
        """Trust the certificate of this fingerprint; return whether it was in quarantine."""
        return self._move(name, self._rejected, self._trusted)

    def distrust(self, name: str) -> bool:
        """Put a trusted certificate back into quarantine; return whether there was one."""
        return self._move(name, self._trusted, self._rejected)

    def delete(self, name: str) -> bool:
        """Forget a certificate: it goes into quarantine again when it is next seen."""
        with self._lock:
            self._refresh()
            paths = [path for shelf in (self._trusted, self._rejected) for path in shelf.found.get(name, ())]
            for path in paths:
                path.unlink(missing_ok=True)
            if paths:
                self._trusted.note(name).unlink(missing_ok=True)
                self._rejected.note(name).unlink(missing_ok=True)
            self._refresh()
        return bool(paths)

    def _move(self, name: str, source: Shelf, target: Shelf) -> bool:
        """Move a certificate, under however many names it is there."""
        with self._lock:
            self._refresh()
            certificate = source.certificate(name)
            if certificate is None:
                return False
            (target.folder / f"{name}.der").write_bytes(certificate.public_bytes(Encoding.DER))
            if source.note(name).exists():
                source.note(name).replace(target.note(name))
            for path in source.found[name]:
                path.unlink(missing_ok=True)
            self._refresh()
        return True

    def _refresh(self) -> None:
        self._refresh_trusted()
        self._rejected.refresh()
        for name in [one for one in self._notes if one not in self._trusted.found and one not in self._rejected.found]:
            del self._notes[name]

    def _refresh_trusted(self) -> None:
        self._trusted.refresh()
        found = frozenset(self._trusted.found)
        if found != self._fingerprints:
            self._fingerprints = found

    def _noted(self, shelf: Shelf, name: str) -> _Seen | None:
        """Return what is noted of a certificate, which is read once."""
        if name not in self._notes and (seen := _seen(shelf.note(name))) is not None:
            self._notes[name] = seen
        return self._notes.get(name)

    def _make_room(self, address: str) -> None:
        """Drop what was seen longest ago, of the same network if it has its share."""
        kept = [(self._noted(self._rejected, name) or _NEVER, name) for name in self._rejected.found]
        kept.sort(key=lambda one: one[0].last_seen)
        own = [name for seen, name in kept if network_of(seen.address) == network_of(address)]
        if len(own) >= self._most_per_address:
            drop = own[: len(own) - self._most_per_address + 1]
        else:
            drop = [name for _, name in kept[: max(len(kept) - self._most + 1, 0)]]
        for name in drop:
            for path in self._rejected.found[name]:
                path.unlink(missing_ok=True)
            self._rejected.note(name).unlink(missing_ok=True)
            self._notes.pop(name, None)


@dataclass(frozen=True, slots=True)
class _Seen:
    first_seen: datetime
    last_seen: datetime
    address: str


_NEVER = _Seen(datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC), "")


def _seen(path: Path) -> _Seen | None:
    try:
        found = json.loads(path.read_text("utf-8"))
        first, last = (datetime.fromisoformat(found[name]) for name in ("first_seen", "last_seen"))
        return _Seen(first, last, str(found["address"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _note(path: Path, seen: _Seen) -> None:
    text = json.dumps(
        {"first_seen": seen.first_seen.isoformat(), "last_seen": seen.last_seen.isoformat(), "address": seen.address}
    )
    if path.exists():  # in its place, so that its folder does not change
        path.write_text(text, "utf-8")
        return
    _write(path, text.encode())


def _write(path: Path, data: bytes) -> None:
    """Write a file that is there as a whole or not at all."""
    unfinished = path.with_suffix(".new")
    unfinished.write_bytes(data)
    unfinished.replace(path)


def _describe(name: str, certificate: x509.Certificate, seen: _Seen | None, *, trusted: bool) -> ClientCertificate:
    return ClientCertificate(
        name,
        trusted,
        certificate.subject.rfc4514_string(),
        application_uri(certificate),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        seen.first_seen if seen else None,
        seen.last_seen if seen else None,
        seen.address if seen else "",
    )
