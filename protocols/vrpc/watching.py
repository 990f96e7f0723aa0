"""Events of agents that pages watch: the last ones of each, for as long as somebody asks."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypedDict

from protocols.contract import Refused
from protocols.hits import Hits
from protocols.vrpc.agents import Key
from protocols.vrpc.answering import read_event
from protocols.vrpc.caller import Caller
from protocols.vrpc.calls import DONE, Channel, Outcome, Request
from protocols.vrpc.limits import Limits

STARTING, LIVE, FAILED, ENDED = "starting", "live", "failed", "ended"
_ON, _OFF = "on", "off"
_EVENT = "__e__"  # what an agent takes for a listener that it calls again and again; the topic follows


class Event(TypedDict):
    """One event; `arguments` is the JSON text of an array."""

    number: int
    time: float
    arguments: str


class Subject(NamedTuple):
    """What is watched."""

    key: Key
    class_name: str
    instance: str
    event: str


class Watch:
    """What came of one event of one instance, or class."""

    __slots__ = ("arrived", "asked_at", "bytes", "channel", "dropped", "error", "events", "number", "state", "subject")

    def __init__(self, subject: Subject, channel: Channel, now: float) -> None:
        self.subject = subject
        self.channel = channel
        self.asked_at = now
        self.state = STARTING
        self.error = ""
        self.events: deque[Event] = deque()
        self.bytes = 0
        self.number = 0
        self.dropped = 0
        self.arrived = 0  # since the last sweep


class Watches:
    """Every watch by its name, which is the last level of the topic that its events come on."""

    def __init__(
        self,
        limits: Limits,
        hits: Hits,
        caller: Caller,
        functions: Callable[[Key, str], set[str]],
        now: Callable[[], float],
        wall: Callable[[], float],
        token: Callable[[], str],
    ) -> None:
        """`functions` returns the names of a class's functions, as far as they are known."""
        self._limits = limits
        self._hits = hits
        self._caller = caller
        self._functions = functions
        self._now = now
        self._wall = wall
        self._token = token
        self._watches: dict[str, Watch] = {}

    def __len__(self) -> int:
        return len(self._watches)

    def begin(self, subject: Subject) -> str:
        """Watch an event, and return the watch's name; raises Refused."""
        if len(self._watches) >= self._limits.watches:
            self._hits.add("watches")
            raise Refused("Too many events are being watched.")
        channel = self._caller.channel(subject.key)
        name = self._token()
        watch = Watch(subject, channel, self._now())
        self._caller.call(self._request(name, watch, _ON), None, partial(self._began, watch))
        channel.events[name] = partial(self._hear, watch)
        self._watches[name] = watch
        return name

    def events(self, name: str, after: int) -> dict[str, object] | None:
        """Return what came after an event's number; None if there is no such watch any more."""
        watch = self._watches.get(name)
        if watch is None:
            return None
        watch.asked_at = self._now()
        events = [event for event in watch.events if event["number"] > after]
        return {"events": events, "dropped": watch.dropped, "state": watch.state, "error": watch.error}

    def end(self, name: str) -> None:
        """Watch an event no longer."""
        watch = self._watches.pop(name, None)
        if watch is None:
            return
        watch.channel.events.pop(name, None)
        if watch.state == LIVE:
            try:
                self._caller.call(self._request(name, watch, _OFF), None, _ignore)
            except Refused:  # the agent is gone, or busy: what it sends to nobody, it will be told
                return

    def went_offline(self, key: Key) -> None:
        """End what is watched of an agent; what has come can still be read."""
        for name, watch in self._watches.items():
            if watch.subject.key == key and watch.state in (STARTING, LIVE):
                watch.state, watch.error = ENDED, "the agent went offline"
                watch.channel.events.pop(name, None)

    def sweep(self) -> None:
        """End what nobody asks for any more."""
        oldest = self._now() - self._limits.idle
        for name in [name for name, watch in self._watches.items() if watch.asked_at < oldest]:
            self.end(name)
        for watch in self._watches.values():
            watch.arrived = 0

    def _request(self, name: str, watch: Watch, verb: str) -> Request:
        """Return what registers a listener with an emitter, or with a function that takes one itself."""
        key, class_name, instance, event = watch.subject
        listener = f"{_EVENT}{watch.channel.topic}/{name}"
        functions = self._functions(key, class_name)
        if event in functions and _ON not in functions:
            return Request(key, class_name, instance, event, json.dumps([listener]))
        return Request(key, class_name, instance, verb, json.dumps([event, listener]))

    def _began(self, watch: Watch, outcome: Outcome) -> None:
        if watch.state == STARTING:
            watch.state = LIVE if outcome.state == DONE else FAILED
            watch.error = outcome.error

    def _hear(self, watch: Watch, payload: bytes) -> None:
        """Keep an event; of very many only some are looked at."""
        watch.number += 1
        watch.arrived += 1
        most = self._limits.event_bytes
        if watch.arrived > self._limits.event_rate or len(payload) > most:
            watch.dropped += 1
            return
        try:
            arguments = read_event(payload)
        except ValueError:
            watch.dropped += 1
            return
        watch.events.append(Event(number=watch.number, time=self._wall(), arguments=arguments))
        watch.bytes += len(arguments)
        while len(watch.events) > self._limits.events or watch.bytes > most:
            watch.bytes -= len(watch.events.popleft()["arguments"])
            watch.dropped += 1


def _ignore(_: Outcome) -> None:
    """Take no notice of how it ended."""
