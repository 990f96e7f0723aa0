"""ActivateSession: how a client gets in (OPC 10000-4, section 5.7.3).

Nothing of any integration is touched before the credentials are accepted.  The last answer of `authenticate`, a last
look at the switches, the count of the integration's sessions and its presence belong to one turn of the loop: a
credential that is withdrawn, or an application that may not come in any more, is either refused here, or its session is
there to be closed.
"""

from __future__ import annotations

import asyncio

from asyncua import ua

from protocols.contract import Grant, Login, Refusal, Wait
from protocols.opcua import credentials, door
from protocols.opcua.channel import Channel
from protocols.opcua.common import Common
from protocols.opcua.errors import Refused, WrongLogin
from protocols.opcua.session import Session

_Codes = ua.StatusCodes
_REFUSALS = {
    Refusal.NO_CREDENTIALS: _Codes.BadIdentityTokenRejected,
    Refusal.UNKNOWN_USERNAME: _Codes.BadUserAccessDenied,
    Refusal.WRONG_PASSWORD: _Codes.BadUserAccessDenied,
    Refusal.INACTIVE: _Codes.BadUserAccessDenied,
    Refusal.WRONG_TYPE: _Codes.BadUserAccessDenied,
    Refusal.TOO_MANY_FAILURES: _Codes.BadUserAccessDenied,
}


async def activate(
    common: Common, session: Session, channel: Channel, address: str, params: ua.ActivateSessionParameters
) -> ua.ActivateSessionResult:
    """Let a client in.  Raises Refused, after which the connection has to close."""
    _check_signature(session, channel, params.ClientSignature)
    login = _login(common, session, channel, address, params.UserIdentityToken)
    try:
        grant = await _ask(common, login)
        _check_switches(common, session, channel, params.UserIdentityToken)
        _admit(common, session, grant, login)
    finally:
        session.renew_nonce()
    certificate = channel.certificate
    if certificate is not None:
        common.sightings.see(certificate, address, common.clock())
    return ua.ActivateSessionResult(
        ServerNonce=session.nonce, Results=[ua.StatusCode() for _ in params.ClientSoftwareCertificates]
    )


def _check_signature(session: Session, channel: Channel, signature: ua.SignatureData) -> None:
    """Have the client prove that it still has the key of its certificate."""
    policy = channel.security_policy
    data = (policy.host_certificate or b"") + (session.nonce or b"")
    try:
        policy.asymmetric_cryptography.verify(data, signature.Signature)
    except Exception as error:
        # cryptography's InvalidSignature, and TypeError or ValueError for what is no signature at all.
        fact = f"a client signature that fails: {type(error).__name__}"
        raise Refused(_Codes.BadApplicationSignatureInvalid, fact) from None


def _login(common: Common, session: Session, channel: Channel, address: str, token: object) -> Login:
    """Return the login as the client stated it; one that says nothing usable is recorded as refused."""
    stated = credentials.read(token, session.nonce, session.key, may_be_plain=_may_be_plain(common, channel))
    login = Login("opcua", stated.username, stated.password, session.client_id, address, transport="tcp")
    if stated.fault is not None:
        common.authenticate(login._replace(password=None))
        raise stated.fault
    return login


async def _ask(common: Common, login: Login) -> Grant:
    """Return what a login is granted, however long it has to wait at the door."""
    since = common.now()
    answer = common.authenticate(login)
    while isinstance(answer, Wait):
        await asyncio.sleep(answer.seconds)
        waited = common.now() - since
        answer = common.authenticate(login, waited)
        if isinstance(answer, Wait) and waited >= common.limits.longest_wait:
            raise Refused(_Codes.BadServerTooBusy, "no answer to a login in time")
    if isinstance(answer, Refusal):
        raise WrongLogin(_REFUSALS[answer], answer.value)
    return answer


def _check_switches(common: Common, session: Session, channel: Channel, token: object) -> None:
    """Hold a login to the switches as they are now: one that waited may have begun when they were not so."""
    refused = door.refusal(common, channel, session.application_uri)
    if refused is not None:
        raise refused
    if credentials.is_plain(token) and not _may_be_plain(common, channel):
        raise Refused(_Codes.BadIdentityTokenRejected, "a password in the clear, which is not allowed any more")


def _may_be_plain(common: Common, channel: Channel) -> bool:
    return channel.is_encrypted or common.switches.allow_plaintext


def _admit(common: Common, session: Session, grant: Grant, login: Login) -> None:
    """Begin the session, or go on with it: its client may log in again, as the same integration."""
    if session.is_closed:
        raise Refused(_Codes.BadSessionClosed, "the session was closed while its login waited")
    if session.is_activated():
        if grant.integration_id != session.caller.grant.integration_id:
            raise Refused(_Codes.BadIdentityChangeNotSupported, "another integration in the same session")
        session.caller.grant = grant
        return
    if len(common.sessions.get(grant.integration_id, ())) >= common.limits.max_connections_per_integration:
        common.hits.add("max_connections_per_integration")
        raise Refused(_Codes.BadTooManySessions, "too many sessions of this integration")
    common.space.enter(grant)
    session.begin(grant, common.presence.connected(grant, login), login.address)
    common.enter(session)
