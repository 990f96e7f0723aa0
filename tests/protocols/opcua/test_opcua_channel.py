"""One secure channel: what may come, and in which order."""

from __future__ import annotations

import logging
import socket

import pytest
from asyncua import ua

from protocols.opcua.space import StandardSpace
from tests.protocols.opcua.attacks import STATE
from tests.protocols.opcua.opcua_wire import Closed, Fault, Wire, fault


def renew(client: Wire, **fields: object) -> None:
    """Renew the channel's keys; from then on the new token is used."""
    request = ua.OpenSecureChannelRequest()
    request.Parameters.SecurityMode = ua.MessageSecurityMode.None_
    request.Parameters.RequestType = ua.SecurityTokenRequestType.Renew
    for name, value in fields.items():
        setattr(request.Parameters, name, value)
    client.send(client.packed(request, ua.MessageType.SecureOpen))
    response = client.answer(ua.OpenSecureChannelRequest)
    client._channel.set_channel(response.Parameters, ua.SecurityTokenRequestType.Renew, b"")
    client._channel.revolve_tokens()


def test_a_channel_can_be_renewed(start) -> None:
    client = start().client()
    for _ in range(3):
        renew(client)
        client.value(STATE)


@pytest.mark.parametrize(
    "fields",
    [
        {"RequestType": ua.SecurityTokenRequestType.Issue},
        {"SecurityMode": ua.MessageSecurityMode.Sign},
    ],
)
def test_a_renewal_changes_nothing_but_the_keys(start, fields: dict[str, object]) -> None:
    client = start().client()
    with pytest.raises(Fault):
        renew(client, **fields)
    assert client.is_closed()


def test_a_channel_cannot_begin_with_a_renewal(start) -> None:
    client = start().wire()
    assert fault(lambda: client.open(RequestType=ua.SecurityTokenRequestType.Renew)) is not None
    assert client.is_closed()


def test_keys_do_not_live_longer_than_they_may(start) -> None:
    client = start(token_lifetime=60).wire().open(RequestedLifetime=4_000_000_000)
    assert client._channel.security_token.RevisedLifetime == 60_000


@pytest.mark.parametrize("field", ["ChannelId", "TokenId"])
def test_a_message_of_another_channel_ends_the_connection(start, field: str) -> None:
    client = start().client()
    setattr(client._channel.security_token, field, getattr(client._channel.security_token, field) + 7)
    assert fault(lambda: client.value(STATE)) == ua.StatusCodes.BadSecurityChecksFailed
    assert client.is_closed()


def test_a_message_that_is_sent_again_ends_the_connection(start) -> None:
    client = start().client()
    data = client.packed(ua.GetEndpointsRequest())
    client.send(data)
    client.answer(ua.GetEndpointsRequest)
    client.send(data)
    with pytest.raises((Fault, Closed)):
        client.answer(ua.GetEndpointsRequest)
    assert client.is_closed()


def test_a_message_may_come_in_chunks(start) -> None:
    client = start().client()
    client._channel._limits.max_send_buffer = 8_192
    assert client.write(STATE, "x" * 100_000).value == ua.StatusCodes.BadUserAccessDenied


def test_a_message_of_too_many_chunks_ends_the_connection(start) -> None:
    client = start(max_chunks=5).client()
    client._channel._limits.max_send_buffer = 8_192
    with pytest.raises((Fault, Closed)):
        client.write(STATE, "x" * 100_000)
    assert client.is_closed()


def test_closing_the_channel_closes_the_connection(start) -> None:
    running = start()
    client = running.client()
    client.send(client.packed(ua.CloseSecureChannelRequest(), ua.MessageType.SecureClose))
    assert client.is_closed()
    assert running.presence.wait_for(2)[1][2] == "closed by the client"


@pytest.mark.parametrize("size", [0, 8_191])
def test_a_buffer_that_is_too_small_is_refused(start, size: int) -> None:
    running = start()
    assert fault(lambda: running.wire().hello(SendBufferSize=size)) == ua.StatusCodes.BadConnectionRejected
    running.wire().hello(ReceiveBufferSize=8_192, SendBufferSize=8_192)


def test_a_value_that_cannot_be_encoded_is_told_and_ends_nothing(start) -> None:
    space = StandardSpace()

    async def read(caller, params, go_on):
        return [ua.DataValue(ua.Variant("no number", ua.VariantType.Int32))]

    space.read = read
    client = start(values=space).client()
    assert fault(lambda: client.value(STATE)) == ua.StatusCodes.BadEncodingError
    number = client.subscribe().SubscriptionId
    assert client.monitor(number, STATE)[0].StatusCode.is_good()
    assert client.publish().SubscriptionId == number


# --- secured


@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
@pytest.mark.parametrize("signature", [b"", b"x" * 256, None], ids=["none", "wrong", "of_another_nonce"])
def test_a_login_proves_that_the_client_still_has_its_key(start, mode: str, signature: bytes | None) -> None:
    running = start()
    client = running.wire(mode).open().create_session()
    token = client.sealed("ada", "right")
    if signature is None:
        client.session.ServerNonce = b"n" * 32
    code = fault(lambda: client.activate(token, signature))
    assert code == ua.StatusCodes.BadApplicationSignatureInvalid
    assert client.is_closed() and running.door.logins == [], "its password is not looked at"
    running.client(mode=mode).value(STATE)


@pytest.mark.parametrize("nonce", [b"", b"n" * 31])
def test_a_session_of_a_secured_channel_begins_with_a_nonce_that_is_long_enough(start, nonce: bytes) -> None:
    running = start()
    client = running.wire("Sign").open()
    assert fault(lambda: client.create_session(nonce=nonce)) == ua.StatusCodes.BadNonceInvalid
    running.wire("Sign").open().create_session(nonce=b"n" * 32)
    running.wire().open().create_session(nonce=nonce)


def test_a_peer_that_vanishes_is_looked_for_by_the_kernel(start) -> None:
    running = start()
    running.client()
    (shell,) = running.server._crowd.all
    accepted = shell.processor._transport.get_extra_info("socket")
    assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


def test_what_is_told_of_monitored_items_counts_as_read(start) -> None:
    running = start()
    client = running.client()
    client.monitor(client.subscribe().SubscriptionId, STATE, STATE, STATE)
    client.publish()
    (info,) = running.do(lambda: running.server.connections(1))
    assert info.values_read == 3
    client.value(STATE)
    (info,) = running.do(lambda: running.server.connections(1))
    assert info.values_read == 4


def test_subscriptions_leave_no_loggers_behind(start) -> None:
    client = start().client()
    before = len(logging.Logger.manager.loggerDict)
    for _ in range(5):
        request = ua.DeleteSubscriptionsRequest()
        request.Parameters.SubscriptionIds = [client.subscribe().SubscriptionId]
        client.ask(request)
    assert len(logging.Logger.manager.loggerDict) == before
