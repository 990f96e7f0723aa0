"""The server's own certificate: made at first start, kept, and renewed when that is asked for.

In the folder that is handed in: `server.key` (PEM, mode 0600) and `server.pem` (the certificate, PEM).

A renewal keeps the key and the application URI.  What clients encrypted for the old certificate can still be read, and
who pinned the key notices nothing; who pinned the certificate has to trust the new one.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KEY = "server.key"
CERTIFICATE = "server.pem"

VALID = timedelta(days=5 * 365)
CLOCKS_DIFFER = timedelta(days=1)  # how far a client's clock may be behind when the certificate is made

_BITS = 2_048  # all policies take 2,048 to 4,096; with 4,096 a Raspberry Pi signs six times as slowly


class CertificateError(Exception):
    """A file that cannot be used, named in one line."""


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """The certificate with its key, and what a person needs to know of it."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def application_uri(self) -> str:
        return application_uri(self.certificate)

    @property
    def fingerprint(self) -> str:
        """SHA-256, as openssl shows it."""
        return self.certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    @property
    def thumbprint(self) -> str:
        """SHA-1, as OPC UA clients show it."""
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - a name, not a proof

    @property
    def not_after(self) -> datetime:
        return self.certificate.not_valid_after_utc


def prepare(folder: Path, hosts: Iterable[str], now: datetime) -> ServerCertificate:
    """Return the certificate, made if there is none.  Raises CertificateError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = _load_key(folder / KEY)
        if key is None:
            key = rsa.generate_private_key(public_exponent=65_537, key_size=_BITS)
            _write(folder / KEY, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
        kept = _load(folder / CERTIFICATE, key)
        if kept is not None:
            return ServerCertificate(kept, key)
        return _keep(folder, _make(key, _new_uri(), hosts, now), key)
    except OSError as error:
        raise CertificateError(f"{error.filename}: {error.strerror}") from None


def renew(folder: Path, own: ServerCertificate, hosts: Iterable[str], now: datetime) -> ServerCertificate:
    """Return a new certificate with the same key and application URI, and keep it.  Raises CertificateError."""
    try:
        return _keep(folder, _make(own.key, own.application_uri or _new_uri(), hosts, now), own.key)
    except OSError as error:
        raise CertificateError(f"{error.filename}: {error.strerror}") from None


def application_uri(certificate: x509.Certificate) -> str:
    """Return the application URI that a certificate is for; "" if it states none."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return next(iter(names.get_values_for_type(x509.UniformResourceIdentifier)), "")
    except (x509.ExtensionNotFound, ValueError):
        return ""


def _new_uri() -> str:
    return f"urn:gatehouse:{secrets.token_hex(8)}"


def _load_key(path: Path) -> rsa.RSAPrivateKey | None:
    if not path.exists():
        return None
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise CertificateError(f"{path} holds no usable RSA key; without it a new one is made")
    path.chmod(0o600)
    return key


def _load(path: Path, key: rsa.RSAPrivateKey) -> x509.Certificate | None:
    """Return the kept certificate, unless there is none, or none of this key."""
    if not path.exists():
        return None
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError:
        raise CertificateError(f"{path} holds no certificate; without it a new one is made") from None
    return found if found.public_key() == key.public_key() else None


def _keep(folder: Path, made: x509.Certificate, key: rsa.RSAPrivateKey) -> ServerCertificate:
    _write(folder / CERTIFICATE, made.public_bytes(Encoding.PEM), 0o644)
    return ServerCertificate(made, key)


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write a file that is there whole or not at all, and never open to others for a moment."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _make(key: rsa.RSAPrivateKey, uri: str, hosts: Iterable[str], now: datetime) -> x509.Certificate:
    """Return an application instance certificate (OPC 10000-6, section 6.2.2)."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Gatehouse")])
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri), *_names(hosts)])
    # digital signature, non-repudiation, key and data encipherment, and signing itself
    usage = x509.KeyUsage(True, True, True, True, False, True, False, False, False)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCKS_DIFFER)
        .not_valid_after(now + VALID)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, hashes.SHA256())
    )


def _names(hosts: Iterable[str]) -> Iterator[x509.GeneralName]:
    for host in dict.fromkeys(hosts):
        try:
            yield x509.IPAddress(ipaddress.ip_address(host.partition("%")[0]))
        except ValueError:
            if host and host.isascii():
                yield x509.DNSName(host)
