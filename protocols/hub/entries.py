"""What is kept of each topic: its last messages, bounded in number and bytes."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from sys import getsizeof
from weakref import WeakValueDictionary

from protocols.hub.index import Index, key, topic_of
from protocols.hub.limits import HubLimits
from protocols.hub.messages import NUMBER, PAYLOAD, RETAIN, WHO, Fields, Listener, Message

TOPIC_COST = 1_024  # bytes that a topic takes besides its value and twice its name, roughly
MESSAGE_COST = 192  # bytes that a message in the history takes besides its payload
_SHARE = 64  # a topic may have this part of all history
_FOR_ONE = 4  # and this part of the bytes of all topics and values


class Entry:
    """One topic.  Whoever publishes on it again and again may hold on to it."""

    __slots__ = (
        "__weakref__",
        "cost",
        "expires_at",
        "is_gone",
        "listeners",
        "lost",
        "messages",
        "most",
        "past",
        "record",
        "room",
        "topic",
        "version",
    )

    def __init__(self, topic: str, room: int, limits: HubLimits) -> None:
        self.topic = topic
        self.cost = TOPIC_COST + 2 * getsizeof(topic)  # bytes; a name with an emoji takes four for each character
        self.most = min(
            limits.payload, limits.bytes // _FOR_ONE - self.cost
        )  # bytes of a value; below 0 nothing is kept
        self.room = room  # how many messages of what was heard are still to be looked at; see `runs`
        self.messages: list[Fields] = []  # the newest last
        self.is_gone = False  # the newest message is no value: it has deleted it, has expired, or one was too large
        self.expires_at: float | None = None  # in seconds since 1970
        self.past = 0  # bytes of the messages before the newest
        self.lost = 0  # the number of the newest message that is not kept
        self.listeners: tuple[Listener, ...] = ()
        self.version = -1  # of the filters by which these were found
        self.record = 0  # the keeper's

    def value(self, now: float) -> Message | None:
        """Return the message that holds the topic's value."""
        if self.is_gone or not self.messages or (self.expires_at is not None and self.expires_at <= now):
            return None
        return Message._make(self.messages[-1])

    def living(self, now: float) -> list[Fields]:
        """Return the messages that have not expired, the newest last."""
        is_over = self.expires_at is not None and self.expires_at <= now
        return self.messages[:-1] if is_over else self.messages

    @property
    def newest(self) -> int:
        """Return the number of the last message, kept or not."""
        return max(self.lost, self.messages[-1][NUMBER] if self.messages else 0)

    @property
    def size(self) -> int:
        """Return how many bytes the topic and its value take."""
        return self.cost + len(self.messages[-1][PAYLOAD] if self.messages else b"")


