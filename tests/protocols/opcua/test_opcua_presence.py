"""Online and offline, each once; kicks, and what a credential that is withdrawn does."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
import uvloop
from asyncua import Client, ua

from protocols.contract import Grant, Refusal, Wait
from tests.protocols.opcua.attacks import STATE
from tests.protocols.opcua.opcua_wire import Closed, Fault, Wire, fault
from tests.support.processes import wait_until

KICKED = "disconnected in the portal"


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def new_loop(request: pytest.FixtureRequest):
    return request.param


def events(running) -> list[tuple[str, str]]:
    """Return what happened, as (what, reason or client id)."""
    return [(event[0], event[-1]) for event in running.presence.events]


def test_a_client_is_online_from_its_login_to_its_close(start) -> None:
    running = start()

    async def visit() -> None:
        client = Client(running.url)
        client.set_user("ada")
        client.set_password("right")
        client.application_uri, client.name = "urn:press", "Press"
        await client.connect()
        assert running.presence.open == {"1"}
        await client.disconnect()

    asyncio.run(visit())
    running.presence.wait_for(2)
    assert running.presence.events[0][2] == "ada"
    assert [what for what, _ in events(running)] == ["connected", "disconnected"]
    assert events(running)[1][1] == "session closed by the client"


def test_nobody_is_online_before_activation(start) -> None:
    running = start()
    client = running.wire().open().create_session()
    assert running.presence.events == []
    assert fault(lambda: client.value(STATE)) == ua.StatusCodes.BadSessionNotActivated


@pytest.mark.parametrize("subscribes", [False, True], ids=["idle", "with_a_subscription"])
def test_a_client_that_is_killed_is_offline_at_once(start, subscribes: bool) -> None:
    running = start()
    client = running.client()
    if subscribes:
        client.monitor(client.subscribe().SubscriptionId, STATE)
    client.reset()
    running.presence.wait_for(2)
    assert events(running)[1] == ("disconnected", "connection lost")
    assert running.do(lambda: running.server._core.subscription_service.subscriptions) == {}


@pytest.mark.parametrize("leave", [Wire.close, Wire.reset], ids=["closed", "killed"])
def test_a_client_that_is_not_read_is_offline_as_soon_as_it_leaves(start, leave: Callable[[Wire], None]) -> None:
    running = start(longest_wait=3_600.0)
    client = running.client()
    running.door.waits["ada"] = [Wait(3_600.0)]
    again = ua.ActivateSessionRequest()
    again.Parameters.UserIdentityToken = client.sealed("ada", "right")
    client.send(client.packed(again))
    read = ua.ReadRequest()
    read.Parameters.NodesToRead = [ua.ReadValueId(NodeId=STATE, AttributeId=ua.AttributeIds.Value)]
    client.send(b"".join(client.packed(read) for _ in range(100)))
    (shell,) = running.server._crowd.all
    while shell._reads:
        time.sleep(0.01)
    client.send(client.packed(read))  # stays in the socket, before what says that the client has gone
    time.sleep(0.2)
    assert running.presence.open == {"1"}, "who is not read and has not left stays"
    leave(client)
    running.presence.wait_for(2)
    assert events(running)[1] == ("disconnected", "connection lost")


def test_a_client_that_does_nothing_is_offline_when_its_session_times_out(start) -> None:
    running = start()
    client = running.client(timeout=3_600_000)
    assert client.session.RevisedSessionTimeout == 30_000
    (shell,) = running.server._crowd.all
    shell.processor.active_at -= 31
    running.presence.wait_for(2)
    assert events(running)[1] == ("disconnected", "session timed out")
    assert client.is_closed()


def test_a_session_that_is_used_does_not_time_out(start) -> None:
    running = start()
    client = running.client()
    (shell,) = running.server._crowd.all
    for _ in range(8):
        shell.processor.active_at -= 20
        client.value(STATE)
        running.do(lambda: shell.check(running.server.common.now()))
    assert running.presence.open == {"1"}


def test_a_second_activation_is_no_second_connection(start) -> None:
    running = start()
    client = running.client()
    client.activate(client.sealed("ada", "right"))
    client.value(STATE)
    assert [what for what, _ in events(running)] == ["connected"]


def test_a_session_cannot_pass_to_another_integration(start) -> None:
    running = start()
    client = running.client()
    assert fault(lambda: client.activate(client.sealed("bob", "right"))) == ua.StatusCodes.BadIdentityChangeNotSupported
    running.presence.wait_for(2)
    assert client.is_closed()


def test_a_client_may_log_in_again_after_closing_its_session(start) -> None:
    running = start()
    client = running.client()
    client.ask(ua.CloseSessionRequest())
    client.create_session()
    client.activate(client.sealed("ada", "right"))
    assert running.presence.open == {"2"}


def test_an_unknown_session_may_be_activated_in_vain_before_a_new_one(start) -> None:
    """As clients do when they come back after a restart of the server."""
    client = start().wire().open()
    client.token = ua.NodeId(b"from before", 0, ua.NodeIdType.ByteString)
    request = ua.ActivateSessionRequest()
    assert fault(lambda: client.ask(request)) == ua.StatusCodes.BadSessionIdInvalid
    client.create_session()
    client.activate(client.sealed("ada", "right"))
    client.value(STATE)


# --- cut


def test_disconnect_closes_all_connections_of_an_integration_at_once(start) -> None:
    running = start()
    first, second, other = running.client(), running.client(), running.client("bob")
    first.subscribe()
    running.do(lambda: running.server.disconnect([1], KICKED, forget=False))
    assert first.is_closed() and second.is_closed()
    assert events(running)[3:] == [("disconnected", KICKED), ("disconnected", KICKED)]
    other.value(STATE)
    assert running.do(lambda: running.server._core.subscription_service.subscriptions) == {}


def test_disconnect_has_closed_everything_before_it_returns(start) -> None:
    running = start()
    running.client()

    def cut() -> set[str]:
        running.server.disconnect([1], KICKED, forget=False)
        return set(running.presence.open)

    assert running.do(cut) == set()


def test_kick_closes_one_connection(start) -> None:
    running = start()
    first, second = running.client(), running.client()
    running.do(lambda: running.server.kick(["1", "unheard of"], KICKED))
    assert first.is_closed()
    second.value(STATE)
    assert running.presence.open == {"2"}


def test_a_kicked_client_that_comes_back_is_refused_when_it_was_deactivated(start) -> None:
    running = start()
    victim = running.client()
    running.door.answers["ada"] = Refusal.INACTIVE
    running.do(lambda: running.server.disconnect([1], "integration deactivated", forget=False))
    assert victim.is_closed()
    assert fault(running.wire().log_in) == ua.StatusCodes.BadUserAccessDenied
    assert running.presence.open == set()


def test_a_credential_that_is_withdrawn_while_its_login_waits_is_refused(start) -> None:
    running = start()
    running.door.waits["ada"] = waits = [Wait(0.01)] * 100_000
    client = running.wire().open().create_session()
    result: list[int | None] = []
    token = client.sealed("ada", "right")
    login = threading.Thread(target=lambda: result.append(fault(lambda: client.activate(token))))
    login.start()
    while not running.door.logins:
        time.sleep(0.01)
    running.door.answers["ada"] = Refusal.INACTIVE
    running.do(lambda: running.server.disconnect([1], "integration deactivated", forget=False))
    waits.clear()
    login.join(20)
    assert result == [ua.StatusCodes.BadUserAccessDenied]
    assert running.presence.events == []


def test_a_login_and_its_withdrawal_in_one_turn_leave_nobody_online(start) -> None:
    """The credential is withdrawn by the very call that accepts it: the kick comes next, and finds the session."""
    running = start()

    def authenticate(login, waited=0.0):
        loop.call_soon(lambda: running.server.disconnect([1], KICKED, forget=False))
        return Grant(1, "ada")

    loop = running._loop
    running.server.common.authenticate = authenticate
    client = running.wire().open().create_session()
    try:
        client.activate(client.sealed("ada", "right"))
    except (Closed, Fault):
        pass
    running.presence.wait_for(2)
    assert client.is_closed()


def test_a_deleted_integration_is_forgotten_by_the_space(start) -> None:
    running = start()
    forgotten: list[set[int]] = []
    running.server._space.forget = forgotten.append
    running.do(lambda: running.server.disconnect([1], "integration deleted", forget=True))
    assert forgotten == [{1}]


# --- refused


@pytest.mark.parametrize(
    ("username", "password", "code"),
    [
        ("ada", "wrong", ua.StatusCodes.BadUserAccessDenied),
        ("nobody", "right", ua.StatusCodes.BadUserAccessDenied),
        ("idle", "right", ua.StatusCodes.BadUserAccessDenied),
    ],
)
def test_a_refused_login_is_told_and_then_closed(start, username: str, password: str, code: int) -> None:
    running = start()
    client = running.wire().open().create_session()
    assert fault(lambda: client.activate(client.sealed(username, password))) == code
    assert client.is_closed()
    assert running.presence.events == []


def test_an_anonymous_login_is_recorded_as_one_without_credentials(start) -> None:
    running = start()
    client = running.wire().open().create_session()
    assert fault(lambda: client.activate(ua.AnonymousIdentityToken())) == ua.StatusCodes.BadIdentityTokenRejected
    (login,) = running.door.logins
    assert (login.protocol, login.username, login.password, login.address) == ("opcua", None, None, "127.0.0.1")


def test_a_password_in_the_clear_is_never_looked_at(start) -> None:
    running = start()
    client = running.wire().open().create_session()
    token = ua.UserNameIdentityToken(UserName="ada", Password=b"right")
    assert fault(lambda: client.activate(token)) == ua.StatusCodes.BadIdentityTokenRejected
    assert [(login.username, login.password) for login in running.door.logins] == [("ada", None)]


def test_a_password_in_the_clear_is_taken_where_an_operator_allows_it(start) -> None:
    running = start(switches={"allow_plaintext": True})
    client = running.wire().open().create_session()
    client.activate(ua.UserNameIdentityToken(UserName="ada", Password=b"right"))
    client.value(STATE)


def test_the_login_says_who_the_application_is(start) -> None:
    running = start()
    running.client(name="Press 7")
    (login,) = running.door.logins
    assert (login.client_id, login.password, login.transport) == ("Press 7", b"right", "tcp")


def test_a_login_that_waits_is_asked_about_again(start) -> None:
    running = start()
    running.door.waits["ada"] = [Wait(0.05), Wait(0.05)]
    running.client()
    assert running.door.waited[0] == 0 and 0 < running.door.waited[1] < running.door.waited[2]


def test_a_login_is_not_kept_waiting_for_ever(start) -> None:
    running = start(longest_wait=0.1)
    running.door.waits["ada"] = [Wait(0.05)] * 100
    client = running.wire().open().create_session()
    assert fault(lambda: client.activate(client.sealed("ada", "right"))) == ua.StatusCodes.BadServerTooBusy
    assert client.is_closed()


def test_time_at_the_door_is_not_time_to_log_in(start) -> None:
    running = start()
    running.door.waits["ada"] = waits = [Wait(0.01)] * 100_000
    client = running.wire().open().create_session()
    client.send(client.packed(client.activation(client.sealed("ada", "right"))))
    wait_until(lambda: running.door.logins)
    (shell,) = running.server._crowd.all
    shell._since -= 1_000
    running.do(lambda: shell.check(running.server.common.now()))
    waits.clear()
    client.answer(ua.ActivateSessionRequest)
    client.value(STATE)


def test_a_client_that_goes_while_it_waits_is_forgotten(start) -> None:
    running = start()
    running.door.waits["ada"] = [Wait(20)]
    tasks = running.do(lambda: len(asyncio.all_tasks()))
    client = Wire(running.port).open().create_session()
    client.send(client.packed(client.activation(client.sealed("ada", "right"))))
    wait_until(lambda: running.door.logins)
    assert running.do(lambda: len(asyncio.all_tasks())) > tasks
    client.reset()
    wait_until(lambda: running.do(lambda: len(asyncio.all_tasks())) == tasks)
    assert running.presence.events == [] and len(running.door.logins) == 1


def test_stopping_closes_every_connection(start) -> None:
    running = start()
    client, silent = running.client(), running.wire().hello()
    running.run(running.server.stop())
    assert client.is_closed() and silent.is_closed()
    assert events(running)[1] == ("disconnected", "server is stopping")
