"""Those who monitor a node are told of each value, a crowd of them in turns."""

from __future__ import annotations

from collections.abc import Callable

from protocols.opcua.values.limits import ValueLimits
from protocols.opcua.values.nodes import Nodes
from protocols.opcua.values.tree import Node
from protocols.opcua.values.watching import News, Watchers
from tests.protocols.opcua.values.values_pure import NOW, make_nodes, value

CROWD = 5_000


class Watcher:
    """Counts what all of its kind are told."""

    told = 0

    def __init__(self, *, wants_all: bool = False) -> None:
        self.wants_all = wants_all
        self.seen: list[object] = []
        self.lost: list[bool] = []

    def changed(self, news: News) -> None:
        Watcher.told += 1
        self.seen.append(news.value.Value.Value if news.value.StatusCode.is_good() else news.value.StatusCode.name)
        self.lost.append(news.is_after_lost)


class Loop:
    """Runs what is called soon when a test says so, and counts what is told in each turn."""

    def __init__(self, nodes: Nodes) -> None:
        self.called: list[Callable[[], None]] = []
        self.turns: list[int] = []
        nodes.crowds.call_soon = self.called.append

    def turn(self) -> None:
        before = Watcher.told
        called, self.called[:] = self.called[:], []
        for one in called:
            one()
        self.turns.append(Watcher.told - before)

    def run(self) -> None:
        while self.called:
            self.turn()


def crowded(
    nodes: Nodes, count: int = CROWD, *, wants_all: bool = False, first: object = -1
) -> tuple[Node, list[Watcher]]:
    node = nodes.publish(nodes.adopt(1, "a"), "x", value(first), NOW)
    watchers = [Watcher(wants_all=wants_all) for _ in range(count)]
    node.watchers = Watchers()
    node.watchers.members.update(dict.fromkeys(watchers))
    return node, watchers


def test_a_few_are_told_at_once() -> None:
    nodes = make_nodes()
    loop = Loop(nodes)
    node, watchers = crowded(nodes, 10)
    nodes.write(node, value(1), NOW)
    assert [one.seen for one in watchers] == [[1]] * 10
    assert not loop.called


def test_a_crowd_is_told_in_turns_and_a_write_tells_nobody() -> None:
    nodes = make_nodes()
    loop = Loop(nodes)
    node, watchers = crowded(nodes)
    before = Watcher.told
    for number in range(1_000):
        nodes.write(node, value(number), NOW)
    assert Watcher.told == before
    loop.run()
    assert [one.seen for one in watchers] == [[999]] * CROWD, "each has room for the last one only"
    assert max(loop.turns) <= 1_000 and len(loop.turns) >= 5


def test_all_values_that_a_queue_can_hold_arrive_in_their_order() -> None:
    nodes = make_nodes()
    loop = Loop(nodes)
    node, watchers = crowded(nodes, 1_000, wants_all=True)
    for number in range(50):
        nodes.write(node, value(number), NOW)
        if number % 20 == 0:
            loop.turn()
    loop.run()
    assert [one.seen for one in watchers] == [list(range(50))] * 1_000
    assert max(loop.turns) <= 1_100


def test_of_more_values_the_first_and_the_last_arrive_and_the_loss_is_told() -> None:
    nodes = make_nodes()
    loop = Loop(nodes)
    most = ValueLimits().queue
    node, watchers = crowded(nodes, 1_000, wants_all=True)
    for number in range(1_000):
        nodes.write(node, value(number), NOW)
    loop.run()
    assert watchers[7].seen == [*range(most), *range(1_000 - most, 1_000)]
    assert [number for number, lost in enumerate(watchers[7].lost) if lost] == [most]


def test_what_waits_for_crowds_is_bounded_in_bytes() -> None:
    nodes = make_nodes(queue_bytes=50_000)
    loop = Loop(nodes)
    node, watchers = crowded(nodes, 1_000, wants_all=True, first=b"")
    for number in range(100):
        nodes.write(node, value(bytes([number]) * 10_000), NOW)
    assert sum(one.size for one in node.watchers.news) <= 50_000
    loop.run()
    assert watchers[0].seen[-1] == b"\x63" * 10_000 and any(watchers[0].lost)
    nodes.write(node, value(b"1"), NOW)
    nodes.write(node, value(b"2"), NOW)
    loop.run()
    assert watchers[0].seen[-2:] == [b"1", b"2"], "what was told takes no room any more"


def test_who_has_gone_is_told_nothing_and_a_node_made_again_is_told_in_order() -> None:
    nodes = make_nodes()
    loop = Loop(nodes)
    node, watchers = crowded(nodes, 1_000, wants_all=True)
    nodes.write(node, value(1), NOW)
    nodes.delete(node)
    nodes.publish(nodes.adopt(1, "a"), "x", value(2), NOW)
    del node.watchers.members[watchers[3]]
    loop.run()
    assert watchers[3].seen == []
    assert watchers[4].seen == [1, "BadNodeIdUnknown", 2]


def test_a_small_crowd_need_not_wait_for_a_large_one() -> None:
    nodes = make_nodes()
    loop = Loop(nodes)
    large, _ = crowded(nodes, 20_000)
    small = nodes.publish(nodes.adopt(1, "a"), "y", value(0), NOW)
    watchers = [Watcher() for _ in range(300)]
    small.watchers = Watchers()
    small.watchers.members.update(dict.fromkeys(watchers))
    nodes.write(large, value(1), NOW)
    nodes.write(small, value(1), NOW)
    loop.turn()
    loop.turn()
    assert [one.seen for one in watchers] == [[1]] * 300
