"""Calls of agents' functions: each has its client's socket, and one answer, which comes when the agent has replied."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection
from typing import Protocol

from protocols.contract import Refused
from protocols.hits import Hits
from protocols.http import responses
from protocols.http.faults import FAILED, Fault
from protocols.http.limits import Limits
from protocols.http.periods import Period
from protocols.http.responses import Headers
from protocols.http.streams import Outlet
from protocols.tally import Counts, Tally

Target = tuple[str, str, str, str, str]  # domain, agent, class, instance ("" for a static function), function

SOON = 1  # seconds after which a call of the same integration may have ended


class Outcome(Protocol):
    """How a call has ended."""

    @property
    def state(self) -> str:
        """Return "done", "failed", "unusable" (an answer that is none), "late", or "gone" where the agent has left."""
        ...

    @property
    def result(self) -> str:
        """Return JSON."""
        ...

    @property
    def error(self) -> str: ...

    @property
    def seconds(self) -> float: ...


class Caller(Protocol):
    """Calls functions."""

    def call(
        self,
        domain: str,
        agent: str,
        class_name: str,
        instance: str,
        function: str,
        arguments: str,
        timeout: float | None,
        done: Callable[[Outcome], None],
    ) -> int:
        """Begin a call; `done` is called once, later.  Raises `Refused`."""
        ...

    def abandon(self, call: int) -> None:
        """Wait for a call no more, if it still waits."""
        ...


class Calls:
    """What all calls share, and how many there are."""

    def __init__(self, caller: Caller, limits: Limits, hits: Hits, tally: Tally) -> None:
        self.caller = caller
        self.limits = limits
        self.hits = hits
        self.tally = tally
        self.answered = 0  # bytes of results on their way
        self._of: Counter[int] = Counter()  # by integration
        self._all = 0

    def __len__(self) -> int:
        return self._all

    def enter(self, integration_id: int) -> None:
        """Take a place for a call.  Raises `Fault`."""
        if self._of[integration_id] >= self.limits.calls_per_integration:
            self.hits.add("calls_per_integration")
            most = self.limits.calls_per_integration
            raise Fault(429, f"{most:,} calls of this integration are under way already", retry=SOON)
        if self._all >= self.limits.calls:
            self.hits.add("calls")
            raise Fault(503, "too many calls are under way", retry=responses.RETRY)
        self._of[integration_id] += 1
        self._all += 1

    def leave(self, integration_id: int) -> None:
        """Give a place back."""
        self._all -= 1
        self._of[integration_id] -= 1
        if not self._of[integration_id]:
            del self._of[integration_id]


class Order:
    """A call that may be made; it has its place from here on."""

    def __init__(self, calls: Calls, period: Period, target: Target, arguments: str, timeout: float | None) -> None:
        """Raises `Fault` where there is no place."""
        calls.enter(period.integration_id)
        self.period = period
        self.target = target
        self.arguments = arguments
        self.timeout = timeout
        self._calls: Calls | None = calls

    @property
    def domain(self) -> str:
        return self.target[0]

    def release(self) -> None:
        """Give the place back; does nothing the second time."""
        if self._calls is not None:
            self._calls.leave(self.period.integration_id)
            self._calls = None


class Call:
    """One call: the answer, or what is wrong, once it is known."""

    filters: Collection[str] = ()
    dropped = 0

    def __init__(self, calls: Calls, order: Order, headers: Headers, outlet: Outlet, *, probes: bool) -> None:
        """`probes` says that the client knows interim responses, by which one that has left is found out."""
        self._calls = calls
        self._order = order
        self._headers = headers
        self._outlet = outlet
        self._probes = probes
        self._number: int | None = None  # of the call, while it waits
        self._size = 0  # bytes of the answer
        self._has_answered = self._is_half_closed = False
        self._answered_since: float | None = None

    def begin(self) -> None:
        """Call the function, if that is still permitted: the grant may have changed since the ticket was given."""
        self.permit()
        if self._has_answered:
            return
        order, counts = self._order, Counts(messages_in=1, bytes_in=len(self._order.arguments))
        order.period.add(counts, self._calls.tally)
        try:
            self._number = self._calls.caller.call(*order.target, order.arguments, order.timeout, self._done)
        except Refused as error:  # the agent has left since the ticket was given
            self._refuse(Fault(503, str(error), retry=responses.RETRY))
        order.arguments = ""

    def permit(self) -> None:
        """End if the client may not use this domain any more."""
        if self._order.period.grant.domain != self._order.domain and not self._has_answered:
            self._abandon()
            self._refuse(Fault(403, "this integration may not use these agents any more"))

    def sweep(self, now: float) -> None:
        """Find out whether a client that says no more is still there; give up on one that takes nothing."""
        if self._has_answered:
            if self._answered_since is None:
                self._answered_since = now
            elif now - self._answered_since >= self._calls.limits.stalled:
                self.cut()
        elif self._is_half_closed:
            self._probe()

    def conclude(self) -> bool:
        """Go on: who has ended its own half may read on, which shows when something is written."""
        self._is_half_closed = True
        if not self._has_answered:
            self._probe()
        return True

    def pause(self, now: float) -> None:
        """Nothing more is written than one answer."""

    def resume(self, now: float) -> None:
        """Nothing waits."""

    def cut(self) -> None:
        """Close at once."""
        self.end()
        self._outlet.abort()

    def end(self) -> None:
        """Wait no more."""
        self._abandon()
        self._order.release()
        self._calls.answered -= self._size
        self._size = 0

    def _abandon(self) -> None:
        if self._number is not None:
            self._calls.caller.abandon(self._number)
            self._number = None

    def _probe(self) -> None:
        if self._probes:
            self._outlet.write(responses.CONTINUE)

    def _done(self, outcome: Outcome) -> None:
        self._number = None
        if outcome.state == "done":
            self._succeed(outcome)
        elif outcome.state == "failed":
            self._refuse(Fault(502, outcome.error, kind=FAILED))
        elif outcome.state == "unusable":
            self._refuse(Fault(502, outcome.error))
        elif outcome.state == "late":
            self._refuse(Fault(504, f"the agent has not answered within {outcome.seconds:.1f} seconds"))
        else:
            self._refuse(Fault(503, "the agent has left before it answered", retry=responses.RETRY))

    def _succeed(self, outcome: Outcome) -> None:
        body = f'{{"result": {outcome.result}, "seconds": {json.dumps(round(outcome.seconds, 6))}}}'.encode(
            errors="replace"
        )
        if self._calls.answered and self._calls.answered + len(body) > self._calls.limits.results:
            self._refuse(Fault(503, "too many large results are on their way", retry=responses.RETRY))
        else:
            self._answer(responses.result(self._headers, body))

    def _refuse(self, fault: Fault) -> None:
        self._answer(responses.fault(self._headers, fault))

    def _answer(self, response: bytes) -> None:
        self._has_answered = True
        self._size = len(response)
        self._calls.answered += self._size
        self._order.period.add(Counts(messages_out=1, bytes_out=self._size), self._calls.tally)
        self._outlet.write(response)
        self._outlet.close()
