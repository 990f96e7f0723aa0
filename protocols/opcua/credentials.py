"""The user identity token of ActivateSession (OPC 10000-4, section 7.41): username and password out of it.  No I/O."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from asyncua import ua
from asyncua.crypto import uacrypto
from cryptography.hazmat.primitives.asymmetric import rsa

from protocols.opcua.errors import Refused

_Codes = ua.StatusCodes

# Never rsa-1_5: who asks often enough whether its padding is right can read what others have sent (Bleichenbacher).
_DECRYPT: dict[str, Callable[[rsa.RSAPrivateKey, bytes], bytes]] = {
    "http://www.w3.org/2001/04/xmlenc#rsa-oaep": uacrypto.decrypt_rsa_oaep,
    "http://opcfoundation.org/UA/security/rsa-oaep-sha2-256": uacrypto.decrypt_rsa_oaep_sha256,
}
_LENGTH = 4  # bytes that state how long the secret is
_MOST_BLOCKS = 8  # of RSA, in an encrypted password


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client stated; None where it stated nothing that can be looked at."""

    username: str | None
    password: bytes | None
    fault: Refused | None = None  # why they are refused, whatever they are


def is_plain(token: object) -> bool:
    """Tell whether a password is encrypted by nothing but its channel."""
    return isinstance(token, ua.UserNameIdentityToken) and not token.EncryptionAlgorithm


def read(token: object, nonce: bytes | None, key: rsa.RSAPrivateKey, *, may_be_plain: bool) -> Credentials:
    """Return what an identity token states; `nonce` is the last one that the session was given."""
    if not isinstance(token, ua.UserNameIdentityToken):
        fault = Refused(_Codes.BadIdentityTokenRejected, "no username and password")
        return Credentials(None, None, fault)
    username = token.UserName or ""
    try:
        return Credentials(username, _password(token, nonce, key, may_be_plain=may_be_plain))
    except Refused as refused:
        return Credentials(username, None, refused)


def _password(
    token: ua.UserNameIdentityToken, nonce: bytes | None, key: rsa.RSAPrivateKey, *, may_be_plain: bool
) -> bytes:
    sent: bytes = token.Password or b""
    if is_plain(token):
        if not may_be_plain:
            raise Refused(_Codes.BadIdentityTokenRejected, "a password in the clear")
        return sent
    decrypt = _DECRYPT.get(token.EncryptionAlgorithm)
    if decrypt is None:
        raise Refused(_Codes.BadIdentityTokenRejected, f"a password encrypted with {token.EncryptionAlgorithm!r}")
    secret = _decrypted(decrypt, key, sent)
    length = int.from_bytes(secret[:_LENGTH], "little")
    end = _LENGTH + length - len(nonce or b"")
    if not nonce or not _LENGTH <= end <= len(secret) or not hmac.compare_digest(secret[end : _LENGTH + length], nonce):
        raise Refused(_Codes.BadIdentityTokenInvalid, "a password encrypted for another session or login")
    return secret[_LENGTH:end]


def _decrypted(decrypt: Callable[[rsa.RSAPrivateKey, bytes], bytes], key: rsa.RSAPrivateKey, sent: bytes) -> bytes:
    size = key.key_size // 8
    if not sent or len(sent) % size or len(sent) > _MOST_BLOCKS * size:
        raise Refused(_Codes.BadIdentityTokenInvalid, f"an encrypted password of {len(sent)} bytes")
    try:
        return b"".join(decrypt(key, sent[at : at + size]) for at in range(0, len(sent), size))
    except ValueError:
        raise Refused(_Codes.BadIdentityTokenInvalid, "a password that cannot be decrypted") from None
