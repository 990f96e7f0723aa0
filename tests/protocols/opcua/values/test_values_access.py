"""Who sees, reads and writes what."""

from __future__ import annotations

import pytest

from protocols.contract import Grant
from protocols.opcua.values.reader import Reader
from tests.protocols.opcua.values.values_pure import NOW, make_nodes, reader, value

NAMES = ["x", "line/x", "line/deep/x", "other"]

# Filters of a grant, and which of bob's nodes they open; ada's own are open in any case.
OPENED = [
    ((), []),
    (("#",), NAMES),
    (("+/x",), ["x"]),
    (("bob/#",), NAMES),
    (("bob/line/#",), ["line/x", "line/deep/x"]),
    (("bob/line/+",), ["line/x"]),
    (("bob/+/+/x",), ["line/deep/x"]),
    (("bob/x", "bob/other"), ["x", "other"]),
    (("%u/#",), []),
    (("b/#", "bo/#", "bob"), []),
    (("bob/%c/x",), ["line/x"]),
    (("$share/g/bob/#",), []),
]


# Filters of the integration "a", and whether they open the node "x" of "a/b", and "x" of "ab".
OF_LONGER = [((), False, False), (("%u/#",), True, False), (("a/+",), False, False), (("a/b/#",), True, False)]


@pytest.mark.parametrize(("filters", "below", "beside"), OF_LONGER)
def test_a_username_is_no_permission_for_those_that_begin_with_it(
    filters: tuple[str, ...], below: bool, beside: bool
) -> None:
    nodes = make_nodes()
    longer, other, a = nodes.adopt(2, "a/b"), nodes.adopt(3, "ab"), reader(nodes, "a", *filters)
    for folder, is_open in ((longer, below), (other, beside)):
        node = nodes.publish(folder, "x", value(1), NOW)
        assert (a.may_read(node), a.may_see(folder.root), a.may_write(folder, "x")) == (is_open,) * 3
    ab = reader(nodes, "a/b", number=2)
    own = nodes.publish(a.folder, "b/x", value(1), NOW)
    assert a.may_read(own) and not ab.may_read(own), "the same topic, but not its folder"


@pytest.mark.parametrize(("filters", "names"), OPENED)
def test_a_grant_opens_what_its_filters_match(filters: tuple[str, ...], names: list[str]) -> None:
    nodes = make_nodes()
    bob, ada = nodes.adopt(2, "bob"), reader(nodes, "ada", *filters, client_id="line")
    for name in NAMES:
        nodes.publish(bob, name, value(1), NOW)
        nodes.publish(ada.folder, name, value(1), NOW)
    assert [name for name in NAMES if ada.may_read(bob.nodes[name])] == names
    assert [name for name in NAMES if ada.may_write(bob, name)] == names
    assert [name for name in NAMES if ada.find(f"bob/{name}") is not None] == names
    assert all(ada.may_read(node) and ada.may_write(node.folder, node.name) for node in ada.folder.nodes.values())


def test_folders_are_seen_where_they_lead_to_something() -> None:
    nodes = make_nodes()
    bob, ada = nodes.adopt(2, "bob"), reader(nodes, "ada", "bob/line/deep/#")
    for name in NAMES:
        nodes.publish(bob, name, value(1), NOW)
    seen = [node.name for node in bob.nodes.values() if ada.may_see(node)]
    assert seen == ["line", "line/deep", "line/deep/x"]
    assert ada.may_see(bob.root)
    assert not reader(nodes, "eve", "carl/#", number=3).may_see(bob.root)


def test_a_node_with_a_value_that_may_not_be_read_is_seen_for_what_is_below_it() -> None:
    nodes = make_nodes()
    bob, ada = nodes.adopt(2, "bob"), reader(nodes, "ada", "bob/line/x")
    nodes.publish(bob, "line", value(1), NOW)
    assert not ada.may_see(bob.nodes["line"])
    nodes.publish(bob, "line/x", value(1), NOW)
    assert ada.may_see(bob.nodes["line"]) and not ada.may_read(bob.nodes["line"])


def test_reading_and_writing_are_granted_apart() -> None:
    nodes = make_nodes()
    bob = nodes.adopt(2, "bob")
    node = nodes.publish(bob, "x", value(1), NOW)
    ada = Reader(nodes, Grant(1, "ada", publish=("bob/x",), subscribe=()), "c")
    assert ada.may_write(bob, "x") and not ada.may_read(node)
    ada.follow(Grant(1, "ada", publish=(), subscribe=("bob/x",)))
    assert not ada.may_write(bob, "x") and ada.may_read(node), "what was decided before is not remembered"


def test_wildcards_do_not_open_what_begins_with_a_dollar() -> None:
    nodes = make_nodes()
    node = nodes.publish(nodes.adopt(2, "$SYS"), "x", value(1), NOW)
    ada = reader(nodes, "ada", "#", "+/x")
    assert not ada.may_see(node) and not ada.may_see(node.folder.root) and not ada.may_write(node.folder, "x")
    assert reader(nodes, "eve", "$SYS/#", number=3).may_read(node)
