"""Who listens to a topic: the tree of filters finds what matching them one by one finds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.hub.listening import Listening
from protocols.topics import matches
from tests.protocols.hub.hub_bed import Bed, Ear, anything

level = st.sampled_from(["a", "b", "+", ""])
filters = st.builds(
    lambda levels, rest: "/".join(levels) + rest, st.lists(level, min_size=1, max_size=3), st.sampled_from(["", "/#"])
).map(lambda found: found or "#")
names = st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=4).map("/".join).filter(bool)


@settings(max_examples=300)
@given(
    acts=st.lists(st.tuples(st.booleans(), st.integers(0, 2), st.lists(filters, max_size=2)), max_size=12),
    topics=st.lists(names, min_size=1),
)
def test_the_tree_finds_what_matches(acts: list[tuple[bool, int, list[str]]], topics: list[str]) -> None:
    listening, ears = Listening(), [Ear(), Ear(), Ear()]
    wanted: list[set[str]] = [set(), set(), set()]
    for is_added, number, some in acts:
        if is_added:
            listening.add(some, ears[number], anything)
            wanted[number] |= set(some)
        else:
            assert set(listening.remove(ears[number], some)) == wanted[number] & set(some)
            wanted[number] -= set(some)
    for topic in topics:
        found = listening.of(topic)
        assert len(found) == len(set(found))
        assert set(found) == {
            ear for ear, some in zip(ears, wanted, strict=True) if any(matches(one, topic) for one in some)
        }
    for ear in ears:
        listening.remove(ear)
    assert not listening
    assert not listening._root.children


def test_a_topic_is_not_told_any_more_to_who_goes_on_listening_to_others() -> None:
    bed = Bed()
    ear = bed.listen("a", "b")
    bed.run("a", b"1").run("b", b"2").hub.settle()
    bed.hub.unlisten(ear, ["a"])
    bed.run("a", b"3").run("b", b"4").hub.settle()
    assert ear.told == [("a", b"1"), ("b", b"2"), ("b", b"4")]
