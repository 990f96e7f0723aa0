"""What one link is told of the hub's messages: as much as it takes, and of what waits meanwhile the last ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from protocols.contract import Link
from protocols.hub.messages import Message

LARGEST = 1024 * 1024  # bytes of a payload that is told: of a larger one, that it is too large
Row = list[object]  # number, topic, payload or None, whether it deletes, time

_PIECE, _PIECE_BYTES = 50, 64 * 1024  # messages that are pushed at once
_WINDOW = 256 * 1024  # bytes that may be on their way
_COST = 256  # bytes that a message takes beside its payload
_QUEUE = 100  # messages of one topic that wait
_MOST = 16 * 1024 * 1024  # bytes of messages that wait
_OWN = 10_000  # numbers of the link's own messages that are remembered until they come back

_LOST = 6


def row(message: Message) -> Row:
    """Return a message as it goes over a link."""
    payload = message.payload if len(message.payload) <= LARGEST else None
    return [message.number, message.topic, payload, message.deletes, message.time]


class Ear:
    """A listener at the other end of a link.

    What it has published itself, and marked, is told to it only where it listens to that very topic: with its mark.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self.single: set[str] = set()  # the topics that it listens to by their names
        self._own: deque[tuple[int, int]] = deque(maxlen=_OWN)
        self._waiting: dict[str, deque[Row]] = {}
        self._bytes = 0
        self._on_way = 0

    def said(self, number: int, mark: int) -> None:
        """Note that the message of this number is the link's own, by whose mark it knows it."""
        self._own.append((number, mark))

    def heard(self, messages: Sequence[Message]) -> None:
        """Tell messages, now or when what is on its way has arrived."""
        for message in messages:
            self._keep(message)
        if self._bytes > _MOST:
            self._thin()
        self._flush()

    def took(self, cost: int) -> None:
        """Note that so much has arrived."""
        self._on_way -= cost
        self._flush()

    def _mark(self, number: int) -> int:
        own = self._own
        while own and own[0][0] < number:
            own.popleft()
        return own.popleft()[1] if own and own[0][0] == number else 0

    def _keep(self, message: Message) -> None:
        mark = self._mark(message.number)
        if mark and message.topic not in self.single:
            return
        queue = self._waiting.get(message.topic)
        if queue is None:
            queue = self._waiting[message.topic] = deque()
        queue.append([*row(message), mark, False])
        self._bytes += _cost(queue[-1])
        if len(queue) > _QUEUE:
            self._drop(queue)

    def _drop(self, queue: deque[Row]) -> None:
        self._bytes -= _cost(queue.popleft())
        queue[0][_LOST] = True

    def _thin(self) -> None:
        """Keep the last message of each topic; if that is still too much, not that of those that wait for longest."""
        for queue in self._waiting.values():
            while len(queue) > 1:
                self._drop(queue)
        while self._bytes > _MOST:
            self._bytes -= _cost(self._waiting.pop(next(iter(self._waiting)))[0])

    def _flush(self) -> None:
        while self._waiting and self._on_way < _WINDOW:
            rows, cost = self._take()
            self._on_way += cost
            self._link.push("hub_heard", rows, cost)

    def _take(self) -> tuple[list[Row], int]:
        """Take out some messages, those of the topic that has waited for longest first."""
        rows: list[Row] = []
        cost = 0
        while self._waiting and len(rows) < _PIECE and cost < _PIECE_BYTES:
            topic, queue = next(iter(self._waiting.items()))
            rows.append(queue.popleft())
            cost += _cost(rows[-1])
            if not queue:
                del self._waiting[topic]
        self._bytes -= cost
        return rows, cost


def _cost(told: Row) -> int:
    payload = told[2]
    return _COST + (len(payload) if isinstance(payload, bytes) else 0)
