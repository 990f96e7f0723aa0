"""The trie of subscriptions."""

from hypothesis import given
from hypothesis import strategies as st

from protocols.mqtt.subscriptions import Subscriptions
from protocols.mqtt.topics import matches

LEVEL = st.sampled_from(["a", "b", "", "$x"])
NAME = st.lists(LEVEL, min_size=1, max_size=4).map("/".join).filter(bool)
FILTER = st.builds(
    lambda levels, end: "/".join([*levels, *end]),
    st.lists(st.sampled_from(["a", "b", "", "$x", "+"]), min_size=1, max_size=4),
    st.sampled_from([[], ["#"]]),
).filter(bool) | st.just("#")
CHANGE = st.tuples(st.sampled_from("xyz"), FILTER, st.none() | st.integers(0, 2))


@given(st.lists(CHANGE, max_size=25), st.lists(NAME, min_size=1, max_size=5))
def test_routes_are_those_of_matching_every_filter_by_itself(changes, names) -> None:
    trie: Subscriptions[str] = Subscriptions()
    model: dict[tuple[str, str], int] = {}
    for who, topic_filter, qos in changes:
        if qos is not None:
            trie.add(topic_filter, who, qos)
            model[who, topic_filter] = qos
        elif (who, topic_filter) in model:
            trie.remove(topic_filter, who)
            del model[who, topic_filter]
        for name in names:
            expected: dict[str, int] = {}
            for (subscriber, wanted), granted in model.items():
                if matches(wanted, name):  # [MQTT-3.3.5-1] the maximum of overlapping filters
                    expected[subscriber] = max(granted, expected.get(subscriber, 0))
            assert dict(trie.route(name).subscribers) == expected
            assert len(trie.route(name).subscribers) == len(expected)


def test_a_route_that_somebody_kept_is_stale_after_a_change_and_keeps_nobody_alive() -> None:
    trie: Subscriptions[str] = Subscriptions()
    trie.add("a/#", "x", 0)
    route = trie.route("a/b")
    assert trie.route("a/b") is route
    trie.add("c", "y", 0)
    assert route.stale
    assert route.subscribers == ()
    assert not trie.route("a/b").stale


def test_removed_subscriptions_leave_no_nodes_behind() -> None:
    trie: Subscriptions[str] = Subscriptions()
    for number in range(100):
        trie.add(f"a/{number}/#", "x", 0)
    for number in range(100):
        trie.remove(f"a/{number}/#", "x")
    assert trie._root.children == {}


def test_the_match_cache_is_bounded() -> None:
    trie: Subscriptions[str] = Subscriptions()
    trie.add("#", "x", 0)
    for number in range(10_000):
        assert trie.route(f"t/{number}").subscribers == (("x", 0),)
    assert len(trie._routes) <= 4_096
    assert trie.route("n" * 60_000).stale, "a long name is not kept"
    assert trie.route("n" * 60_000).subscribers == (("x", 0),)


def test_a_name_of_ten_thousand_levels_is_matched() -> None:
    trie: Subscriptions[str] = Subscriptions()
    trie.add("+/#", "x", 1)
    assert trie.route("/" * 9_999).subscribers == (("x", 1),)
