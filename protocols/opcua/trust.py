"""The certificates of clients: those that are trusted, and those that an operator has not looked at.

The folder is where the server and the portal meet; both only add, move and delete files:

    trusted/<SHA-256 in hex>.der     and any other *.der, *.pem, *.crt or *.cer that an operator puts there
    rejected/<SHA-256 in hex>.der
    …/<SHA-256 in hex>.json          beside it: {"first_seen", "last_seen" (ISO 8601, UTC), "address"}

To trust a certificate is to move its two files from `rejected` to `trusted`; the server looks at each login.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from protocols.opcua.certificate import application_uri

_log = logging.getLogger("protocols.opcua")

TRUSTED = "trusted"
REJECTED = "rejected"
LARGEST = 16 * 1024  # bytes of a certificate
NOTED_AGAIN = timedelta(minutes=1)  # the least between two notes of when one was seen
_SUFFIXES = {".der", ".pem", ".crt", ".cer"}


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
    """Keeps the two folders; `most` in quarantine altogether, and `most_per_address` of one address."""

    def __init__(self, folder: Path, most: int = 100, most_per_address: int = 10) -> None:
        self._trusted = folder / TRUSTED
        self._rejected = folder / REJECTED
        self._most = most
        self._most_per_address = most_per_address
        self._added: tuple[int, frozenset[str]] = (0, frozenset())

    def prepare(self) -> None:
        """Make the folders.  Raises OSError."""
        for folder in (self._trusted, self._rejected):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def is_trusted(self, certificate: x509.Certificate) -> bool:
        """Tell whether an operator trusts a certificate."""
        found = fingerprint(certificate)
        return (self._trusted / f"{found}.der").exists() or found in self._other_names()

    def see(self, certificate: x509.Certificate, address: str, now: datetime) -> None:
        """Note that a client used a certificate; one that is not trusted goes into quarantine."""
        try:
            self._see(certificate, address, now)
        except OSError as error:
            _log.error("a client's certificate cannot be noted in %s: %s", error.filename, error.strerror)

    def _see(self, certificate: x509.Certificate, address: str, now: datetime) -> None:
        found = fingerprint(certificate)
        is_trusted = self.is_trusted(certificate)
        folder = self._trusted if is_trusted else self._rejected
        seen = _seen(folder / f"{found}.json")
        if seen is not None and now - seen.last_seen < NOTED_AGAIN:
            return
        if seen is None and not is_trusted:
            der = certificate.public_bytes(Encoding.DER)
            if len(der) > LARGEST:
                return
            self._make_room(address)
            (folder / f"{found}.der").write_bytes(der)
            _log.warning("a client at %s has a certificate that nobody trusts yet: %s", address, found)
        _note(folder / f"{found}.json", _Seen(seen.first_seen if seen else now, now, address))

    def all(self) -> list[ClientCertificate]:
        """Return all of them, those in quarantine first, the latest first."""
        found = [*self._read(self._rejected, trusted=False), *self._read(self._trusted, trusted=True)]
        return sorted(found, key=lambda one: (one.trusted, -(one.last_seen.timestamp() if one.last_seen else 0)))

    def trust(self, name: str) -> bool:
        """Trust the certificate of this fingerprint; return whether it was in quarantine."""
        return self._move(name, self._rejected, self._trusted)

    def distrust(self, name: str) -> bool:
        """Put a trusted certificate back into quarantine; return whether there was one."""
        return self._move(name, self._trusted, self._rejected)

    def delete(self, name: str) -> bool:
        """Forget a certificate: it goes into quarantine again when it is next seen."""
        paths = [path for folder in (self._trusted, self._rejected) for path in _files(folder) if _name(path) == name]
        for path in paths:
            path.unlink(missing_ok=True)
            path.with_suffix(".json").unlink(missing_ok=True)
        return bool(paths)

    def _move(self, name: str, source: Path, target: Path) -> bool:
        path = next((path for path in _files(source) if _name(path) == name), None)
        certificate = load(path) if path is not None else None
        if path is None or certificate is None:
            return False
        (target / f"{name}.der").write_bytes(certificate.public_bytes(Encoding.DER))
        if path.with_suffix(".json").exists():
            path.with_suffix(".json").replace(target / f"{name}.json")
        path.unlink(missing_ok=True)
        return True

    def _other_names(self) -> frozenset[str]:
        """Return the fingerprints of what an operator put there under names of their own."""
        try:
            changed = self._trusted.stat().st_mtime_ns
        except OSError:
            return frozenset()
        if changed != self._added[0]:
            self._added = changed, frozenset(filter(None, (_name(path) for path in _files(self._trusted))))
        return self._added[1]

    def _make_room(self, address: str) -> None:
        """Drop what was seen longest ago, of the same address if it has its share."""
        kept = [(seen, path) for path in _files(self._rejected) if (seen := _seen(path.with_suffix(".json")))]
        kept.sort(key=lambda one: one[0].last_seen)
        counts = Counter(seen.address for seen, _ in kept)
        own = [path for seen, path in kept if seen.address == address]
        if counts[address] >= self._most_per_address:
            drop = own[: counts[address] - self._most_per_address + 1]
        else:
            drop = [path for _, path in kept[: max(len(kept) - self._most + 1, 0)]]
        for path in drop:
            path.unlink(missing_ok=True)
            path.with_suffix(".json").unlink(missing_ok=True)

    def _read(self, folder: Path, *, trusted: bool) -> list[ClientCertificate]:
        return [
            _describe(certificate, _seen(path.with_suffix(".json")), trusted=trusted)
            for path in _files(folder)
            if (certificate := load(path)) is not None
        ]


@dataclass(frozen=True, slots=True)
class _Seen:
    first_seen: datetime
    last_seen: datetime
    address: str


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate, in hex."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def load(path: Path) -> x509.Certificate | None:
    """Return the certificate in a file, PEM or DER, if there is one."""
    try:
        data = path.read_bytes()
        if len(data) > 4 * LARGEST:
            return None
        pem = b"-----BEGIN" in data[:1_000]
        return x509.load_pem_x509_certificate(data) if pem else x509.load_der_x509_certificate(data)
    except (OSError, ValueError):
        return None


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    except OSError:
        return []


def _name(path: Path) -> str | None:
    """Return the fingerprint of the certificate in a file."""
    if len(path.stem) == 64 and path.suffix == ".der":
        return path.stem
    certificate = load(path)
    return fingerprint(certificate) if certificate is not None else None


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
    unfinished = path.with_suffix(".new")
    unfinished.write_text(text, "utf-8")
    unfinished.replace(path)


def _describe(certificate: x509.Certificate, seen: _Seen | None, *, trusted: bool) -> ClientCertificate:
    return ClientCertificate(
        fingerprint(certificate),
        trusted,
        certificate.subject.rfc4514_string(),
        application_uri(certificate),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        seen.first_seen if seen else None,
        seen.last_seen if seen else None,
        seen.address if seen else "",
    )
