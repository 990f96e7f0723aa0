"""Who is online over OPC UA, what is recorded of logins, and guessing: as the portal sees foreign clients."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from portal import guard
from tests.support.clients import connack
from tests.support.opcua import KINDS, URI, WAYS, Fault, Program
from tests.support.processes import wait_until
from tests.support.stack import Session, Stack

pytestmark = pytest.mark.stack

NOT_AUTHORIZED = 5
GUESSES = 5
STRANGER = {"username": "nobody", "password": "guess"}


@pytest.fixture
def turing(stack: Stack) -> dict[str, Any]:
    """An integration of this test's own."""
    return stack.add("opcua")


def online(stack: Stack, integration: dict[str, Any], expected: bool) -> None:
    name = integration["username"]
    wait_until(lambda: stack.is_online(name) is expected, what=f"{name} online: {expected}")


def notes(stack: Stack, integration: dict[str, Any]) -> list[tuple[str, str, int]]:
    """Return what is recorded of an integration's logins: kind, detail and how often."""
    rows = stack.activity(f"username = '{integration['username']}' AND protocol = 'opcua'")
    assert all(row["address"] == "127.0.0.1" for row in rows)
    return [(row["kind"], row["detail"], row["count"]) for row in rows]


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_is_shown_online_until_it_closes(stack, turing, opcua_programs, kind):
    assert not stack.is_online(turing["username"])
    client = opcua_programs(kind).connect(stack.opcua_port, turing)
    online(stack, turing, True)
    shown = stack.shown(turing["username"])
    assert (shown["online"], shown["connections"]) == (True, 1)
    assert shown["last_login"].endswith("+00:00")
    client.close()
    online(stack, turing, False)
    assert notes(stack, turing) == [("login.accepted", kind, 1)]


@pytest.fixture(scope="module")
def pair(stack: Stack) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two integrations that tests share."""
    return stack.add("opcua"), stack.add("opcua")


@pytest.mark.parametrize("kind", KINDS)
def test_clients_that_are_killed_are_shown_offline_with_and_without_a_subscription(stack, pair, tmp_path: Path, kind):
    program = Program(kind, tmp_path)
    try:
        subscribed, silent = (program.connect(stack.opcua_port, one, "SignAndEncrypt") for one in pair)
        subscribed.subscribe("i=2258")
        wait_until(lambda: subscribed.values)
        for one in pair:
            online(stack, one, True)
    finally:
        program.kill()
    for one in pair:
        online(stack, one, False)
    for one in pair:
        assert notes(stack, one)[-1] == ("login.accepted", kind, 1)


def test_clients_that_are_frozen_time_out_and_are_shown_offline_and_others_stay(
    make_stack, opcua_programs, tmp_path: Path
):
    """They answer nothing any more, and their sockets stay open: only the end of their sessions tells."""
    stack = make_stack(OPCUA_SESSION_TIMEOUT="5").start()
    frozen, lively = stack.add("opcua"), stack.add("opcua")
    programs = {kind: Program(kind, tmp_path / kind) for kind in KINDS}
    try:
        clients = [programs[kind].connect(stack.opcua_port, frozen, *way) for kind, *way in WAYS]
        for client in clients[::2]:
            client.subscribe("i=2258")
        awake = [opcua_programs(kind).connect(stack.opcua_port, lively) for kind in KINDS]
        wait_until(lambda: len(connections(stack, frozen)) == len(WAYS))
        for program in programs.values():
            program.freeze()
        wait_until(
            lambda: [client.read("i=2259") for client in awake] and not connections(stack, frozen), what="the time-out"
        )
        assert len(connections(stack, lively)) == len(awake)
        assert [stack.shown(one["username"])["online"] for one in (frozen, lively)] == [False, True]
        row = Session(stack).log_in().get("/server").text.partition('id="limit-OPCUA_SESSION_TIMEOUT"')[2]
        assert f"</span>{len(WAYS)} times" in row.partition("</tr>")[0], "it was nothing but the time-out"
        for program in programs.values():
            program.thaw()
        for client in clients:
            client.wait_for_loss()
    finally:
        for program in programs.values():
            program.kill()
    stack.stop()
    stack.clean_log()


def connections(stack: Stack, integration: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return the ids of an integration's open connections."""
    return stack.query(f"SELECT id FROM connection WHERE integration_id = {integration['id']}")  # noqa: S608


def test_two_sessions_of_one_integration_are_two_connections(stack, turing, opcua_programs):
    first, second = (opcua_programs(kind).connect(stack.opcua_port, turing) for kind in ("asyncua", "opcua"))
    wait_until(lambda: len(connections(stack, turing)) == 2)
    first.close()
    wait_until(lambda: len(connections(stack, turing)) == 1)
    assert stack.is_online(turing["username"])
    second.close()
    online(stack, turing, False)
    after = stack.shown(turing["username"])
    assert (after["online"], after["connections"]) == (False, 0)
    assert after["last_login"].endswith("+00:00")


