"""Looks again and again at what is watched, which works on every file system, shares on the network as well."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from edge_connector.described import Listener
from edge_connector.errors import EdgeError, Refused

log = logging.getLogger(__name__)

MOST = 256  # watches

Sign = tuple[int, int, int]  # what of a file changes with it: time in ns, size, inode
Look = Callable[[str], dict[str, Sign]]


@dataclass(eq=False)
class _Watch:
    path: str
    listener: Listener
    known: dict[str, Sign]


class Watcher:
    """One thread for all watches, which is made with the first."""

    def __init__(self, seconds: float, look: Look) -> None:
        self._seconds = seconds
        self._look = look
        self._watches: list[_Watch] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, path: str, listener: Listener, *, at_once: bool = False) -> Callable[[], None]:
        """Tell of changes from now on, or with `at_once` of what there is first; return what ends that."""
        watch = _Watch(path, listener, {} if at_once else self._seen(path))
        with self._lock:
            if len(self._watches) >= MOST:
                raise Refused(f"there are {MOST} watches already")
            self._watches.append(watch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
                self._thread.start()

        def end() -> None:
            with self._lock:
                if watch in self._watches:
                    self._watches.remove(watch)

        return end

    def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(5)

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            with self._lock:
                watches = list(self._watches)
            for watch in watches:
                self._compare(watch)

    def _compare(self, watch: _Watch) -> None:
        before, now = watch.known, self._seen(watch.path)
        watch.known = now
        for path in before.keys() - now.keys():
            self._tell(watch, {"path": path, "event": "removed", "size": None, "modified": None})
        for path, sign in now.items():
            if before.get(path) != sign:
                event = "changed" if path in before else "created"
                modified = datetime.fromtimestamp(sign[0] / 1e9, UTC).isoformat(timespec="milliseconds")
                self._tell(watch, {"path": path, "event": event, "size": sign[1], "modified": modified})

    def _tell(self, watch: _Watch, change: dict[str, Any]) -> None:
        try:
            watch.listener(change)
        except EdgeError as error:
            log.warning("a change of %s cannot be told: %s", watch.path, error)
        except Exception:
            log.exception("a change of %s cannot be told", watch.path)

    def _seen(self, path: str) -> dict[str, Sign]:
        try:
            return self._look(path)
        except (EdgeError, OSError):  # it is not there, or cannot be looked at
            return {}
