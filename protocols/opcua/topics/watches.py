"""The topics that are monitored: each is listened to as long as somebody does, and its last value is known here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any

from asyncua import ua

from protocols.linking import Away
from protocols.opcua.topics.hub import HubLink, Told
from protocols.opcua.topics.telling import NO_ANSWER, as_last, size_of, value_of
from protocols.opcua.values.watching import Crowds, Watcher, Watchers

_OVERFLOW = 0x0480  # the DataValue info bits of a StatusCode that say that values before this one were dropped
_STEP = 50  # topics that are asked about, or told of, at a time
_PAUSE = 0.2  # seconds before something is tried again
_GONE = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadNoData))
_WAITING = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadWaitingForInitialData))


class Watch:
    """One topic that is monitored."""

    __slots__ = ("holds", "is_known", "number", "size", "topic", "value", "watchers")

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.watchers = Watchers()
        self.holds = 0  # requests that are about to monitor it
        self.value = NO_ANSWER
        self.size = 0
        self.number = 0  # of the message that is its value
        self.is_known = False  # what the hub has; while it is away, and until it has said, only what it had


class Watches:
    """All topics that are monitored; whoever does so asks for no permission here."""

    def __init__(self, hub: HubLink, crowds: Crowds, clock: Callable[[], datetime]) -> None:
        self._hub = hub
        self._crowds = crowds
        self._clock = clock
        self._watches: dict[str, Watch] = {}
        self._task: asyncio.Task[None] | None = None

    async def prepare(self, topics: Collection[str]) -> None:
        """Know the values of topics that are about to be monitored, if there is a hub that tells them.

        They are held until `settle` is called.
        """
        new = [topic for topic in topics if topic not in self._watches]
        self._watches.update((topic, Watch(topic)) for topic in new)
        for topic in topics:
            self._watches[topic].holds += 1
        self._hub.listen(new)
        with suppress(Away):
            await self._ask([self._watches[topic] for topic in topics])

    def settle(self, topics: Iterable[str]) -> None:
        """Let go of topics that are not monitored after all."""
        for topic in topics:
            self._watches[topic].holds -= 1
            self._let_go(topic)

    def get(self, topic: str) -> Watch:
        """Return a topic that was prepared, or is monitored."""
        return self._watches[topic]

    def leave(self, topic: str, watcher: Watcher) -> None:
        """Tell somebody no more."""
        self._watches[topic].watchers.members.pop(watcher, None)
        self._let_go(topic)

    def _let_go(self, topic: str) -> None:
        watch = self._watches.get(topic)
        if watch is not None and not watch.watchers.members and not watch.holds:
            del self._watches[topic]
            self._hub.unlisten([topic])

    # --- what the hub tells

    def heard(self, told: Told) -> None:
        """Tell a message to who monitors its topic."""
        watch = self._watches.get(told.topic)
        if watch is not None and told.number > watch.number:
            value = value_of(told, self._clock())
            if told.is_after_lost and value.StatusCode is not None:
                value.StatusCode = ua.StatusCode(value.StatusCode.value | _OVERFLOW)
            self._set(watch, value, told.number)

    def connected(self) -> None:
        """Ask for all values again."""
        self._begin(self._refresh())

    def disconnected(self) -> None:
        """Say that there are no new values at present."""
        for watch in self._watches.values():
            watch.is_known = False
        self._begin(self._age())

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.get_running_loop().create_task(work)

    async def _age(self) -> None:
        for count, watch in enumerate(list(self._watches.values())):
            if count % _STEP == 0:
                await asyncio.sleep(0)
            if not watch.is_known and self._watches.get(watch.topic) is watch:
                self._show(watch, as_last(watch.value))

    async def _refresh(self) -> None:
        while unknown := [watch for watch in self._watches.values() if not watch.is_known]:
            try:
                for start in range(0, len(unknown), _STEP):
                    await self._ask(unknown[start : start + _STEP])
            except Away:
                await asyncio.sleep(_PAUSE)

    async def _ask(self, watches: list[Watch]) -> None:
        """Ask for the values of topics that are not known; raise Away."""
        wanted = [one for one in watches if not one.is_known and self._watches.get(one.topic) is one]
        answers = await self._hub.latest([watch.topic for watch in wanted])
        for watch, told in zip(wanted, answers, strict=True):
            if watch.is_known:  # a message came first
                continue
            if told is not None:
                self._set(watch, value_of(told, self._clock()), told.number)
            else:
                self._set(watch, _GONE if watch.number else _WAITING, watch.number)

    def _set(self, watch: Watch, value: ua.DataValue, number: int) -> None:
        watch.number, watch.is_known = number, True
        watch.size = size_of(value)
        self._show(watch, value)

    def _show(self, watch: Watch, value: ua.DataValue) -> None:
        watch.value = value
        self._crowds.tell(watch.watchers, None, value, watch.size)
