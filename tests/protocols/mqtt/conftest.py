"""A running MQTT server on a loop of its own, for tests with real sockets; a store's file."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import mqtt_wire as wire
import pytest
import uvloop
from store_file import Writing

from portal import config, handover
from protocols.mqtt.limits import Limits
from protocols.mqtt.server import MqttServer
from tests.protocols.storage import bed
from tests.support import tls


class Running:
    """An MqttServer in a thread; `do` and `run` execute on its loop."""

    def __init__(self, limits: Limits, new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self.door = wire.Door()
        self.presence = wire.Recorder()
        self.certificate: Callable[[], ssl.SSLContext | None] = tls.server
        self.hub = wire.hub()
        self.server = MqttServer(
            hub=self.hub, authenticate=self.door, presence=self.presence, limits=limits, tls=lambda: self.certificate()
        )
        self.loop_errors: list[dict[str, Any]] = []
        self._sockets: list[wire.SocketClient] = []
        self._loop = new_loop()
        self._loop.set_exception_handler(lambda _, context: self.loop_errors.append(context))
        self._folder = tempfile.TemporaryDirectory()
        self.settings = config.load({"DATA_DIR": self._folder.name, "TRUSTED_PROXIES": "1"})
        listeners = {name: [socket.create_server(("127.0.0.1", 0))] for name in ("tcp", "tls", "ws", "wss")}
        self.ports: dict[str, int] = {name: found.getsockname()[1] for name, (found,) in listeners.items()}
        self.port = self.ports["tcp"]
        listeners["web"] = [handover.listen(self.settings.data_dir)]
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.run(self.server.start(listeners, {}))

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def do(self, call: Callable[[], Any]) -> Any:
        async def wrapped() -> Any:
            return call()

        return asyncio.run_coroutine_threadsafe(wrapped(), self._loop).result(10)

    def socket(self, first: bytes = b"") -> wire.SocketClient:
        """Return a client on a socket that has sent these bytes."""
        self._sockets.append(wire.SocketClient(self.port, first))
        return self._sockets[-1]

    def client(self, client_id: str = "c", username: str = "ada", **options: Any) -> wire.SocketClient:
        """Return a client on a socket that has been let in."""
        client = self.socket(wire.connect(client_id, username, **options))
        head, body = client.receive()
        assert (head, body[1]) == (0x20, 0), f"refused with {body[1]}"
        return client

    def end(self) -> None:
        self.run(self.server.stop())
        for client in self._sockets:
            client.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._folder.cleanup()
        assert self.loop_errors == []
        assert self.presence.open == set()


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def start(request: pytest.FixtureRequest) -> Iterator[Callable[..., Running]]:
    """Start servers with given limits; each is stopped, and left nothing open, at the end."""
    running: list[Running] = []

    def begin(**limits: Any) -> Running:
        limits = {"sweep_interval": 0.05, **limits}
        running.append(Running(Limits(**limits), request.param))
        return running[-1]

    yield begin
    for one in running:
        one.end()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mqtt.db"


@pytest.fixture
def opened(path: Path) -> Iterator[bed.Make]:
    """Open the store, which is closed at the end."""
    all_of_them: list[Writing] = []

    def make(at: Path = path, **options: str) -> Writing:
        all_of_them.append(Writing(at, **options))
        return all_of_them[-1]

    yield make
    for one in all_of_them:
        one.stop()
