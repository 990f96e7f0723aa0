"""gunicorn's threaded worker, made to give a thread only to a request that has arrived whole and need not wait.

A view that cannot answer yet raises `Later`: its thread is free, and the same request runs again after that time.
A view that has given the client's socket away (`portal.handover`) raises `HandedOver`.
"""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from portal import config
from portal.handover import Away, Courier
from portal.heads import Refusal, wanted
from portal.waiting import Full, Waiting

PATIENCE = 10  # seconds for a request to arrive
PATIENCE_IN_THREAD = 20  # seconds from then on until the socket is shut
MOST_AT_ONCE = 16 * 1024 * 1024  # bytes that arrive, or have a thread or wait for one; beyond, none may add over SMALL
SMALL = 4 * 1024
RETRY_AFTER = 3  # seconds until the protocols worker is probably back, or others wait no more

WAITED = "gatehouse.waited"  # in the environ: for how many seconds the request has waited so far
SOCKET = "gunicorn.socket"  # in the environ: the client's

BUSY = f"503 Service Unavailable\r\nRetry-After: {RETRY_AFTER}"


class Later(BaseException):
    """The request is to be run again after so many seconds.  No error: nothing on its way up may handle it."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class HandedOver(BaseException):
    """The client's socket is another process's now: nothing is to be written to it here."""


class Incoming(TConn):  # type: ignore[misc]
    """A connection, and what has arrived of its request."""

    arrived = b""
    wanted: int | None = None
    request = b""  # that a thread works on, or will, with whatever followed it
    is_closing = is_dropped = False
    parser: Any

    def begin(self) -> None:
        """Have the request parsed."""
        self.forget()
        self.init()
        self.parser.unreader.unread(self.request)

    def forget(self) -> None:
        """Forget what was parsed, which takes more than what arrived."""
        self.initialized, self.parser = False, None


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """Collects requests in the main loop, where a slow client costs a socket instead of one of few threads."""

    wsgi: Any

    def init_process(self) -> None:
        """Accept no more connections than there may be open files: an accept that fails would be tried for ever."""
        self.running: dict[Any, float] = {}  # connections with a thread, or in line for one: since when
        self.held = 0  # bytes
        self.waiting = Waiting()
        self.waits_since: dict[socket.socket, float] = {}  # of the requests that had to wait
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.worker_connections = min(self.cfg.worker_connections, max(hard - 200, 50))
        self.courier = Courier(config.load())
        super().init_process()

    def load_wsgi(self) -> None:
        """Have each request told how long it has waited."""
        super().load_wsgi()
        app = self.wsgi

        def answer(environ: dict[str, Any], start_response: Any) -> Any:
            since = self.waits_since.get(environ[SOCKET])
            environ[WAITED] = 0.0 if since is None else time.monotonic() - since
            return app(environ, start_response)

        self.wsgi = answer

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait for events, and for the time of requests that wait."""
        super().wait_for_and_dispatch_events(self.waiting.seconds(time.monotonic(), timeout))
        for conn, request in self.waiting.due(time.monotonic()):
            with self._guarded(conn):
                self._forget(conn)
                self._run(conn, request)

    def handle(self, conn: Any) -> Any:
        """Work on a request, in a thread."""
        conn.begin()
        return super().handle(conn)

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection, and wait for its first request."""
        with suppress(OSError):
            client, address = listener.accept()
            conn = Incoming(self.cfg, client, address, listener.getsockname())
            self.nr_conns += 1
            self._wait(conn)

    def on_client_socket_readable(self, conn: Any, client: socket.socket) -> None:
        """Wait for the next request of a kept connection."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._wait(conn)

    def on_pending_socket_readable(self, conn: Any, client: socket.socket) -> None:
        """Take in what arrived; whatever comes of it, the worker goes on."""
        with self._guarded(conn), suppress(BlockingIOError):
            data = client.recv(65536)
            if not data:
                self._drop(conn)
            elif not conn.is_closing:
                self._collect(conn, data)

    def on_waiting_socket_readable(self, conn: Any, client: socket.socket) -> None:
        """Take in what a client sends while its request waits; one that leaves is waited for no more."""
        with self._guarded(conn), suppress(BlockingIOError):
            data = client.recv(65536)
            if not data:
                self._drop(conn)
            elif not self.waiting.grow(conn, data):
                self.poller.unregister(client)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Keep or close the connection: without blocking, and without a thread for the start of a next request."""
        request = self._release(conn)
        raised = None if fs.cancelled() else fs.exception()
        with self._guarded(conn):
            if isinstance(raised, Later | HandedOver):
                raised.__traceback__ = None  # frames, in which the framework keeps the exception and all of the request
                conn.forget()
            if isinstance(raised, Later):
                self._put_off(conn, request, raised.seconds)
                return
            self.waits_since.pop(conn.sock, None)
            if isinstance(raised, HandedOver):
                self._drop(conn)
                return
            rest = b""
            if not fs.cancelled() and fs.result() and not (rest := conn.parser.unreader.take_buffered()):
                super().finish_request(conn, fs)
                conn.forget()
                return
            conn.forget()
            self._wait(conn)
            if conn.is_dropped:
                return
            if rest:
                self._collect(conn, rest)
            else:
                self._say_goodbye(conn)

    def murder_pending(self) -> None:
        """End what takes too long."""
        now = time.monotonic()
        while self.pending_conns and now - self.pending_conns[0].since > (PATIENCE if self.alive else 1):
            self._drop(self.pending_conns[0])
        for conn, since in self.running.items():
            if now - since > PATIENCE_IN_THREAD:
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)  # its thread notices

    def _wait(self, conn: Any) -> None:
        conn.since, conn.arrived, conn.wanted = time.monotonic(), bytearray(), None
        self.pending_conns.append(conn)
        with self._guarded(conn):
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, 1, partial(self.on_pending_socket_readable, conn))

    def _collect(self, conn: Any, data: bytes) -> None:
        searched = len(conn.arrived)
        conn.arrived += data
        self.held += len(data)
        if conn.wanted is None:
            conn.wanted = wanted(conn.arrived, searched)
            if conn.wanted and len(conn.arrived) < conn.wanted and b"\r\nexpect:" in conn.arrived.lower():
                conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            if conn.wanted and self.courier.wants(conn.arrived):
                self._hand_over(conn)
                return
        if self.held > MOST_AT_ONCE and len(conn.arrived) > SMALL:
            raise Refusal(BUSY)
        if conn.wanted and len(conn.arrived) >= conn.wanted:
            request = bytes(conn.arrived)
            self._forget(conn)
            self._run(conn, request)

    def _run(self, conn: Any, request: bytes) -> None:
        """Give a thread to a request, which arrived with whatever followed it."""
        conn.request = request
        self.held += len(request)
        self.running[conn] = time.monotonic()
        self.enqueue_req(conn)

    def _release(self, conn: Any) -> bytes:
        """Return the request that a thread is done with."""
        self.running.pop(conn, None)
        request: bytes = conn.request
        conn.request = b""
        self.held -= len(request)
        return request

    def _put_off(self, conn: Any, request: bytes, seconds: float) -> None:
        """Keep a request until it is to be run again; meanwhile only the client's leaving matters."""
        now = time.monotonic()
        conn.sock.setblocking(False)
        try:
            self.waiting.add(conn, request, now + seconds)
        except Full:
            self._wait(conn)
            raise Refusal(BUSY) from None
        self.waits_since.setdefault(conn.sock, now)
        self.poller.register(conn.sock, 1, partial(self.on_waiting_socket_readable, conn))

    def _hand_over(self, conn: Any) -> None:
        """Leave the connection to the protocols worker."""
        try:
            self.courier.hand_over(conn.sock, str(conn.client[0]), bytes(conn.arrived))
        except Away:
            raise Refusal(BUSY) from None
        self._drop(conn)

    def _refuse(self, conn: Any, refusal: Refusal) -> None:
        with self._guarded(conn):
            self.held -= len(conn.arrived)
            conn.arrived = bytearray()
            conn.sock.send(f"HTTP/1.1 {refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
            self._say_goodbye(conn)

    def _say_goodbye(self, conn: Any) -> None:
        """Close once the client has: at once, one that still sends would lose the answer."""
        conn.is_closing = True
        conn.sock.shutdown(socket.SHUT_WR)

    def _forget(self, conn: Any) -> None:
        with suppress(KeyError, ValueError):
            self.poller.unregister(conn.sock)
        with suppress(ValueError):
            self.pending_conns.remove(conn)
        self.held -= len(conn.arrived)
        conn.arrived = bytearray()

    def _drop(self, conn: Any) -> None:
        self._forget(conn)
        self.running.pop(conn, None)
        self.waiting.remove(conn)
        self.waits_since.pop(conn.sock, None)
        if not conn.is_dropped:  # counted down once
            conn.is_dropped = True
            self.nr_conns -= 1
            conn.close()

    @contextmanager
    def _guarded(self, conn: Any) -> Iterator[None]:
        try:
            yield
        except OSError:
            self._drop(conn)
        except Refusal as refusal:
            self._refuse(conn, refusal)
        except Exception:
            self.log.exception("A connection failed")
            self._drop(conn)
