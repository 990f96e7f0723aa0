"""One secure channel (OPC 10000-6, section 6.7): asyncua's own, with what it lets pass refused."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from asyncua import ua
from asyncua.common.connection import SecureConnection, TransportLimits
from asyncua.crypto.security_policies import SecurityPolicyFactory, SecurityPolicyNone
from asyncua.crypto.uacrypto import x509_from_der
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from protocols.opcua.decoding import Bounded
from protocols.opcua.errors import FrameError
from protocols.opcua.frames import MESSAGE, OPEN, Frame
from protocols.opcua.limits import Limits

_Codes = ua.StatusCodes
_KEY_BITS = range(2_048, 4_096 + 1)  # of all three policies
_PLAIN = struct.Struct("<4sIIIII")  # type, size, channel, token, sequence number, request id
_LAST_NUMBER = (1 << 32) - 2_048  # of a message, before asyncua lets the numbers begin anew


class PlainMessage:
    """A message in one chunk that nothing secures; as asyncua's Message."""

    __slots__ = ("_body", "_sequence")

    def __init__(self, body: bytes, sequence: ua.SequenceHeader) -> None:
        self._body = body
        self._sequence = sequence

    def body(self) -> bytes:
        return self._body

    def SequenceHeader(self) -> ua.SequenceHeader:  # asyncua's name
        return self._sequence


class Channel(SecureConnection):
    """Takes frames in, and gives messages out; whatever is wrong with one ends the connection."""

    _sequence_number: int
    _peer_sequence_number: int | None

    def __init__(self, policies: Sequence[SecurityPolicyFactory], wire: TransportLimits, limits: Limits) -> None:
        super().__init__(SecurityPolicyNone(), wire)
        self.set_policy_factories(list(policies))
        self._bounds = limits
        self.certificate: x509.Certificate | None = None  # the client's, on a secured channel

    @property
    def mode(self) -> ua.MessageSecurityMode:
        return self.security_policy.Mode

    @property
    def policy(self) -> str:
        """The policy's name, spelled as on every page: the URIs of some have underscores in it."""
        return str(self.security_policy.URI).rpartition("#")[2].replace("_", "")

    @property
    def is_secured(self) -> bool:
        return bool(self.mode != ua.MessageSecurityMode.None_)

    @property
    def is_encrypted(self) -> bool:
        return bool(self.mode == ua.MessageSecurityMode.SignAndEncrypt)

    @property
    def unfinished(self) -> int:
        """Bytes of a message that has arrived in part."""
        return int(self._incoming_size)

    def forget(self) -> None:
        """Let go of what has arrived in part."""
        self._drop_incoming_parts()

    def receive(self, frame: Frame) -> ua.Message | PlainMessage | None:
        """Return the message that a frame completes.  Raises FrameError."""
        if frame.kind == MESSAGE and frame.chunk == b"F" and self._open and not self.is_secured:
            message = self._received_plain(frame.data)
            if message is not None:
                return message
        if frame.kind != OPEN and not self.is_open():
            raise FrameError(_Codes.BadTcpSecureChannelUnknown, f"{frame.kind.decode()} before a secure channel")
        header = ua.Header(frame.kind, frame.chunk, frame.channel_id)
        header.header_size, header.packet_size = frame.header_size, len(frame.data)
        header.body_size = header.packet_size - header.header_size
        try:
            buffer = Bounded(frame.data, self._bounds.elements, frame.header_size)
            message = self.receive_from_header_and_body(header, buffer)
        except FrameError:
            raise
        except ua.uaerrors.UaStatusCodeError as error:
            raise FrameError(error.code, "a message that is too large", "max_message") from None
        except Exception as error:
            # asyncua raises all kinds of errors here, and in stock goes on: an oracle for who tries out signatures.
            raise FrameError(_Codes.BadSecurityChecksFailed, f"a chunk that fails: {type(error).__name__}") from None
        return message

    def _received_plain(self, data: bytes) -> PlainMessage | None:
        """Return a message that came in order and in one chunk; None for what asyncua is to look at."""
        _, _, channel_id, token_id, number, request_id = _PLAIN.unpack_from(data)
        token = self.security_token
        if (
            self._incoming_parts
            or (channel_id, token_id) != (token.ChannelId, token.TokenId)
            or number != (self._peer_sequence_number or -1) + 1
            or len(data) > self._limits.max_recv_buffer
            or not self._limits.is_msg_size_within_limit(len(data) - _PLAIN.size)
        ):
            return None
        self._peer_sequence_number = number
        return PlainMessage(data[_PLAIN.size :], ua.SequenceHeader(number, request_id))

    def message_to_binary(
        self, message: bytes, message_type: ua.MessageType = ua.MessageType.SecureMessage, request_id: int = 0
    ) -> bytes:
        """Return the bytes of a message that is sent."""
        number, size = self._sequence_number + 1, _PLAIN.size + len(message)
        is_plain = message_type == ua.MessageType.SecureMessage and not self.is_secured
        if not is_plain or size > self._limits.max_send_buffer or number > _LAST_NUMBER:
            return bytes(super().message_to_binary(message, message_type, request_id))
        self._sequence_number = number
        token = self.security_token
        return _PLAIN.pack(b"MSGF", size, token.ChannelId, token.TokenId, number, request_id) + message

    def select_policy(
        self, uri: str, peer_certificate: bytes | None, mode: ua.MessageSecurityMode | None = None
    ) -> None:
        """Use one of the policies that are offered, and no other."""
        factory = next((policy for policy in self._policies if policy.matches(uri, mode)), None)
        if factory is None:
            known = f" in mode {mode.name}" if mode is not None else ""
            raise FrameError(_Codes.BadSecurityPolicyRejected, f"security policy {uri!r}{known} is not offered")
        if uri != SecurityPolicyNone.URI:
            self.certificate = _checked(peer_certificate)
        self.security_policy = factory.create(peer_certificate if self.certificate is not None else None)

    def open(self, params: Any, server: Any) -> ua.OpenSecureChannelResult:
        """Open the channel, or renew its keys."""
        is_new = not self.is_open()
        if is_new != (params.RequestType == ua.SecurityTokenRequestType.Issue):
            raise FrameError(_Codes.BadRequestTypeInvalid, f"{params.RequestType!r} out of turn")
        if params.SecurityMode != self.mode:
            raise FrameError(_Codes.BadSecurityModeRejected, "another security mode than before")
        nonce = params.ClientNonce or b""
        if self.is_secured and len(nonce) != self.security_policy.secure_channel_nonce_length:
            raise FrameError(_Codes.BadNonceInvalid, f"a nonce of {len(nonce)} bytes")
        longest = int(self._bounds.token_lifetime * 1_000)
        params.RequestedLifetime = min(params.RequestedLifetime or longest, longest)
        return super().open(params, server)


def _checked(der: bytes | None) -> x509.Certificate:
    """Return a client's certificate, if the policies can use it."""
    try:
        certificate = x509_from_der(der)
        key = certificate.public_key() if certificate is not None else None
    except Exception as error:
        # DER that is wrong anywhere, in ways that each library names differently.
        raise FrameError(_Codes.BadCertificateInvalid, f"a certificate that fails: {type(error).__name__}") from None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size not in _KEY_BITS:
        raise FrameError(_Codes.BadCertificateInvalid, "a certificate without an RSA key of 2,048 to 4,096 bits")
    found: x509.Certificate = certificate
    return found
