"""The hub beside a simple model of it: the same is known, told, missed and let go of, whatever comes."""

from __future__ import annotations

from fnmatch import fnmatchcase
from sys import getsizeof
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.hub.entries import MESSAGE_COST, TOPIC_COST
from tests.protocols.hub.hub_bed import Bed, Ear, anything

TOPICS = ["a", "a/b", "a/b/c", "a-b", "b", "/", "a//b", "b/c"]
FILTERS = ["#", "a/#", "+", "a/+", "a/b", "b", "+/+"]
PAYLOADS = [b"", b"x", b"yy", b"large"]
LARGEST = 4


class Model:
    """What the hub should know: everything that came, one by one."""

    def __init__(self, topics: int, size: int, history: int) -> None:
        self.limits = topics, size, max(history, 1)
        self.came: list[tuple[str, bytes, bool, float | None]] = []  # and is not looked at
        self.kept: dict[str, list[tuple[bytes, bool, float | None]]] = {}  # least recently updated first
        self.gone: set[str] = set()  # topics without a value

    def look(self, listened: set[str]) -> None:
        """Take over what came: of a topic that nobody listens to no more than its history may have."""
        came, self.came = self.came, []
        for position, (topic, *message) in enumerate(came):
            behind = sum(other == topic for other, *_ in came[position + 1 :])
            if topic in listened or behind < self.limits[2]:
                self._take(topic, *message)
        topics, size, _ = self.limits
        while len(self.kept) > topics or self.size > size:
            self.gone.discard(topic := next(iter(self.kept)))
            del self.kept[topic]

    def _take(self, topic: str, payload: bytes, retain: bool, expires_at: float | None) -> None:
        messages = self.kept[topic] = self.kept.pop(topic, [])
        if messages and messages[-1][2] is not None:
            messages.pop()
        if len(payload) > LARGEST:
            self.gone.add(topic)
            return
        messages.append((payload, retain, expires_at))
        del messages[: -self.limits[2]]
        self.gone.discard(topic)
        if retain and not payload:
            self.gone.add(topic)

    def expire(self, now: float) -> None:
        for topic, messages in self.kept.items():
            if messages and messages[-1][2] is not None and messages[-1][2] <= now:
                messages.pop()
                self.gone.add(topic)

    @property
    def size(self) -> int:
        return sum(
            TOPIC_COST + 2 * getsizeof(topic) + len(messages[-1][0] if messages else b"")
            for topic, messages in self.kept.items()
        )

    def values(self) -> dict[str, bytes]:
        return {topic: messages[-1][0] for topic, messages in self.kept.items() if messages and topic not in self.gone}


def matches(topic_filter: str, topic: str) -> bool:
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted, levels = wanted[:-1], levels[: len(wanted) - 1]
    return len(wanted) == len(levels) and all(map(fnmatchcase, levels, ["*" if one == "+" else one for one in wanted]))


publish = st.tuples(
    st.just("publish"),
    st.sampled_from(TOPICS),
    st.sampled_from(PAYLOADS),
    st.integers(1, 4),
    st.sampled_from([None, "retain", "expiry"]),
)
act = st.one_of(
    publish,
    publish,
    publish,
    st.tuples(st.sampled_from(["settle", "sweep", "look", "pass"])),
    st.tuples(st.sampled_from(["listen", "unlisten"]), st.integers(0, 2), st.sampled_from(FILTERS)),
)


