"""A running OPC UA server on a loop of its own, and a stock one in a process of its own."""

from __future__ import annotations

import asyncio
import os
import resource
import select
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import uvloop

from protocols.contract import Grant
from protocols.opcua import certificate, nodes_cache
from protocols.opcua.common import Switches
from protocols.opcua.limits import Limits
from protocols.opcua.server import OpcUaServer
from tests.protocols.opcua.opcua_host import Door, Recorder
from tests.protocols.opcua.opcua_wire import NOW, Wire
from tests.support import processes

ROOT = Path(__file__).parents[3]


class Running:
    """An OpcUaServer in a thread; `do` and `run` execute on its loop."""

    def __init__(self, folder: Path, limits: Limits, new_loop: Callable[[], Any], **options: Any) -> None:
        self.door, self.presence, self.folder = Door(), Recorder(), folder
        self.now: datetime = NOW
        self.server = OpcUaServer(
            authenticate=self.door,
            presence=self.presence,
            folder=folder,
            clock=lambda: self.now,
            limits=limits,
            switches=Switches(**options.pop("switches", {})),
            **options,
        )
        self.loop_errors: list[dict[str, Any]] = []
        self._wires: list[Wire] = []
        self._loop = new_loop()
        self._loop.set_exception_handler(lambda _, context: self.loop_errors.append(context))
        listener = socket.create_server(("127.0.0.1", 0), backlog=2_048)
        self.port: int = listener.getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.run(self.server.start({"tcp": [listener]}, {1: Grant(1, "ada"), 2: Grant(2, "bob")}))

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}/"

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    def do(self, call: Callable[[], Any]) -> Any:
        async def wrapped() -> Any:
            return call()

        return self.run(wrapped())

    def wire(self, mode: str = "None_") -> Wire:
        """Return a bare client, which is closed at the end."""
        self._wires.append(Wire(self.port, mode))
        return self._wires[-1]

    def client(self, username: str = "ada", mode: str = "None_", **options: Any) -> Wire:
        """Return a bare client that has been let in."""
        return self.wire(mode).log_in(username, **options)

    def end(self) -> None:
        self.run(self.server.stop())
        for wire in self._wires:
            wire.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        assert self.loop_errors == []
        assert self.presence.open == set()


@pytest.fixture(scope="session", autouse=True)
def many_files() -> None:
    """Let this process and those it starts have as many sockets as an attack needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4_096 if hard == resource.RLIM_INFINITY else min(hard, 4_096)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what each server would make anew: the address space's cache, and a certificate."""
    folder = tmp_path_factory.mktemp("opcua")
    nodes_cache.write(nodes_cache.path_in(folder))
    certificate.prepare(folder, ["localhost"], NOW)
    return folder


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """A prepared folder of the test's own."""
    shutil.copytree(prepared, tmp_path / "opcua", copy_function=os.link)
    return tmp_path / "opcua"


@pytest.fixture
def new_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    """The loop of the test's servers; a module may ask for asyncio's own too."""
    return uvloop.new_event_loop


@pytest.fixture
def start(new_loop: Callable[[], asyncio.AbstractEventLoop], folder: Path) -> Iterator[Callable[..., Running]]:
    """Start servers with given limits; each is stopped, and left nothing open, at the end."""
    running: list[Running] = []

    def begin(switches: dict[str, bool] | None = None, values: Any = None, **limits: Any) -> Running:
        bounds = Limits(**{"sweep_interval": 0.05, **limits})
        running.append(Running(folder, bounds, new_loop, switches=switches or {}, values=values))
        return running[-1]

    yield begin
    for one in running:
        one.end()


class Stock:
    """A stock server in a process."""

    def __init__(self, folder: Path, kind: str) -> None:
        command = [sys.executable, str(Path(__file__).with_name("stock.py")), str(folder), kind]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        self._process = processes.start(command, env=environment, stdout=subprocess.PIPE)
        assert select.select([self._process.stdout], [], [], 60)[0], "the stock server does not start"
        self.port = int(self._process.stdout.readline())

    def stop(self) -> None:
        self._process.kill()
        processes.stop(self._process)


@pytest.fixture(scope="session")
def stock(prepared: Path) -> Iterator[Callable[[str], Stock]]:
    """Start a stock server of a kind, "strict" or "open"; the tests share one of each, attacked as it is."""
    running: dict[str, Stock] = {}

    def begin(kind: str = "strict") -> Stock:
        if kind not in running:
            running[kind] = Stock(prepared, kind)
        return running[kind]

    yield begin
    for one in running.values():
        one.stop()


@pytest.fixture
def fresh_stock(prepared: Path) -> Iterator[Stock]:
    """A stock server that may come to harm."""
    one = Stock(prepared, "strict")
    yield one
    one.stop()
