"""Clients that nobody knows, each of which tries once a second for ever.

Nothing but system calls and a heap: this load runs on the cores of what it measures.
"""

from __future__ import annotations

import asyncio
import heapq
import socket
import time

from benchmarks.generator import wire
from benchmarks.generator.clients import Job

PERIOD = 1.0  # seconds between the beginnings of two tries of one client
TICK = 0.002  # seconds between two looks who is due
AT_ONCE = 50  # tries that are begun between two looks for answers


async def knocks(job: Job) -> Job:
    """Have `clients` of so many `addresses` try for `seconds`; return how many tries were begun, and answered."""
    crowd = Crowd(job)
    crowd.tick()
    await asyncio.sleep(job["seconds"])
    crowd.close()
    return {"tries": crowd.tries, "answers": crowd.answers}


class Crowd:
    """The clients; each has one try under way at most, and begins another a second after it began the last."""

    def __init__(self, job: Job) -> None:
        self.tries = self.answers = 0
        self._loop = asyncio.get_running_loop()
        self._peer = "127.0.0.1", job["port"]
        self._packets = [wire.connect(f"flood-{n}", f"flood-{n}", f"made-up-{n}") for n in range(job["clients"])]
        owns = [number % job["addresses"] for number in range(job["clients"])]
        self._addresses = [f"127.{1 + own // 250}.0.{1 + own % 250}" for own in owns]
        now = time.monotonic()
        self._due = [(now + number / job["clients"] * PERIOD, number) for number in range(job["clients"])]  # a heap
        self._under_way: dict[socket.socket, tuple[float, int]] = {}

    def tick(self) -> None:
        """Begin what is due, from now on."""
        self._timer = self._loop.call_later(0 if self._begin() == AT_ONCE else TICK, self.tick)

    def _begin(self) -> int:
        """Begin the tries that are due, so many at most; return their number."""
        now = time.monotonic()
        begun = 0
        while begun < AT_ONCE and self._due and self._due[0][0] <= now:
            _, number = heapq.heappop(self._due)
            begun += 1
            self.tries += 1
            client = socket.socket()
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_IP, socket.IP_BIND_ADDRESS_NO_PORT, 1)
            client.bind((self._addresses[number], 0))
            client.connect_ex(self._peer)
            self._under_way[client] = now, number
            self._loop.add_writer(client, self._send, client, self._packets[number])
        return begun

    def _send(self, client: socket.socket, packet: bytes) -> None:
        self._loop.remove_writer(client)
        try:
            client.send(packet)
        except OSError:  # nobody took the connection
            self._end(client)
        else:
            self._loop.add_reader(client, self._answered, client)

    def _answered(self, client: socket.socket) -> None:
        try:
            self.answers += bool(client.recv(4))
        except OSError:
            pass
        self._loop.remove_reader(client)
        self._end(client)

    def _end(self, client: socket.socket) -> None:
        client.close()
        began, number = self._under_way.pop(client)
        heapq.heappush(self._due, (began + PERIOD, number))

    def close(self) -> None:
        """Begin no more, and leave the tries that are under way."""
        self._timer.cancel()
        for client in self._under_way:
            self._loop.remove_writer(client)
            self._loop.remove_reader(client)
            client.close()
