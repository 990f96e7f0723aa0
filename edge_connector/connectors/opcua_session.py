"""A session with a server of OPC UA: made again and again, and only with the server that the configuration knows."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.crypto.uacrypto import CertProperties
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from edge_connector.connectors.opcua_guard import bound
from edge_connector.connectors.opcua_identity import Identity
from edge_connector.connectors.opcua_nodes import Nodes
from edge_connector.errors import Refused, TimedOut
from edge_connector.pauses import Pauses
from edge_connector.settings import Table

log = logging.getLogger(__name__)

MODES = {"none": 1, "sign": 2, "encrypt": 3}  # MessageSecurityMode
LASTED = 10.0  # seconds after which a session counts as good
_SESSION_MS = 60_000  # after which a server forgets an agent that was killed
_UNTRUSTED = (
    ua.StatusCodes.BadSecurityChecksFailed,
    ua.StatusCodes.BadCertificateUntrusted,
    ua.StatusCodes.BadCertificateInvalid,
)


@dataclass(frozen=True)
class Server:
    """Where a server is, and how to tell that it is the right one."""

    url: str
    mode: int
    fingerprint: str  # SHA-256 of its certificate, lower-case hex
    certificate: bytes  # or the certificate itself
    username: str
    password: str
    seconds: float

    @property
    def is_secure(self) -> bool:
        return self.mode != MODES["none"]


def server(table: Table) -> Server:
    """Return the server that a table names.  Raises `ConfigFault`."""
    found = Server(
        url=table.text("url"),
        mode=MODES[table.choice("security", tuple(MODES), "encrypt")],
        fingerprint=table.fingerprint(),
        certificate=_certificate(table),
        username=table.text("username", ""),
        password=table.text("password", ""),
        seconds=table.number("seconds", 5, low=0.2, high=600),
    )
    if not found.url.startswith("opc.tcp://"):
        raise table.fault("url", "has to begin with opc.tcp://")
    if "@" in found.url:
        raise table.fault("url", "holds no username: it has a key of its own")
    if found.is_secure == (not found.fingerprint and not found.certificate):
        is_missing = "has to be given, or certificate: the server is known by it"
        raise table.fault("fingerprint", is_missing if found.is_secure else "and certificate need sign or encrypt")
    return found


class Session:
    """Connects and stays connected; `came` is called with each session that is made, `gone` after its end."""

    def __init__(
        self,
        name: str,
        server: Server,
        identity: Identity | None,
        came: Callable[[Any], Awaitable[None]],
        gone: Callable[[], None],
    ) -> None:
        self._name = name
        self._server = server
        self._identity = identity
        self._came = came
        self._gone = gone
        self._pauses = Pauses(random.random)
        self._tried = asyncio.Event()
        bound()
        self._open: tuple[Any, Nodes] | None = None
        self.trouble = ""

    def status(self) -> dict[str, Any]:
        """Return how the connection is."""
        return {"server": self._server.url, "connected": self._open is not None, "trouble": self.trouble}

    async def run(self) -> None:
        """Stay connected until this is cancelled."""
        while True:
            await self._attempt()
            self._tried.set()
            await asyncio.sleep(self._pauses.next())

    async def current(self) -> tuple[Any, Nodes]:
        """Return the client that is connected, and its nodes; the first attempt is waited for.  Raises `Refused`."""
        await self._tried.wait()
        if self._open is None:
            raise Refused(f"there is no connection: {self.trouble}")
        return self._open

    async def _attempt(self) -> None:
        """Connect, and stay for as long as the session lasts."""
        lost = asyncio.Event()
        client = self._made(lost)
        try:
            async with asyncio.timeout(3 * self._server.seconds):
                await self._connect(client)
            since = time.monotonic()
            self._open, self.trouble = (client, Nodes(client)), ""
            log.info("%s: connected to %s", self._name, self._server.url)
            await self._came(client)
            self._tried.set()
            await lost.wait()
            self._troubled("the connection ended")
            if time.monotonic() - since > LASTED:
                self._pauses.reset()
        except Exception as error:  # a server may answer anything
            self._troubled(str(told(error)))
            log.debug("%s: no session", self._name, exc_info=True)
        finally:
            if self._open is not None:
                self._open = None
                self._gone()
            await self._hang_up(client)

    def _made(self, lost: asyncio.Event) -> Any:
        server = self._server
        client = Client(server.url, timeout=server.seconds, watchdog_intervall=server.seconds)
        client.name = client.description = "Edge Connector"
        client.product_uri = "urn:edge-connector"
        client.application_uri = self._identity.uri if self._identity else "urn:edge-connector"
        client.session_timeout = _SESSION_MS
        if server.username:
            client.set_user(server.username)
            client.set_password(server.password)

        async def lose(_: Exception) -> None:
            lost.set()

        client.connection_lost_callback = lose
        return client

    async def _connect(self, client: Any) -> None:
        if self._identity is not None:
            known = self._server.certificate or await self._pinned(client)
            await client.set_security(
                SecurityPolicyBasic256Sha256,
                self._identity.certificate,
                self._identity.key,
                server_certificate=CertProperties(known, "der"),
                mode=ua.MessageSecurityMode(self._server.mode),
            )
        await client.connect()

    async def _pinned(self, client: Any) -> bytes:
        """Return the server's certificate, if it is the right one; that the key is there, the session proves."""
        mode = ua.MessageSecurityMode(self._server.mode)
        for one in await client.connect_and_get_server_endpoints():
            if (one.SecurityMode, one.SecurityPolicyUri) == (mode, SecurityPolicyBasic256Sha256.URI):
                shown = _first(one.ServerCertificate or b"")
                found = hashlib.sha256(shown).hexdigest()
                if not hmac.compare_digest(found, self._server.fingerprint):
                    wanted = self._server.fingerprint
                    raise Refused(f"the server's certificate has the fingerprint {found}, not {wanted}")
                return shown
        raise Refused(f"the server does not offer {mode.name} with Basic256Sha256")

    async def _hang_up(self, client: Any) -> None:
        """Close the session where the server takes part in that, and the socket in any case."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(1):
                await client.disconnect()
        client.disconnect_socket()

    def _troubled(self, why: str) -> None:
        if why != self.trouble:
            log.warning("%s: %s", self._name, why)
        self.trouble = why


def told(error: Exception) -> Refused:
    """Return what a caller is told of whatever went wrong."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, ua.UaStatusCodeError):
        code = ua.StatusCode(error.code)
        hint = "; it may have to be told to trust this agent's certificate" if error.code in _UNTRUSTED else ""
        return Refused(f"the server answers with {code.name}: {code.doc}{hint}")
    if isinstance(error, TimeoutError):
        return TimedOut("the server does not answer")
    if isinstance(error, OSError):
        return Refused(f"the server cannot be reached: {error}")
    return Refused(f"what the server answers cannot be used: {error or type(error).__name__}")


def _certificate(table: Table) -> bytes:
    if "certificate" not in table:
        return b""
    try:
        data = table.path("certificate").read_bytes()
        found = x509.load_pem_x509_certificate(data) if b"-----" in data else x509.load_der_x509_certificate(data)
    except (OSError, ValueError) as error:
        raise table.fault("certificate", f"cannot be read: {error}") from None
    return found.public_bytes(Encoding.DER)


def _first(chain: bytes) -> bytes:
    """Return the server's own certificate of a chain; the length is in the second to the fourth byte (X.690)."""
    return chain[: int.from_bytes(chain[2:4], "big") + 4]
