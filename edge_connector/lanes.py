"""Threads for calls: each connector has its own, so that one that hangs holds up no other."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

from edge_connector.errors import Busy

log = logging.getLogger(__name__)

Work = Callable[[], None]


class Lane:
    """A few threads that do what is handed in, in order; they are made when they are needed.

    They end with the process: what hangs in one of them must not keep it from ending.
    """

    def __init__(self, name: str, workers: int, waiting: int) -> None:
        self.name = name
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._most = workers + waiting
        self._load = 0  # of work that is under way or waits
        self._workers = workers
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, work: Work) -> None:
        """Have something done.  Raises `Busy`."""
        with self._lock:
            if self._closed:
                raise Busy(f"{self.name} is ending")
            if self._load >= self._most:
                raise Busy(f"{self.name} is busy: {self._load} calls are under way or wait")
            self._load += 1
            self._queue.put(work)
            if self._load > len(self._threads) and len(self._threads) < self._workers:
                thread = threading.Thread(target=self._run, name=f"lane-{self.name}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def close(self, timeout: float) -> None:
        """Take nothing any more, drop what has not begun, and wait a while for what has."""
        with self._lock:
            self._closed = True
            while not self._queue.empty():
                self._queue.get_nowait()
            for _ in self._threads:
                self._queue.put(None)
        end = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0, end - time.monotonic()))

    def _run(self) -> None:
        while True:
            work = self._queue.get()
            if work is None:
                return
            try:
                work()
            except Exception:
                log.exception("%s: a call ended unexpectedly", self.name)
            with self._lock:
                self._load -= 1
