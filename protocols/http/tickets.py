"""Tickets: a stream or a call is checked when it is asked for, and its client's socket comes a moment later."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from protocols.http.calls import Order
from protocols.http.limits import Limits
from protocols.http.periods import Period


@dataclass(frozen=True, slots=True)
class Ticket:
    """Who may open which stream, or make which call."""

    period: Period
    filters: tuple[str, ...]
    until: float
    order: Order | None = None

    def lapse(self) -> None:
        """Nothing comes of it."""
        if self.order is not None:
            self.order.release()


class Tickets:
    """Gives out tickets, which are good once and for a short time; of too many the oldest is worth nothing."""

    def __init__(self, limits: Limits, new: Callable[[], str]) -> None:
        self._limits = limits
        self._new = new
        self._tickets: dict[str, Ticket] = {}  # oldest first

    def __len__(self) -> int:
        return len(self._tickets)

    def give(self, period: Period, filters: Iterable[str], now: float, order: Order | None = None) -> str:
        """Return a ticket for a stream, or for a call."""
        if len(self._tickets) >= self._limits.tickets:
            self._tickets.pop(next(iter(self._tickets))).lapse()
        name = self._new()
        self._tickets[name] = Ticket(period, tuple(filters), now + self._limits.ticket, order)
        return name

    def take(self, name: str, now: float) -> Ticket | None:
        """Return what a ticket is for, once."""
        ticket = self._tickets.pop(name, None)
        if ticket is not None and (ticket.until <= now or ticket.period.is_over):
            ticket.lapse()
            return None
        return ticket

    def sweep(self, now: float) -> None:
        """Forget the tickets that nobody has used."""
        for name in [name for name, ticket in self._tickets.items() if ticket.until <= now]:
            self._tickets.pop(name).lapse()