class Both:
    """A hub and its model, and listeners with what they should have been told."""

    def __init__(self, limits: dict[str, int]) -> None:
        self.bed = Bed(payload=LARGEST, **limits)
        self.model = Model(limits["topics"], limits["bytes"], limits["history"])
        self.ears = [Ear() for _ in range(3)]
        self.filters: list[set[str]] = [set() for _ in range(3)]
        self.due: list[list[tuple[str, bytes]]] = [[] for _ in range(3)]

    def publish(self, topic: str, payload: bytes, count: int, kind: str | None) -> None:
        bed, expires_at = self.bed, None
        if kind is None:
            bed.run(topic, *[payload] * count)
        else:
            count = 1
            expires_at = bed.clock.now + 5 if kind == "expiry" else None
            bed.one(topic, payload, retain=kind == "retain", expires_in=5 if expires_at else None)
        self.model.came += [(topic, payload, kind == "retain", expires_at)] * count
        for filters, due in zip(self.filters, self.due, strict=True):
            if any(matches(one, topic) for one in filters):
                due += [(topic, payload)] * count

    def listen(self, number: int, topic_filter: str) -> None:
        self.look()
        self.bed.hub.listen([topic_filter], self.ears[number], anything)
        self.filters[number].add(topic_filter)

    def unlisten(self, number: int, topic_filter: str) -> None:
        self.settle()
        self.bed.hub.unlisten(self.ears[number], [topic_filter])
        self.filters[number].discard(topic_filter)

    def settle(self) -> None:
        self.look()
        self.bed.hub.settle()
        for ear, due in zip(self.ears, self.due, strict=True):
            assert ear.told == due

    def sweep(self) -> None:
        self.look()
        self.bed.hub.sweep()
        self.model.expire(self.bed.clock.now)

    def look(self) -> None:
        """Compare all that is known."""
        hub, model = self.bed.hub, self.model
        model.look({one for one in TOPICS if any(matches(each, one) for each in set().union(*self.filters))})
        found = hub.values("", None, 99, anything).messages
        now = self.bed.clock.now
        assert {one.topic: one.payload for one in found} == {
            topic: payload
            for topic, payload in model.values().items()
            if (expires_at := model.kept[topic][-1][2]) is None or expires_at > now
        }
        for topic in TOPICS:
            kept = [one for one in model.kept.get(topic, []) if one[2] is None or one[2] > now]
            history = hub.history(topic, 99)
            assert [(one.payload, one.retain) for one in history] == [one[:2] for one in kept][-model.limits[2] :]
        used = {one.name: one.used for one in hub.usage()}
        assert (used["HUB_TOPICS"], used["HUB_BYTES"]) == (len(model.kept), model.size)
        past = [one for messages in model.kept.values() for one in messages[:-1]]
        assert used["HUB_HISTORY_BYTES"] == sum(MESSAGE_COST + len(payload) for payload, *_ in past)

    def step(self, kind: str, *arguments: Any) -> None:
        if kind == "pass":
            self.settle()
            self.bed.clock.now += 3
        else:
            getattr(self, kind)(*arguments)


@settings(max_examples=300)
@given(
    limits=st.fixed_dictionaries(
        {"topics": st.integers(1, 9), "bytes": st.sampled_from([4_600, 6_800, 99_999]), "history": st.integers(1, 4)}
    ),
    acts=st.lists(act, max_size=40),
)
def test_the_hub_and_its_model_agree(limits: dict[str, int], acts: list[tuple[Any, ...]]) -> None:
    both = Both(limits)
    for kind, *arguments in acts:
        both.step(kind, *arguments)
    both.settle()


@settings(max_examples=300)
@given(
    history=st.integers(1, 4),
    topics=st.integers(1, 9),
    acts=st.lists(st.one_of(publish, st.just(("look",)), st.just(("pass",))), max_size=30),
    after=st.integers(0, 30),
    filters=st.lists(st.sampled_from(FILTERS), min_size=1, max_size=2),
    limit=st.integers(1, 20),
)
def test_nothing_is_missed_in_silence(
    history: int, topics: int, acts: list[tuple[Any, ...]], after: int, filters: list[str], limit: int
) -> None:
    """Whoever resumes gets everything that came since, or is told that something is gone."""
    bed = Bed(history=history, topics=topics, payload=LARGEST)
    came: list[tuple[str, bytes]] = []
    number = bed.hub.number
    for position, (kind, *arguments) in enumerate(acts):
        if position == after:
            number, came = bed.hub.number, []
        if kind == "look":
            bed.hub.get("a")
        elif kind == "pass":
            bed.hub.settle()
            bed.clock.now += 3
            bed.hub.sweep()
        else:
            topic, payload, count, how = arguments
            if how is None:
                bed.run(topic, *[payload] * count)
            else:
                count = 1
                expires_in = 5 if how == "expiry" else None
                bed.one(topic, payload, retain=how == "retain", expires_in=expires_in)
            if any(matches(one, topic) for one in filters):
                came += [(topic, payload)] * count
    found, is_gone = bed.hub.since(number, filters, limit)
    assert [one.number for one in found] == sorted({one.number for one in found})
    assert all(one.number > number for one in found)
    told = [(one.topic, one.payload) for one in found]
    if not is_gone:
        assert told == came
    else:
        rest = iter(came)
        assert all(one in rest for one in told), "in the order in which they came"
