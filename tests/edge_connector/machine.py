"""A machine that speaks OPC UA: node-opcua-server, in a program of its own."""

from __future__ import annotations

import hashlib
import queue
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support import npm
from tests.support.processes import free_port
from tests.support.told import ANSWER, Fault, Told


class Machine(Told):
    """A running server; its nodes are those of tests/npm/opcua_server.mjs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"opc.tcp://127.0.0.1:{self.port}"
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        _certify(folder)
        self.start()

    def start(self) -> None:
        """Start it, or start it again after a kill."""
        script = str(npm.FOLDER / "opcua_server.mjs")
        super().__init__([npm.program(), script, str(self.folder), str(self.port)], self.folder)
        assert self._answer() == "ready"

    @property
    def fingerprint(self) -> str:
        found = x509.load_pem_x509_certificate((self.folder / "server.pem").read_bytes())
        return hashlib.sha256(found.public_bytes(Encoding.DER)).hexdigest()

    def heard(self, told: dict[str, Any]) -> None:
        self._answers.put(told)

    def do(self, action: str, **asked: Any) -> Any:
        """Have something done; return what it answers."""
        self.tell(action=action, **asked)
        return self._answer()

    def _answer(self) -> Any:
        told = self._answers.get(timeout=ANSWER)
        if "fault" in told:
            raise Fault(told["fault"])
        return told["answer"]


def _certify(folder: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "machine")])
    now = datetime.now(UTC)
    names = [x509.UniformResourceIdentifier("urn:machine"), x509.IPAddress(ip_address("127.0.0.1"))]
    usage = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_cert_sign"), True
    ) | dict.fromkeys(("key_agreement", "crl_sign", "encipher_only", "decipher_only"), False)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=10))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "server.pem").write_bytes(made.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    (folder / "server.key").write_bytes(private)
