"""What is written on a client's own socket: a stream of events, or the one answer to a long poll."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from typing import Protocol

from payloads import BYTES, kind_of
from protocols.hits import Hits
from protocols.http import events, responses
from protocols.http.events import Encoder
from protocols.http.faults import Fault
from protocols.http.limits import Limits
from protocols.http.periods import Period
from protocols.http.responses import Headers
from protocols.http.wishes import PollWish
from protocols.hub.hub import Hub
from protocols.hub.messages import Message
from protocols.tally import Counts, Tally

PIECE = 64 * 1024  # bytes written at a time


class Outlet(Protocol):
    """The way to the client."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None:
        """Close once everything is written."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...


class Common:
    """What all streams share."""

    def __init__(self, hub: Hub, limits: Limits, encoder: Encoder, tally: Tally) -> None:
        self.hub = hub
        self.limits = limits
        self.encoder = encoder
        self.tally = tally
        self.hits = Hits()


class Stream:
    """Server-Sent Events: messages as they are published; a heartbeat when there are none.

    What a client does not take waits, up to a bound.  Messages beyond it are dropped, counted, and told as an event
    once there is room: the numbers of the events let the client see what it missed.
    """

    def __init__(self, common: Common, period: Period, filters: Collection[str], outlet: Outlet, now: float) -> None:
        self.filters = filters
        self.dropped = 0
        self._common = common
        self._period = period
        self._outlet = outlet
        self._waiting: deque[bytes] = deque()
        self._size = 0  # bytes that wait
        self._untold = 0  # messages that were dropped and not told of
        self._written_at = now
        self._stalled_since: float | None = None

    def begin(self, headers: Headers, after: int | None) -> None:
        """Write the head, and what was missed after a number; then listen."""
        hub = self._common.hub
        start = hub.number if after is None else after
        self._put(responses.events(headers) + events.position(start))
        if after is not None:
            self._catch_up(after)
        self._flush()
        hub.listen(self.filters, self, self._period.may_read)

    def heard(self, messages: Sequence[Message]) -> None:
        """Write messages, or have them wait."""
        count = size = 0
        for message in messages:
            if self._has_room():
                event = self._common.encoder.event(message)
                count, size = count + 1, size + len(event)
                self._put(event)
        self._flush()
        self._period.add(Counts(messages_out=count, bytes_out=size), self._common.tally)

    def permit(self) -> None:
        """Ask anew what the client may read."""
        self._common.hub.unlisten(self)
        self._common.hub.listen(self.filters, self, self._period.may_read)

    def pause(self, now: float) -> None:
        """Keep what comes next: the client does not read fast enough."""
        self._stalled_since = now

    def resume(self, now: float) -> None:
        """Write what waits, as far as the client takes it."""
        self._stalled_since = None
        self._written_at = now
        self._flush()

    def sweep(self, now: float) -> None:
        """Say that the stream still lives, if it has been silent for long; give up on a client that takes nothing."""
        if self._stalled_since is not None:
            if now - self._stalled_since >= self._common.limits.stalled:
                self._common.hits.add("outbound_bytes")
                self.cut()
        elif now - self._written_at >= self._common.limits.heartbeat:
            self._written_at = now
            self._outlet.write(events.HEARTBEAT)

    def conclude(self) -> bool:
        """There is no last answer."""
        return False

    def cut(self) -> None:
        """Close at once."""
        self.end()
        self._outlet.abort()

    def end(self) -> None:
        """Listen no more."""
        self._common.hub.unlisten(self)

    def _catch_up(self, after: int) -> None:
        """Write what was published after a number; say so first if some of it is gone."""
        missed, is_gone = self._common.hub.since(after, self.filters, self._common.limits.missed)
        if is_gone:
            self._put(events.event("gap", {"after": after}))
        self.heard([message for message in missed if self._period.may_read(message.topic)])

    def _has_room(self) -> bool:
        """Say whether a message can be written or wait; count it as dropped if not."""
        if self._size >= self._common.limits.outbound_bytes:
            self._flush()
        if not self._untold and self._size < self._common.limits.outbound_bytes:
            return True
        self._untold += 1
        self.dropped += 1
        self._common.hits.add("outbound_bytes")
        return False

    def _put(self, data: bytes) -> None:
        self._waiting.append(data)
        self._size += len(data)
        if self._size >= PIECE:
            self._flush()

    def _flush(self) -> None:
        """Write what waits, piece by piece, until the client takes no more."""
        while self._waiting and self._stalled_since is None:
            piece, size = [], 0
            while self._waiting and size < PIECE:
                piece.append(self._waiting.popleft())
                size += len(piece[-1])
            self._size -= size
            self._outlet.write(b"".join(piece))
            if not self._waiting and self._untold:
                self._put(events.event("dropped", {"count": self._untold}))
                self._untold = 0


class Poll:
    """A long poll: one answer, once the value of a topic has another number or the time is over."""

    def __init__(
        self, common: Common, period: Period, wish: PollWish, headers: Headers, outlet: Outlet, until: float
    ) -> None:
        self.filters: Collection[str] = (wish.topic,)
        self.dropped = 0
        self._common = common
        self._period = period
        self._topic = wish.topic
        self._number = wish.number
        self._raw = wish.raw
        self._headers = headers
        self._outlet = outlet
        self._until = until

    def begin(self) -> None:
        """Answer at once if the value has changed already; listen otherwise."""
        found = self._common.hub.get(self._topic) if self._period.may_read(self._topic) else None
        if (found.number if found is not None else 0) != self._number:
            self._answer(found)
        else:
            self._common.hub.listen(self.filters, self, self._period.may_read)

    def heard(self, messages: Sequence[Message]) -> None:
        """Answer with the latest value."""
        self._answer(None if messages[-1].deletes else messages[-1])

    def permit(self) -> None:
        """Ask anew whether the client may read the topic."""
        self._common.hub.unlisten(self)
        self._common.hub.listen(self.filters, self, self._period.may_read)

    def sweep(self, now: float) -> None:
        """Answer that nothing has changed, once the time is over."""
        if now >= self._until:
            self.conclude()

    def conclude(self) -> bool:
        """Answer that nothing has changed, now."""
        if self._number:
            self._finish(responses.unchanged(self._headers, self._number))
        else:
            self._answer(None)
        return False

    def pause(self, now: float) -> None:
        """Nothing more is written than one answer."""

    def resume(self, now: float) -> None:
        """Nothing waits."""

    def cut(self) -> None:
        """Close at once."""
        self.end()
        self._outlet.abort()

    def end(self) -> None:
        """Listen no more."""
        self._common.hub.unlisten(self)

    def _answer(self, message: Message | None) -> None:
        if message is None:
            self._finish(responses.fault(self._headers, Fault(404, "this topic has no value")))
            return
        payload = message.payload
        content_type = BYTES if self._raw else kind_of(payload)
        self._period.add(Counts(messages_out=1, bytes_out=len(payload)), self._common.tally)
        self._finish(responses.value(self._headers, message.number, content_type, payload))

    def _finish(self, response: bytes) -> None:
        self.end()
        self._outlet.write(response)
        self._outlet.close()
