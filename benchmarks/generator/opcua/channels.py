"""Secure channels of the load: a lean one without security, and asyncua's own for the others."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from asyncua import ua
from asyncua.common.connection import SecureConnection, TransportLimits
from asyncua.common.utils import Buffer
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.ua.ua_binary import header_from_binary, struct_from_binary, struct_to_binary
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from benchmarks.generator.opcua import wire

_BUFFER = 65_535
_LIFETIME = 3_600_000  # milliseconds


class Channel(Protocol):
    """Bytes of requests in, bytes of messages out, and back."""

    def open(self) -> bytes:
        """Return OPN."""
        ...

    def opened(self, answer: bytes) -> None:
        """Take the answer to OPN."""
        ...

    def pack(self, body: bytes) -> bytes:
        """Return the message of a request."""
        ...

    def unpack(self, answer: bytes) -> bytes:
        """Return the body of an answer."""
        ...

    def sign(self, server_nonce: bytes) -> bytes:
        """Return the client's signature for ActivateSession, encoded; nothing where there is none."""
        ...


class Plain:
    """Security policy None."""

    def __init__(self) -> None:
        self.id = b""
        self.sent = 0  # requests

    def open(self) -> bytes:
        return wire.open_plain()

    def opened(self, answer: bytes) -> None:
        self.id = wire.channel_of(answer)

    def pack(self, body: bytes) -> bytes:
        self.sent += 1
        return bytes(wire.message(self.id, self.sent, body))

    def unpack(self, answer: bytes) -> bytes:
        wire.check_kind(answer, b"MSGF")
        return answer[wire.HEADER :]

    def sign(self, server_nonce: bytes) -> bytes:
        return b""


@dataclass(frozen=True, slots=True)
class Identity:
    """The client's key and its certificate."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


def make_identity() -> Identity:
    """Return a key with a certificate as OPC 10000-6, section 6.2.2, wants it."""
    key = rsa.generate_private_key(65_537, 2_048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Gatehouse benchmark")])
    uses = dict.fromkeys(("crl_sign", "key_agreement", "encipher_only", "decipher_only"), False) | dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_cert_sign"), True
    )
    now, public = datetime.now(UTC), key.public_key()
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(wire.APPLICATION_URI)])
    builder = x509.CertificateBuilder(name, name, public, x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))
    for extension in (
        x509.BasicConstraints(ca=False, path_length=None),
        x509.KeyUsage(**uses),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),
        x509.SubjectKeyIdentifier.from_public_key(public),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(public),
        names,
    ):
        builder = builder.add_extension(extension, critical=False)
    return Identity(key, builder.sign(key, hashes.SHA256()))


class Secured:
    """Basic256Sha256 with SignAndEncrypt."""

    def __init__(self, identity: Identity, server: x509.Certificate) -> None:
        mode = ua.MessageSecurityMode.SignAndEncrypt
        self._policy = SecurityPolicyBasic256Sha256(server, identity.certificate, identity.key, mode)
        self._server_der = server.public_bytes(Encoding.DER)
        self._connection = SecureConnection(self._policy, TransportLimits(_BUFFER, _BUFFER))
        self._params = ua.OpenSecureChannelParameters(
            SecurityMode=mode,
            ClientNonce=os.urandom(self._policy.secure_channel_nonce_length),
            RequestedLifetime=_LIFETIME,
        )
        self._sent = 0

    def open(self) -> bytes:
        request = ua.OpenSecureChannelRequest(Parameters=self._params)
        return self._packed(struct_to_binary(request), ua.MessageType.SecureOpen)

    def opened(self, answer: bytes) -> None:
        buffer = Buffer(self.unpack(answer))
        response = struct_from_binary(ua.OpenSecureChannelResponse, buffer)
        self._connection.set_channel(response.Parameters, self._params.RequestType, self._params.ClientNonce)

    def pack(self, body: bytes) -> bytes:
        return self._packed(body, ua.MessageType.SecureMessage)

    def unpack(self, answer: bytes) -> bytes:
        buffer = Buffer(answer)
        header = header_from_binary(buffer)
        message: Any = self._connection.receive_from_header_and_body(header, buffer)
        body = bytes(message.body())
        wire.check_good(body)
        return body

    def sign(self, server_nonce: bytes) -> bytes:
        signature = self._policy.asymmetric_cryptography.signature(self._server_der + server_nonce)
        data = ua.SignatureData(Algorithm=self._policy.AsymmetricSignatureURI, Signature=signature)
        return bytes(struct_to_binary(data))

    def _packed(self, body: bytes, kind: Any) -> bytes:
        self._sent += 1
        return bytes(self._connection.message_to_binary(body, message_type=kind, request_id=self._sent))
