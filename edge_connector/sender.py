"""Sends the outbox: in order, a window at a time, each value gone from the disk only when it has arrived.

Values go with QoS 2 on a session that outlives the connection, so that a cut neither loses nor doubles one.  A window's
worth may be doubled only if the agent is killed; each carries its number, by which a reader can tell.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from edge_connector.errors import EdgeError
from edge_connector.outbox import Message, Outbox, OutboxFault

log = logging.getLogger(__name__)

WINDOW = 128  # messages under way
PENDING_BYTES = 8 * 1024 * 1024  # of values that are not on the disk yet; more only when that is full
TOGETHER = 0.01  # seconds in which values and acknowledgements gather, for one transaction
RETRY = 1.0  # seconds between attempts at a disk that fails
GONE = 0x92  # reason of a PUBCOMP: the server has no such message under way

Publish = Callable[[Message, int | None], int | None]  # returns the packet's id, or None without a connection


class Unsendable(EdgeError):
    """A message that this server takes from nobody; says why."""


@dataclass(frozen=True, slots=True)
class _Sent:
    number: int | None  # None stands for one that is not on the disk
    message: Message
    connection: int


class Sender:
    """Takes values from any thread, and sends them from its own."""

    def __init__(self, outbox: Outbox, publish: Publish) -> None:
        self._outbox = outbox
        self._publish = publish
        self._wake = threading.Event()
        self._lock = threading.Lock()  # of what is pending; never held while something is published
        self._pending: deque[Message] = deque()
        self._pending_bytes = 0
        self._acked: deque[tuple[int, int]] = deque()
        self._window = 0  # 0 while there is no connection
        self._connection = 0
        self._stopped = False
        self._under_way: dict[int, _Sent] = {}
        self._arrived: list[tuple[int, Message]] = []  # and not yet gone from the disk
        self._last = 0  # the number of the newest message that was sent
        self._failing = ""
        self.sent = self.dropped = self.refused = 0
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)

    def start(self) -> None:
        self._thread.start()

    # --- from any thread

    def add(self, message: Message) -> None:
        """Take a value; the oldest gives way where the disk fails for long."""
        with self._lock:
            self._pending.append(message)
            self._pending_bytes += message.size
            while self._pending_bytes > PENDING_BYTES:
                self._pending_bytes -= self._pending.popleft().size
                self.dropped += 1
        self._wake.set()

    def connected(self, window: int) -> None:
        """Send from now on, so many messages at once at most."""
        self._connection += 1
        self._window = min(window, WINDOW)
        self._wake.set()

    def disconnected(self) -> None:
        """Send nothing until there is a connection again."""
        self._window = 0

    def acknowledged(self, packet: int, reason: int) -> None:
        """Hear that a packet has arrived; never waits, and knows nothing of packets that are not from here."""
        self._acked.append((packet, reason))
        self._wake.set()

    def drain(self, timeout: float) -> None:
        """Send nothing more, and wait a while until what is under way has arrived: it would be sent again otherwise."""
        self._window = 0
        given_up = time.monotonic() + timeout
        while self._under_way and time.monotonic() < given_up:
            time.sleep(TOGETHER)

    def stop(self, timeout: float = 5) -> None:
        """Put on the disk what is not there yet, and end."""
        self._stopped = True
        self._wake.set()
        self._thread.join(timeout)

    def status(self) -> dict[str, int | str]:
        """Return what there is to count."""
        return {
            "buffered": self._outbox.count + len(self._pending),
            "buffered_bytes": self._outbox.bytes + self._pending_bytes,
            "under_way": len(self._under_way),
            "sent": self.sent,
            "dropped": self.dropped + self._outbox.dropped,
            "refused": self.refused,
            "trouble": self._failing,
        }

    # --- its own thread

    def _run(self) -> None:
        while True:
            self._wake.wait()
            time.sleep(RETRY if self._failing else TOGETHER)
            self._wake.clear()
            stopped, connection, window = self._stopped, self._connection, self._window
            self._settle(connection)
            self._save()
            if stopped:
                self._outbox.close()
                return
            if window:
                self._send(connection, window)
            if self._failing:
                self._wake.set()

    def _settle(self, connection: int) -> None:
        """Take note of what has arrived."""
        while self._acked:
            packet, reason = self._acked.popleft()
            sent = self._under_way.pop(packet, None)
            if sent is None:
                continue
            # The server may have lost the session meanwhile: then it says so of what it has long delivered.
            if reason >= 0x80 and not (reason == GONE and sent.connection != connection):
                self.refused += 1
                log.error("the server refused a value for %s; may this integration publish there?", sent.message.topic)
            else:
                self.sent += 1
            if sent.number is not None:
                self._arrived.append((sent.number, sent.message))

    def _save(self) -> None:
        """Write what is new, and remove what has arrived; what fails is tried again."""
        with self._lock:
            new = list(self._pending)
        try:
            if self._arrived:
                self._outbox.remove(self._arrived)
                self._arrived = []
            if new:
                self._outbox.add(new)
        except OutboxFault as error:
            self._troubled(str(error))
            return
        self._troubled("")
        self._forget(new)

    def _forget(self, saved: list[Message]) -> None:
        """Drop from memory what is on the disk; some of it may have given way meanwhile."""
        with self._lock:
            for message in saved:
                if self._pending and self._pending[0] is message:
                    self._pending.popleft()
                    self._pending_bytes -= message.size

    def _send(self, connection: int, window: int) -> None:
        room = window - len(self._under_way)
        if room <= 0:
            return
        try:
            found = self._outbox.after(self._last, room)
        except OutboxFault as error:
            self._troubled(str(error))
            return
        if not found and self._failing:  # a full disk holds up nobody who is connected
            self._send_unsaved(connection, room)
        for number, message in found:
            if not self._hand_over(number, message, connection):
                break

    def _send_unsaved(self, connection: int, room: int) -> None:
        """Send from memory, where nothing can be written."""
        with self._lock:
            found = list(self._pending)[:room]
        for message in found:
            if not self._hand_over(None, message, connection):
                return
            self._forget([message])

    def _hand_over(self, number: int | None, message: Message, connection: int) -> bool:
        """Have a message sent; say whether there is a connection."""
        try:
            packet = self._publish(message, number)
            if packet is not None:
                self._under_way[packet] = _Sent(number, message, connection)
        except Unsendable as error:
            self.refused += 1
            log.error("a value for %s cannot be sent: %s", message.topic, error)
            if number is not None:
                self._arrived.append((number, message))
        else:
            if packet is None:
                return False
        if number is not None:
            self._last = number
        return True

    def _troubled(self, why: str) -> None:
        if why and not self._failing:
            log.error("the buffer cannot be written: %s", why)
        elif self._failing and not why:
            log.info("the buffer can be written again")
        self._failing = why
