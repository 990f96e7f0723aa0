"""A machine that speaks OPC UA: node-opcua-server, in a program of its own."""

from __future__ import annotations

import hashlib
import queue
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support import npm
from tests.support.opcua import certified
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
    names = [x509.UniformResourceIdentifier("urn:machine"), x509.IPAddress(ip_address("127.0.0.1"))]
    made, key = certified("machine", names, ExtendedKeyUsageOID.SERVER_AUTH)
    (folder / "server.pem").write_bytes(made.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    (folder / "server.key").write_bytes(private)
