"""Takes clients over from the portal's web workers; `portal.handover` is the other end."""

from __future__ import annotations

import array
import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress

from protocols.listening import AT_ONCE, notice_dead_peers

MAX_MESSAGE = 128 * 1024
PATIENCE = 5.0  # seconds for a socket to be handed over

Meet = Callable[[bytes], asyncio.Protocol]  # makes the protocol for a client, from the message that came with it


class HandOver:
    """Takes clients over.

    The listener is a Unix socket of type SOCK_SEQPACKET.  Each connection carries one message, and with it comes the
    client's socket (SCM_RIGHTS).  What the protocol makes of both begins with an empty `data_received`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, listener: socket.socket, meet: Meet) -> None:
        self._loop = loop
        self._listener = listener
        self._meet = meet
        self._waiting: dict[socket.socket, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        listener.setblocking(False)
        loop.add_reader(listener, self._accept)

    def close(self) -> None:
        self._loop.remove_reader(self._listener)
        self._listener.close()
        for courier in list(self._waiting):
            self._forget(courier)

    def _accept(self) -> None:
        with suppress(OSError):  # nobody any more, or no descriptor is free
            for _ in range(AT_ONCE):
                courier, _ = self._listener.accept()
                courier.setblocking(False)
                self._waiting[courier] = self._loop.call_later(PATIENCE, self._forget, courier)
                self._loop.add_reader(courier, self._receive, courier)

    def _receive(self, courier: socket.socket) -> None:
        with suppress(OSError):
            message, descriptors = _receive(courier)
            for descriptor in descriptors:
                self._take(descriptor, message)
        self._forget(courier)

    def _take(self, descriptor: int, message: bytes) -> None:
        try:
            client = socket.socket(fileno=descriptor)
        except OSError:  # it is no socket
            os.close(descriptor)
            return
        task = self._loop.create_task(self._let_in(client, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _forget(self, courier: socket.socket) -> None:
        timer = self._waiting.pop(courier, None)
        if timer is not None:
            timer.cancel()
            self._loop.remove_reader(courier)
            courier.close()

    async def _let_in(self, client: socket.socket, message: bytes) -> None:
        try:
            client.setblocking(False)
            notice_dead_peers(client)
            protocol = self._meet(message)
            await self._loop.connect_accepted_socket(lambda: protocol, client)
        except OSError:  # the client is gone already
            client.close()
            return
        protocol.data_received(b"")


def _receive(courier: socket.socket) -> tuple[bytes, list[int]]:
    message, ancillary, _, _ = courier.recvmsg(MAX_MESSAGE, socket.CMSG_SPACE(4), socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return message, list(descriptors)
