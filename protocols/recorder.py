"""The presence thread: takes events from any thread, and writes them in batches from one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

Event = TypeVar("Event")

GATHER = 0.02  # seconds in which the events of a batch gather
MAX_BATCH = 2_000
MAX_PENDING = 50_000
RETRY = 0.5


class Recorder(Generic[Event]):
    """Writes events in order; while writing fails they wait, up to a bound.

    `write` gets a batch and writes all of it or nothing.  It raises one of `unavailable` when it should be tried again,
    and anything else of `rejected` when it never will work.  `repair` then writes the whole present state instead of
    the events that led to it, as it does after events had to be dropped: what the events change has to be changed
    before they are put.
    """

    def __init__(
        self,
        write: Callable[[list[Event]], None],
        repair: Callable[[], None],
        *,
        unavailable: tuple[type[Exception], ...],
        rejected: tuple[type[Exception], ...],
        max_pending: int = MAX_PENDING,
    ) -> None:
        self._write = write
        self._repair = repair
        self._unavailable = unavailable
        self._rejected = rejected
        self._max_pending = max_pending
        self._pending: list[Event] = []
        self._lost = 0  # events that were dropped, and that a repair has to make up for
        self._failing = False
        self._stopping = False
        self._idle = False  # the thread waits for events
        self._lock = threading.Lock()
        self._wakeup = threading.Condition(self._lock)
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Tell whether the thread runs."""
        return self._thread.is_alive()

    def put(self, *events: Event) -> None:
        """Queue events that belong together; never blocks on the database."""
        with self._lock:
            if len(self._pending) >= self._max_pending:
                self._lost += len(events)
                return
            if self._idle:
                self._idle = False
                self._wakeup.notify()
            self._pending += events

    def stop(self, timeout: float) -> None:
        """Write all that is queued, unless that fails, and end the thread."""
        with self._wakeup:
            self._stopping = True
            self._wakeup.notify()
        self._thread.join(timeout)

    def _run(self) -> None:
        while self._wait():
            written = self._step()
            self._pause(GATHER if written else RETRY)
        while (self._pending or self._lost) and self._step():
            pass

    def _wait(self) -> bool:
        """Wait for events; return False once the recorder is stopping."""
        with self._wakeup:
            self._idle = True
            self._wakeup.wait_for(lambda: self._pending or self._lost or self._stopping)
            self._idle = False
            return not self._stopping

    def _pause(self, seconds: float) -> None:
        with self._wakeup:
            self._wakeup.wait_for(lambda: self._stopping, seconds)

    def _step(self) -> bool:
        """Write one batch, or the present state; return False, with the events still queued, if that failed."""
        with self._lock:
            lost = self._lost
            batch = self._pending[: None if lost else MAX_BATCH]
        try:
            if lost:
                self._repair()
            else:
                self._write(batch)
        except self._unavailable as error:
            self._note_failure(error)
            return False
        except self._rejected as error:
            log.error("presence events cannot be written: %s", error)
            with self._lock:
                self._lost += 1
            return False
        self._done(len(batch), lost)
        return True

    def _done(self, count: int, lost: int) -> None:
        with self._lock:
            del self._pending[:count]
            self._lost -= lost  # what was lost during a repair may be missing from it
        if lost:
            log.warning("presence was rebuilt from the open connections; some activity may be missing")
        if self._failing:
            self._failing = False
            log.warning("presence can be written again")

    def _note_failure(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            log.error("presence cannot be written, and waits until it can be: %s", str(error).strip())
