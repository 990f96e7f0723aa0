"""How the hub takes in what was published.

What was heard is noted at once and looked at later: at the end of the turn of the loop where somebody listens to its
topic, else when somebody asks, a few megabytes have gathered, or a sweep comes.  So a topic on which thousands of
messages come in a moment costs what its last hundred cost.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from protocols.hub.entries import Entries, Entry
from protocols.hub.keeping import Keeper
from protocols.hub.limits import HubLimits
from protocols.hub.listening import Listening, is_exact
from protocols.hub.messages import NUMBER, Fields, Listener, MayRead, Message
from protocols.hub.runs import FEW, LARGE, WIDTH, Heard, Large, Source, payloads, pick, trim

_EVERYTHING = 1 << 62  # messages of a topic that somebody listens to


class Intake:
    """Takes messages over into the entries, and tells who listens.

    `heard` is where runs are noted (see `runs`); `wake` is called with the first one of a turn of the loop.  `waiting`
    is how many bytes have arrived since they were looked at: beyond `most_waiting`, `settle_early` lets go of them.
    """

    def __init__(self, limits: HubLimits, clock: Callable[[], float], keeper: Keeper) -> None:
        self.heard: Heard = []
        self.waiting = 0
        self.most_waiting = limits.waiting_bytes
        self.wake: Callable[[], None] = _nothing
        self._limits = limits
        self._clock = clock
        self._keeper = keeper
        self._entries = Entries(limits)
        self._listening = Listening()
        self._room = max(limits.history, 1)
        self._turns: list[tuple[Heard, float]] = []  # what was heard, and when
        self._alone: Heard | None = None  # the last of these, while more that comes by itself belongs to it
        self._alone_at = 0.0
        self._large: dict[Entry, Large] = {}  # what is large of that
        self._is_listened = False  # to some of that
        self._untold: dict[Listener, list[Message]] = {}
        self.nowhere = Entry("", 0, limits)  # of what nobody need be told of
        self._number = 0

    def entry(self, topic: str) -> Entry:
        """Return the entry of a topic, which may be kept, and is noted with what is heard on it."""
        if topic[:1] in ("", "$"):  # the server's own, and those of nobody
            return self.nowhere
        return self._entries.make(topic, self._room)

    def hear(self, entry: Entry, payload: bytes, source: int | Source) -> None:
        """Note a message that is not one of a run."""
        if entry is self.nowhere:
            return
        if not self.heard:
            self.wake()
        self.heard += (entry, payload, 0, 0, len(payload), 1, source)

    def hear_alone(self, entry: Entry, data: bytes, payload: int, source: int, now: float) -> None:
        """Note a message that came by itself, and where in it the payload starts; `now` is the loop's time.

        While nobody listens to anything this leaves nothing to do at the end of the turn.
        """
        run = (entry, data, 0, payload, len(data), 1, source)
        if self.heard:
            self.heard += run
        elif self._listening:
            self.wake()
            self.heard += run
        elif self._alone is not None and now == self._alone_at:
            self._alone += run
        else:
            self._alone, self._alone_at = list(run), now
            self._turns.append((self._alone, self._clock()))

    def settle(self) -> None:
        """End a turn of the loop: tell who listens."""
        self._end_turn()
        if self._is_listened or self.waiting > self.most_waiting:
            self._take_over()
        untold, self._untold = self._untold, {}
        for listener, messages in untold.items():
            if listener in self._listening:
                listener.heard(messages)

    def settle_early(self) -> None:
        """Let go of the bytes that have arrived, in the middle of a turn; who listens is told at its end."""
        self._take_over()

    def trim(self, begin: int) -> None:
        """Let go of much that arrived at once, but for what is wanted of it; `begin` is how long `heard` was before.

        Of large messages, also of those that had come before on the same topic.
        """
        heard = self.heard
        fresh = heard[begin : begin + (FEW + 1) * WIDTH]
        if len(fresh) > FEW * WIDTH:
            return
        if self._listening:
            self._find_listeners(fresh)  # to whom everything is told
        if len(fresh) == WIDTH and (fresh[4] - fresh[2]) // fresh[5] >= LARGE:
            self.waiting -= self._large.setdefault(fresh[0], Large()).add(heard, begin)
        else:
            self.waiting -= trim(heard, begin)

    def listen(self, filters: Collection[str], listener: Listener, may_read: MayRead) -> None:
        """Tell a listener from now on of what comes on these topics too, where it may read them.

        `may_read` is asked once for each topic: when its answers change, the listener has to begin anew.
        """
        self._take_over()
        self._listening.add(filters, listener, may_read)
        self._look_anew(filters)

    def unlisten(self, listener: Listener, filters: Collection[str] | None = None) -> None:
        """Tell a listener no more of what comes on these topics, or of anything."""
        self._take_over()
        self._look_anew(self._listening.remove(listener, filters))

    def _look_anew(self, filters: Collection[str]) -> None:
        """Find the listeners of single topics anew when something comes; those of all others by `Listening.version`."""
        for topic in filter(is_exact, filters):
            if (entry := self._entries.get(topic)) is not None:
                entry.version = -1

    # --- from what was heard to what is known

    def _end_turn(self) -> None:
        heard = self.heard
        if heard:
            self.heard = []
            self._alone = None
            self._turns.append((heard, self._clock()))
            if self._listening:
                self._find_listeners(heard)

    def _find_listeners(self, heard: Heard) -> None:
        version = self._listening.version
        for entry in heard[::WIDTH]:
            if entry.version != version and entry is not self.nowhere:
                entry.version = version
                entry.listeners = self._listening.of(entry.topic)
                entry.room = _EVERYTHING if entry.listeners else self._room
            if entry.listeners:
                self._is_listened = True

    def _take_over(self) -> None:
        self._end_turn()
        if not self._turns:
            return
        turns, self._turns, self._alone = self._turns, [], None
        self._large.clear()
        self.waiting, self._is_listened = 0, False
        gathered: dict[Entry, list[Fields]] = {}
        for heard, time in pick(turns):
            self._take_turn(heard, time, gathered)
        self._keep_all(gathered)
        self._entries.keep_within()
        for entry in self._entries.take_evicted():
            self._keeper.dropped(entry)

    def _take_turn(self, heard: Heard, time: float, gathered: dict[Entry, list[Fields]]) -> None:
        """Gather the messages of a turn's runs, and take over at once what is not plain."""
        for entry, data, start, payload, end, packets, source in zip(*[iter(heard)] * WIDTH, strict=True):
            if not entry.room:  # more may have come than is looked at
                self._number += 1
                entry.lost = self._number
            entry.room = _EVERYTHING if entry.listeners else self._room
            if type(source) is not int or (end - start) // packets > entry.most:
                self._keep_all(gathered)
                self._take_single(entry, payloads(data, start, payload, end, packets), source, time)
                continue
            if (messages := gathered.get(entry)) is None:
                messages = gathered[entry] = []
            if packets == 1:
                self._number = number = self._number + 1
                messages.append((number, entry.topic, data[payload:end], False, source, time))
            else:
                for body in payloads(data, start, payload, end, packets):
                    self._number += 1
                    messages.append((self._number, entry.topic, body, False, source, time))
            if entry.listeners:
                self._tell(entry, messages[-packets:], None)

    def _take_single(self, entry: Entry, bodies: Iterable[bytes], source: int | Source, time: float) -> None:
        """Take over what is not plain: too large, with a retain flag, or with an expiry."""
        if isinstance(source, int):
            source = Source(source)
        for payload in bodies:
            self._number += 1
            message = (self._number, entry.topic, payload, source.retain, source.integration_id, time)
            self._tell(entry, [message], source.origin)
            if len(payload) > entry.most:
                self._entries.refuse(entry, self._number)
                self._keeper.changed(entry)
            else:
                self._keep(entry, [message], None if source.expires_in is None else time + source.expires_in)

    def _keep_all(self, gathered: dict[Entry, list[Fields]]) -> None:
        """Keep what was gathered, in the order of the last messages."""
        for entry, messages in sorted(gathered.items(), key=_last):
            self._keep(entry, messages)
        gathered.clear()

    def _keep(self, entry: Entry, messages: list[Fields], expires_at: float | None = None) -> None:
        self._entries.take(entry, messages, expires_at)
        self._keeper.changed(entry)

    def _tell(self, entry: Entry, messages: list[Fields], origin: object | None) -> None:
        for listener in entry.listeners:
            if listener is not origin:
                self._untold.setdefault(listener, []).extend(map(Message._make, messages))


def _last(one: tuple[Entry, list[Fields]]) -> int:
    return one[1][-1][NUMBER]


def _nothing() -> None:
    """Wake nobody."""
