"""Values page by page, and the tree of topics level by level."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from protocols.hub import index
from protocols.hub.index import Index
from protocols.hub.messages import Child, Message
from tests.protocols.hub.hub_bed import Bed, anything

topic_names = st.text(st.sampled_from("ab-/\x01"), min_size=1, max_size=6)


@given(keys=st.lists(st.text(st.sampled_from("ab\0"), max_size=5)), begin=st.text(st.sampled_from("ab\0"), max_size=5))
def test_an_index_is_a_sorted_list(keys: list[str], begin: str) -> None:
    before, index._CHUNK = index._CHUNK, 2
    try:
        found, model = Index(), []
        for one in keys:
            if one in model:
                found.remove(one)
                model.remove(one)
            else:
                found.add(one)
                model = sorted([*model, one])
            assert list(found.walk("")) == model
        assert list(found.walk(begin)) == model[bisect_left(model, begin) :]
        assert list(found.walk(begin, behind=True)) == [one for one in model if one > begin]
        assert found.next(begin) == next((one for one in model if one >= begin), None)
    finally:
        index._CHUNK = before


def pages(bed: Bed, prefix: str, limit: int, may_read: Callable[[str], bool] = anything) -> list[list[Message]]:
    found, cursor = [], None
    while True:
        page = bed.hub.values(prefix, cursor, limit, may_read)
        found.append(page.messages)
        assert len(page.messages) <= limit
        if (cursor := page.cursor) is None:
            return found


@given(
    topics=st.sets(topic_names), deleted=st.sets(topic_names), prefix=st.text(st.sampled_from("ab-/"), max_size=3),
    limit=st.integers(1, 4), steps=st.integers(1, 5),
)  # fmt: skip
def test_pages_have_every_value_once(topics: set[str], deleted: set[str], prefix: str, limit: int, steps: int) -> None:
    bed = Bed(steps=steps)
    for topic in topics:
        bed.run(topic, topic.encode())
    for topic in deleted:
        bed.hub.delete(topic)

    def may_read(topic: str) -> bool:
        return not topic.endswith("-")

    wanted = [one for one in topics - deleted if one.startswith(prefix) and may_read(one)]
    found = [message.topic for page in pages(bed, prefix, limit, may_read) for message in page]
    assert found == sorted(wanted, key=index.key)


def test_a_page_goes_on_behind_a_topic_that_is_gone() -> None:
    bed = Bed()
    for topic in ("a", "b", "c"):
        bed.run(topic, b"1")
    page = bed.hub.values("", None, 2, anything)
    assert page.cursor == "b"
    bed.hub.delete("b")
    assert [one.topic for one in bed.hub.values("", "b", 2, anything).messages] == ["c"]


def test_a_page_ends_after_so_many_topics_that_may_not_be_read() -> None:
    bed = Bed(steps=10)
    for number in range(25):
        bed.run(f"{number:02}", b"1")
    page = bed.hub.values("", None, 5, lambda topic: topic == "20")
    assert page == ([], "09")


def children(bed: Bed, levels: list[str], limit: int, may_read: Callable[[str], bool] = anything) -> list[Child]:
    found: list[Child] = []
    cursor = None
    while True:
        page = bed.hub.children(levels, cursor, limit, may_read)
        assert len(page.places) <= limit
        found += page.places
        if (cursor := page.cursor) is None:
            return found


def test_places_have_their_value_and_say_if_there_is_more_below() -> None:
    bed = Bed()
    for topic in ("a", "a/b", "a/b/c", "a-b", "c/d/e", "/x", "a//y"):
        bed.run(topic, topic.encode())

    def names(*levels: str) -> list[tuple[str, bool, bool]]:
        return [(one.name, one.message is not None, one.has_more) for one in children(bed, list(levels), 2)]

    assert names() == [("", False, True), ("a", True, True), ("a-b", True, False), ("c", False, True)]
    assert names("a") == [("", False, True), ("b", True, True)]
    assert names("a", "") == [("y", True, False)]
    assert names("c") == [("d", False, True)]
    assert names("c", "d", "e") == names("never") == []
    bed.hub.delete("c/d/e")
    assert ("c", False, True) not in names()


@given(
    topics=st.sets(topic_names),
    levels=st.lists(st.sampled_from(["a", "b", ""]), max_size=2),
    limit=st.integers(1, 3),
    steps=st.integers(1, 4),
)
def test_every_place_is_found_once_however_few_steps_there_are(
    topics: set[str], levels: list[str], limit: int, steps: int
) -> None:
    bed = Bed(steps=steps)
    for topic in topics:
        bed.run(topic, topic.encode())

    def may_read(topic: str) -> bool:
        return not topic.endswith("-")

    base = "".join(f"{level}/" for level in levels)
    below = [one[len(base) :] for one in topics if one.startswith(base) and may_read(one)]
    names = sorted({one.split("/")[0] for one in below})
    found = children(bed, levels, limit, may_read)
    assert [one.name for one in found] == names
    for one in found:
        assert (one.message is not None) == (one.name in below and base + one.name in topics)
        if any(other.startswith(f"{one.name}/") for other in below):
            assert one.has_more


@given(
    topics=st.sets(topic_names), deleted=st.sets(topic_names), text=st.text(st.sampled_from("aB-/"), max_size=3),
    limit=st.integers(1, 4), steps=st.integers(1, 5),
)  # fmt: skip
def test_a_search_finds_every_topic_that_contains_a_text_once(
    topics: set[str], deleted: set[str], text: str, limit: int, steps: int
) -> None:
    before, index._CHUNK = index._CHUNK, 2
    try:
        bed = Bed(steps=steps)
        for topic in topics:
            bed.run(topic, topic.encode())
        for topic in deleted:
            bed.hub.delete(topic)
        found, cursor, is_first = [], None, True
        while is_first or cursor is not None:
            page = bed.hub.find(text, cursor, limit)
            assert len(page.messages) <= limit
            found += [message.topic for message in page.messages]
            cursor, is_first = page.cursor, False
        assert sorted(found) == sorted(topic for topic in topics - deleted if text.lower() in topic)
    finally:
        index._CHUNK = before


def test_a_search_looks_at_so_many_topics_at_most_and_says_where_to_go_on() -> None:
    bed = Bed(steps=500)
    for number in range(2_000):
        bed.run(f"n{number:04}", b"1")
    page = bed.hub.find("n1999", None, 10)
    assert page.messages == [] and page.cursor is not None and page.cursor < "n1100"
