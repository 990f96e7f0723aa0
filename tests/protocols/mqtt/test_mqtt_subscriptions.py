"""The trie of subscriptions."""

import mqtt_wire as wire
from hypothesis import given
from hypothesis import strategies as st

from protocols.contract import Grant
from protocols.mqtt.common import Common
from protocols.mqtt.keeping import NoKeeper
from protocols.mqtt.limits import Limits
from protocols.mqtt.packets import Filter
from protocols.mqtt.routes import Route, Subscription
from protocols.mqtt.session import Session
from protocols.mqtt.subscriptions import Subscriptions
from protocols.topics import matches

LEVEL = st.sampled_from(["a", "b", "", "$x"])
NAME = st.lists(LEVEL, min_size=1, max_size=4).map("/".join).filter(bool)
FILTER = st.builds(
    lambda levels, end: "/".join([*levels, *end]),
    st.lists(st.sampled_from(["a", "b", "", "$x", "+"]), min_size=1, max_size=4),
    st.sampled_from([[], ["#"]]),
).filter(bool) | st.just("#")
CHANGE = st.tuples(st.sampled_from("xyz"), FILTER, st.none() | st.integers(0, 2))


class Trie(Subscriptions):
    """Subscriptions of sessions known by one letter."""

    def __init__(self) -> None:
        super().__init__(wire.hub().entry)
        common = Common(Limits(), NoKeeper())
        self.who = {name: Session(common, Grant(1, "ada"), name, 4, 0) for name in "xyz"}


def add(trie: Trie, topic_filter: str, who: str, qos: int) -> None:
    trie.add(trie.who[who], Subscription(Filter(topic_filter, qos)))


def everybody(route: Route) -> dict[str, int]:
    assert len(set(route.plain)) == len(route.plain)
    assert [who for who, _ in route.plain] == list(route.plain_3_1_1)
    return {session.client_id: qos for session, qos in route.plain}


@given(st.lists(CHANGE, max_size=25), st.lists(NAME, min_size=1, max_size=5))
def test_routes_are_those_of_matching_every_filter_by_itself(changes, names) -> None:
    trie = Trie()
    model: dict[tuple[str, str], int] = {}
    for who, topic_filter, qos in changes:
        if qos is not None:
            add(trie, topic_filter, who, qos)
            model[who, topic_filter] = qos
        elif (who, topic_filter) in model:
            trie.remove(trie.who[who], topic_filter)
            del model[who, topic_filter]
        for name in names:
            expected: dict[str, int] = {}
            for (subscriber, wanted), granted in model.items():
                if matches(wanted, name):  # [MQTT-3.3.5-1] the maximum of overlapping filters
                    expected[subscriber] = max(granted, expected.get(subscriber, 0))
            assert everybody(trie.route(name)) == expected
            assert trie.count == len(model)


def test_a_route_that_somebody_kept_is_stale_after_a_change_and_keeps_nobody_alive() -> None:
    trie = Trie()
    add(trie, "a/#", "x", 0)
    route = trie.route("a/b")
    assert trie.route("a/b") is route
    add(trie, "c", "y", 0)
    assert route.stale
    assert everybody(route) == {} and route.is_empty
    assert not trie.route("a/b").stale


def test_removed_subscriptions_leave_no_nodes_behind() -> None:
    trie = Trie()
    for number in range(100):
        add(trie, f"a/{number}/#", "x", 0)
    for number in range(100):
        trie.remove(trie.who["x"], f"a/{number}/#")
    assert trie._root.children == {}


def test_the_match_cache_is_bounded() -> None:
    trie = Trie()
    add(trie, "#", "x", 0)
    for number in range(10_000):
        assert everybody(trie.route(f"t/{number}")) == {"x": 0}
    assert len(trie._routes) <= 4_096
    assert trie.route("n" * 60_000).stale, "a long name is not kept"
    assert everybody(trie.route("n" * 60_000)) == {"x": 0}


def test_a_name_of_ten_thousand_levels_is_matched() -> None:
    trie = Trie()
    add(trie, "+/#", "x", 1)
    assert everybody(trie.route("/" * 9_999)) == {"x": 1}
