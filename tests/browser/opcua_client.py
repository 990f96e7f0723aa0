"""An OPC UA client, asyncua's, on a thread of its own: the browser has the test's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from asyncua import Client, ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from cryptography.x509.oid import ExtendedKeyUsageOID

URI = "urn:example:scada"
ANSWER = 15  # seconds, on a busy machine


class _Loop(asyncio.SelectorEventLoop):
    """Remembers its connections: asyncua leaves some open, such as that of a login that was refused."""

    def __init__(self) -> None:
        super().__init__()
        self._opened: list[asyncio.BaseTransport] = []

    async def create_connection(self, *words: Any, **more: Any) -> Any:
        transport, protocol = await super().create_connection(*words, **more)
        self._opened.append(transport)
        return transport, protocol

    def close_sockets(self) -> None:
        for transport in self._opened:
            transport.close()


class OpcUaClient:
    """One client of an integration; with a folder for its certificate it signs and encrypts."""

    def __init__(self, port: int, integration: dict[str, Any], folder: Path | None = None, name: str = "SCADA") -> None:
        self._loop = _Loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._port, self._integration, self._folder, self._name = port, integration, folder, name
        self._lost = threading.Event()

    def __enter__(self) -> OpcUaClient:
        self._thread.start()
        try:
            self._do(self._connect())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            if not self._lost.is_set():
                self._do(self._client.disconnect())
        finally:
            self._stop()

    def write(self, name: str, value: Any, type: ua.VariantType | None = None, **more: Any) -> None:
        """Write a node of the integration's own, which makes it if it is missing."""
        written = ua.DataValue(ua.Variant(value, type) if type else ua.Variant(value), **more)
        self._do(self._node(name).write_attribute(ua.AttributeIds.Value, written))

    def read(self, name: str) -> Any:
        return self._do(self._node(name).read_value())

    def subscribe(self, *names: str) -> None:
        """Monitor nodes."""

        async def monitor() -> None:
            subscription = await self._client.create_subscription(100, self)
            await subscription.subscribe_data_change([self._node(name) for name in names])

        self._do(monitor())

    def datachange_notification(self, *changed: object) -> None:
        """Be told of a change, as asyncua wants it."""

    def is_cut(self) -> bool:
        """Wait until the connection is lost."""
        return self._lost.wait(ANSWER)

    async def _connect(self) -> None:
        self._client = Client(f"opc.tcp://127.0.0.1:{self._port}", timeout=ANSWER)
        self._client.name = self._name
        self._client.application_uri = URI
        self._client.set_user(self._integration["username"])
        self._client.set_password(self._integration["password"])
        self._client.connection_lost_callback = self._notice
        if self._folder is not None:
            key, own = self._folder / "key.pem", self._folder / "own.der"
            usage, subject = [ExtendedKeyUsageOID.CLIENT_AUTH], {"commonName": self._name}
            await setup_self_signed_certificate(key, own, URI, "localhost", usage, subject)
            await self._client.set_security(SecurityPolicyBasic256Sha256, own, key)
        await self._client.connect()

    async def _notice(self, error: Exception) -> None:
        self._lost.set()

    def _node(self, name: str) -> Any:
        username = self._integration["username"].replace("%", "%25").replace("/", "%2F")
        return self._client.get_node(f"ns=2;s={username}/{name}")

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER)

    def _stop(self) -> None:
        async def end() -> None:
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)
            self._loop.close_sockets()
            await asyncio.sleep(0.05)  # they close a turn later

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()