class Entries:
    """Every topic that has a value, or had one not long ago, least recently updated first."""

    def __init__(self, limits: HubLimits) -> None:
        self._limits = limits
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        # Those of no topic that is kept, but held on to by others: of each topic there is one entry at a time.
        self._strays: WeakValueDictionary[str, Entry] = WeakValueDictionary()
        self._pasts: OrderedDict[Entry, None] = OrderedDict()  # those with more than one message, in the same order
        self._expiring: dict[Entry, None] = {}
        self._look_at = 0.0
        self.index = Index()
        self.bytes = 0
        self.history_bytes = 0
        self.exceeded: Counter[str] = Counter()  # by the limit's name in `HubLimits`
        self.forgotten = 0  # messages up to this number may be missing of any topic
        self._evicted: list[Entry] = []
        self._leaving: set[int] = set()  # integrations whose topics are let go of
        self._looked_at = ""  # the last key that was looked at for these

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, topic: str) -> Entry | None:
        """Return what is kept of a topic."""
        return self._entries.get(topic)

    def make(self, topic: str, room: int) -> Entry:
        """Return the entry of a topic, of which nothing need be kept yet."""
        entry = self._entries.get(topic) or self._strays.get(topic)
        if entry is None:
            entry = self._strays[topic] = Entry(topic, room, self._limits)
        return entry

    def newest(self) -> Iterator[Entry]:
        """Return every topic, most recently updated first; nothing may be taken in meanwhile."""
        return reversed(self._entries.values())

    def take(self, entry: Entry, fresh: Sequence[Fields], expires_at: float | None = None) -> None:
        """Take in the next messages of a topic, and when the last one expires."""
        self._place(entry)
        self._drop_expiring(entry)
        messages = entry.messages
        self.bytes -= entry.size
        if messages:
            self._add_past(entry, _weight(messages[-1]))
        messages += fresh
        self._add_past(entry, _weight(*fresh) - _weight(messages[-1]))
        self.bytes += entry.size
        entry.is_gone = messages[-1][RETAIN] and not messages[-1][PAYLOAD]
        entry.expires_at = expires_at
        if expires_at is not None:
            self._expiring[entry] = None
        self._shorten(entry)

    def refuse(self, entry: Entry, number: int) -> None:
        """Let go of the value of a topic whose next message, of this number, is too large to be kept."""
        self.exceeded["payload" if entry.most == self._limits.payload else "bytes"] += 1
        if entry.most < 0:
            self.forgotten = max(self.forgotten, number)
            return
        self._place(entry)
        self._drop_expiring(entry)
        entry.is_gone = True
        entry.lost = max(entry.lost, number)

    def keep_within(self) -> None:
        """Let go of what is beyond the limits, least recently updated first."""
        limits = self._limits
        while self.history_bytes > limits.history_bytes:
            entry = next(iter(self._pasts))
            self._cut(entry, len(entry.messages) // 2)
            self.exceeded["history_bytes"] += 1
        while len(self._entries) > limits.topics:
            self._evict("topics")
        while self.bytes > limits.bytes:
            self._evict("bytes")

    def take_evicted(self) -> list[Entry]:
        """Return the topics that were let go of since this was last asked."""
        evicted, self._evicted = self._evicted, []
        return evicted

    def expire(self, now: float) -> list[Entry]:
        """Let go of values that have expired, every few seconds; return their topics."""
        interval = self._limits.expiry_interval
        if now < self._look_at <= now + interval:
            return []
        self._look_at = now + interval
        found = [entry for entry in self._expiring if entry.expires_at is not None and entry.expires_at <= now]
        for entry in found:
            self._drop_expiring(entry)
            entry.is_gone = True
        return found

    def _place(self, entry: Entry) -> None:
        """Make a topic the most recently updated one."""
        topic = entry.topic
        if topic in self._entries:
            self._entries.move_to_end(topic)
            return
        self._strays.pop(topic, None)
        self._entries[topic] = entry
        self.index.add(key(topic))
        self.bytes += entry.size

    def _drop_expiring(self, entry: Entry) -> None:
        """Let go of a message that has an expiry, which is no part of the history."""
        if entry.expires_at is None:
            return
        del self._expiring[entry]
        entry.expires_at = None
        self.bytes -= entry.size
        entry.lost = max(entry.lost, entry.messages.pop()[NUMBER])
        if entry.messages:
            self._add_past(entry, -_weight(entry.messages[-1]))
        self.bytes += entry.size
        if len(entry.messages) < 2:
            self._pasts.pop(entry, None)

    def _shorten(self, entry: Entry) -> None:
        """Keep as much of a topic's history as one may have."""
        messages = entry.messages
        excess = len(messages) - max(self._limits.history, 1)
        if excess > 0:
            self._cut(entry, excess)
        share = self._limits.history_bytes // _SHARE
        while entry.past > share:
            self._cut(entry, (len(messages) + 7) // 8)
        if len(messages) > 1:
            self._pasts[entry] = None
            self._pasts.move_to_end(entry)

    def _cut(self, entry: Entry, count: int) -> None:
        """Let go of the oldest messages of a topic; never of the newest."""
        dropped = entry.messages[:count]
        del entry.messages[:count]
        entry.lost = max(entry.lost, dropped[-1][NUMBER])
        self._add_past(entry, -_weight(*dropped))
        if len(entry.messages) < 2:
            self._pasts.pop(entry, None)

    def _add_past(self, entry: Entry, size: int) -> None:
        entry.past += size
        self.history_bytes += size

    def forget(self, integration_ids: Collection[int]) -> None:
        """Have `forget_some` let go of the topics whose last message is one of these integrations'."""
        self._leaving.update(integration_ids)
        self._looked_at = ""

    def forget_some(self) -> bool:
        """Look at some topics for what has to be let go of; say whether there are more to look at."""
        if not self._leaving:
            return False
        keys = [*islice(self.index.walk(self._looked_at, behind=True), self._limits.turn)]
        for topic in map(topic_of, keys):
            entry = self._entries[topic]
            if entry.messages and entry.messages[-1][WHO] in self._leaving:
                del self._entries[topic]
                self._let_go(entry)
        if len(keys) < self._limits.turn:
            self._leaving.clear()
            return False
        self._looked_at = keys[-1]
        return True

    def _evict(self, limit: str) -> None:
        _, entry = self._entries.popitem(last=False)
        self.exceeded[limit] += 1
        self._let_go(entry)

    def _let_go(self, entry: Entry) -> None:
        self.index.remove(key(entry.topic))
        self.bytes -= entry.size
        self.history_bytes -= entry.past
        self._pasts.pop(entry, None)
        self._expiring.pop(entry, None)
        self.forgotten = max(self.forgotten, entry.newest)
        entry.messages, entry.past, entry.expires_at, entry.is_gone = [], 0, None, False
        entry.lost, entry.version = 0, -1
        self._strays[entry.topic] = entry
        self._evicted.append(entry)


def _weight(*messages: Fields) -> int:
    return MESSAGE_COST * len(messages) + sum([len(message[PAYLOAD]) for message in messages])
