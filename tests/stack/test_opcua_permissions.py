"""Values from one integration to another, as far as the portal permits, with foreign clients of two kinds."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.opcua import Client, Fault
from tests.support.processes import wait_until
from tests.support.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture
def source(stack: Stack) -> dict[str, Any]:
    return stack.add("opcua")


@pytest.fixture
def reader(stack: Stack) -> dict[str, Any]:
    return stack.add("opcua")


@pytest.fixture
def pair(stack, source, reader, opcua_programs):
    """A client of the source, and one of the reader."""
    writing = opcua_programs("asyncua").connect(stack.opcua_port, source)
    reading = opcua_programs("node-opcua").connect(stack.opcua_port, reader)
    yield writing, reading
    writing.close()
    reading.close()


def permit(stack: Stack, integration: dict[str, Any], **filters: str) -> None:
    """Permit topic filters beside an integration's own."""
    own = f"{integration['username']}/#"
    words = [word for verb, one in filters.items() for word in (f"--{verb}", own, f"--{verb}", one)]
    stack.flask("integrations", "permit", integration["username"], *words)


def refusal(client: Client, node: str, value: float | None = None) -> str:
    """Return why a node cannot be read, or written with a value; nothing if it can."""
    try:
        client.read(node) if value is None else client.write(node, value)
    except Fault as fault:
        return str(fault).split()[0]
    return ""


def becomes(client: Client, node: str, expected: str, value: float | None = None) -> None:
    wait_until(lambda: refusal(client, node, value) == expected, what=f"{node}: {expected or 'permitted'}")


def test_another_integration_sees_nothing_until_it_may_and_a_change_holds_at_once(stack, source, reader, pair):
    writing, reading = pair
    node = f"ns=2;s={source['username']}/line1/speed"
    writing.write(node, 1.0)
    assert refusal(reading, node) == "BadNodeIdUnknown"
    assert refusal(reading, f"ns=2;s={source['username']}") == "BadNodeIdUnknown"
    assert refusal(reading, node, 2.0) == "BadUserAccessDenied"
    with pytest.raises(Fault, match="BadNodeIdUnknown"):
        reading.subscribe(node)

    permit(stack, reader, subscribe=f"{source['username']}/line1/+")
    becomes(reading, node, "")
    assert reading.read(node) == 1.0
    assert refusal(reading, node, 2.0) == "BadUserAccessDenied"
    reading.subscribe(node)
    reading.wait_for(1.0)
    writing.write(node, 2.0)
    reading.wait_for(2.0)
    writing.write(f"ns=2;s={source['username']}/line2/speed", 1.0)
    assert refusal(reading, f"ns=2;s={source['username']}/line2/speed") == "BadNodeIdUnknown"

    permit(stack, reader, subscribe="")
    reading.wait_for("BadUserAccessDenied")
    assert refusal(reading, node) == "BadNodeIdUnknown"
    writing.write(node, 3.0)
    permit(stack, reader, subscribe=f"{source['username']}/#")
    reading.wait_for(3.0)
    assert reading.values == [1.0, 2.0, "BadUserAccessDenied", 3.0]


def test_who_may_publish_writes_what_there_is_and_makes_nothing(stack, source, reader, pair):
    writing, reading = pair
    folder = f"ns=2;s={source['username']}"
    writing.write(f"{folder}/setpoint", 1.0)
    permit(stack, reader, publish=f"{source['username']}/#")
    becomes(reading, f"{folder}/setpoint", "", 2.0)
    assert writing.read(f"{folder}/setpoint") == 2.0
    assert refusal(reading, f"{folder}/setpoint") == "BadNodeIdUnknown", "it may write, not read"
    assert refusal(reading, f"{folder}/other", 2.0) == "BadNodeIdUnknown"
    assert refusal(writing, f"{folder}/other").startswith("BadNodeIdUnknown"), "it was not made"
    permit(stack, reader, publish="")
    becomes(reading, f"{folder}/setpoint", "BadUserAccessDenied", 3.0)
    assert writing.read(f"{folder}/setpoint") == 2.0


def test_an_own_folder_is_open_whatever_the_permissions_say(stack, reader, pair):
    _, reading = pair
    stack.flask("integrations", "permit", reader["username"], "--publish", "", "--subscribe", "")
    node = f"ns=2;s={reader['username']}/own"
    reading.write(node, 1.0)
    assert reading.read(node) == 1.0


def test_a_username_that_another_begins_with_opens_nothing_of_the_other(stack, opcua_programs):
    """Both as they are made: nothing was permitted to either."""
    short, long = stack.add("opcua", username="site"), stack.add("opcua", username="site/press")
    writing = opcua_programs("asyncua").connect(stack.opcua_port, long)
    reading = opcua_programs("node-opcua").connect(stack.opcua_port, short)
    node = "ns=2;s=site%2Fpress/secret"
    writing.write(node, 42.0)
    assert refusal(reading, node) == "BadNodeIdUnknown"
    assert refusal(reading, node, 666.0) == "BadUserAccessDenied"
    assert writing.read(node) == 42.0
    reading.write("ns=2;s=site/press/secret", 1.0)  # its own, by the same topic
    assert refusal(writing, "ns=2;s=site").startswith("BadNodeIdUnknown")
    assert writing.read(node) == 42.0 and reading.read("ns=2;s=site/press/secret") == 1.0
    stack.flask("integrations", "permit", "site", "--subscribe", "%u/#")
    becomes(reading, node, "")
    for client in (writing, reading):
        client.close()
