"""Creating, writing and deleting nodes, and how much of it there may be."""

from __future__ import annotations

import random

import pytest
from asyncua import ua

from protocols.opcua.values.errors import Refused
from protocols.opcua.values.kinds import Kind
from protocols.opcua.values.nodes import Nodes
from protocols.opcua.values.tree import OVERHEAD
from protocols.opcua.values.watching import News, Watchers
from tests.protocols.opcua.values.values_pure import NOW, later, make_nodes, refused, value

_NO_ROOM = (ua.StatusCodes.BadTooManyOperations, ua.StatusCodes.BadOutOfMemory, ua.StatusCodes.BadNodeIdExists)


class Watcher:
    def __init__(self) -> None:
        self.seen: list[object] = []

    wants_all = True

    def changed(self, news: News) -> None:
        value = news.value
        self.seen.append(value.Value.Value if value.StatusCode.is_good() else value.StatusCode.name)


def counted(nodes: Nodes) -> tuple[int, int]:
    """Return how many nodes and bytes there are, counted anew."""
    all_nodes = [node for folder in nodes.folders.values() for node in folder.nodes.values()]
    return len(all_nodes), sum(node.weight for node in all_nodes)


def test_a_name_with_levels_makes_folders_and_deleting_the_last_node_takes_them_away() -> None:
    nodes = make_nodes()
    folder = nodes.adopt(1, "a")
    nodes.publish(folder, "x/y/z", value(1), NOW)
    nodes.make_folder(folder, "x/kept")
    assert sorted(folder.nodes) == ["x", "x/kept", "x/y", "x/y/z"]
    nodes.delete(folder.nodes["x/y/z"])
    assert sorted(folder.nodes) == ["x", "x/kept"]
    nodes.delete(folder.nodes["x"])
    assert folder.nodes == {} and (nodes.count, nodes.bytes) == (0, 0)


def test_a_node_may_have_a_value_and_others_below_it() -> None:
    nodes = make_nodes()
    folder = nodes.adopt(1, "a")
    nodes.publish(folder, "x/y", value(1), NOW)
    node = nodes.publish(folder, "x", value(2), NOW)
    assert node.is_variable and list(node.children) == ["y"]
    nodes.delete(folder.nodes["x/y"])
    assert folder.nodes["x"] is node
    nodes.delete(node)
    assert folder.nodes == {}


def test_a_name_is_created_once() -> None:
    nodes = make_nodes()
    folder = nodes.adopt(1, "a")
    nodes.create(folder, "x/y", value(1), NOW)
    assert refused(lambda: nodes.create(folder, "x/y", value(2), NOW)) == "BadNodeIdExists"
    assert nodes.make_folder(folder, "x").is_kept, "which was only on the way to another"
    assert refused(lambda: nodes.make_folder(folder, "x")) == "BadNodeIdExists"


def test_a_value_without_source_time_has_the_servers() -> None:
    nodes = make_nodes()
    node = nodes.publish(nodes.adopt(1, "a"), "x", value(1), NOW)
    assert (node.value.SourceTimestamp, node.value.ServerTimestamp) == (NOW, NOW)
    nodes.write(node, value(2, at=later(-9)), later(1))
    assert (node.value.SourceTimestamp, node.value.ServerTimestamp) == (later(-9), later(1))
    assert node.writes == 2


def test_the_kind_is_that_of_the_first_value_that_is_not_bad() -> None:
    nodes = make_nodes()
    node = nodes.publish(nodes.adopt(1, "a"), "x", value(None, code=ua.StatusCodes.BadWaitingForInitialData), NOW)
    assert node.kind is None
    nodes.write(node, value(1.5), NOW)
    assert node.kind == Kind(ua.VariantType.Double)
    nodes.write(node, value(None, code=ua.StatusCodes.BadNoCommunication), NOW)
    assert refused(lambda: nodes.write(node, value("text"), NOW)) == "BadTypeMismatch"
    assert refused(lambda: nodes.write(node, value(None), NOW)) == "BadTypeMismatch", "no value, and a good status"


def test_what_is_refused_changes_nothing() -> None:
    nodes = make_nodes(value_bytes=100)
    folder = nodes.adopt(1, "a")
    node = nodes.publish(folder, "x", value("first"), NOW)
    before = (node.value, node.size, nodes.bytes, nodes.archive.bytes, node.writes)
    assert refused(lambda: nodes.write(node, value(1), NOW)) == "BadTypeMismatch"
    assert refused(lambda: nodes.write(node, value("x" * 101), NOW)) == "BadOutOfRange"
    assert (node.value, node.size, nodes.bytes, nodes.archive.bytes, node.writes) == before
    for name, content, code in (
        ("y/z", "x" * 101, "BadOutOfRange"),
        ("y/z", None, "BadTypeMismatch"),
        ("y//z", 1, "BadNodeIdInvalid"),
    ):
        assert refused(lambda name=name, content=content: nodes.publish(folder, name, value(content), NOW)) == code
    assert list(folder.nodes) == ["x"] and counted(nodes) == (nodes.count, nodes.bytes)


def test_nodes_of_one_integration_and_of_all_are_bounded() -> None:
    nodes = make_nodes(nodes=3, nodes_total=5, reserve_nodes=0)
    first, second = nodes.adopt(1, "a"), nodes.adopt(2, "b")
    nodes.publish(first, "x/y", value(1), NOW)
    assert refused(lambda: nodes.publish(first, "u/v", value(1), NOW)) == "BadTooManyOperations", "a folder counts"
    nodes.publish(first, "z", value(1), NOW)
    nodes.publish(second, "x/y", value(1), NOW)
    assert refused(lambda: nodes.make_folder(second, "z")) == "BadTooManyOperations"
    assert nodes.hits.counts == {"nodes": 1, "nodes_total": 1}
    nodes.publish(first, "z", value(2), NOW)
    nodes.delete(first.nodes["z"])
    nodes.publish(second, "z", value(1), NOW)


