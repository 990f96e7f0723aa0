"""The composition root of the protocols worker: makes its parts, starts and stops the threads."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, fields
from functools import partial
from typing import IO

from portal import certificate, clock, db, handover, presence, switches, unix
from portal.changes import Changes
from portal.config import SettingError, Settings, write_once
from portal.credentials import Sealer
from portal.gate import Gate, Withdrawn
from portal.guard import Guard, Rules
from portal.models import Revision
from protocols import parts, process, renewals
from protocols.answers import Action, Answers
from protocols.contract import ConnectionInfo
from protocols.doorman import Doorman
from protocols.entrance import DISCONNECTED, Book, Entrance, grant
from protocols.housekeeping import Housekeeping
from protocols.joining import Joining
from protocols.looper import Looper
from protocols.onboarding import Bounds
from protocols.renewals import Renewals
from protocols.servers import Servers
from protocols.warden import Warden

log = logging.getLogger(__name__)

WATCH = 0.05  # seconds between two looks for what changed in the portal
HEARTBEAT = 2  # seconds; the pages call a node up for presence.FRESH after one
STUCK = 15.0  # seconds after which a worker whose loop does not answer gives way to a new one
STOP = 2.0  # seconds that each thread has to end
RETRY = 1.0  # seconds between two tries to reach the database at start
RENEWAL = 2  # seconds between two looks for a certificate whose files have changed
EXPIRE = 1  # second between two looks for an onboarding window whose time is over
HELD, HELD_LONGER = 20, 80  # tenths of a second that another worker may need to end; companions outlive theirs
SHOWN_FILTER = 256  # characters


class Runtime:
    """Everything that runs in one part of the protocols worker; the main part also keeps house."""

    def __init__(self, settings: Settings, listeners: Mapping[str, socket.socket], part: str = parts.MAIN) -> None:
        self._settings = settings
        self._listeners = parts.of(part, listeners)
        self._part = part
        self._lock = lock_data_dir(settings, part)
        process.raise_file_limit()
        process.give_back_memory()
        db.init(settings, synchronous="normal")
        self._node_id = _node_id(settings, part)
        sealer = Sealer(settings.secret_key)
        self._gate = Gate(sealer)
        self._guard = Guard(Rules.of(settings))
        self._warden = Warden(self._guard)
        self._book = Book(self._node_id)
        bounds = Bounds(hold=settings.onboarding_hold, **parts.BOUNDS[part])
        self._doorman = Doorman(part, self._node_id, bounds, sealer, self._guard.knows)
        self._servers = Servers()
        self._house = Housekeeping(self._servers, self._book.online)
        self._joining = Joining(sealer, self._house.soon)
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)
        self._kicks = presence.Kicks(self._node_id)
        self._is_main = part == parts.MAIN
        follows_certificate = self._is_main and settings.needs_certificate
        self._certificate = certificate.Keeper(settings) if follows_certificate else None
        self._switches = switches.Follower(settings)
        self._last_alive = time.monotonic()
        self._following = True

    def start(self) -> None:
        """Start the threads; returns when every listener accepts clients."""
        self._book.listeners = {name: listener.getsockname()[1] for name, listener in self._listeners.items()}
        self._insist(self._prepare)
        self._warden.start()
        self._looper = self._start_server()
        self._looper.run(self._answers.start(unix.listen_as(self._settings.data_dir, self._part)), STOP)
        self._insist(self._sign_on)
        self._book.start()  # whoever is in already is written now: their rows belong to the node's
        self._watcher.start()
        self._start_jobs()
        process.collect_rarely()
        process.give_back_what_is_free()
        log.info("protocols worker %s is ready: %s", self._node_id, self._book.listeners)

    def stop(self) -> None:
        """Close every connection, write the last of presence, and end the threads; takes at most 5 s."""
        with suppress(TimeoutError):  # its loop is stuck
            self._looper.run(self._answers.stop(), STOP)
        self._house.stop()
        self._stopping.set()
        self._watcher.join(STOP)
        self._house.account()
        self._servers.stop()
        self._book.stop()
        self._warden.stop(STOP)
        self._sign_off()
        self._lock.close()

    def _insist(self, work: Callable[[], None]) -> None:
        """Do with the database what the start depends on, however long that is away."""
        while True:
            try:
                with db.connected():
                    return work()
            except db.Unavailable as error:
                log.error("waiting for the database, nobody can connect: %s", str(error).strip())
                time.sleep(RETRY)

    def _prepare(self) -> None:
        """Read the credentials, and sign off an earlier run that could not."""
        self._gate.refresh()
        self._joining.look(Revision.values_now())
        self._warden.read()
        presence.stop_node(self._node_id)

    def _sign_on(self) -> None:
        """Announce the node, once its server accepts clients: the pages call it up from now on."""
        presence.start_node(self._node_id, clock.now(), self._book.listeners)

    def _sign_off(self) -> None:
        try:
            with db.connected():
                presence.stop_node(self._node_id)
        except db.Unavailable as error:
            log.error("the node could not sign off: %s", error)

    def _transports(self) -> dict[str, list[socket.socket]]:
        """Return the listeners by transport."""
        found = {name.partition("-")[2] or "tcp": [listener] for name, listener in self._listeners.items()}
        if self._is_main:
            found["http"] = [handover.listen(self._settings.data_dir, handover.STREAMS)]
            if self._settings.mqtt_web:
                found["web"] = [handover.listen(self._settings.data_dir)]
        return found

    def _start_server(self) -> Looper:
        """Start the server, also one without listeners: it answers pages and other parts."""
        entrance = Entrance(self._gate, self._guard, self._book, self._doorman, self._joining)
        with db.connected():
            stand = switches.read(self._settings)
        gate = self._gate
        tools = parts.Tools(
            self._settings,
            entrance,
            self._book,
            self._certificate,
            stand,
            gate.username,
            gate.has,
            lambda: self._doorman.is_open,
            entrance.give,
        )
        self._server = server = parts.MAKERS[self._part](tools)
        grants = {entry.id: grant(entry, gate.domains) for entry in gate.entries()}
        looper = self._servers.start(self._part, server, self._transports(), grants)
        actions: dict[str, Action] = {"connections": self.connections, "usage": self.usage, **server.actions()}
        actions |= self._doorman.actions()
        self._answers = Answers(actions, server.link_actions())
        return looper

    def _start_jobs(self) -> None:
        if self._is_main:
            self._house.every(EXPIRE, self._doorman.expire)
        if self._certificate is not None:
            self._house.every(RENEWAL, self._certificate.refresh)
        if (own := self._own_certificate()) is not None:
            self._house.every(renewals.EVERY, Renewals(own, self._book.renewed).look, at_once=True)
        self._house.start(is_main=self._is_main)

    def _own_certificate(self) -> renewals.Own | None:
        if self._certificate is not None:
            return renewals.of_tls(self._part, self._settings)
        actions = self._server.actions()
        if "renew_certificate" not in actions:
            return None
        return renewals.of_server(self._part, {name: partial(self._act, act) for name, act in actions.items()})

    def _watch(self) -> None:
        """Beat, and follow what is changed in the portal, until the runtime stops."""
        next_beat, changes = 0.0, Changes()
        while not self._stopping.is_set():
            time.sleep(WATCH)  # half of what an Event takes, at each of which a message may wait for the interpreter
            self._doorman.sweep()
            if time.monotonic() >= next_beat:  # not a job: APScheduler sleeps by the wall clock, which may be set back
                next_beat = time.monotonic() + HEARTBEAT
                self._heartbeat()
            try:
                began = time.monotonic()
                changes.tell(self._follow)
                self._doorman.share()
                self._gate.read_at = began
            except db.Unavailable as error:
                if self._following:
                    log.error("credentials cannot be followed, the last known ones hold: %s", error)
                self._following = False
                continue
            if not self._following:
                log.warning("credentials are followed again")
                self._following = True
        changes.close()

    def _follow(self, revisions: Mapping[str, int]) -> None:
        """Take over what these counters say has changed."""
        if not self._gate.is_current(revisions):
            self._apply(self._gate.refresh())
        if (stand := self._switches.look(revisions)) is not None:
            self._servers.tell(lambda server: server.switch(stand))
        self._doorman.look(revisions)
        self._joining.look(revisions)
        if kicked := self._kicks.look(revisions):
            self._servers.tell(lambda server: server.kick(kicked, DISCONNECTED))

    def _apply(self, withdrawn: Withdrawn) -> None:
        if withdrawn.permitted:
            grants = {entry.id: grant(entry, self._gate.domains) for entry in withdrawn.permitted}
            self._servers.tell(lambda server: server.permit(grants))
        for reason, integration_ids in withdrawn.cut.items():
            self._disconnect(integration_ids, reason, forget=False)
        if withdrawn.deleted:
            self._disconnect(withdrawn.deleted, "integration deleted", forget=True)

    def _disconnect(self, integration_ids: list[int], reason: str, *, forget: bool) -> None:
        self._servers.tell(lambda server: server.disconnect(integration_ids, reason, forget=forget))

    def connections(self, integration_id: int, connection_ids: Collection[str]) -> list[dict[str, object]]:
        """Return what is known now of these open connections of an integration; to be called on the server's loop."""
        wanted = set(connection_ids)
        return [_as_dict(info) for info in self._server.connections(integration_id) if info.connection_id in wanted]

    def usage(self) -> list[dict[str, object]]:
        """Return the limits of the server; to be called on its loop."""
        return [asdict(usage) for usage in self._server.usage()]

    def _act(self, act: Callable[..., object], *arguments: object) -> object:
        """Return what an action of the server answers, from another thread.  Raises TimeoutError and what it raises."""
        return self._servers.ask(lambda server: act(*arguments))[0]

    def _heartbeat(self) -> None:
        """Vouch for the node while every server's loop answers; give way when one has long been stuck."""
        stuck = self._servers.stuck()
        if not self._book.is_alive():
            stuck.append("presence")
        now = time.monotonic()
        if not stuck:
            self._last_alive = now
            self._book.beat()
        elif now - self._last_alive > STUCK:
            log.critical("thread %s does not answer; ending this worker", ", ".join(stuck))
            os._exit(os.EX_SOFTWARE)


def _as_dict(info: ConnectionInfo) -> dict[str, object]:
    """Return plain values, which can be sent to another process; no client decides how many."""
    values: dict[str, object] = {field.name: getattr(info, field.name) for field in fields(info)}
    values["subscriptions"] = [[topic_filter[:SHOWN_FILTER], qos] for topic_filter, qos in info.subscriptions]
    return values


def lock_data_dir(settings: Settings, part: str = parts.MAIN) -> IO[str]:
    """Hold the data folder: two workers on one folder would take each other's connections for leftovers."""
    file = (settings.data_dir / ("protocols.lock" if part == parts.MAIN else f"protocols-{part}.lock")).open("w")
    for _ in range(HELD if part == parts.MAIN else HELD_LONGER):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            time.sleep(0.1)
    file.close()
    raise SettingError(f"DATA_DIR: another protocols worker runs on {settings.data_dir}")


def _node_id(settings: Settings, part: str) -> str:
    """Return what the node of a part is called: for the database each part is a node of its own."""
    path = settings.data_dir / "node-id"
    write_once(path, secrets.token_hex(8))
    machine = path.read_text("ascii").strip()
    return machine if part == parts.MAIN else f"{machine}-{part}"
