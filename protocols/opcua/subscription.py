"""One subscription: what waits to be told, what was told and is not acknowledged, and when the next answer is due."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from asyncua import ua
from asyncua.server.internal_subscription import InternalSubscription

from protocols.opcua.monitoring import MonitoredItems
from protocols.opcua.queues import Queues
from protocols.opcua.room import SUBSCRIPTION, Room
from protocols.opcua.watched import Watched

_MOST = 1_000  # notifications in one answer, where the client does not say
_SPARE = 2  # of the room, this part may hold what was told already


class Told(NamedTuple):
    """What was told, to be told again until it is acknowledged."""

    NotificationMessage: ua.NotificationMessage
    size: int


class Subscription(InternalSubscription):
    """Sends what waits in answers of a bounded size; `Publisher` says when."""

    monitored_item_srv: MonitoredItems
    _not_acknowledged_results: dict[int, Told]

    def __init__(
        self,
        *args: Any,
        room: Room,
        watched: Watched,
        queue_bytes: int,
        no_acks_limit: int,
        most: int,
        largest: int,
        **options: Any,
    ) -> None:
        super().__init__(*args, no_acks_limit=2**32, **options)
        self.room = room
        self.watched = watched
        self.queues = Queues(room, queue_bytes)
        self._triggered_datachanges = self.queues.by_item
        self.monitored_item_srv = MonitoredItems(self, self.monitored_item_srv.aspace)
        self._most = min(most, _MOST) or _MOST
        self._largest = largest
        self._keeps = no_acks_limit
        self._taken = 0  # bytes of the notifications of the answer that is made
        self._at = 0.0  # by the loop's time, when it published last
        self.has_more = False  # to tell, in another answer at once
        self.timer: asyncio.TimerHandle | None = None  # for the next time
        room.subscriptions += 1

    @property
    def item_count(self) -> int:
        return self.monitored_item_srv.count

    @property
    def waiting(self) -> int:
        """How many notifications wait to be sent."""
        return self.queues.count

    @property
    def is_over(self) -> bool:
        return self._closing

    def next_at(self, now: float) -> float:
        """Return when it is due next, if it is now: at its own pace, but whoever is late does not catch up."""
        interval: float = self.data.RevisedPublishingInterval / 1_000
        self._at = self._at + interval if self._at + 2 * interval > now else now
        return self._at + interval

    def end(self) -> None:
        """Tell nothing more."""
        if self.timer is not None:
            self.timer.cancel()
        self._closing = True
        self.queues.is_closed = True
        self.room.over += 1

    def remains(self) -> Iterator[None]:
        """Let go of what it has kept, step by step."""
        for mid in list(self.monitored_item_srv._monitored_items):
            self.monitored_item_srv._delete_monitored_items(mid)
            yield
        for mid in list(self.queues.by_item):
            self.queues.drop(mid)
            yield
        for number in list(self._not_acknowledged_results):
            self._forget(number)
            yield
        self.room.over -= 1
        self.room.subscriptions -= 1
        self.room.give(SUBSCRIPTION)

    def publish(self, acks: Iterable[int]) -> None:
        """Forget what is acknowledged."""
        for number in acks:
            self._forget(number)

    def republish(self, nb: int) -> ua.NotificationMessage | None:
        """Return what was told, if it is still kept."""
        found = self._not_acknowledged_results.get(nb)
        return found.NotificationMessage if found is not None else None

    async def publish_results(self, requestdata: Any = None) -> bool:
        """Publish one answer, if there is something to tell and a request to answer."""
        if self._closing:
            return False
        if self._publish_cycles_count > self.data.RevisedLifetimeCount and self.delete_callback is not None:
            self.delete_callback()  # its client has asked for nothing for so long
            return False
        return bool(await super().publish_results(requestdata))

    @property
    def waits(self) -> bool:
        """Say whether there is something to tell."""
        return bool(self._publishing_enabled and self._triggered_datachanges)

    def _pop_publish_result(self) -> ua.PublishResult:
        number, self._taken = self._notification_seq, 0
        result = super()._pop_publish_result()
        result.MoreNotifications = self.waits
        if number in self._not_acknowledged_results:
            self._not_acknowledged_results[number] = Told(result.NotificationMessage, self._taken)
            self._shorten()
            result.AvailableSequenceNumbers = list(self._not_acknowledged_results)
        return result

    def _pop_triggered_datachanges(self, result: ua.PublishResult) -> None:
        taken = self.queues.take(self._most, self._largest)
        if taken:
            self._taken = sum(one.size for one in taken)
            result.NotificationMessage.NotificationData.append(ua.DataChangeNotification(MonitoredItems=taken))

    def _shorten(self) -> None:
        """Forget the oldest of what was told: beyond a count, or for want of room, which what waits needs more."""
        told = self._not_acknowledged_results
        while told and (len(told) > self._keeps or not self.room.has(0, _SPARE)):
            self._forget(next(iter(told)))

    def _forget(self, number: int) -> None:
        told = self._not_acknowledged_results.pop(number, None)
        if told is not None:
            self.room.give(told.size)
