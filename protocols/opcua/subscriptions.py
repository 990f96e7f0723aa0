"""Subscriptions: asyncua's own, each of one session, within bounds.

In stock asyncua any session may read, change, acknowledge, take over and delete the subscriptions of all others, whose
ids it can count up to; and may ask for a publishing interval of nearly nothing, which turns the loop without rest.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterable
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.address_space import AddressSpace
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.subscription_service import SubscriptionService

from protocols.opcua.limits import Limits
from protocols.opcua.monitoring import MonitoredItems
from protocols.opcua.weight import weigh

_MOST = 1_000  # notifications in one answer, where the client does not say


class Subscription(InternalSubscription):
    """Sends what waits in answers of a bounded size."""

    monitored_item_srv: MonitoredItems
    _task: asyncio.Task[None] | None

    def __init__(self, *args: Any, most: int, largest: int, **options: Any) -> None:
        super().__init__(*args, **options)
        self.monitored_item_srv = MonitoredItems(self, self.monitored_item_srv.aspace)
        self._most = min(most, _MOST) or _MOST
        self._largest = largest

    @property
    def item_count(self) -> int:
        return self.monitored_item_srv.count

    @property
    def waiting(self) -> int:
        """How many notifications wait to be sent."""
        queues = (*self._triggered_datachanges.values(), *self._triggered_events.values())
        return sum(map(len, queues))

    def drop(self) -> None:
        """End at once."""
        self._closing = True
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self.monitored_item_srv.delete_all_monitored_items()
        self.forget_logger()

    async def stop(self) -> None:
        """End when the client asks for it."""
        await super().stop()
        self.forget_logger()

    def forget_logger(self) -> None:
        """Drop the logger that asyncua names after each subscription: loggers are kept for ever."""
        logging.Logger.manager.loggerDict.pop(self.monitored_item_srv.logger.name, None)

    async def publish_results(self, requestdata: Any = None) -> bool:
        """Publish, and go on with what did not fit while there are requests to answer."""
        published = bool(await super().publish_results(requestdata))
        while published and self._waits:
            published = bool(await super().publish_results())
            if not published:
                return True  # the request that was handed in is answered
        return published

    @property
    def _waits(self) -> bool:
        return bool(self._publishing_enabled and (self._triggered_datachanges or self._triggered_events))

    def _pop_publish_result(self) -> ua.PublishResult:
        result = super()._pop_publish_result()
        result.MoreNotifications = self._waits
        return result

    def _pop_triggered_datachanges(self, result: ua.PublishResult) -> None:
        taken = _take(self._triggered_datachanges, self._most, self._largest)
        if taken:
            result.NotificationMessage.NotificationData.append(ua.DataChangeNotification(MonitoredItems=taken))

    def _pop_triggered_events(self, result: ua.PublishResult) -> None:
        taken = _take(self._triggered_events, self._most, self._largest)
        if taken:
            result.NotificationMessage.NotificationData.append(ua.EventNotificationList(Events=taken))


class Subscriptions(SubscriptionService):
    """Makes subscriptions of this kind, with what they ask for brought within bounds."""

    subscriptions: dict[int, Subscription]

    def __init__(self, aspace: AddressSpace, iserver: InternalServer, limits: Limits) -> None:
        super().__init__(aspace, iserver)
        self._limits = limits

    async def create_subscription(
        self,
        params: ua.CreateSubscriptionParameters,
        callback: Any,
        session_id: ua.NodeId,
        request_callback: Any = None,
    ) -> ua.CreateSubscriptionResult:
        """Create a subscription of a session."""
        self._sub_id_counter += 1
        data = self._revise(params, self._sub_id_counter)
        subscription = Subscription(
            data,
            self.aspace,
            callback,
            session_id,
            request_callback=request_callback,
            delete_callback=lambda: self._expired(data.SubscriptionId),
            no_acks_limit=self._limits.unacknowledged,
            max_queue_size=self._limits.item_queue,
            publishing_enabled=params.PublishingEnabled,
            most=params.MaxNotificationsPerPublish,
            largest=self._limits.max_message // 2,
        )
        self.subscriptions[data.SubscriptionId] = subscription
        await subscription.start()
        return data

    def of(self, session_ids: Iterable[ua.NodeId]) -> list[Subscription]:
        """Return the subscriptions of these sessions."""
        wanted = set(session_ids)
        return [one for one in self.subscriptions.values() if one.session_id in wanted]

    def own(self, subscription_id: int, session_id: ua.NodeId) -> Subscription:
        """Return a subscription of a session's own; to others it does not exist."""
        found = self.subscriptions.get(subscription_id)
        if found is None or found.session_id != session_id:
            raise ServiceError(ua.StatusCodes.BadSubscriptionIdInvalid)
        return found

    def drop(self, session_id: ua.NodeId) -> None:
        """End all subscriptions of a session."""
        for subscription in self.of([session_id]):
            del self.subscriptions[subscription.data.SubscriptionId]
            subscription.drop()

    def _expired(self, subscription_id: int) -> None:
        """Forget a subscription that has ended itself, for its client asked for nothing."""
        self.subscriptions.pop(subscription_id).forget_logger()

    def _revise(self, params: ua.CreateSubscriptionParameters, subscription_id: int) -> ua.CreateSubscriptionResult:
        """Bring the parameters within bounds (OPC 10000-4, section 5.14.2)."""
        interval = revised_interval(params.RequestedPublishingInterval, self._limits)
        # An idle subscription is answered often enough to keep a session alive that does nothing but publish.
        most = max(1, int(self._limits.session_timeout * 1_000 / 3 / interval))
        keep_alive = min(params.RequestedMaxKeepAliveCount or most, most)
        lifetime = min(max(params.RequestedLifetimeCount, 3 * keep_alive), max(3 * most, 15_000))
        return ua.CreateSubscriptionResult(
            SubscriptionId=subscription_id,
            RevisedPublishingInterval=interval,
            RevisedLifetimeCount=lifetime,
            RevisedMaxKeepAliveCount=keep_alive,
        )


def revised_interval(requested: float, limits: Limits) -> float:
    """Return a publishing interval within bounds, in milliseconds."""
    shortest, longest = limits.publishing_interval * 1_000, limits.slowest_interval * 1_000
    return shortest if math.isnan(requested) else min(max(requested, shortest), longest)


def _take(waiting: dict[int, list[Any]], most: int, largest: int) -> list[Any]:
    """Take notifications out, at least one, of each item the oldest first."""
    taken: list[Any] = []
    size = 0
    for item in list(waiting):
        queue = waiting[item]
        while queue and len(taken) < most and size < largest:
            notification = queue.pop(0)
            value = getattr(notification, "Value", None)
            size += weigh([value]) if value is not None else 64
            taken.append(notification)
        if not queue:
            del waiting[item]
        if len(taken) >= most or size >= largest:
            break
    return taken
