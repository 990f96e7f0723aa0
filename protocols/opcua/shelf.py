"""One folder of certificates, of which each file is read once."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

LARGEST = 16 * 1024  # bytes of a certificate
_SUFFIXES = {".der", ".pem", ".crt", ".cer"}
_SETTLES = 100_000_000  # nanoseconds in which two changes of a folder may bear the same time


@dataclass(frozen=True, slots=True)
class _File:
    mark: tuple[int, int, int]
    certificate: x509.Certificate | None
    fingerprint: str = ""


class Shelf:
    """What is in a folder, whoever put it there; a change is found by the folder's own time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found: dict[str, list[Path]] = {}  # the files of each certificate, by its fingerprint
        self._files: dict[str, _File] = {}
        self._stamp = 0

    def has_changed(self) -> bool:
        """Tell whether files came or went since they were last looked at."""
        return _stamp(self.folder) != self._stamp

    def refresh(self) -> None:
        """Look at the folder again, if it has changed."""
        stamp = _stamp(self.folder)
        if stamp == self._stamp:
            return
        self._files = self._scan()
        self.found = {}
        for name, file in sorted(self._files.items()):
            if file.certificate is not None:
                self.found.setdefault(file.fingerprint, []).append(self.folder / name)
        self._stamp = stamp if time.time_ns() - stamp > _SETTLES else 0

    def certificate(self, name: str) -> x509.Certificate | None:
        """Return the certificate of a fingerprint."""
        paths = self.found.get(name)
        return self._files[paths[0].name].certificate if paths else None

    def note(self, name: str) -> Path:
        """Return the file that says when a certificate was seen."""
        return self.folder / f"{name}.json"

    def _scan(self) -> dict[str, _File]:
        found: dict[str, _File] = {}
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if os.path.splitext(entry.name)[1] in _SUFFIXES:
                        found[entry.name] = self._file(entry)
        except OSError:  # it is not there, or a file has just gone
            self._stamp = 0
        return found

    def _file(self, entry: os.DirEntry[str]) -> _File:
        state = entry.stat()
        mark = (state.st_mtime_ns, state.st_size, state.st_ino)
        known = self._files.get(entry.name)
        if known is not None and known.mark == mark:
            return known
        certificate = load(Path(entry.path))
        return _File(mark, certificate, fingerprint(certificate) if certificate is not None else "")


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


def _stamp(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return -1
