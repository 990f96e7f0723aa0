"""Subscriptions: asyncua's own, each of one session, within bounds.

In stock asyncua any session may read, change, acknowledge, take over and delete the subscriptions of all others, whose
ids it can count up to; and may ask for a publishing interval of nearly nothing, which turns the loop without rest.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.address_space import AddressSpace
from asyncua.server.internal_server import InternalServer
from asyncua.server.subscription_service import SubscriptionService

from protocols.opcua.limits import Limits
from protocols.opcua.publisher import Publisher
from protocols.opcua.room import SUBSCRIPTION, Room
from protocols.opcua.subscription import Subscription
from protocols.opcua.values.watching import Crowds
from protocols.opcua.watched import Watched


class Subscriptions(SubscriptionService):
    """Makes subscriptions of this kind, with what they ask for brought within bounds."""

    subscriptions: dict[int, Subscription]

    def __init__(self, aspace: AddressSpace, iserver: InternalServer, limits: Limits) -> None:
        super().__init__(aspace, iserver)
        self._limits = limits
        self._by_session: dict[ua.NodeId, dict[int, Subscription]] = {}
        self._watched = Watched(aspace, Crowds(limits.item_queue, limits.queue_bytes))

    def start(self, fail: Callable[[Exception], None]) -> None:
        """Publish, on the loop that runs; `fail` is told of what should not happen."""
        self._publisher = Publisher(fail)
        self._publisher.start()
        self._watched.follow(asyncio.get_running_loop().call_soon)

    async def stop(self) -> None:
        """Publish no more."""
        for session_id in list(self._by_session):
            self.drop(session_id)
        await self._publisher.stop()

    async def create_subscription(
        self,
        params: ua.CreateSubscriptionParameters,
        callback: Any,
        session_id: ua.NodeId,
        request_callback: Any = None,
        *,
        room: Room,
    ) -> ua.CreateSubscriptionResult:
        """Create a subscription of a session.  Raises ServiceError."""
        if not room.take(SUBSCRIPTION):
            raise ServiceError(ua.StatusCodes.BadOutOfMemory)
        self._sub_id_counter += 1
        data = self._revise(params, self._sub_id_counter)
        subscription: Subscription = Subscription(
            data,
            self.aspace,
            callback,
            session_id,
            request_callback=request_callback,
            delete_callback=lambda: self._end(subscription),
            no_acks_limit=self._limits.unacknowledged,
            max_queue_size=self._limits.item_queue,
            publishing_enabled=params.PublishingEnabled,
            room=room,
            watched=self._watched,
            queue_bytes=self._limits.queue_bytes,
            most=params.MaxNotificationsPerPublish,
            largest=self._limits.max_message // 2,
        )
        self.subscriptions[data.SubscriptionId] = subscription
        self._by_session.setdefault(session_id, {})[data.SubscriptionId] = subscription
        self._publisher.add(subscription)
        return data

    async def delete_subscriptions(self, ids: list[int]) -> list[ua.StatusCode]:
        """End subscriptions when their client asks for it."""
        found = [self.subscriptions.get(number) for number in ids]
        for subscription in found:
            if subscription is not None and not subscription.is_over:
                self._end(subscription)
        return [
            ua.StatusCode(ua.StatusCodes.Good if one is not None else ua.StatusCodes.BadSubscriptionIdInvalid)
            for one in found
        ]

    def of(self, session_id: ua.NodeId) -> list[Subscription]:
        """Return the subscriptions of a session."""
        return list(self._by_session.get(session_id, {}).values())

    def own(self, subscription_id: int, session_id: ua.NodeId) -> Subscription:
        """Return a subscription of a session's own; to others it does not exist."""
        found = self.subscriptions.get(subscription_id)
        if found is None or found.session_id != session_id:
            raise ServiceError(ua.StatusCodes.BadSubscriptionIdInvalid)
        return found

    def drop(self, session_id: ua.NodeId) -> None:
        """End all subscriptions of a session."""
        for subscription in self.of(session_id):
            self._end(subscription)

    def _end(self, subscription: Subscription) -> None:
        number, own = subscription.data.SubscriptionId, self._by_session[subscription.session_id]
        del self.subscriptions[number], own[number]
        if not own:
            del self._by_session[subscription.session_id]
        self._publisher.end(subscription)

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
