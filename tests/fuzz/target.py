"""A real server to aim at, and everything that goes wrong in it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

from portal import handover
from protocols.contract import Grant
from protocols.mqtt.keeper import StoreKeeper
from protocols.mqtt.limits import Limits
from protocols.mqtt.server import MqttServer
from tests.fuzz.bystanders import Bystander
from tests.protocols.mqtt import mqtt_wire as wire
from tests.support import tls

LIMITS = Limits(
    connect_timeout=1.0,
    max_handshakes=8,
    max_packet=200_000,
    inflight=10,
    queue_messages=100,
    queue_bytes=1_000_000,
    queue_total_bytes=5_000_000,
    outbound_bytes=200_000,
    retained_messages=100,
    retained_bytes=2_000_000,
    stored_sessions=10,
    topic_aliases=5,
    receive_maximum=20,
    patience=0.2,
    sweep_interval=0.1,
    expiry_interval=0.5,
    sys_interval=0.5,
)
GRANTS = {
    1: Grant(1, "ada", subscribe=("#", "$SYS/#")),
    2: Grant(2, "bob", publish=("a/#", "b"), subscribe=("%u/#", "a/#")),
    3: Grant(3, "eve", ("bystander/#",), ("bystander/#",)),
}
_COUNTED = {"Session", "Connection", "Client", "Publisher", "Line", "Entry", "Shell", "Subscription"} | {
    "WebSocketLayer",
    "TlsLayer",
}


class Target:
    """An MqttServer in a thread of its own, with a store; `faults` are what it should not have done."""

    def __init__(self, folder: Path) -> None:
        self.faults: list[str] = []
        self.door = wire.Door()
        self.door.answers.update({grant.username: grant for grant in GRANTS.values()})
        self.presence = wire.Recorder()
        self._handler = _Handler(self.faults)
        logging.getLogger().addHandler(self._handler)
        self._hooks = sys.unraisablehook, threading.excepthook
        sys.unraisablehook = lambda unraisable: self.faults.append(repr(unraisable))
        threading.excepthook = lambda arguments: self.faults.append(repr(arguments))
        self._loop = uvloop.new_event_loop()
        self._loop.set_exception_handler(lambda _, context: self.faults.append(repr(context)))
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        keeper = StoreKeeper(folder / "mqtt.db", synchronous="off")
        self.server = MqttServer(
            authenticate=self.door,
            presence=self.presence,
            hub=wire.hub(),
            limits=LIMITS,
            keeper=keeper,
            tls=tls.server,
        )
        listeners = {name: [socket.create_server(("127.0.0.1", 0))] for name in ("tcp", "ws", "tls", "wss")}
        self.ports = {name: sockets[0].getsockname()[1] for name, sockets in listeners.items()}
        self.folder = folder
        listeners["web"] = [handover.listen(folder)]
        self._run(self.server.start(listeners, GRANTS))

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    def do(self, call: Callable[[], Any]) -> Any:
        """Call something on the server's loop."""

        async def wrapped() -> Any:
            return call()

        return self._run(wrapped())

    async def bystanders(self) -> tuple[Bystander, Bystander]:
        """Connect two clients that do everything right, one over TLS."""
        pair = Bystander(4), Bystander(5)
        await pair[0].connect(self.ports["tcp"])
        await pair[1].connect(self.ports["tls"], context=tls.client())
        return pair

    async def look(self) -> None:
        """See nothing: the bystanders have told everything."""

    def size(self) -> int:
        return memory_of(os.getpid())

    def files(self) -> int:
        return files_of(os.getpid())

    def settle(self, bystanders: int) -> None:
        """Forget what the others left, and see that nothing of them stays."""
        self.door.logins.clear()
        self.presence.events.clear()
        until = time.monotonic() + 10
        while (left := self.do(lambda: self._left(bystanders))) and time.monotonic() < until:
            time.sleep(0.1)
        assert not left, f"left behind: {left}"
        while (alive := _alive(bystanders)) and time.monotonic() < until:
            time.sleep(0.5)
        assert not alive, f"alive, for {bystanders} clients: {alive}"
        assert not self.faults, "\n".join(self.faults)

    def _left(self, bystanders: int) -> list[str]:
        broker = self.server._broker
        broker.sessions.disconnect([1, 2], "deleted", forget=True)
        checks = {
            "connections": broker.crowd.connections - bystanders,
            "addresses": sum(broker.crowd.networks.counts.values()) - bystanders,
            "sessions": len(broker.sessions) - bystanders,
            "subscriptions": broker.subscriptions.count - bystanders,
            "shown as open": len(self.presence.open) - bystanders,
            "bytes of unfinished CONNECTs": broker.unfinished,
            "unfinished handshakes": len(broker.handshakes),
            "bytes that are queued": broker.common.pool.size,
            "congested outboxes": len(broker.flow.congested),
        }
        return [f"{value} {name}" for name, value in checks.items() if value]

    def end(self) -> None:
        try:
            self._run(self.server.stop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()
        finally:
            logging.getLogger().removeHandler(self._handler)
            sys.unraisablehook, threading.excepthook = self._hooks
        assert not self.faults, "\n".join(self.faults)


def memory_of(process: int) -> int:
    """Return how many bytes of a process are in memory."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def files_of(process: int) -> int:
    """Return how many files a process has open."""
    return len(os.listdir(f"/proc/{process}/fd"))


class _Handler(logging.Handler):
    """Takes notice of tracebacks and errors in any log."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__()
        self._faults = faults
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            self._faults.append(self.format(record))


def _alive(clients: int) -> dict[str, int]:
    """Return what there is more of than so many clients need; each may have a few messages on their way."""
    gc.collect()
    counts = Counter(type(one).__name__ for one in gc.get_objects() if _is_engine(one))
    return {name: count for name, count in counts.items() if count > clients * (5 if name == "Entry" else 1)}


def _is_engine(one: object) -> bool:
    return type(one).__name__ in _COUNTED and type(one).__module__.startswith("protocols.mqtt")
