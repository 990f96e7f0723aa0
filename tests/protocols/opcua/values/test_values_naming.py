"""Names and node ids: whose node is meant by which."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as some

from protocols.opcua.values import naming
from protocols.opcua.values.limits import ValueLimits
from tests.protocols.opcua.values.values_pure import NOW, make_nodes, reader, refused, value

USERNAMES = ["a", "a/b", "a/b/c", "a%2Fb", "a%", "%2F", "a:b@c", "a b", "Integrations", "publish", "a;s=b", "ä"]
NAMES = ["c", "b/c", "b", "%2Fb/c", "publish1", "b%2Fc"]


def test_no_two_nodes_of_any_integrations_have_the_same_node_id() -> None:
    found = [naming.identifier(naming.escape(one), name) for one in USERNAMES for name in ["", *NAMES]]
    assert len(set(found)) == len(found)


SPELLED = some.text("ab/%2F5", min_size=1, max_size=8)


@given(SPELLED, SPELLED, SPELLED, SPELLED)
def test_a_node_id_says_whose_node_it_is(username: str, name: str, other: str, other_name: str) -> None:
    same = naming.identifier(naming.escape(username), name) == naming.identifier(naming.escape(other), other_name)
    assert same == ((username, name) == (other, other_name))


def test_a_username_without_slash_or_percent_is_spelled_as_it_is() -> None:
    assert naming.identifier(naming.escape("site:line@1 x"), "b/c") == "site:line@1 x/b/c"
    assert naming.identifier(naming.escape("a/b%"), "c") == "a%2Fb%25/c"


@pytest.mark.parametrize(
    "name", ["x", "a/b", 'DB1."x"', "ü", " ", "x" * 1_024, "/".join("a" * 32), "a'b;c=d", "publisher", "a/publish"]
)
def test_a_legal_name_is_kept_as_it_is(name: str) -> None:
    assert naming.check_name(name, ValueLimits()) == name


@pytest.mark.parametrize(
    "name",
    ["", "/", "a/", "/a", "a//b", "a\0", "a\n", "\x7f", "\x85", "\udc80", "+", "a/#", "x" * 1_025, "ü" * 513,
     "x" * 10_000, "/".join("a" * 33)],
)  # fmt: skip
def test_an_illegal_name_is_refused(name: str) -> None:
    assert refused(lambda: naming.check_name(name, ValueLimits())) == "BadNodeIdInvalid"


@pytest.mark.parametrize("name", ["publish", "publish/x", "publish/InputArguments"])
def test_the_methods_name_is_taken(name: str) -> None:
    assert refused(lambda: naming.check_name(name, ValueLimits())) == "BadNodeIdExists"


def test_each_integration_reaches_its_own_nodes_by_both_spellings_and_no_others() -> None:
    nodes = make_nodes()
    readers = {name: reader(nodes, name, number=number) for number, name in enumerate(USERNAMES, 1)}
    for username, name in itertools.product(USERNAMES, NAMES):
        nodes.publish(readers[username].folder, name, value(f"{username}|{name}"), NOW)
    for (username, one), name in itertools.product(readers.items(), NAMES):
        for spelling in (naming.escape(username), username):
            node = one.find(f"{spelling}/{name}")
            assert node is not None and node.value.Value.Value == f"{username}|{name}"
    assert readers["a"].find("a%2Fb/c") is None, "there is no grant"


def test_others_read_by_the_spelling_that_is_valid_for_everybody() -> None:
    nodes = make_nodes()
    for number, username in ((1, "a"), (2, "a/b")):
        nodes.publish(nodes.adopt(number, username), "b/c" if username == "a" else "c", value(username), NOW)
    one = reader(nodes, "other", "#", number=3)
    assert one.find("a/b/c").value.Value.Value == "a"
    assert one.find("a%2Fb/c").value.Value.Value == "a/b"


def test_what_would_be_read_as_ones_own_is_hidden_of_another() -> None:
    nodes = make_nodes()
    theirs = nodes.publish(nodes.adopt(1, "a"), "b/c", value(1), NOW)
    visible = nodes.publish(nodes.adopt(1, "a"), "bc", value(1), NOW)
    one = reader(nodes, "a/b", "#", number=2)
    assert not one.may_see(theirs) and not one.may_see(theirs.parent) and not one.may_read(theirs)
    assert one.may_see(visible) and one.may_see(theirs.folder.root)


@pytest.mark.parametrize("identifier", ["a/", "a//", "/", "", "nobody", "nobody/x", "a/missing"])
def test_a_node_id_that_is_nearly_one_is_none(identifier: str) -> None:
    nodes = make_nodes()
    one = reader(nodes, "a", "#")
    assert one.find(identifier) is None
    assert reader(nodes, "a/b", "#", number=2).find("a/b/") is None


def test_a_new_username_takes_the_nodes_along() -> None:
    nodes = make_nodes()
    node = nodes.publish(nodes.adopt(1, "old"), "x", value(1), NOW)
    nodes.adopt(1, "new/name")
    assert nodes.find("old/x") is None
    assert nodes.find("new%2Fname/x") is node
    assert node.node_id.to_string() == "ns=2;s=new%2Fname/x"


def test_two_integrations_can_swap_their_usernames() -> None:
    nodes = make_nodes()
    first = nodes.publish(nodes.adopt(1, "a"), "x", value(1), NOW)
    second = nodes.publish(nodes.adopt(2, "b"), "x", value(2), NOW)
    nodes.adopt(1, "b")
    nodes.adopt(2, "a")
    assert nodes.find("b/x") is first and nodes.find("a/x") is second
