"""One connection without its socket, as far as any client comes: frames in, messages out.

asyncua's processor, of which little is used; what is served, when, and to whom is decided by
`protocols.opcua.processor`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from asyncua import ua
from asyncua.common.connection import TransportLimits
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary

from protocols.opcua import door
from protocols.opcua.certificate import ServerCertificate
from protocols.opcua.channel import Channel
from protocols.opcua.common import Common
from protocols.opcua.core import Core
from protocols.opcua.decoding import Bounded
from protocols.opcua.endpoints import policies
from protocols.opcua.errors import FrameError, fault
from protocols.opcua.frames import CLOSE, HELLO, OPEN, Frame
from protocols.opcua.limits import MIB
from protocols.opcua.session import Session
from protocols.opcua.weight import weigh_answer
from protocols.tally import Counts

_Codes = ua.StatusCodes


class Link(UaProcessor, ABC):
    """Takes the frames of one client in, one by one."""

    session: Session | None
    _connection: Channel

    def __init__(self, core: Core, common: Common, own: ServerCertificate, transport: Any, address: str) -> None:
        limits = common.limits
        chunks = limits.max_chunks * max(limits.max_message // (2 * MIB), 1)
        wire = TransportLimits(limits.max_chunk, limits.max_chunk, chunks, limits.max_message)
        super().__init__(core, transport, wire)
        self._connection = self.channel = Channel(policies(own), self._limits, limits)
        self._core = core
        self._common = common
        self._own = own
        self._address = address
        self._first_requests = 0
        self.counts = Counts()

    @property
    def is_in(self) -> bool:
        """Tell whether the client has logged in."""
        return self.session is not None and self.session.is_activated()

    async def take(self, frame: Frame) -> bool:
        """Take one frame; return whether more may come.  Raises FrameError, and Refused once the client is told so."""
        if frame.kind == HELLO:
            self._transport.write(door.greet(frame, self._limits))
            return True
        message = self.channel.receive(frame)
        if frame.kind == CLOSE:
            return False
        if not self.is_in:
            self._check_first(is_whole=message is not None)
        if message is None:
            return True
        body = bytes(message.body())
        if frame.kind == OPEN:
            self._open(message, self._bounded(body))
        else:
            await self._serve(message.SequenceHeader(), body)
        return True

    @abstractmethod
    async def _serve(self, sequence: ua.SequenceHeader, data: bytes) -> None:
        """Answer one request."""

    def _bounded(self, body: bytes) -> Bounded:
        return Bounded(body, self._common.limits.elements)

    # --- what is sent

    def send_response(
        self,
        requesthandle: int,
        seqhdr: ua.SequenceHeader,
        response: Any,
        msgtype: bytes = ua.MessageType.SecureMessage,
    ) -> None:
        """Send an answer that is short."""
        response.ResponseHeader.RequestHandle = requesthandle
        self._send(seqhdr, struct_to_binary(response), msgtype)

    async def _respond(self, handle: int, sequence: ua.SequenceHeader, response: Any) -> None:
        """Send an answer that the client can take, or tell it that there is none."""
        response.ResponseHeader.RequestHandle = handle
        size = weigh_answer(response)
        self._send(sequence, await self._encoded(handle, size, lambda: bytes(struct_to_binary(response))))

    def _send(self, seqhdr: ua.SequenceHeader, body: bytes, msgtype: bytes = ua.MessageType.SecureMessage) -> None:
        if self._transport.is_closing():
            return
        data = self.channel.message_to_binary(body, message_type=msgtype, request_id=seqhdr.RequestId)
        self.counts.messages_out += 1
        self.counts.bytes_out += len(data)
        self._transport.write(data)

    async def _encoded(self, handle: int, size: int, encode: Callable[[], bytes]) -> bytes:
        """Return the bytes of an answer of about this size, or those of what stands for it."""
        try:
            body = await self._common.aside.do(size, encode)
        except Exception as error:
            # A value that cannot be encoded, whoever wrote it, must not end the subscriptions of those who monitor it.
            self._common.journal.fail(self._address, error)
            return bytes(struct_to_binary(fault(handle, _Codes.BadEncodingError)))
        if 0 < self._limits.max_message_size < len(body):
            self._common.hits.counts["max_message"] += len(body) > self._common.limits.max_message
            return bytes(struct_to_binary(fault(handle, _Codes.BadResponseTooLarge)))
        return body

    # --- the channel

    def _open(self, message: ua.Message, body: Bounded) -> None:
        """Answer OPN."""
        is_new = not self.channel.is_open()
        try:
            request = struct_from_binary(ua.OpenSecureChannelRequest, body)
        except Exception as error:
            raise FrameError(_Codes.BadDecodingError, f"an OPN that fails: {type(error).__name__}") from None
        if is_new:
            header = message.SecurityHeader()
            self.channel.select_policy(
                header.SecurityPolicyURI, header.SenderCertificate, request.Parameters.SecurityMode
            )
        response = ua.OpenSecureChannelResponse(Parameters=self.channel.open(request.Parameters, self._core))
        if is_new:
            door.check_trust(self._common, self.channel, self._address)
        self.send_response(
            request.RequestHeader.RequestHandle, message.SequenceHeader(), response, ua.MessageType.SecureOpen
        )

    def _check_first(self, *, is_whole: bool) -> None:
        """Bound what is done for somebody who has not logged in."""
        limits = self._common.limits
        self._first_requests += is_whole
        if self._first_requests > limits.first_requests:
            raise FrameError(_Codes.BadTcpNotEnoughResources, "too many requests without a login", "first_requests")
        if self.channel.unfinished > limits.max_first_message:
            raise FrameError(_Codes.BadTcpMessageTooLarge, "a large message before the login", "max_first_message")
