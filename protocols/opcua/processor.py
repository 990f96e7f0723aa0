"""What the client of one connection asks for, and what it is answered.  Frames and channel: `protocols.opcua.link`."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary

from protocols.opcua import door, login, quick
from protocols.opcua.certificate import ServerCertificate
from protocols.opcua.common import Common
from protocols.opcua.core import Core
from protocols.opcua.decoding import Bounded, decoded
from protocols.opcua.errors import FrameError, Refused, fault
from protocols.opcua.frames import MESSAGE, Frame
from protocols.opcua.link import Link
from protocols.opcua.parked import Parked, ParkedRequests
from protocols.opcua.services import SERVICES
from protocols.opcua.session import Session
from protocols.opcua.weight import weigh
from protocols.tally import Counts

_Codes = ua.StatusCodes
_Ids = ua.ObjectIds
_PLAIN_BODY = 24  # where it starts in a message that nothing secures


class Processor(Link):
    """Answers what one client asks for, one request after the other."""

    def __init__(self, core: Core, common: Common, own: ServerCertificate, transport: Any, address: str) -> None:
        super().__init__(core, common, own, transport, address)
        self._reported = Counts()
        self._refused: Refused | None = None
        self._parked = ParkedRequests(self._refuse_publish)
        self._publishing = asyncio.Lock()
        self.is_logging_in = False
        self.active_at = common.now()  # by the loop's time

    def is_quick(self, frame: Frame) -> bool:
        """Tell whether a frame is a whole Read or Write that can be answered at once, unless the space waits."""
        return (
            frame.kind == MESSAGE
            and frame.data[_PLAIN_BODY : _PLAIN_BODY + 4] in quick.KINDS
            and self.is_in
            and not self.channel.is_secured
        )

    # --- requests

    async def _serve(self, sequence: ua.SequenceHeader, data: bytes) -> None:
        """Answer one request, with a ServiceFault if need be."""
        self.counts.messages_in += 1
        self.active_at = self._common.now()
        try:
            known = self._known(data)
            if known is not None:
                handle, answer = known[1].handle, self._answer_known(*known)
            else:
                body = self._bounded(data)
                number, header = await self._common.aside.do(len(data), lambda: _head(body))
                handle, answer = header.RequestHandle, self._answer(number, header, sequence, body)
        except Exception as error:
            raise FrameError(_Codes.BadDecodingError, f"a request that fails: {type(error).__name__}") from None
        try:
            response = await answer
        except Refused as refused:
            response = fault(handle, refused.code)
            self.send_response(handle, sequence, response)
            raise
        except (ServiceError, ua.uaerrors.UaStatusCodeError) as error:
            if error.code == _Codes.BadResponseTooLarge:
                self._common.hits.add("max_message")
            response = fault(handle, error.code)
        except Exception as error:
            # Of ours or of asyncua; the client is told, and goes on.
            self._common.journal.fail(self._address, error)
            response = fault(handle, _Codes.BadInternalError)
        if isinstance(response, bytes):
            self._send(sequence, response)
        elif response is not None:
            await self._respond(handle, sequence, response)

    def _known(self, data: bytes) -> tuple[Session, quick.Request] | None:
        """Return a Read or a Write that need not go through asyncua's codec."""
        session = self.session
        if session is None or not session.is_activated() or self._refused is not None:
            return None
        request = quick.decode(data, session.encoded_token)
        return (session, request) if request is not None else None

    async def _answer_known(self, session: Session, request: quick.Request) -> bytes:
        handle = request.handle
        if request.writes is not None:
            self._check_operations(request.writes.NodesToWrite)
            return quick.answer_write(handle, await session.write(request.writes), self._common.clock())
        self._check_operations(request.reads.NodesToRead)
        values = await session.read(request.reads)
        now = self._common.clock()
        return await self._encoded(handle, weigh(values), lambda: quick.answer_read(handle, values, now))

    async def _answer(
        self, number: ua.NodeId, header: ua.RequestHeader, sequence: ua.SequenceHeader, body: Bounded
    ) -> Any:
        if self._refused is not None:
            raise ServiceError(self._refused.code)
        kind: Any = number.Identifier if number.NamespaceIndex == 0 else None
        if kind in _BEFORE_LOGIN:
            return await self._answer_first(kind, header, body)
        session = self._session(header)
        if not session.is_activated():
            raise ServiceError(_Codes.BadSessionNotActivated)
        if kind == _Ids.PublishRequest_Encoding_DefaultBinary:
            return await self._publish(session, header, sequence, body)
        if kind == _Ids.CreateSubscriptionRequest_Encoding_DefaultBinary:
            params = await self._decoded(ua.CreateSubscriptionParameters, body)
            result = await session.create_subscription(params, self.forward_publish_response, self.get_publish_request)
            return ua.CreateSubscriptionResponse(Parameters=result)
        if kind == _Ids.TransferSubscriptionsRequest_Encoding_DefaultBinary:
            params = await self._decoded(ua.TransferSubscriptionsParameters, body)
            results = await session.transfer_subscriptions(params, self.forward_publish_response)
            return ua.TransferSubscriptionsResponse(Parameters=ua.TransferSubscriptionsResult(Results=results))
        service = SERVICES.get(kind)
        if service is None:
            raise ServiceError(_Codes.BadServiceUnsupported)
        params = await self._decoded(service.parameters, body)
        if service.operations:
            self._check_operations(getattr(params, service.operations))
        return await service.answer(session, params)

    async def _decoded(self, kind: Any, body: Bounded) -> Any:
        return await self._common.aside.do(len(body), lambda: decoded(kind, body))

    def _check_operations(self, operations: list[Any] | None) -> None:
        if not operations:
            raise ServiceError(_Codes.BadNothingToDo)
        if len(operations) > self._common.limits.operations:
            raise ServiceError(_Codes.BadTooManyOperations)

    def _session(self, header: ua.RequestHeader) -> Session:
        """Return this channel's session, if the request names it: there is no way to the session of another."""
        if self.session is None or header.AuthenticationToken != self.session.auth_token:
            raise ServiceError(_Codes.BadSessionIdInvalid)
        return self.session

    # --- before the login

    async def _answer_first(self, kind: int, header: ua.RequestHeader, body: Bounded) -> Any:
        if kind == _Ids.GetEndpointsRequest_Encoding_DefaultBinary:
            params = await self._decoded(ua.GetEndpointsParameters, body)
            return ua.GetEndpointsResponse(Endpoints=await self._core.get_endpoints(params, self.sockname))
        if kind == _Ids.FindServersRequest_Encoding_DefaultBinary:
            params = await self._decoded(ua.FindServersParameters, body)
            return ua.FindServersResponse(Servers=self._core.find_servers(params, sockname=self.sockname))
        if kind == _Ids.CreateSessionRequest_Encoding_DefaultBinary:
            return await self._create_session(await self._decoded(ua.CreateSessionParameters, body))
        session = self._session(header)
        if kind == _Ids.CloseSessionRequest_Encoding_DefaultBinary:
            self.end("session closed by the client")
            return ua.CloseSessionResponse()
        params = await self._decoded(ua.ActivateSessionParameters, body)
        return await self._activate(session, params)

    async def _create_session(self, params: ua.CreateSessionParameters) -> ua.CreateSessionResponse:
        """Answer CreateSession, and prove that we have the key of our certificate (OPC 10000-4, section 5.7.2)."""
        if self.session is not None:
            raise ServiceError(_Codes.BadTooManySessions)
        door.check_create(self._common, self.channel, params)
        session = Session(self._core, self._common, self._own.key, str(self.name))
        result = await session.create_session(params, sockname=self.sockname)
        policy = self.channel.security_policy
        result.ServerCertificate = policy.host_certificate
        signed = (policy.peer_certificate or b"") + (params.ClientNonce or b"")
        result.ServerSignature.Signature = policy.asymmetric_cryptography.signature(signed)
        result.ServerSignature.Algorithm = policy.AsymmetricSignatureURI
        self.session = session
        return ua.CreateSessionResponse(Parameters=result)

    async def _activate(self, session: Session, params: ua.ActivateSessionParameters) -> ua.ActivateSessionResponse:
        self.is_logging_in = True
        try:
            result = await login.activate(self._common, session, self.channel, self._address, params)
        finally:
            self.is_logging_in = False
        return ua.ActivateSessionResponse(Parameters=result)

    # --- publishing

    async def _publish(
        self, session: Session, header: ua.RequestHeader, sequence: ua.SequenceHeader, body: Bounded
    ) -> None:
        """Answer with what a subscription waits to send, or keep the request until there is something."""
        params = await self._decoded(ua.PublishParameters, body)
        count, results = session.publish(params.SubscriptionAcknowledgements)
        expires = self._common.now() + header.TimeoutHint / 1_000 if header.TimeoutHint else math.inf
        request = Parked(header.RequestHandle, sequence, results, expires)
        while self._publish_results_subs:
            number = next(iter(self._publish_results_subs))
            del self._publish_results_subs[number]
            subscription = session.subscription_service.subscriptions.get(number)
            if subscription is not None and await subscription.publish_results(request):
                if subscription.waits:
                    self._publish_results_subs[number] = True
                return
        if session.is_closed:
            raise ServiceError(_Codes.BadSessionClosed)
        self._parked.park(request, session.room, self.publish_request_limit(count), self._common.now())

    def get_publish_request(self, subscription_id: int) -> Parked | None:
        """Return a request to answer, if the client has made one and takes its answers; else it is for the next."""
        is_read = self._transport.get_write_buffer_size() < self._limits.max_recv_buffer
        request = self._parked.take(self._common.now()) if is_read else None
        if request is None:
            self._publish_results_subs[subscription_id] = True
        return request

    async def forward_publish_response(self, result: ua.PublishResult, requestdata: Parked) -> None:
        """Send what a subscription has, and count its values as read."""
        if self.session is not None and self.session.is_activated():
            for part in result.NotificationMessage.NotificationData:
                self.session.caller.values_read += len(getattr(part, "MonitoredItems", ()))
        result.Results = requestdata.results
        async with self._publishing:  # no answer passes one that takes longer
            await self._respond(requestdata.handle, requestdata.sequence, ua.PublishResponse(Parameters=result))

    def _refuse_publish(self, request: Parked, code: int) -> None:
        self.send_response(request.handle, request.sequence, fault(request.handle, code))

    def report(self) -> None:
        """Add what was sent and got since the last report to the integration's traffic."""
        if self.session is not None and self.is_in:
            before, self._reported = self._reported, self.counts.copy()
            self._common.tally.add(self.session.caller.grant.integration_id, self.counts.since(before))

    def refuse(self, refused: Refused) -> None:
        """End the session, and refuse from now on whatever is asked for: one connection is one login try."""
        self._refused = refused
        self.end(str(refused))

    def end(self, reason: str) -> None:
        """End the session, if there is one; another may be created."""
        self.report()
        session, self.session = self.session, None
        self._parked.clear()
        self._publish_results_subs.clear()
        if session is not None:
            session.end(reason)


def _head(body: Bounded) -> tuple[ua.NodeId, ua.RequestHeader]:
    return nodeid_from_binary(body), struct_from_binary(ua.RequestHeader, body)


_BEFORE_LOGIN = frozenset(
    {
        _Ids.GetEndpointsRequest_Encoding_DefaultBinary,
        _Ids.FindServersRequest_Encoding_DefaultBinary,
        _Ids.CreateSessionRequest_Encoding_DefaultBinary,
        _Ids.ActivateSessionRequest_Encoding_DefaultBinary,
        _Ids.CloseSessionRequest_Encoding_DefaultBinary,
    }
)
