"""Foreign OPC UA clients, each kind in a program of its own: node-opcua-client, asyncua's, and the old `opcua`."""

from __future__ import annotations

import itertools
import queue
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support import npm
from tests.support.processes import wait_until
from tests.support.told import ANSWER, Fault, Told

HOST = "127.0.0.1"
URI = "urn:gatehouse:foreign"

KINDS = ["node-opcua", "asyncua", "opcua"]
COME_BACK = ["node-opcua", "asyncua"]  # by themselves, with their subscriptions; the old client is to be made anew

# Each kind over each mode and policy that it shares with the server.  The old client came before the Aes policies, and
# of those that it knows (Basic128Rsa15, Basic256 and Basic256Sha256) the first two are broken, and not offered.
_POLICIES = ["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"]
WAYS = [
    (kind, mode, policy)
    for kind in KINDS
    for mode, policies in (("None", ["None"]), ("Sign", _POLICIES), ("SignAndEncrypt", _POLICIES))
    for policy in (policies if kind != "opcua" else policies[:1])
]
_PYTHON = [sys.executable, "-W", "ignore", "-m"]


class Program(Told):
    """A running program of one kind, which is as many clients as it is asked to be."""

    def __init__(self, kind: str, folder: Path) -> None:
        commands = {
            "node-opcua": [npm.program(), str(npm.FOLDER / "opcua.mjs"), str(folder)],
            "asyncua": [*_PYTHON, "tests.support.opcua_asyncua"],
            "opcua": [*_PYTHON, "tests.support.opcua_old"],
        }
        folder.mkdir(parents=True, exist_ok=True)
        self._identity = identity(folder)
        self._events: dict[str, list[dict[str, Any]]] = {}
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._numbers = itertools.count(1)
        super().__init__(commands[kind], folder)

    def connect(
        self, port: int, integration: dict[str, Any], mode: str = "None", policy: str = "Basic256Sha256", **more: Any
    ) -> Client:
        """Log in, and return the client, which comes back by itself with `retry`.  Raises `Fault`."""
        name = f"client-{next(self._numbers)}"
        self._events[name] = []
        self.ask(
            "connect",
            name=name,
            url=f"opc.tcp://{HOST}:{port}",
            mode=mode,
            policy=policy if mode != "None" else "None",
            username=integration["username"],
            password=integration["password"],
            **{**self._identity, **more},
        )
        return Client(self, name, self._events[name])

    def ask(self, action: str, **arguments: Any) -> Any:
        """Have something done; return what comes of it.  Raises `Fault`."""
        self.tell(action=action, **arguments)
        answer = self._answers.get(timeout=ANSWER)
        if "fault" in answer:
            raise Fault(answer["fault"])
        return answer["answer"]

    def heard(self, told: dict[str, Any]) -> None:
        if "event" in told:
            self._events[told["name"]].append(told)
        else:
            self._answers.put(told)


class Client:
    """One client of a program, which is logged in."""

    def __init__(self, program: Program, name: str, events: list[dict[str, Any]]) -> None:
        self._program, self._name, self._events = program, name, events

    def read(self, node: str) -> Any:
        """Return the value of a node."""
        return self._program.ask("read", name=self._name, node=node)

    def write(self, node: str, value: Any, type: str = "Double") -> None:
        """Write the value of a node."""
        self._program.ask("write", name=self._name, node=node, type=type, value=value)

    def publish(self, folder: str, path: str, value: Any, type: str = "Double") -> None:
        """Call the method that publishes."""
        self._program.ask("publish", name=self._name, object=folder, path=path, type=type, value=value)

    def add(self, folder: str, name: str, value: Any, type: str = "Double") -> None:
        """Add a variable to a folder, with AddNodes."""
        self._program.ask("add", name=self._name, object=folder, path=name, type=type, value=value)

    def remove(self, node: str) -> None:
        """Take a node away, with DeleteNodes."""
        self._program.ask("remove", name=self._name, node=node)

    def history(self, node: str) -> list[Any]:
        """Return the values of a node so far, oldest first, with HistoryRead."""
        return self._program.ask("history", name=self._name, node=node)

    def subscribe(self, node: str, interval: int = 50) -> None:
        """Subscribe to a node, and return when it is monitored."""
        self._program.ask("subscribe", name=self._name, node=node, interval=interval)

    def close(self) -> None:
        """Close the session, the channel and the socket."""
        self._program.ask("close", name=self._name)

    @property
    def values(self) -> list[Any]:
        """Return what it was notified of, oldest first; the name of a StatusCode that is not good."""
        return [event["value"] for event in self._events if event["event"] == "value"]

    def wait_for(self, value: Any) -> None:
        """Wait until it is notified of a value."""
        wait_until(lambda: value in self.values, what=f"{value!r} to come; came: {self.values}")

    def wait_for_loss(self) -> None:
        """Wait until it sees that its socket is closed."""
        wait_until(lambda: self._has("lost"), what="the client to be cut")

    def wait_for_return(self) -> None:
        """Wait until it has connected again by itself."""
        wait_until(lambda: self._has("back"), what="the client to come back")

    @property
    def is_connected(self) -> bool:
        return not self._has("lost")

    def _has(self, event: str) -> bool:
        return any(one["event"] == event for one in self._events)


def identity(folder: Path) -> dict[str, str]:
    """Make a client's certificate and key."""
    made, key = certified("foreign", [x509.UniformResourceIdentifier(URI)], ExtendedKeyUsageOID.CLIENT_AUTH)
    certificate, private = folder / "client.der", folder / "client.pem"
    certificate.write_bytes(made.public_bytes(Encoding.DER))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return {"certificate": str(certificate), "key": str(private), "uri": URI}


def certified(
    name: str, alternatives: list[x509.GeneralName], usage: x509.ObjectIdentifier
) -> tuple[x509.Certificate, rsa.RSAPrivateKey]:
    """Make an application's certificate, which it has signed itself, and its key."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    usages = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_cert_sign"), True
    ) | dict.fromkeys(("key_agreement", "crl_sign", "encipher_only", "decipher_only"), False)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=10))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usages), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return made, key
