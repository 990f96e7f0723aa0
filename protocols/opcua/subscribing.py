"""What a session monitors: its own subscriptions, and those of nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.internal_session import InternalSession

from protocols.opcua.common import Common
from protocols.opcua.space import Caller
from protocols.opcua.subscriptions import Subscription, Subscriptions
from protocols.opcua.turns import Turns

_Codes = ua.StatusCodes


class Subscribing(InternalSession):
    """The services for subscriptions and monitored items (OPC 10000-4, sections 5.13 and 5.14)."""

    subscription_service: Subscriptions
    caller: Caller
    _common: Common
    _turns: Turns
    _creating: int  # monitored items, in the request that is under way

    def subscriptions(self) -> list[Subscription]:
        """Return the session's own subscriptions."""
        return self.subscription_service.of([self.session_id])

    async def create_subscription(
        self, params: ua.CreateSubscriptionParameters, callback: Any, request_callback: Any = None
    ) -> ua.CreateSubscriptionResult:
        limits = self._common.limits
        too_many = len(self._of_integration()) >= limits.subscriptions
        if too_many or len(self.subscriptions()) >= limits.session_subscriptions:
            self._common.hits.add("subscriptions")
            raise ServiceError(_Codes.BadTooManySubscriptions)
        return await super().create_subscription(params, callback, request_callback)

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
        by_id = {one.data.SubscriptionId: one for one in own}
        results = []
        for ack in acks or []:
            found = by_id.get(ack.SubscriptionId)
            if found is not None:
                found.publish([ack.SequenceNumber])
            results.append(ua.StatusCode(_Codes.Good if found else _Codes.BadSubscriptionIdInvalid))
        return len(own), results

    def republish(self, params: ua.RepublishParameters) -> ua.NotificationMessage:
        found = self._own(params)._not_acknowledged_results.get(params.RetransmitSequenceNumber)
        if found is None:
            raise ServiceError(_Codes.BadMessageNotAvailable)
        return found.NotificationMessage

    # --- monitored items

    async def create_monitored_items(
        self, params: ua.CreateMonitoredItemsParameters
    ) -> list[ua.MonitoredItemCreateResult]:
        self._own(params)
        asked = params.ItemsToCreate
        if self._item_count() + len(asked) > self._common.limits.monitored_items:
            self._common.hits.add("monitored_items")
            raise ServiceError(_Codes.BadTooManyMonitoredItems)
        go_on = self.subscription_service.create_monitored_items

        async def some(items: list[ua.MonitoredItemCreateRequest]) -> list[ua.MonitoredItemCreateResult]:
            part = ua.CreateMonitoredItemsParameters(params.SubscriptionId, params.TimestampsToReturn, items)
            made = await self._common.space.create_monitored_items(self.caller, part, go_on)
            self._creating -= len(items)
            return made

        self._creating = len(asked)
        try:
            return await self._turns.answer(asked, some)
        finally:
            self._creating = 0

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

    def _of_integration(self) -> list[Subscription]:
        """Return the subscriptions of all sessions of the integration."""
        sessions = self._common.sessions.get(self.caller.grant.integration_id, ())
        return self.subscription_service.of(one.session_id for one in sessions)

    def _item_count(self) -> int:
        """Return how many items the integration has, and is about to have."""
        sessions = self._common.sessions.get(self.caller.grant.integration_id, ())
        return sum(one.item_count for one in self._of_integration()) + sum(one._creating for one in sessions)


def _one(params: ua.SetPublishingModeParameters, number: int) -> ua.SetPublishingModeParameters:
    return ua.SetPublishingModeParameters(PublishingEnabled=params.PublishingEnabled, SubscriptionIds=[number])
