"""When to look at which session next."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from protocols.mqtt.session import Session

_SPARE = 100


class Alarm:
    """A time to look at a session; one without a session is cancelled."""

    __slots__ = ("due", "session")

    def __init__(self, due: float, session: Session) -> None:
        self.due = due
        self.session: Session | None = session

    def __lt__(self, other: Alarm) -> bool:
        return self.due < other.due


class Alarms:
    """At most one time for each session."""

    def __init__(self) -> None:
        self._heap: list[Alarm] = []
        self._compact_at = _SPARE

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, session: Session, due: float) -> None:
        """Look at a session at this time, if not earlier anyway."""
        if session.alarm is not None and session.alarm.due <= due:
            return
        self.cancel(session)
        session.alarm = Alarm(due, session)
        heapq.heappush(self._heap, session.alarm)
        if len(self._heap) > self._compact_at:
            self._compact()

    def cancel(self, session: Session) -> None:
        """Let go of a session."""
        if session.alarm is not None:
            session.alarm.session = None
            session.alarm = None

    def pop(self, now: float) -> Session | None:
        """Return a session that is to be looked at now."""
        while self._heap and self._heap[0].due <= now:
            session = heapq.heappop(self._heap).session
            if session is not None:
                session.alarm = None
                return session
        return None

    def _compact(self) -> None:
        """Let go of what was cancelled; the heap is never more than twice as long as needed."""
        self._heap = [alarm for alarm in self._heap if alarm.session is not None]
        heapq.heapify(self._heap)
        self._compact_at = 2 * len(self._heap) + _SPARE
