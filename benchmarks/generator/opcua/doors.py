"""How a server is entered: what its endpoints ask for, and the login as it goes over the wire."""

from __future__ import annotations

import struct
from collections.abc import Generator
from dataclasses import dataclass

from asyncua import Client, ua
from asyncua.crypto import uacrypto
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks.generator.clients import Job, LoadError
from benchmarks.generator.opcua import wire
from benchmarks.generator.opcua.channels import Channel, Identity, Plain, Secured, make_identity

_Ids = ua.ObjectIds
_BASIC = "http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256"
_OAEP = "http://www.w3.org/2001/04/xmlenc#rsa-oaep"


@dataclass(frozen=True, slots=True)
class Door:
    """An endpoint, with the credentials for it."""

    port: int
    url: str
    username: str
    password: str
    policy_id: str  # of the user token
    is_sealed: bool  # whether the password is encrypted by itself
    certificate: x509.Certificate
    identity: Identity | None  # of the client, for a secured channel

    def channel(self) -> Channel:
        """Return a new channel as this endpoint wants it."""
        return Plain() if self.identity is None else Secured(self.identity, self.certificate)

    def log_in(self, channel: Channel) -> Generator[bytes, bytes, bytes]:
        """Yield what is to be sent, and take what is answered; return the session's token."""
        answer = yield wire.hello(self.url)
        wire.check_kind(answer, b"ACKF")
        channel.opened((yield channel.open()))
        create = wire.create_session(self.url, self.identity.der if self.identity else None)
        request = wire.request(_Ids.CreateSessionRequest_Encoding_DefaultBinary, b"\x00\x00", create)
        created = channel.unpack((yield channel.pack(request)))
        wire.check_good(created)
        token, nonce = wire.session_of(created)
        algorithm = _OAEP if self.is_sealed else ""
        activate = wire.activate_session(
            self.policy_id, self.username, self._secret(nonce), algorithm, channel.sign(nonce)
        )
        request = wire.request(_Ids.ActivateSessionRequest_Encoding_DefaultBinary, token, activate)
        wire.check_good(channel.unpack((yield channel.pack(request))))
        return token

    def _secret(self, nonce: bytes) -> bytes:
        """Return the password as it is sent (OPC 10000-4, section 7.41.2.2)."""
        password = self.password.encode()
        if not self.is_sealed:
            return password
        key = self.certificate.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        return bytes(uacrypto.encrypt_rsa_oaep(key, struct.pack("<I", len(password) + len(nonce)) + password + nonce))


async def find(job: Job) -> Door:
    """Ask a server what it offers, and return the endpoint that a job wants: without security, or encrypted."""
    url = f"opc.tcp://127.0.0.1:{job['port']}/"
    endpoints = await Client(url).connect_and_get_server_endpoints()
    secured = bool(job.get("secured"))
    mode = ua.MessageSecurityMode.SignAndEncrypt if secured else ua.MessageSecurityMode.None_
    policy = _BASIC if secured else "http://opcfoundation.org/UA/SecurityPolicy#None"
    for endpoint in endpoints:
        if (endpoint.SecurityMode, endpoint.SecurityPolicyUri) != (mode, policy):
            continue
        for token in endpoint.UserIdentityTokens:
            uri = token.SecurityPolicyUri or policy
            if token.TokenType == ua.UserTokenType.UserName and (secured or uri == _BASIC):
                certificate = x509.load_der_x509_certificate(endpoint.ServerCertificate)
                identity = make_identity() if secured else None
                return Door(
                    job["port"],
                    url,
                    job["username"],
                    job["password"],
                    token.PolicyId,
                    uri == _BASIC,
                    certificate,
                    identity,
                )
    raise LoadError("no endpoint takes a username with a password encrypted by Basic256Sha256")
