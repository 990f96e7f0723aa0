"""The main path of OPC UA with foreign clients, over every security mode and policy that each of them has."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Any

import pytest

from tests.support.opcua import KINDS, WAYS, Client, Fault
from tests.support.processes import wait_until
from tests.support.stack import Session, Stack

pytestmark = pytest.mark.stack


by_way = pytest.mark.parametrize(("kind", "mode", "policy"), WAYS)


@pytest.fixture(scope="module")
def plant(stack: Stack) -> dict[str, Any]:
    """An integration that tests share."""
    return stack.add("opcua", username="line 1/press")


@pytest.fixture(scope="module")
def portal(stack: Stack) -> Session:
    """An account's session in the portal."""
    return Session(stack).log_in()


@pytest.fixture(autouse=True)
def one_after_the_other(stack, plant) -> None:
    """Begin when the clients of the test before are seen to be gone."""
    wait_until(lambda: not stack.is_online(plant["username"]), what="nobody online")


@pytest.fixture
def folder(plant) -> str:
    return f"ns=2;s={plant['username'].replace('/', '%2F')}"


@pytest.fixture
def connect(stack, plant, opcua_programs, kind):
    """Connect clients of the test's kind as the shared integration; they are closed at the end."""
    made: list[Client] = []

    def begin(mode: str, policy: str, **options: Any) -> Client:
        made.append(opcua_programs(kind).connect(stack.opcua_port, plant, mode, policy, **options))
        return made[-1]

    yield begin
    for client in made:
        with suppress(Fault):  # one that is cut has nobody to say goodbye to
            client.close()


@by_way
def test_a_client_writes_what_is_missing_reads_it_and_is_notified(connect, folder, kind, mode, policy):
    client = connect(mode, policy)
    node = f"{folder}/{kind}/{mode}/{policy}"
    with pytest.raises(Fault, match="BadNodeIdUnknown"):
        client.read(node)
    client.write(node, 20.5)
    assert client.read(node) == 20.5
    client.subscribe(node)
    client.wait_for(20.5)
    client.write(node, 21, "Int32")  # a number as another type: it is coerced
    client.wait_for(21)
    client.publish(folder, f"{kind}/{mode}/{policy}", 21.5)
    client.wait_for(21.5)
    assert client.values == [20.5, 21, 21.5]
    client.publish(folder, f"{kind}/{mode}/{policy}/state", "running", "String")
    assert client.read(f"{node}/state") == "running"


@by_way
def test_a_wrong_password_is_refused_and_the_right_one_gets_in_after_it(
    stack, plant, opcua_programs, kind, mode, policy
):
    program = opcua_programs(kind)
    with pytest.raises(Fault, match="BadUserAccessDenied"):
        program.connect(stack.opcua_port, {**plant, "password": "hunter2-not-it"}, mode, policy)
    client = program.connect(stack.opcua_port, plant, mode, policy)
    assert client.read("i=2259") == 0
    client.close()
    assert "hunter2-not-it" not in stack.log()


@by_way
def test_a_client_that_is_disconnected_in_the_portal_is_cut_and_may_come_back(
    stack, portal, plant, connect, folder, kind, mode, policy
):
    client = connect(mode, policy)
    client.subscribe("i=2258")
    change(portal, plant, client, f"disconnect/{connection_id(stack, plant)}")
    again = connect(mode, policy)
    again.write(f"{folder}/again", 1.0)


@by_way
def test_deactivation_cuts_and_keeps_out_and_activation_lets_in(stack, portal, plant, connect, kind, mode, policy):
    client = connect(mode, policy)
    change(portal, plant, client, "deactivate")
    try:
        with pytest.raises(Fault, match="BadUserAccessDenied"):
            connect(mode, policy)
    finally:
        assert portal.post(f"/integrations/{plant['id']}/activate").status == 303
    assert connect(mode, policy).read("i=2259") == 0


@pytest.mark.parametrize(
    ("kind", "path", "form"),
    [
        ("node-opcua", "delete", {}),
        ("asyncua", "edit/password", {"value": "another password"}),
        ("opcua", "edit/username", {"value": "renamed meanwhile, too"}),
    ],
)
def test_a_credential_that_is_gone_cuts_its_client_and_keeps_it_out(stack, portal, opcua_programs, kind, path, form):
    turing = stack.add("opcua")
    client = opcua_programs(kind).connect(stack.opcua_port, turing)
    change(portal, turing, client, path, **form)
    with pytest.raises(Fault, match="BadUserAccessDenied"):
        opcua_programs(kind).connect(stack.opcua_port, turing)
    client.close()


