"""Whom the server talks to at all: HEL, the client's certificate, and who may have a session."""

from __future__ import annotations

from asyncua import ua
from asyncua.common.connection import TransportLimits
from asyncua.ua.ua_binary import struct_from_binary, uatcp_to_binary
from cryptography import x509

from protocols.opcua.certificate import application_uri
from protocols.opcua.channel import Channel
from protocols.opcua.common import Common
from protocols.opcua.decoding import Bounded
from protocols.opcua.errors import FrameError, Refused
from protocols.opcua.frames import Frame

_Codes = ua.StatusCodes
_SMALLEST_BUFFER = 8_192  # a smaller one would make a million chunks of an answer
_HELLO_FIELDS = 10
_NONCE = 32


def greet(frame: Frame, limits: TransportLimits) -> bytes:
    """Return the ACK to a HEL, and hold the connection to it (OPC 10000-6, section 7.1.2.3).  Raises FrameError."""
    try:
        hello = struct_from_binary(ua.Hello, Bounded(frame.data, _HELLO_FIELDS, frame.header_size))
    except Exception as error:
        # asyncua's decoder raises whatever its parts do.
        raise FrameError(_Codes.BadDecodingError, f"a HEL that fails: {type(error).__name__}") from None
    if min(hello.ReceiveBufferSize, hello.SendBufferSize) < _SMALLEST_BUFFER:
        raise FrameError(_Codes.BadConnectionRejected, "a buffer of less than 8,192 bytes")
    acknowledge = limits.create_acknowledge_and_set_limits(hello)
    return bytes(uatcp_to_binary(ua.MessageType.Acknowledge, acknowledge))


def check_trust(common: Common, channel: Channel, address: str) -> None:
    """Refuse a client whose certificate nobody trusts, where that is asked for; its key is proven by now."""
    certificate = channel.certificate
    if certificate is None or not common.switches.require_trust:
        return
    common.sightings.see(certificate, address, common.clock())
    if (refused := _distrust(common, certificate)) is not None:
        raise FrameError(refused.code, str(refused))


def check_create(common: Common, channel: Channel, params: ua.CreateSessionParameters) -> None:
    """Refuse a session where only discovery is allowed, and what does not fit the channel."""
    if channel.certificate is not None and len(params.ClientNonce or b"") < _NONCE:
        raise Refused(_Codes.BadNonceInvalid, "a nonce that is too short")
    refused = refusal(common, channel, params.ClientDescription.ApplicationUri or "")
    if refused is not None:
        raise refused


def refusal(common: Common, channel: Channel, stated_uri: str) -> Refused | None:
    """Return why an application may have no session as the switches are now; it is asked again when they change."""
    certificate = channel.certificate
    if certificate is None:
        if common.switches.allow_none:
            return None
        return Refused(_Codes.BadSecurityPolicyRejected, "security policy None, which is not allowed")
    if not common.switches.require_trust:
        return None
    if (refused := _distrust(common, certificate)) is not None:
        return refused
    if application_uri(certificate) != stated_uri:
        return Refused(_Codes.BadCertificateUriInvalid, "a certificate of another application")
    return None


def _distrust(common: Common, certificate: x509.Certificate) -> Refused | None:
    if not common.trust.is_trusted(certificate):
        return Refused(_Codes.BadCertificateUntrusted, "a certificate that nobody trusts yet")
    if not certificate.not_valid_before_utc <= common.clock() <= certificate.not_valid_after_utc:
        return Refused(_Codes.BadCertificateTimeInvalid, "a certificate out of its time")
    return None
