"""The certificate of the TLS listeners: the operator's own by path, else one that signs itself, made once and kept."""

from __future__ import annotations

import ipaddress
import logging
import os
import secrets
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from portal import addresses, renewal
from portal.config import SettingError, Settings, write_once
from portal.renewal import Renewed

log = logging.getLogger(__name__)

FILE = "tls.pem"  # in DATA_DIR: key and certificate
VALID = timedelta(days=3652)
CLOCKS_DIFFER = timedelta(days=1)  # how far a client's clock may be behind when the certificate is made


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a person needs to know of a certificate."""

    subject: str
    names: tuple[str, ...]  # host names and addresses that it is for
    not_after: datetime
    fingerprint: str  # SHA-256, as openssl shows it
    pem: str  # without the key, with what else is in the chain
    signs_itself: bool
    renewed_at: datetime | None  # by itself; None for one that Gatehouse did not make


class Keeper:
    """Holds the context for TLS handshakes, and follows renewed files; `current` may be called from any thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._used = self._seen = _state(settings)
        self._context: ssl.SSLContext | None = None
        try:
            self._context = context(settings)
        except SettingError as error:  # it could be used when the program started
            log.error("there is no TLS until the certificate can be used: %s", error)

    def current(self) -> ssl.SSLContext | None:
        """Return the context for the next handshake, if there is one."""
        return self._context

    def refresh(self) -> None:
        """Take over files that have changed, if they can be used; say so, once for each change.

        Only what two looks have seen alike is read: certificate and key are not replaced in one moment.
        """
        before, self._seen = self._seen, _state(self._settings)
        if self._seen == self._used or self._seen != before:
            return
        self._used = self._seen
        try:
            made, found = context(self._settings), read(self._settings)
        except SettingError as error:
            log.error("the changed certificate cannot be used, the last one holds: %s", error)
        else:
            self._context = made
            log.info("the certificate has changed; its SHA-256 fingerprint is %s", found.fingerprint)


def prepare(settings: Settings, now: datetime) -> None:
    """Make a certificate where none is given.  Raises `SettingError` when the one that is to be used cannot be."""
    own = settings.data_dir / FILE
    if settings.tls_certificate is None and not own.exists():
        try:
            write_once(own, _make(ec.generate_private_key(ec.SECP256R1()), settings.host, now))
        except OSError as error:
            raise SettingError(f"DATA_DIR: cannot write {own}: {error.strerror}") from None
    context(settings)
    found = read(settings)
    if found.not_after < now:
        log.warning("the certificate for TLS has expired on %s; clients may refuse it", found.not_after.date())


def renew(settings: Settings, now: datetime) -> Renewed:
    """Replace the certificate that Gatehouse made by a new one with the same key.  Raises `SettingError`.

    The keeper of the TLS listeners takes it over as it does any file that has changed.
    """
    before, path = read(settings), settings.data_dir / FILE
    if before.renewed_at is None:
        raise SettingError("TLS_CERTIFICATE: a certificate of your own is replaced by replacing its files")
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        key = load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("another kind of key")
        write_once(draft, _make(key, settings.host, now))
        draft.replace(path)
    except OSError as error:
        raise SettingError(f"DATA_DIR: cannot write {path}: {error.strerror}") from None
    except (ValueError, TypeError):
        raise SettingError(f"DATA_DIR: {path} holds no usable key; without it a new one is made") from None
    return Renewed(before.fingerprint, read(settings).fingerprint)


def context(settings: Settings) -> ssl.SSLContext:
    """Return a server's context with the certificate.  Raises `SettingError`."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION
    certificate, key = _paths(settings)
    _check_readable(settings, certificate, key)
    try:
        made.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        raise SettingError(_unusable(settings, certificate, key, error)) from None
    return made


def read(settings: Settings) -> Certificate:
    """Return what is to be known of the certificate.  Raises `SettingError`."""
    path, _ = _paths(settings)
    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
        return _describe(chain, is_given=settings.tls_certificate is not None)
    except OSError as error:
        raise SettingError(f"TLS_CERTIFICATE: cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise SettingError(f"TLS_CERTIFICATE: {path} holds no certificate: {error}") from None


def _describe(chain: list[x509.Certificate], *, is_given: bool) -> Certificate:
    first = chain[0]
    signs_itself = first.issuer == first.subject
    is_ours = signs_itself and not is_given and isinstance(first.public_key(), ec.EllipticCurvePublicKey)
    try:
        names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = [str(name) for kind in (x509.DNSName, x509.IPAddress) for name in names.get_values_for_type(kind)]
    except x509.ExtensionNotFound:
        found = []
    return Certificate(
        subject=first.subject.rfc4514_string(),
        names=tuple(found),
        not_after=first.not_valid_after_utc,
        fingerprint=first.fingerprint(hashes.SHA256()).hex(":").upper(),
        pem="".join(one.public_bytes(Encoding.PEM).decode("ascii") for one in chain),
        signs_itself=signs_itself,
        renewed_at=renewal.planned(first.not_valid_after_utc) if is_ours else None,
    )


def _paths(settings: Settings) -> tuple[Path, Path]:
    if settings.tls_certificate is not None and settings.tls_key is not None:
        return settings.tls_certificate, settings.tls_key
    path = settings.data_dir / FILE
    return path, path


def _state(settings: Settings) -> list[tuple[int, int, int] | None]:
    """Return what changes when a file is replaced or written to."""
    return [_stamp(path) for path in _paths(settings)]


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _check_readable(settings: Settings, certificate: Path, key: Path) -> None:
    for setting, path in (("TLS_CERTIFICATE", certificate), ("TLS_KEY", key)):
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            raise SettingError(f"{setting}: cannot read {path}: {error.strerror}") from None


def _unusable(settings: Settings, certificate: Path, key: Path, error: ssl.SSLError) -> str:
    """Say in one line which of the two files cannot be used."""
    if settings.tls_certificate is None:
        return f"DATA_DIR: {certificate} cannot be used; without it a new one is made: {error.reason or error}"
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"TLS_KEY: {key} does not belong to the certificate {certificate}"
    try:
        x509.load_pem_x509_certificates(certificate.read_bytes())
    except (OSError, ValueError):
        return f"TLS_CERTIFICATE: {certificate} holds no certificate"
    if b"ENCRYPTED" in key.read_bytes():
        return f"TLS_KEY: {key} is encrypted; a key without a password is needed"
    return f"TLS_KEY: {key} holds no usable key"


def _no_password() -> str:
    """Keep OpenSSL from asking for a password at the terminal."""
    return ""


def _make(key: ec.EllipticCurvePrivateKey, host: str, now: datetime) -> str:
    """Return a key and a new certificate of it that signs itself, as PEM.

    P-256: every client that speaks TLS 1.2 knows it, and a Raspberry Pi signs with it about twenty times as fast as
    with RSA, which counts when all clients come back after a power cut.
    """
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Gatehouse")])
    names = x509.SubjectAlternativeName(list(_names(host)))
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    made = (
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
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return (secret + made.public_bytes(Encoding.PEM)).decode("ascii")


def _names(host: str) -> Iterator[x509.GeneralName]:
    """Return what clients may call this machine."""
    hostname = socket.gethostname()
    called = dict.fromkeys(
        ("localhost", hostname, f"{hostname.partition('.')[0]}.local", host, *addresses.of_machine())
    )
    for name in called:
        try:
            address = ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            if name.isascii() and name:
                yield x509.DNSName(name)
        else:
            if not address.is_unspecified:
                yield x509.IPAddress(address)