def test_what_a_deleted_integration_wrote_is_not_its_namesakes(stack, portal, opcua_programs):
    old = stack.add("opcua", username="opcua namesake")
    client = opcua_programs("asyncua").connect(stack.opcua_port, old)
    client.write("ns=2;s=opcua namesake/secret", 1.0)
    change(portal, old, client, "delete")
    new = stack.add("opcua", username="opcua namesake")
    client = opcua_programs("asyncua").connect(stack.opcua_port, new)
    with pytest.raises(Fault, match="BadNodeIdUnknown"):
        client.read("ns=2;s=opcua namesake/secret")
    client.close()


@by_way
def test_a_client_adds_a_node_reads_its_history_and_takes_it_away(connect, folder, kind, mode, policy):
    client = connect(mode, policy)
    name = f"{kind} {mode} {policy} adds"
    node = f"{folder}/{name}"
    client.add(folder, name, 1.5)
    client.write(node, 2.5)
    assert client.history(node) == [1.5, 2.5]
    with pytest.raises(Fault, match="BadNodeIdExists"):
        client.add(folder, name, 3.5)
    with pytest.raises(Fault, match="BadUserAccessDenied"):
        client.add("i=85", name, 3.5)
    client.remove(node)
    for gone in (client.read, client.history, client.remove):
        with pytest.raises(Fault, match="BadNodeIdUnknown"):
            gone(node)


@pytest.mark.parametrize("policy", ["Basic128Rsa15", "Basic256"])
def test_the_old_client_is_not_let_in_by_its_broken_policies(stack, plant, opcua_programs, tmp_path, policy):
    """They are not offered, and a client that knows the server's certificate and does not ask is turned away."""
    program = opcua_programs("opcua")
    with pytest.raises(Fault, match="No matching endpoints"):
        program.connect(stack.opcua_port, plant, "Sign", policy)
    own = tmp_path / "server.der"
    own.write_bytes(ssl.PEM_cert_to_DER_cert(Session(stack).log_in().get("/server/opcua/certificate.pem").text))
    with pytest.raises(Fault):  # it is deaf to the server's error, and gives up by itself
        program.connect(stack.opcua_port, plant, "Sign", policy, server=str(own), patience=0.5)
    assert f"SecurityPolicy#{policy}' is not offered" in stack.log()


def test_one_client_writes_and_another_kind_is_notified(stack, plant, folder, opcua_programs):
    clients = [opcua_programs(kind).connect(stack.opcua_port, plant, "SignAndEncrypt") for kind in KINDS]
    for number, writer in enumerate(clients):
        writer.write(f"{folder}/shared", float(number))
        if number == 0:
            for client in clients:
                client.subscribe(f"{folder}/shared")
        for client in clients:
            client.wait_for(float(number))
    for client in clients:
        assert client.values == [0.0, 1.0, 2.0]
        client.close()


def test_without_policy_none_every_kind_still_finds_the_others_and_gets_in(make_stack, opcua_programs):
    stack = make_stack(OPCUA_ALLOW_NONE="off").start()
    turing = stack.add("opcua")
    for kind in KINDS:
        with pytest.raises(Fault):
            opcua_programs(kind).connect(stack.opcua_port, turing)
        client = opcua_programs(kind).connect(stack.opcua_port, turing, "SignAndEncrypt")
        assert client.read("i=2259") == 0
        client.close()
    assert not stack.activity("kind = 'login.refused'")
    stack.stop()
    stack.clean_log()


@pytest.mark.parametrize("kind", KINDS)
def test_what_one_kind_writes_every_kind_reads_as_the_same(stack, plant, folder, opcua_programs, kind):
    values = {
        "Boolean": True,
        "SByte": -5,
        "UInt16": 65_535,
        "Int32": -70_000,
        "Float": 0.5,
        "Double": 1e300,
        "String": "Grüße",
    }
    clients = {one: opcua_programs(one).connect(stack.opcua_port, plant) for one in KINDS}
    for type, value in values.items():
        clients[kind].write(f"{folder}/{kind} writes/{type}", value, type)
        clients[kind].write(f"{folder}/{kind} writes/{type}s", [value] * 3, type)
    for client in clients.values():
        for type, value in values.items():
            assert client.read(f"{folder}/{kind} writes/{type}") == value
            assert client.read(f"{folder}/{kind} writes/{type}s") == [value] * 3
        client.close()


def change(portal: Session, integration: dict[str, Any], client: Client, path: str, **form: str) -> None:
    """Make a change at the page while a client is connected, and hold it to cutting that."""
    assert client.is_connected
    answer = portal.post(f"/integrations/{integration['id']}/{path}", **form)
    assert answer.status == 303, answer.text
    client.wait_for_loss()


def connection_id(stack: Stack, integration: dict[str, Any]) -> str:
    """Return the id of an integration's only open connection."""
    sql = f"SELECT id FROM connection WHERE integration_id = {integration['id']}"  # noqa: S608
    ((found,),) = wait_until(lambda: len(rows := stack.query(sql)) == 1 and rows, what="one connection")
    return str(found)
