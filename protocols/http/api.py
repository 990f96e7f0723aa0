"""What a web worker asks for a client of the REST API; each action authenticates, checks, and acts in one go."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from protocols.contract import Refused
from protocols.http.cursors import Cursors
from protocols.http.door import Answer, Door
from protocols.http.faults import Fault, NotYet
from protocols.http.limits import Limits
from protocols.http.messages import Row, Rows, bounded, checked, checked_filter, newest, outgoing, page
from protocols.http.periods import Period
from protocols.http.responses import RETRY
from protocols.http.tickets import Tickets
from protocols.hub.hub import Hub
from protocols.hub.messages import Message
from protocols.tally import Counts, Tally

MOMENT = 0.05  # seconds until a request runs again that could not be answered yet
PATIENCE = 5.0  # seconds of that
BUSY = "what this is about is still being read"


class Forbidden(Exception):
    """The topic permissions of the integration do not allow it."""

    def __init__(self, topic: str) -> None:
        super().__init__(topic)
        self.topic = topic


class Api:
    """The actions whose names begin with http_."""

    def __init__(
        self,
        hub: Hub,
        door: Door,
        tickets: Tickets,
        rows: Rows,
        tally: Tally,
        limits: Limits,
        now: Callable[[], float],
        others: Collection[Callable[..., object]] = (),
    ) -> None:
        """`others` are actions that need nothing of this."""
        self._hub = hub
        self._door = door
        self._tickets = tickets
        self._rows = rows
        self._tally = tally
        self._limits = limits
        self._now = now
        self._others = others
        self._cursors = Cursors()

    def actions(self) -> dict[str, Callable[..., Answer]]:
        """Return the actions by name; the caller comes first of their arguments."""
        acts: list[Callable[..., object]] = [
            self.me,
            self.get,
            self.values,
            self.publish,
            self.delete,
            self.history,
            self.enter,
            *self._others,
        ]
        return {f"http_{act.__name__}": partial(self._admit, act) for act in acts} | {"http_knock": self._door.knock}

    def _admit(self, act: Callable[..., object], caller: Mapping[str, Any], *arguments: object) -> Answer:
        period = self._door.admit(caller)
        if not isinstance(period, Period):
            return period
        try:
            return {"ok": act(period, *arguments)}
        except Forbidden as error:
            return {"forbidden": error.topic}
        except NotYet:
            return {"wait": MOMENT} if caller["waited"] < PATIENCE else _faulty(Fault(503, BUSY, retry=RETRY))
        except Fault as fault:
            return _faulty(fault)

    def me(self, period: Period) -> dict[str, object]:
        """Return who the caller is, and its topic filters."""
        publish, subscribe = period.access.filters
        return {
            "integration_id": period.integration_id,
            "username": period.grant.username,
            "publish": list(publish),
            "subscribe": list(subscribe),
        }

    def get(self, period: Period, topic: str) -> Row | None:
        """Return the value of a topic."""
        found = self._hub.get(_readable(period, topic))
        if found is None:
            return None
        self._got(period, [found])
        return self._rows.of(found)

    def values(self, period: Period, prefix: str, limit: int, cursor: str | None) -> dict[str, object]:
        """Return a page of the values that the caller may read."""
        after = self._cursors.open(cursor, period.integration_id)
        found = self._hub.values(prefix, after, bounded(limit, self._limits.page), period.may_read)
        answer = page(self._rows, found.messages, found.cursor)
        answer["cursor"] = self._cursors.seal(answer["cursor"], period.integration_id)
        self._got(period, found.messages[: len(answer["values"])])
        return answer

    def publish(self, period: Period, messages: list[Row], match: list[int] | None = None) -> list[int]:
        """Publish all of these messages, or none; return their numbers.  For `match` see `_hold_to`."""
        wanted = outgoing(messages, self._limits.batch)
        for topic, _, _, _ in wanted:
            self._hold_to(match, period, _writable(period, topic))
        size = sum(len(topic) + len(payload) for topic, payload, _, _ in wanted)
        period.add(Counts(messages_in=len(wanted), bytes_in=size), self._tally)
        published = self._hub.publish_all(wanted, integration_id=period.integration_id)
        return [message.number for message in published]

    def delete(self, period: Period, topic: str, match: list[int] | None = None) -> bool:
        """Delete the value of a topic; return whether there was one, to who may read it, and True to all others.

        For `match` see `_hold_to`.
        """
        self._hold_to(match, period, _writable(period, topic))
        period.add(Counts(messages_in=1, bytes_in=len(topic)), self._tally)
        was_there = self._hub.delete(topic, integration_id=period.integration_id)
        return was_there or not period.may_read(topic)

    def history(self, period: Period, topic: str, limit: int) -> list[Row]:
        """Return the last values of a topic, the newest last."""
        found = newest(self._rows, self._hub.history(_readable(period, topic), max(1, limit)))
        size = sum(len(row[1]) + len(row[2]) for row in found)
        period.add(Counts(messages_out=len(found), bytes_out=size), self._tally)
        return found

    def enter(self, period: Period, filters: list[str]) -> str:
        """Return the ticket for a stream of what these filters match, whose socket comes next."""
        if not 1 <= len(filters) <= self._limits.filters:
            raise Refused(f"a stream has 1 to {self._limits.filters} topic filters", "filters")
        for one in filters:
            if not period.access.may_subscribe(checked_filter(one)):
                raise Forbidden(one)
        return self._tickets.give(period, dict.fromkeys(filters), self._now())

    def _hold_to(self, match: list[int] | None, period: Period, topic: str) -> None:
        """Refuse a change of a value whose number is none of these (0: there is no value; none at all: any value)."""
        if match is None:
            return
        found = self._hub.get(_readable(period, topic))
        number = found.number if found is not None else 0
        if number not in match if match else not number:
            raise Refused("the value is not the one that this change is meant for", "match")

    def _got(self, period: Period, messages: list[Message]) -> None:
        size = sum(len(message.topic) + len(message.payload) for message in messages)
        period.add(Counts(messages_out=len(messages), bytes_out=size), self._tally)


def _faulty(fault: Fault) -> Answer:
    return {"fault": fault.told(), "retry": fault.retry}


def _readable(period: Period, topic: str) -> str:
    if not period.may_read(checked(topic)):
        raise Forbidden(topic)
    return topic


def _writable(period: Period, topic: str) -> str:
    if not period.access.may_publish(checked(topic)):
        raise Forbidden(topic)
    return topic
