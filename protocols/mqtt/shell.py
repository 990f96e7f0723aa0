"""The socket of one connection: feeds what arrives, and writes what waits once in a turn of the loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol, cast

from protocols.mqtt.awake import BusyPoll
from protocols.mqtt.connection import Connection
from protocols.mqtt.errors import LoginRefused, MqttError
from protocols.mqtt.hurry import QUICK_ACK, Hurry
from protocols.mqtt.packets import SERVER_SHUTTING_DOWN

CONNECTION_LOST = "connection lost"
STOPPING = "server is stopping"

_REST = 0.002  # seconds, in which other threads get the interpreter too
_LAST_WORDS = 0.1  # seconds for a client to take what it is told at the end


class Host(Protocol):
    """What a server does for its sockets."""

    stopping: bool
    hurry: Hurry
    busy_poll: BusyPoll

    def open(self, shell: Shell, address: str, transport: str) -> Connection:
        """Begin a connection."""
        ...

    def turn_away(self, connection: Connection) -> None:
        """Close a connection that is one too many."""
        ...

    def lost(self, shell: Shell) -> None:
        """Forget a connection whose socket is closed."""
        ...

    def now(self) -> float:
        """Return the time, and let the broker know it."""
        ...

    def wake(self, shell: Shell) -> None:
        """Let a connection write, and read on, at the end of this turn of the loop."""
        ...

    def note(self, address: str, fact: str) -> None:
        """Log what is wrong with a client."""
        ...

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Call `act` after so many seconds."""
        ...

    def ask_later(self, seconds: float, ask: Callable[[], None]) -> None:
        """Call `ask` after so many seconds, as soon as its turn has come among all that wait."""
        ...


class Shell(asyncio.Protocol):
    """The socket of one connection."""

    __slots__ = ("_can_write", "_heard_at", "_name", "_reads", "_rests", "_server", "_transport", "connection")

    connection: Connection
    _transport: asyncio.Transport

    def __init__(self, server: Host, name: str = "tcp") -> None:
        self._server = server
        self._name = name  # of the transport
        self._can_write = True
        self._heard_at = -1  # bytes that it had been sent when something came from it
        self._reads = True
        self._rests = False  # from a search among retained messages

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")  # None when it is gone already
        self.connection = self._server.open(self, peer[0] if peer else "unknown", self._name)
        self._offer_socket()
        if self._server.stopping:  # it was being accepted at that moment
            self.stop()
        self._server.turn_away(self.connection)

    def connection_lost(self, exc: Exception | None) -> None:
        connection = self.connection
        self._server.now()
        if connection.is_mid_packet and not connection.closed:
            self._server.note(connection.address, "connection lost in the middle of a packet")
        connection.close(CONNECTION_LOST)
        if dropped := connection.take_dropped():
            self._server.note(connection.address, f"{dropped:,} messages for it were dropped")
        connection.discard()
        self._server.hurry.lost(self)
        self._server.lost(self)

    def data_received(self, data: bytes) -> None:
        connection = self.connection
        try:
            is_done = connection.feed(data, self._server.now())
        except MqttError as error:
            self.fail(error)
            is_done = False
        if is_done:
            self._server.busy_poll.passed_on()
        else:
            if connection.due_in is not None:
                self._go_on_later()
            if connection.held and self._reads and not self._transport.is_closing():
                self._transport.pause_reading()
                self._reads = False
        sent, hasty = connection.outbox.taken, self._server.hurry.hasty
        if sent == self._heard_at:
            if connection.client is not None and connection.client.session.identity is not None:
                self._server.hurry.heard_again(self)
        elif hasty and self in hasty:
            self._server.hurry.heard(self)
        self._heard_at = sent

    def pause_writing(self) -> None:
        self._can_write = False
        self._offer_socket()

    def resume_writing(self) -> None:
        self._can_write = True
        self._offer_socket()
        self.flush()

    def wake(self) -> None:
        """Ask for a `flush` at the end of this turn of the loop."""
        self._server.wake(self)

    def flush(self) -> None:
        """Write what waits, and read on after a hold."""
        connection = self.connection
        if connection.closed:
            return
        connection.settle()
        if self._can_write:
            if connection.outbox.size:
                self._transport.write(connection.outbox.take())
            if not self._rests and connection.drained():
                self._rests = True
                self._server.later(_REST, self._search_on)
        if not connection.held and (connection.can_go_on or not self._reads) and not self._transport.is_closing():
            if not self._reads:
                self._reads = True
                self._transport.resume_reading()
            if connection.can_go_on:
                self.data_received(b"")

    def check(self, now: float) -> None:
        """Close a connection that is overdue, and a socket that should have closed by now."""
        connection = self.connection
        if connection.closed:
            self._transport.abort()
        elif (reason := connection.overdue(now)) is not None:
            if connection.client is None:
                self._server.note(connection.address, reason)
            connection.expel(reason)

    def stop(self) -> None:
        """Close the connection and its socket, whatever still waits to be written."""
        if self.connection.closed:
            self._transport.abort()
        self.connection.close(STOPPING, code=SERVER_SHUTTING_DOWN)

    def close_socket(self, gently: bool) -> None:
        """Close the socket of a connection that has ended."""
        if self._can_write and self.connection.outbox.size:
            self._transport.write(self.connection.outbox.take())
            if not gently:
                self._server.later(_LAST_WORDS, self._transport.abort)
            self._transport.close()
        elif gently:
            self._transport.close()
        else:
            self._transport.abort()

    def fail(self, error: MqttError) -> None:
        """Close the connection because of what the client sent."""
        connection = self.connection
        if not isinstance(error, LoginRefused):
            self._server.note(connection.address, str(error))
        connection.fail(error)

    @property
    def sent(self) -> int:
        """Return how many bytes the client was sent ever."""
        return self.connection.outbox.taken

    def acknowledge(self) -> None:
        """Have what came from the client acknowledged at TCP; raise OSError if it has gone."""
        if not self._transport.is_closing():
            self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, QUICK_ACK, 1)

    def _offer_socket(self) -> None:
        """Let single messages be written at once while the socket takes more.

        Frames and records are made of all that a turn brings: to make one of each message would cost more.
        """
        self.connection.outbox.write = self._transport.write if self._can_write and self._name == "tcp" else None

    def _search_on(self) -> None:
        self._rests = False
        self.flush()

    def _go_on_later(self) -> None:
        seconds, self.connection.due_in = self.connection.due_in, None
        if seconds is not None:
            later = self._server.ask_later if self.connection.is_asking else self._server.later
            later(seconds, self._go_on)

    def _go_on(self) -> None:
        try:
            self.connection.go_on(self._server.now())
        except MqttError as error:
            self.fail(error)
        self._go_on_later()
