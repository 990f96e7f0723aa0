"""One session: asyncua's own, which asks the space before it touches a node, and knows its own subscriptions only.

A session ends with its connection.  What stock asyncua keeps for a client that may come back (OPC 10000-4, section 6.7)
would be online without anybody there, out of reach of who kicks, and worth stealing; clients that lose their connection
make a new session, as they have to after a restart of the server.
"""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Any

from asyncua import ua
from asyncua.common.utils import ServiceError, create_nonce
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.internal_session import SessionState
from asyncua.ua.ua_binary import nodeid_to_binary
from cryptography.hazmat.primitives.asymmetric import rsa

from protocols.contract import Grant
from protocols.opcua import standard
from protocols.opcua.browsing import Pages
from protocols.opcua.common import Common
from protocols.opcua.space import NOT_PERMITTED, Caller
from protocols.opcua.subscribing import Subscribing
from protocols.opcua.turns import Turns
from protocols.opcua.weight import weigh

if TYPE_CHECKING:
    from protocols.opcua.core import Core

_Codes = ua.StatusCodes
_VALUE = ua.AttributeIds.Value
_USER = User(role=UserRole.User)
_ADMIN = User(role=UserRole.Admin)
_NAME = 500  # characters of what a client calls itself


class Session(Subscribing):
    """A session of a client, from CreateSession on; `caller` and `room` are there from ActivateSession on."""

    iserver: Core

    def __init__(self, core: Core, common: Common, key: rsa.RSAPrivateKey, name: str) -> None:
        super().__init__(core, core.aspace, core.subscription_service, name)
        self.external = True
        # Whoever knows the token can act as the session, so that it must not be guessed.
        self.auth_token = ua.NodeId(os.urandom(32), 0, ua.NodeIdType.ByteString)
        self.encoded_token: bytes = nodeid_to_binary(self.auth_token)
        self.session_id = ua.NodeId(uuid.uuid4(), 1, ua.NodeIdType.Guid)
        self.key = key
        self.application_name = self.application_uri = ""
        self.presence_id = ""
        self._common = common
        self._turns = Turns(lambda: self.is_closed)

    @property
    def client_id(self) -> str:
        return self.application_name or self.application_uri

    @property
    def is_closed(self) -> bool:
        return bool(self.state == SessionState.Closed)

    async def create_session(self, params: ua.CreateSessionParameters, sockname: Any = None) -> ua.CreateSessionResult:
        """Answer CreateSession."""
        client = params.ClientDescription
        self.application_name = ((client.ApplicationName.Text if client.ApplicationName else None) or "")[:_NAME]
        self.application_uri = (client.ApplicationUri or "")[:_NAME]
        if not params.RequestedSessionTimeout > 0:  # none, or not a number
            params.RequestedSessionTimeout = self.iserver.max_session_timeout_ms
        result = await super().create_session(params, sockname)
        result.MaxRequestMessageSize = self._common.limits.max_message
        return result

    def renew_nonce(self) -> None:
        """Make what was encrypted for this login worthless for the next."""
        self.nonce = create_nonce(32)

    def begin(self, grant: Grant, presence_id: str, address: str) -> None:
        """Take up a session whose login is accepted."""
        self.state = SessionState.Activated
        self.caller = Caller(grant, self.client_id, address, self._turns.give)
        self.presence_id = presence_id
        self.room = self._common.rooms.of(grant.integration_id)
        self._pages = Pages(self._common.limits, self._turns, self.room)

    def end(self, reason: str) -> None:
        """End the session, with all that it has, now."""
        was_activated = self.is_activated()
        self.state = SessionState.Closed
        self.subscription_service.drop(self.session_id)
        if was_activated:
            self._pages.forget()
            self._common.leave(self)
            self._common.presence.disconnected(self.presence_id, reason)

    def revoke(self) -> None:
        """End what is monitored, or waits to be told of, and may not be read any more."""
        self._pages.forget()
        for subscription in self.subscriptions():
            items = subscription.monitored_item_srv
            for mid, node_id in items.node_ids():
                if not self._common.space.may_read(self.caller, node_id):
                    items.revoke(mid)

    # --- nodes

    async def read(self, params: ua.ReadParameters) -> list[ua.DataValue]:
        async def go_on(asked: ua.ReadParameters) -> Any:
            return standard.read(self.iserver.attribute_service, asked)

        size = 0

        async def some(asked: list[ua.ReadValueId]) -> list[ua.DataValue]:
            nonlocal size
            part = ua.ReadParameters(params.MaxAge, params.TimestampsToReturn, asked)
            found = await self._common.space.read(self.caller, part, go_on)
            self.caller.values_read += sum(one.AttributeId == _VALUE for one in asked)
            size += weigh(found)
            self._check_size(size)
            return found

        return await self._turns.answer(params.NodesToRead, some)

    async def write(self, params: ua.WriteParameters) -> list[ua.StatusCode]:
        async def go_on(asked: ua.WriteParameters) -> Any:
            return await self.iserver.attribute_service.write(asked, user=_USER)

        self.caller.values_written += sum(one.AttributeId == _VALUE for one in params.NodesToWrite)

        async def some(asked: list[ua.WriteValue]) -> list[ua.StatusCode]:
            return await self._common.space.write(self.caller, ua.WriteParameters(asked), go_on)

        return await self._turns.answer(params.NodesToWrite, some)

    async def browse(self, params: ua.BrowseParameters) -> list[ua.BrowseResult]:
        async def go_on(asked: ua.BrowseParameters) -> Any:
            return self.iserver.view_service.browse(asked)

        async def whole(asked: ua.BrowseParameters) -> list[ua.BrowseResult]:
            return await self._common.space.browse(self.caller, asked, go_on)

        return await self._pages.browse(params, whole)

    async def browse_next(self, parameters: ua.BrowseNextParameters) -> list[ua.BrowseResult]:
        return await self._pages.next(parameters)

    async def translate_browsepaths_to_nodeids(self, params: list[ua.BrowsePath]) -> list[ua.BrowsePathResult]:
        async def go_on(asked: list[ua.BrowsePath]) -> Any:
            return self.iserver.view_service.translate_browsepaths_to_nodeids(asked)

        async def some(asked: list[ua.BrowsePath]) -> list[ua.BrowsePathResult]:
            if len(asked[0].RelativePath.Elements or ()) > self._common.limits.path_elements:
                return [ua.BrowsePathResult(ua.StatusCode(_Codes.BadQueryTooComplex))]
            return await self._common.space.translate_browsepaths(self.caller, asked, go_on)

        return await self._turns.answer(params, some, step=1)

    async def add_nodes(self, params: list[ua.AddNodesItem]) -> list[ua.AddNodesResult]:
        async def go_on(asked: list[ua.AddNodesItem]) -> Any:
            return self.iserver.node_mgt_service.add_nodes(asked, _ADMIN)

        async def some(asked: list[ua.AddNodesItem]) -> list[ua.AddNodesResult]:
            return await self._common.space.add_nodes(self.caller, asked, go_on)

        return await self._turns.answer(params, some)

    async def delete_nodes(self, params: ua.DeleteNodesParameters) -> list[ua.StatusCode]:
        async def go_on(asked: ua.DeleteNodesParameters) -> Any:
            return self.iserver.node_mgt_service.delete_nodes(asked, _ADMIN)

        async def some(asked: list[ua.DeleteNodesItem]) -> list[ua.StatusCode]:
            return await self._common.space.delete_nodes(self.caller, ua.DeleteNodesParameters(asked), go_on)

        return await self._turns.answer(params.NodesToDelete, some, step=1)

    async def add_references(self, params: list[ua.AddReferencesItem]) -> list[ua.StatusCode]:
        return [NOT_PERMITTED for _ in params]

    async def delete_references(self, params: list[ua.DeleteReferencesItem]) -> list[ua.StatusCode]:
        return [NOT_PERMITTED for _ in params]

    async def call(self, params: list[ua.CallMethodRequest]) -> list[ua.CallMethodResult]:
        async def some(asked: list[ua.CallMethodRequest]) -> list[ua.CallMethodResult]:
            return await self._common.space.call(self.caller, asked, self.iserver.method_service.call)

        return await self._turns.answer(params, some)

    async def history_read(self, params: ua.HistoryReadParameters) -> list[ua.HistoryReadResult]:
        go_on = self.iserver.history_manager.read_history
        results = await self._common.space.history_read(self.caller, params, go_on)
        self._check_size(sum(weigh(getattr(one.HistoryData, "DataValues", None) or ()) for one in results))
        return results

    # ---

    def _check_size(self, size: int) -> None:
        """Refuse to encode what is too large to be sent."""
        if size > self._common.limits.max_message:
            raise ServiceError(_Codes.BadResponseTooLarge)