def test_bytes_of_one_integration_and_of_all_are_bounded() -> None:
    nodes = make_nodes(values_bytes=OVERHEAD + 1_000, values_total_bytes=2 * OVERHEAD + 1_500, reserve_bytes=0)
    first, second = nodes.adopt(1, "a"), nodes.adopt(2, "b")
    nodes.publish(first, "x", value(b"x" * 900), NOW)
    assert refused(lambda: nodes.publish(first, "x", value(b"x" * 1_000), NOW)) == "BadOutOfMemory"
    assert refused(lambda: nodes.publish(first, "y", value(1), NOW)) == "BadOutOfMemory"
    nodes.publish(second, "x", value(b"x" * 500), NOW)
    assert refused(lambda: nodes.publish(second, "x", value(b"x" * 900), NOW)) == "BadOutOfMemory"
    assert nodes.hits.counts == {"values_bytes": 2, "values_total_bytes": 1}
    nodes.publish(first, "x", value(b""), NOW)
    nodes.publish(second, "x", value(b"x" * 900), NOW)
    assert counted(nodes) == (nodes.count, nodes.bytes)


def test_a_little_room_is_left_for_each_when_others_have_taken_all() -> None:
    nodes = make_nodes(nodes_total=5, reserve_nodes=2, values_total_bytes=10_000, reserve_bytes=4_000)
    greedy, modest = nodes.adopt(1, "greedy"), nodes.adopt(2, "modest")
    for number in range(5):
        nodes.publish(greedy, f"x{number}", value(b"x" * 1_000), NOW)
    assert refused(lambda: nodes.publish(greedy, "more", value(1), NOW)) == "BadTooManyOperations"
    nodes.publish(modest, "x", value(b"x" * 2_000), NOW)
    nodes.publish(modest, "y", value(1), NOW)
    assert refused(lambda: nodes.publish(modest, "z", value(1), NOW)) == "BadTooManyOperations"
    assert refused(lambda: nodes.publish(modest, "x", value(b"x" * 3_000), NOW)) == "BadOutOfMemory"


def test_an_array_of_objects_takes_more_room_than_its_bytes_on_the_wire() -> None:
    nodes = make_nodes(values_bytes=200_000)
    folder = nodes.adopt(1, "a")
    nodes.publish(folder, "bytes", value(b"x" * 10_000), NOW)
    elements = [ua.NodeId(5)] * 1_000  # of two bytes each
    assert refused(lambda: nodes.publish(folder, "ids", value(elements), NOW)) == "BadOutOfMemory"
    assert counted(nodes) == (nodes.count, nodes.bytes) == (1, folder.bytes)


def test_deleted_integrations_leave_nothing() -> None:
    nodes = make_nodes()
    for number, name in ((1, "a"), (2, "b")):
        nodes.publish(nodes.adopt(number, name), "x/y", value("x"), NOW)
    nodes.forget({1, 7})
    assert list(nodes.folders) == [2] and nodes.find("a/x/y") is None
    assert counted(nodes) == (nodes.count, nodes.bytes)
    nodes.forget({2})
    assert (nodes.count, nodes.bytes, nodes.archive.bytes) == (0, 0, 0)


def test_watchers_are_told_and_wait_for_a_deleted_node_to_be_there_again() -> None:
    nodes = make_nodes()
    folder = nodes.adopt(1, "a")
    watcher = Watcher()
    node = nodes.publish(folder, "x", value(1), NOW)
    node.watchers = Watchers()
    node.watchers.members[watcher] = None
    nodes.write(node, value(2), NOW)
    nodes.delete(node)
    nodes.publish(folder, "x", value(3), NOW)
    assert watcher.seen == [2, "BadNodeIdUnknown", 3]


@pytest.mark.parametrize("seed", range(5))
def test_counts_stay_right_whatever_happens(seed: int) -> None:
    dice = random.Random(seed)
    nodes = make_nodes(
        nodes=20, nodes_total=30, reserve_nodes=5, values_bytes=20 * OVERHEAD, history_total_bytes=50_000
    )
    names = ["a", "a/b", "a/b/c", "d/e", "f", "a/g"]
    for _ in range(500):
        folder = nodes.adopt(dice.randrange(3), dice.choice(["p", "q", "r/s"]))
        node = folder.nodes.get(dice.choice(names))
        step = dice.randrange(10)
        try:
            if step == 0:
                nodes.forget({dice.randrange(3)})
            elif step < 3 and node is not None:
                nodes.delete(node)
            elif step < 4:
                nodes.make_folder(folder, dice.choice(names))
            else:
                nodes.publish(folder, dice.choice(names), value("x" * dice.randrange(3_000)), NOW)
        except Refused as refusal:
            assert refusal.code in _NO_ROOM
        assert counted(nodes) == (nodes.count, nodes.bytes)
        assert all(
            folder.bytes == sum(one.weight for one in folder.nodes.values()) for folder in nodes.folders.values()
        )
        rings = [node.ring.bytes for one in nodes.folders.values() for node in one.nodes.values() if node.ring]
        assert nodes.archive.bytes == sum(rings)
