"""What a session monitors: its own subscriptions, and those of nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.internal_session import InternalSession, SessionState

from protocols.opcua.common import Common
from protocols.opcua.room import ITEM, SUBSCRIPTION, Room
from protocols.opcua.space import Caller
from protocols.opcua.subscription import Subscription
from protocols.opcua.subscriptions import Subscriptions
from protocols.opcua.turns import Turns

_Codes = ua.StatusCodes
_GOOD = ua.StatusCode()  # one for all: thousands of answers wait with it
_NO_SUBSCRIPTION = ua.StatusCode(_Codes.BadSubscriptionIdInvalid)


class Subscribing(InternalSession):
    """The services for subscriptions and monitored items (OPC 10000-4, sections 5.13 and 5.14)."""

    subscription_service: Subscriptions
    caller: Caller
    _common: Common
    _turns: Turns
    room: Room

    def subscriptions(self) -> list[Subscription]:
        """Return the session's own subscriptions."""
        return self.subscription_service.of(self.session_id)

    async def create_subscription(
        self, params: ua.CreateSubscriptionParameters, callback: Any, request_callback: Any = None
    ) -> ua.CreateSubscriptionResult:
        limits = self._common.limits
        await self._settled(lambda: self.room.subscriptions < limits.subscriptions and self.room.has(SUBSCRIPTION))
        too_many = self.room.subscriptions >= limits.subscriptions
        if too_many or len(self.subscriptions()) >= limits.session_subscriptions:
            self._common.hits.add("subscriptions")
            raise ServiceError(_Codes.BadTooManySubscriptions)
        return await self.subscription_service.create_subscription(
            params, callback, self.session_id, request_callback, room=self.room
        )

    def modify_subscription(self, params: ua.ModifySubscriptionParameters) -> ua.ModifySubscriptionResult:
        self._own(params)
        return super().modify_subscription(params)

    async def set_publishing_mode(self, params: ua.SetPublishingModeParameters) -> list[ua.StatusCode]:
        return [
            (await self.subscription_service.set_publishing_mode(_one(params, number)))[0]
            if self._is_own(number)
            else ua.StatusCode(_Codes.BadSubscriptionIdInvalid)
            for number in params.SubscriptionIds
        ]

    async def delete_subscriptions(self, ids: list[int]) -> list[ua.StatusCode]:
        return [
            (await self.subscription_service.delete_subscriptions([number]))[0]
            if self._is_own(number)
            else ua.StatusCode(_Codes.BadSubscriptionIdInvalid)
            for number in ids
        ]

    async def transfer_subscriptions(
        self, params: ua.TransferSubscriptionsParameters, callback: Callable[..., Any]
    ) -> list[ua.TransferResult]:
        """Refuse to take over subscriptions: those of a session that has ended are gone, all others are in use."""
        code = ua.StatusCode(_Codes.BadSubscriptionIdInvalid)
        return [ua.TransferResult(StatusCode=code) for _ in params.SubscriptionIds]

    def publish(self, acks: Any = None) -> tuple[int, list[ua.StatusCode]]:
        own = self.subscriptions()
        if not own:
            raise ServiceError(_Codes.BadNoSubscription)
        if len(acks or ()) > self._common.limits.operations:
            raise ServiceError(_Codes.BadTooManyOperations)
        by_id = {one.data.SubscriptionId: one for one in own}
        results = []
        for ack in acks or []:
            found = by_id.get(ack.SubscriptionId)
            if found is not None:
                found.publish([ack.SequenceNumber])
            results.append(_GOOD if found else _NO_SUBSCRIPTION)
        return len(own), results

    def republish(self, params: ua.RepublishParameters) -> ua.NotificationMessage:
        found = self._own(params).republish(params.RetransmitSequenceNumber)
        if found is None:
            raise ServiceError(_Codes.BadMessageNotAvailable)
        return found

    # --- monitored items

    async def create_monitored_items(
        self, params: ua.CreateMonitoredItemsParameters
    ) -> list[ua.MonitoredItemCreateResult]:
        self._own(params)
        asked, most, room = params.ItemsToCreate, self._common.limits.monitored_items, self.room
        await self._settled(lambda: room.items + room.coming + len(asked) <= most and room.has(len(asked) * ITEM))
        if room.items + room.coming + len(asked) > most:
            self._common.hits.add("monitored_items")
            raise ServiceError(_Codes.BadTooManyMonitoredItems)
        go_on = self.subscription_service.create_monitored_items
        left = len(asked)

        async def some(items: list[ua.MonitoredItemCreateRequest]) -> list[ua.MonitoredItemCreateResult]:
            part = ua.CreateMonitoredItemsParameters(params.SubscriptionId, params.TimestampsToReturn, items)
            nonlocal left
            made = await self._common.space.create_monitored_items(self.caller, part, go_on)
            left -= len(items)
            room.coming -= len(items)
            return made

        room.coming += len(asked)
        try:
            return await self._turns.answer(asked, some)
        finally:
            room.coming -= left

    async def modify_monitored_items(
        self, params: ua.ModifyMonitoredItemsParameters
    ) -> list[ua.MonitoredItemModifyResult]:
        self._own(params)

        async def go_on(asked: ua.ModifyMonitoredItemsParameters) -> Any:
            return self.subscription_service.modify_monitored_items(asked)

        async def some(items: list[ua.MonitoredItemModifyRequest]) -> list[ua.MonitoredItemModifyResult]:
            part = ua.ModifyMonitoredItemsParameters(params.SubscriptionId, params.TimestampsToReturn, items)
            return await self._common.space.modify_monitored_items(self.caller, part, go_on)

        return await self._turns.answer(params.ItemsToModify, some)

    async def set_monitoring_mode(self, params: ua.SetMonitoringModeParameters) -> list[ua.StatusCode]:
        self._own(params)

        async def some(ids: list[int]) -> list[ua.StatusCode]:
            part = ua.SetMonitoringModeParameters(params.SubscriptionId, params.MonitoringMode, ids)
            return list(await self.subscription_service.set_monitoring_mode(part))

        return await self._turns.answer(params.MonitoredItemIds, some)

    async def delete_monitored_items(self, params: ua.DeleteMonitoredItemsParameters) -> list[ua.StatusCode]:
        self._own(params)

        async def some(ids: list[int]) -> list[ua.StatusCode]:
            part = ua.DeleteMonitoredItemsParameters(params.SubscriptionId, ids)
            return list(self.subscription_service.delete_monitored_items(part))

        return await self._turns.answer(params.MonitoredItemIds, some)

    # ---

    def _own(self, params: Any) -> Subscription:
        return self.subscription_service.own(params.SubscriptionId, self.session_id)

    def _is_own(self, number: int) -> bool:
        found = self.subscription_service.subscriptions.get(number)
        return found is not None and found.session_id == self.session_id

    async def _settled(self, has_room: Callable[[], bool]) -> None:
        """Wait for room while that of subscriptions which are over is about to be free."""
        while self.room.over and not has_room():  # noqa: ASYNC110
            await asyncio.sleep(0)
        if self.state is SessionState.Closed:
            raise ServiceError(_Codes.BadSessionClosed)


def _one(params: ua.SetPublishingModeParameters, number: int) -> ua.SetPublishingModeParameters:
    return ua.SetPublishingModeParameters(PublishingEnabled=params.PublishingEnabled, SubscriptionIds=[number])
