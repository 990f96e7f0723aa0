"""The hub of the main part, as the OPC UA part has it: what it is asked, and what it tells."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from protocols.linking import Away, Dial, OtherPart
from protocols.opcua.topics.outbox import Outbox, Outgoing
from protocols.opcua.topics.scope import Readable, Scope

_log = logging.getLogger("protocols.opcua")
_FILTERS = 1_000  # of one question
_PLACES = 50
_PAUSE = 0.05  # seconds before something is tried again
_GATHER = 0.002  # seconds between two batches, unless more is there than fits into one
_ANSWER = 0.5  # seconds that a client waits at most: asyncua's ends its connection when nothing comes for one second
_ALL: Readable = ("", (), (), ())  # every topic begins so
_SILENCE = 1.0


class Told(NamedTuple):
    """A message, or the value of a topic."""

    number: int
    topic: str
    payload: bytes | None  # None if it is too large to be told
    deletes: bool
    time: float  # seconds since 1970
    mark: int = 0  # if one's own comes back, to who monitors its topic
    is_after_lost: bool = False  # others were dropped before it


class Follower(Protocol):
    """Who is told what the hub tells."""

    def heard(self, told: Told) -> None:
        """Take in a message on a topic that somebody listens to."""
        ...

    def connected(self) -> None:
        """The hub is there, and everything that is listened to is listened to again."""
        ...

    def disconnected(self) -> None:
        """The hub is not there any more."""
        ...


class HubLink:
    """Asks the hub, tells followers, and publishes in order what is put into its outbox."""

    def __init__(self, dial: Dial) -> None:
        self._part = OtherPart(dial, {"hub_heard": self._heard}, self._connected, self._disconnected)
        self._filters: Counter[str] = Counter()
        self._followers: list[Follower] = []
        self._outbox = Outbox()
        self._wanted = asyncio.Event()  # something is in the outbox, and there is a hub
        self._sender: asyncio.Task[None] | None = None
        self._published: Callable[[Outgoing, int], object]
        self._dropped = 0
        self._silent_until = 0.0  # by the loop's time

    @property
    def is_connected(self) -> bool:
        return self._part.is_connected

    def start(self, *followers: Follower, published: Callable[[Outgoing, int], object]) -> None:
        """Connect, and stay connected; `published` is called with what has left the outbox, and its number."""
        self._followers += followers
        self._published = published
        self._part.start()
        self._sender = asyncio.get_running_loop().create_task(self._send())

    async def stop(self) -> None:
        """Let what was written still arrive, if there is somebody to take it; then disconnect."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.wait([self._sender])
        while self._part.is_connected and (batch := self._outbox.batch()):
            self._part.tell("hub_publish", batch)
            self._outbox.arrived(batch)
        await self._part.stop()

    # --- listening

    def listen(self, filters: Iterable[str]) -> None:
        """Be told what these match; each is counted, and ended as often."""
        new = [one for one in filters if self._count(one, 1) == 1]
        self._tell("hub_listen", new)

    def unlisten(self, filters: Iterable[str]) -> None:
        """Be told no more."""
        old = [one for one in filters if self._count(one, -1) == 0]
        for one in old:
            del self._filters[one]
        self._tell("hub_unlisten", old)

    def _count(self, one: str, by: int) -> int:
        self._filters[one] += by
        return self._filters[one]

    def _tell(self, action: str, filters: list[str]) -> None:
        if self.is_connected:  # else all are told at once when it is
            for start in range(0, len(filters), _FILTERS):
                self._part.tell(action, filters[start : start + _FILTERS])

    def _connected(self) -> None:
        self._tell("hub_listen", list(self._filters))
        self._silent_until = 0.0
        for follower in self._followers:
            follower.connected()
        self._wanted.set()

    def _disconnected(self) -> None:
        for follower in self._followers:
            follower.disconnected()

    def _heard(self, rows: list[Any], cost: int) -> None:
        try:
            for row in rows:
                told = Told(*row)
                for follower in self._followers:
                    follower.heard(told)
        finally:
            self._part.tell("hub_took", cost)

    # --- publishing

    def put(self, message: Outgoing) -> None:
        """Publish a message after all others; while there is no hub it waits."""
        self._outbox.add(message)
        self._wanted.set()

    async def publish(self, message: Outgoing) -> None:
        """Publish a message now.  Raises Away."""
        await self._ask("hub_publish", [message])

    async def _send(self) -> None:
        """Publish what is in the outbox, a batch at a time; what may not have arrived is sent again."""
        while True:
            await self._wanted.wait()
            batch = self._outbox.batch()
            if not batch or not self.is_connected:
                self._wanted.clear()
                continue
            try:
                numbers: Any = await self._part.ask("hub_publish", batch)
            except Away:
                await asyncio.sleep(_PAUSE)
                continue
            self._outbox.arrived(batch)
            for message, number in zip(batch, numbers, strict=True):
                self._published(message, number)
            self._report()
            if not self._outbox.fills_a_batch:
                await asyncio.sleep(_GATHER)

    def _report(self) -> None:
        if dropped := self._outbox.dropped - self._dropped:
            self._dropped += dropped
            _log.warning("while the main part was away, %d values were not published: later ones were", dropped)

    # --- asking

    async def look(self, topics: list[str], scope: Scope) -> list[tuple[Told | None, bool]]:
        """Return the value of each place, or whether there is anything below it, as far as it may be read."""
        return await self._look(topics, scope.readable)

    async def latest(self, topics: list[str]) -> list[Told | None]:
        """Return the value of each topic, whoever may read it."""
        return [told for told, _ in await self._look(topics, _ALL)]

    async def _look(self, topics: list[str], readable: Readable) -> list[tuple[Told | None, bool]]:
        found: list[tuple[Told | None, bool]] = []
        while len(found) < len(topics):
            some = await self._ask("hub_look", topics[len(found) : len(found) + _PLACES], readable)
            found += [(_told(row), has_more) for row, has_more in some]
        return found

    async def values(self, prefix: str, after: str | None) -> tuple[list[Told], str | None]:
        """Return some values of topics that begin so, and where to go on."""
        rows, cursor = await self._ask("hub_values", prefix, after)
        return [Told(*row) for row in rows], cursor

    async def children(
        self, levels: list[str], after: str | None, most: int, scope: Scope
    ) -> tuple[list[tuple[str, bool, bool]], str | None]:
        """Return some places below others (name, whether it is a value, whether more is below), and where to go on."""
        places, cursor = await self._ask("hub_children", levels, after, most, scope.readable)
        return [(name, is_value, has_more) for name, is_value, has_more in places], cursor

    async def history(self, topic: str) -> list[Told]:
        """Return the last messages of a topic, the newest last."""
        return [Told(*row) for row in await self._ask("hub_history", topic)]

    async def _ask(self, action: str, *arguments: object) -> Any:
        """Ask the hub; one that has not answered in time is not asked again for a while.  Raises Away."""
        now = asyncio.get_running_loop().time
        if now() < self._silent_until:
            raise Away
        try:
            return await asyncio.wait_for(self._part.ask(action, *arguments), _ANSWER)
        except TimeoutError:
            self._silent_until = now() + _SILENCE
            raise Away from None


def _told(row: Any) -> Told | None:
    return Told(*row) if row is not None else None
