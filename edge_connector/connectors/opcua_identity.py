"""The certificate by which a server of OPC UA knows this agent; it is made once, and kept."""

from __future__ import annotations

import hashlib
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from asyncua.crypto.cert_gen import dump_private_key_as_pem, generate_private_key, generate_self_signed_app_certificate
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge_connector import keeping
from edge_connector.errors import ConfigFault

_DAYS = 20 * 365


@dataclass(frozen=True)
class Identity:
    """A certificate, its key, and the URI of the application that both belong to."""

    certificate: Path
    key: Path
    uri: str

    def told(self) -> dict[str, str]:
        """Return what an operator of a server needs to trust it."""
        data = self.certificate.read_bytes()
        return {
            "certificate": ssl.DER_cert_to_PEM_cert(data),
            "fingerprint": hashlib.sha256(data).hexdigest(),
            "uri": self.uri,
        }


def identity(folder: Path, place: str) -> Identity:
    """Return the identity that a folder holds, made if it holds none.  Raises `ConfigFault`."""
    found = Identity(folder / "client.der", folder / "client.pem", f"urn:edge-connector:{quote(place, safe='')}")
    try:
        if not found.certificate.exists() or not found.key.exists():
            _make(folder, found)
    except OSError as error:
        raise ConfigFault(f"the certificate for OPC UA cannot be made: {error}") from None
    return found


def _make(folder: Path, wanted: Identity) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = generate_private_key()
    names = [x509.UniformResourceIdentifier(wanted.uri), x509.DNSName(socket.gethostname())]
    usage = [ExtendedKeyUsageOID.CLIENT_AUTH]
    made = generate_self_signed_app_certificate(key, "Edge Connector", {}, names, usage, _DAYS)
    wanted.certificate.unlink(missing_ok=True)
    keeping.write(wanted.key, dump_private_key_as_pem(key))
    keeping.write(wanted.certificate, made.public_bytes(Encoding.DER))
