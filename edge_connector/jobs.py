"""One call under way: answered once, after a promise where it takes longer, in time in any case."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

from edge_connector import wire
from edge_connector.errors import Refused
from edge_connector.timetable import Entry, Timetable
from edge_connector.wire import Request

SLOW = 1.0  # seconds after which a caller is told that the result will come later

Reply = Callable[[str, bytes], None]

_numbers = itertools.count(1)


class Job:
    """What a caller waits for."""

    def __init__(self, request: Request, reply: Reply, timetable: Timetable, seconds: float, most: int) -> None:
        self.request = request
        self._reply = reply
        self._seconds = seconds
        self._most = most
        self._id = request.id
        self._lock = threading.Lock()
        self._answered = False
        self._entries: list[Entry] = [timetable.after(seconds, self._expire)]
        if seconds > SLOW:
            self._entries.append(timetable.after(SLOW, self._promise))

    def answer(self, value: object) -> None:
        """Answer with a result, or with a fault where that cannot be sent."""
        try:
            payload = wire.result(self._id, value)
            if len(payload) > self._most:
                raise Refused(f"the result has {len(payload)} bytes; at most {self._most} are sent")
        except Refused as error:
            self.fail(str(error))
        else:
            self._finish(lambda id: wire.result(id, value))

    def fail(self, message: str) -> None:
        """Answer with a fault."""
        self._finish(lambda id: wire.fault(id, message))

    def _finish(self, payload: Callable[[str | int], bytes]) -> None:
        with self._lock:
            if self._answered:
                return
            self._answered = True
            for entry in self._entries:
                entry.cancel()
            self._reply(self.request.client, payload(self._id))

    def _promise(self) -> None:
        with self._lock:
            if not self._answered:
                promised = f"{wire.PROMISE}{self.request.function}-{next(_numbers)}"
                self._reply(self.request.client, wire.result(self._id, promised))
                self._id = promised

    def _expire(self) -> None:
        self.fail(f"{self.request.function} took longer than {self._seconds:g} s")
