"""The HTTP side of the protocols worker: answers web workers, and writes to the clients whose sockets they give it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from protocols.contract import Authenticate, ConnectionInfo, Give, Grant, Presence, Traffic, Usage, give_nobody
from protocols.handover import HandOver
from protocols.http import figures, responses
from protocols.http.agents import Agents, AgentsApi
from protocols.http.api import Api
from protocols.http.calls import Call, Caller, Calls, Order
from protocols.http.door import Door
from protocols.http.events import Encoder, Names
from protocols.http.faults import Fault
from protocols.http.limits import Limits
from protocols.http.messages import Rows
from protocols.http.periods import Periods
from protocols.http.shell import Shell
from protocols.http.streams import Common, Poll, Stream
from protocols.http.tickets import Ticket, Tickets
from protocols.http.topics import Topics
from protocols.http.wishes import Wish, parse
from protocols.hub.hub import Hub
from protocols.tally import Tally

_log = logging.getLogger("protocols.http")

SWEEP = 1.0  # seconds
STOPPED = "the portal has stopped"
FULL = "too many streams are open"
EXPIRED = "the client's socket came too late"


class Vrpc(Agents, Caller, Protocol):
    """The agents, and calls of their functions."""

    @property
    def longest(self) -> float:
        """Return how many seconds a call may take."""
        ...


class HttpServer:
    """Lets HTTP clients in; see `protocols.contract.Server`."""

    def __init__(
        self,
        *,
        authenticate: Authenticate,
        presence: Presence,
        hub: Hub,
        names: Names,
        vrpc: Vrpc,
        limits: Limits | None = None,
        give: Give = give_nobody,
    ) -> None:
        self.limits = limits = limits or Limits()
        self._periods = Periods(presence, limits)
        self._tickets = Tickets(limits, secrets.token_urlsafe)
        self._tally = Tally()
        self._common = Common(hub, limits, Encoder(names, _stamp, self._soon), self._tally)
        rows = Rows(names, limits.answer_bytes)
        door = Door(authenticate, self._periods, self.now, give)
        self._calls = Calls(vrpc, limits, self._common.hits, self._tally)
        agents = AgentsApi(vrpc, self._calls, self._tickets, limits, vrpc.longest, self.now)
        self._api = Api(hub, door, self._tickets, rows, self._tally, limits, self.now, agents.acts())
        self._topics = Topics(hub, rows, limits)
        self._shells: dict[Shell, Ticket] = {}  # with a stream, oldest first
        self._doors: list[HandOver] = []
        self._sweep_timer: asyncio.TimerHandle | None = None

    async def start(self, listeners: Mapping[str, Sequence[socket.socket]], grants: Mapping[int, Grant]) -> None:
        """Take over clients from the web workers; nothing is stored of any integration."""
        self._loop = asyncio.get_running_loop()
        for listener in listeners.get("http", ()):
            self._doors.append(HandOver(self._loop, listener, lambda message: Shell(self, message)))
        self._sweep_later()

    def disconnect(self, integration_ids: Collection[int], reason: str, *, forget: bool) -> None:
        """End the periods of these integrations and cut their streams now."""
        for integration_id in integration_ids:
            for period in list(self._periods.of(integration_id)):
                self._periods.end(period, reason)

    def kick(self, connection_ids: Collection[str], reason: str) -> None:
        """End these periods and cut their streams now."""
        wanted = set(connection_ids)
        for period in [period for period in self._periods if period.presence_id in wanted]:
            self._periods.end(period, reason)

    def permit(self, grants: Mapping[int, Grant]) -> None:
        """Hold periods and streams of these integrations to other topics from now on."""
        self._periods.permit(grants)
        for shell, ticket in self._shells.items():
            if ticket.period.integration_id in grants and shell.stream is not None:
                shell.stream.permit()

    def connections(self, integration_id: int) -> list[ConnectionInfo]:
        """Return what is known of the periods of an integration."""
        return [figures.describe(period) for period in self._periods.of(integration_id)]

    def traffic(self) -> dict[int, Traffic]:
        """Return the traffic of each integration that had any since the last call."""
        return self._tally.take()

    def usage(self) -> list[Usage]:
        """Return the limits."""
        return figures.usage(self.limits, self._common.hits, self._streams(), len(self._calls))

    def switch(self, switches: Mapping[str, bool]) -> None:
        """There is nothing to switch."""

    def actions(self) -> Mapping[str, Callable[..., object]]:
        """Return what web workers ask for clients and for operators."""
        return {**self._api.actions(), **self._topics.actions()}

    def link_actions(self) -> Mapping[str, Callable[..., object]]:
        """Other processes subscribe at the hub, not here."""
        return {}

    async def stop(self) -> None:
        """Take nobody over any more, end every period and close every stream."""
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        while self._doors:
            self._doors.pop().close()
        for period in list(self._periods):
            self._periods.end(period, STOPPED)

    # --- what the streams need

    def now(self) -> float:
        """Return the time."""
        return self._loop.time()

    def opened(self, shell: Shell, message: bytes) -> None:
        """Begin what a client asked for, whose socket has come with a ticket for it."""
        try:
            wish = parse(message)
        except ValueError as error:
            _log.error("a web worker cannot be understood: %s", error)
            shell.abort()
            return
        ticket = self._tickets.take(wish.ticket, self.now())
        if ticket is None:
            self._turn_away(shell, wish, EXPIRED)
        elif ticket.order is not None:
            self._begin_call(shell, ticket, ticket.order, wish)
        elif limit := self._exceeded(ticket):
            self._common.hits.add(limit)
            self._turn_away(shell, wish, FULL)
        else:
            self._begin(shell, ticket, wish)

    def lost(self, shell: Shell) -> None:
        """Forget a stream whose socket is closed."""
        ticket = self._shells.pop(shell, None)
        if ticket is not None and shell.stream is not None:
            shell.stream.end()
            self._periods.release(ticket.period, shell.stream, self.now())

    def _begin(self, shell: Shell, ticket: Ticket, wish: Wish) -> None:
        self._shells[shell] = ticket
        period, now = ticket.period, self.now()
        if wish.poll is None:
            stream = shell.stream = Stream(self._common, period, ticket.filters, shell, now)
            period.held[stream] = None
            stream.begin(wish.headers, wish.after)
        else:
            until = now + min(wish.poll.seconds, self.limits.longest_poll)
            poll = shell.stream = Poll(self._common, period, wish.poll, wish.headers, shell, until)
            period.held[poll] = None
            poll.begin()

    def _begin_call(self, shell: Shell, ticket: Ticket, order: Order, wish: Wish) -> None:
        self._shells[shell] = ticket
        call = shell.stream = Call(self._calls, order, wish.headers, shell, probes=wish.interim)
        ticket.period.held[call] = None
        call.begin()

    def _soon(self, act: Callable[[], None]) -> None:
        self._loop.call_soon(act)

    def _exceeded(self, ticket: Ticket) -> str:
        """Return the name of the limit that forbids one more stream."""
        if self._streams() >= self.limits.streams:
            return "streams"
        periods = self._periods.of(ticket.period.integration_id)
        held = sum(1 for period in periods for held in period.held if held.filters)
        return "streams_per_integration" if held >= self.limits.streams_per_integration else ""

    def _streams(self) -> int:
        """Return how many streams and long polls are open."""
        return sum(1 for ticket in self._shells.values() if ticket.order is None)

    def _turn_away(self, shell: Shell, wish: Wish, detail: str) -> None:
        shell.write(responses.fault(wish.headers, Fault(503, detail, retry=responses.RETRY)))
        shell.close()

    def _sweep_later(self) -> None:
        self._sweep_timer = self._loop.call_later(SWEEP, self._sweep)

    def _sweep(self) -> None:
        now = self.now()
        for shell in list(self._shells):
            if shell.stream is not None:
                shell.stream.sweep(now)
        self._periods.sweep(now)
        self._tickets.sweep(now)
        self._sweep_later()


def _stamp(time: float) -> str:
    """Return a time as ISO 8601 has it."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds")
