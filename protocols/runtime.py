"""The composition root of the protocols worker: makes its parts, starts and stops the threads."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Mapping
from typing import IO

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from portal import activity, bans, clock, db, presence
from portal.config import SettingError, Settings, write_once
from portal.credentials import Sealer
from portal.gate import Gate, Withdrawn
from portal.guard import Guard, Rules
from protocols import process
from protocols.contract import Server
from protocols.entrance import Book, Entrance
from protocols.looper import Looper
from protocols.mqtt.server import MqttServer
from protocols.warden import Warden

log = logging.getLogger(__name__)

WATCH = 0.05  # seconds between two looks for changed credentials
HEARTBEAT = 2  # seconds; the pages call a node up for presence.FRESH after one
STUCK = 15.0  # seconds after which a worker whose loop does not answer gives way to a new one
STOP = 2.0  # seconds that each thread has to end
RETRY = 1.0  # seconds between two tries to reach the database at start
SWEEP = 30  # seconds
PRUNE = 300  # seconds


class Runtime:
    """Everything that runs in the protocols worker."""

    def __init__(self, settings: Settings, listeners: Mapping[str, socket.socket]) -> None:
        self._settings = settings
        self._listeners = listeners
        self._lock = lock_data_dir(settings)
        process.raise_file_limit()
        process.give_back_memory()
        db.init(settings, synchronous="normal")
        self._node_id = _node_id(settings)
        self._gate = Gate(Sealer(settings.secret_key))
        self._guard = Guard(Rules.of(settings))
        self._warden = Warden(self._guard)
        self._book = Book(self._node_id)
        self._servers: dict[str, tuple[Looper, Server]] = {}
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)
        self._jobs = _scheduler()
        self._last_alive = time.monotonic()
        self._following = True

    def start(self) -> None:
        """Start the threads; returns when every listener accepts clients."""
        self._book.listeners = {name: listener.getsockname()[1] for name, listener in self._listeners.items()}
        while not self._sign_on():
            time.sleep(RETRY)
        self._book.start()
        self._warden.start()
        for name, listener in self._listeners.items():
            self._start_server(name, listener)
        self._watcher.start()
        self._start_jobs()
        process.collect_rarely()
        log.info("protocols worker %s is ready: %s", self._node_id, self._book.listeners)

    def stop(self) -> None:
        """Close every connection, write the last of presence, and end the threads; takes at most 5 s."""
        self._jobs.shutdown(wait=False)
        self._stopping.set()
        self._watcher.join(STOP)
        for looper, server in self._servers.values():
            try:
                looper.run(server.stop(), STOP)
            except TimeoutError:
                log.error("the %s server did not stop in time", looper.name)
            looper.stop(STOP)
        self._book.stop()
        self._warden.stop(STOP)
        self._sign_off()
        self._lock.close()

    def _sign_on(self) -> bool:
        """Read the credentials and announce the node; return False if the database is unavailable."""
        try:
            with db.connected():
                self._gate.refresh()
                self._warden.read()
                presence.start_node(self._node_id, clock.now(), self._book.listeners)
        except db.Unavailable as error:
            log.error("waiting for the database, nobody can connect: %s", str(error).strip())
            return False
        return True

    def _sign_off(self) -> None:
        try:
            with db.connected():
                presence.stop_node(self._node_id)
        except db.Unavailable as error:
            log.error("the node could not sign off: %s", error)

    def _start_server(self, name: str, listener: socket.socket) -> None:
        looper = Looper(name)
        server = SERVERS[name](authenticate=Entrance(self._gate, self._guard, self._book), presence=self._book)
        looper.start()
        looper.run(server.start([listener]), STOP)
        self._servers[name] = (looper, server)

    def _start_jobs(self) -> None:
        self._jobs.add_job(self._sweep, "interval", seconds=SWEEP)
        self._jobs.add_job(self._prune, "interval", seconds=PRUNE)
        self._jobs.start()

    def _watch(self) -> None:
        """Beat, and follow changed credentials, until the runtime stops."""
        next_beat = 0.0
        while not self._stopping.wait(WATCH):
            if time.monotonic() >= next_beat:  # not a job: APScheduler sleeps by the wall clock, which may be set back
                next_beat = time.monotonic() + HEARTBEAT
                self._heartbeat()
            try:
                with db.connected():
                    withdrawn = self._gate.refresh()
            except db.Unavailable as error:
                if self._following:
                    log.error("credentials cannot be followed, the last known ones hold: %s", error)
                self._following = False
                continue
            if not self._following:
                log.warning("credentials are followed again")
                self._following = True
            self._cut(withdrawn)

    def _cut(self, withdrawn: Withdrawn) -> None:
        for reason, integration_ids in withdrawn.cut.items():
            self._disconnect(integration_ids, reason, forget=False)
        if withdrawn.deleted:
            self._disconnect(withdrawn.deleted, "integration deleted", forget=True)

    def _disconnect(self, integration_ids: list[int], reason: str, *, forget: bool) -> None:
        for looper, server in self._servers.values():
            looper.call(
                lambda server=server: server.disconnect(integration_ids, reason, forget=forget)  # type: ignore[misc]
            )

    def _heartbeat(self) -> None:
        """Vouch for the node while every server's loop answers; give way when one has long been stuck."""
        stuck = [looper.name for looper, _ in self._servers.values() if not looper.ping()]
        if not self._book.is_alive():
            stuck.append("presence")
        now = time.monotonic()
        if not stuck:
            self._last_alive = now
            self._book.beat()
        elif now - self._last_alive > STUCK:
            log.critical("thread %s does not answer; ending this worker", ", ".join(stuck))
            os._exit(os.EX_SOFTWARE)

    def _sweep(self) -> None:
        with db.connected():
            presence.sweep(clock.now())

    def _prune(self) -> None:
        with db.connected(), db.writing():
            activity.prune(clock.now())
            bans.prune(clock.now())


SERVERS = {"mqtt": MqttServer}


def _scheduler() -> BackgroundScheduler:
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    return BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(1)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        timezone="UTC",
    )


def lock_data_dir(settings: Settings) -> IO[str]:
    """Hold the data folder: two workers on one folder would take each other's connections for leftovers."""
    file = (settings.data_dir / "protocols.lock").open("w")
    for _ in range(20):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            time.sleep(0.1)
    file.close()
    raise SettingError(f"DATA_DIR: another protocols worker runs on {settings.data_dir}")


def _node_id(settings: Settings) -> str:
    path = settings.data_dir / "node-id"
    write_once(path, secrets.token_hex(8))
    return path.read_text("ascii").strip()