def test_the_panel_names_the_application_and_how_it_is_secured(stack, turing, opcua_programs):
    client = opcua_programs("asyncua").connect(stack.opcua_port, turing, "SignAndEncrypt", "Aes256Sha256RsaPss")
    online(stack, turing, True)
    panel = Session(stack).log_in().get(f"/integrations/{turing['id']}").text
    assert "asyncua" in panel
    assert "127.0.0.1" in panel and URI in panel
    assert "Signed and encrypted, Aes256Sha256RsaPss" in panel
    client.close()


def test_logins_refusals_and_cuts_are_recorded_each_once(stack, turing, opcua_programs):
    program = opcua_programs("asyncua")
    client = program.connect(stack.opcua_port, turing)
    stack.flask("integrations", "deactivate", turing["username"])
    client.wait_for_loss()
    with pytest.raises(Fault, match="BadUserAccessDenied"):
        program.connect(stack.opcua_port, turing)
    stack.flask("integrations", "activate", turing["username"])
    with pytest.raises(Fault, match="BadUserAccessDenied"):
        program.connect(stack.opcua_port, {**turing, "password": "hunter2-not-it"}, "SignAndEncrypt")
    expected = [
        ("login.accepted", "asyncua", 1),
        ("connection.cut", "integration deactivated", 1),
        ("login.refused", "integration is inactive", 1),
        ("login.refused", "wrong password", 1),
    ]
    wait_until(lambda: len(notes(stack, turing)) == len(expected))
    assert notes(stack, turing) == expected
    assert not stack.is_online(turing["username"])
    nobody = {"username": "nobody of opcua", "password": "hunter2-not-it"}
    with pytest.raises(Fault, match="BadUserAccessDenied"):
        program.connect(stack.opcua_port, nobody)
    wait_until(lambda: notes(stack, nobody) == [("login.refused", "unknown username", 1)])
    assert "hunter2-not-it" not in stack.log()


def test_a_credential_opens_the_door_of_its_own_type_only(stack, turing, opcua_programs):
    mqtt = stack.add("mqtt")
    with pytest.raises(Fault, match="BadUserAccessDenied"):
        opcua_programs("asyncua").connect(stack.opcua_port, mqtt)
    wait_until(lambda: notes(stack, mqtt) == [("login.refused", "integration is of another type", 1)])
    assert connack(stack.mqtt_port, turing["username"], turing["password"]) == NOT_AUTHORIZED


def test_a_guesser_is_slowed_and_banned_from_mqtt_too_and_known_clients_get_in(make_stack, opcua_programs):
    stack = make_stack(GUESSES_PER_ADDRESS=str(GUESSES), GUESSES_PER_USERNAME=str(GUESSES)).start()
    turing, hopper, mqtt = stack.add("opcua"), stack.add("opcua"), stack.add("mqtt")
    program = opcua_programs("asyncua")
    program.connect(stack.opcua_port, turing).close()
    took = []
    for number in range(GUESSES):
        start = time.monotonic()
        with pytest.raises(Fault, match="BadUserAccessDenied"):
            program.connect(stack.opcua_port, {**hopper, "password": f"guess {number}"})
        took.append(time.monotonic() - start)
    assert all(seconds > guard.FIRST_WAIT * guard.WAIT_GROWTH**number for number, seconds in enumerate(took)), took
    wait_until(lambda: stack.query("SELECT kind, name FROM ban") == [("address", "127.0.0.1")])
    (begun,) = stack.activity("kind = 'ban.begun'")
    assert begun["detail"] == f"address 127.0.0.1 banned for 10 minutes after {GUESSES} wrong passwords"

    assert not gets_in(program, stack, hopper)
    assert gets_in(program, stack, turing)
    wait_until(lambda: connack(stack.mqtt_port, **STRANGER) and is_banned(stack, "mqtt"))
    assert connack(stack.mqtt_port, mqtt["username"], mqtt["password"]) != 0

    stack.flask("bans", "lift", "127.0.0.1")
    wait_until(lambda: gets_in(program, stack, hopper), what="the ban to be lifted")
    login = (mqtt["username"], mqtt["password"])
    wait_until(lambda: connack(stack.mqtt_port, *login) == 0, what="the ban to be lifted from MQTT, too")
    stack.stop()
    stack.clean_log()


def test_a_guesser_at_mqtt_is_banned_from_opc_ua(make_stack, opcua_programs):
    stack = make_stack(GUESSES_PER_ADDRESS="3", GUESSES_PER_USERNAME="off").start()
    turing = stack.add("opcua")
    for number in range(3):
        assert connack(stack.mqtt_port, turing["username"], f"guess {number}") != 0
    program = opcua_programs("asyncua")
    wait_until(lambda: not gets_in(program, stack, STRANGER) and is_banned(stack, "opcua"))
    assert not gets_in(program, stack, turing)
    stack.stop()
    stack.clean_log()


def is_banned(stack: Stack, protocol: str) -> bool:
    """Tell whether somebody was refused without a look at the password.

    It is found with a stranger: whoever gets in once is known from then on.
    """
    refused = f"kind = 'login.refused' AND protocol = '{protocol}' AND detail = 'too many failed logins'"
    return bool(stack.activity(refused))


def gets_in(program: Program, stack: Stack, integration: dict[str, Any]) -> bool:
    try:
        program.connect(stack.opcua_port, integration).close()
    except Fault as fault:
        assert "BadUserAccessDenied" in str(fault), fault
        return False
    return True
