"""What the server offers: security policies with their modes, and how a user states who it is."""

from __future__ import annotations

from collections.abc import Iterable

from asyncua import ua
from asyncua.crypto.security_policies import (
    SecurityPolicy,
    SecurityPolicyAes128Sha256RsaOaep,
    SecurityPolicyAes256Sha256RsaPss,
    SecurityPolicyBasic256Sha256,
    SecurityPolicyFactory,
    SecurityPolicyNone,
)
from cryptography.hazmat.primitives.serialization import Encoding

from protocols.opcua.certificate import ServerCertificate
from protocols.opcua.common import Switches

NAME = "Gatehouse"
PRODUCT_URI = "urn:gatehouse"
_TRANSPORT = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary"
_NONE = ua.MessageSecurityMode.None_
_SIGN = ua.MessageSecurityMode.Sign
_ENCRYPT = ua.MessageSecurityMode.SignAndEncrypt

# The first one of each mode is what clients take that do not choose.
_OFFERED: tuple[tuple[type[SecurityPolicy], ua.MessageSecurityMode, int], ...] = (
    (SecurityPolicyNone, _NONE, 0),
    (SecurityPolicyBasic256Sha256, _SIGN, 50),
    (SecurityPolicyAes128Sha256RsaOaep, _SIGN, 55),
    (SecurityPolicyAes256Sha256RsaPss, _SIGN, 60),
    (SecurityPolicyBasic256Sha256, _ENCRYPT, 70),
    (SecurityPolicyAes128Sha256RsaOaep, _ENCRYPT, 75),
    (SecurityPolicyAes256Sha256RsaPss, _ENCRYPT, 80),
)


def policies(own: ServerCertificate) -> list[SecurityPolicyFactory]:
    """Return the policies that a channel may have; None is always there, for discovery."""
    return [SecurityPolicyFactory(policy, mode, own.certificate, own.key) for policy, mode, _ in _OFFERED]


def endpoints(own: ServerCertificate, url: str, switches: Switches) -> list[ua.EndpointDescription]:
    """Return what clients are told that they may use."""
    server = ua.ApplicationDescription(
        ApplicationUri=own.application_uri,
        ProductUri=PRODUCT_URI,
        ApplicationName=ua.LocalizedText(NAME),
        ApplicationType=ua.ApplicationType.Server,
        DiscoveryUrls=[url],
    )
    return [
        ua.EndpointDescription(
            EndpointUrl=url,
            Server=server,
            ServerCertificate=own.certificate.public_bytes(Encoding.DER),
            SecurityMode=mode,
            SecurityPolicyUri=policy.URI,
            UserIdentityTokens=list(_tokens(policy, mode, switches)),
            TransportProfileUri=_TRANSPORT,
            SecurityLevel=level,
        )
        for policy, mode, level in _OFFERED
        if mode != _NONE or switches.allow_none
    ]


def _tokens(
    policy: type[SecurityPolicy], mode: ua.MessageSecurityMode, switches: Switches
) -> Iterable[ua.UserTokenPolicy]:
    """Say how a password is to be encrypted: by itself, where the channel does not."""
    if mode == _ENCRYPT:
        yield _password("username", SecurityPolicyNone.URI)
        return
    yield _password("username", SecurityPolicyBasic256Sha256.URI if mode == _NONE else policy.URI)
    if switches.allow_plaintext:
        yield _password("username_plaintext", SecurityPolicyNone.URI)


def _password(name: str, policy_uri: str) -> ua.UserTokenPolicy:
    return ua.UserTokenPolicy(PolicyId=name, TokenType=ua.UserTokenType.UserName, SecurityPolicyUri=policy_uri)
