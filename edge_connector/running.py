"""Feeds that run: polls by the timetable, watches by their connectors; each reading becomes messages."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edge_connector import wire
from edge_connector.connectors.base import Connector
from edge_connector.errors import Busy, EdgeError, Refused
from edge_connector.feeds import Feed, Sieve
from edge_connector.lanes import Lane
from edge_connector.outbox import Message
from edge_connector.timetable import Entry, Timetable

log = logging.getLogger(__name__)

AGAIN = 5.0  # seconds after which a watch is tried again that could not begin


@dataclass
class Outcome:
    """What came of a feed so far."""

    readings: int = 0
    sent: int = 0
    faults: int = 0
    fault: str = ""  # the last one, "" after a reading
    late: int = 0  # polls left out, because the one before was not done


@dataclass
class Surroundings:
    """What running feeds are handed."""

    timetable: Timetable
    send: Callable[[Message], None]
    wall: Callable[[], str]  # the time as ISO 8601
    result_bytes: int


@dataclass
class Running:
    """One feed, from `start` to `stop`."""

    feed: Feed
    connector: Connector
    lane: Lane
    around: Surroundings
    outcome: Outcome = field(default_factory=Outcome)

    def __post_init__(self) -> None:
        self._sieve = Sieve(self.feed)
        self._lock = threading.Lock()
        self._busy = False
        self._stopped = False
        self._entry: Entry | None = None
        self._due = 0.0
        self._end: Callable[[], None] | None = None

    def start(self) -> None:
        self._due = self.around.timetable.now()
        self._entry = self.around.timetable.at(self._due, self._tick)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            end, self._end = self._end, None
            if self._entry is not None:
                self._entry.cancel()
        if end is not None:
            end()

    def _tick(self) -> None:
        """Have a poll read, or a watch begun, by a thread of the connector."""
        with self._lock:
            if self._stopped:
                return
            interval = self.feed.interval
            if interval is not None:
                now = self.around.timetable.now()
                self._due = max(self._due + interval, now)  # what was missed is not made up for
                self._entry = self.around.timetable.at(self._due, self._tick)
            if self._busy:
                self.outcome.late += 1
                return
            self._busy = True
        try:
            self.lane.submit(self._read if interval is not None else self._begin)
        except Busy as error:
            self._failed(error)

    def _read(self) -> None:
        try:
            self._took(self.connector.invoke(self.feed.function, list(self.feed.arguments)))
        except Exception as error:  # a device may do anything; the poll goes on
            self._failed(error)
        else:
            self._busy = False

    def _begin(self) -> None:
        try:
            end = self.connector.invoke(self.feed.function, [*self.feed.arguments, self._told])
        except Exception as error:
            self._failed(error)
            with self._lock:
                if not self._stopped:
                    self._entry = self.around.timetable.after(AGAIN, self._tick)
            return
        self._busy = False
        with self._lock:
            if not self._stopped:
                self._end = end
                return
        end()

    def _told(self, *arguments: Any) -> None:
        """Hear a reading of a watch."""
        try:
            self._took(arguments[0] if len(arguments) == 1 else list(arguments))
        except EdgeError as error:
            self._failed(error)

    def _took(self, value: Any) -> None:
        if self._stopped:
            return
        self.outcome.readings += 1
        for topic, one in self._sieve.passing(value):
            payload = wire.encode(one)
            if len(payload) > self.around.result_bytes:
                raise Refused(f"a reading of {len(payload)} bytes is larger than {self.around.result_bytes}")
            self.around.send(Message(topic, payload, self.feed.retain, self.around.wall()))
            self.outcome.sent += 1
        if self.outcome.fault:
            log.info("feed %s reads again", self.feed.name)
        self.outcome.fault = ""

    def _failed(self, error: Exception) -> None:
        self._busy = False
        text = str(error) or type(error).__name__
        if text != self.outcome.fault:
            log.warning("feed %s: %s", self.feed.name, text)
        self.outcome.faults += 1
        self.outcome.fault = text
