"""Passwords that known clients come with instead of their own; of several for one integration none can be accepted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from protocols.knocks import Knock, Offer

MOST = 100

Seal = Callable[[], bytes]


class Offers:
    """Keeps one for each integration, the newest of too many."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._offers: OrderedDict[int, Offer] = OrderedDict()

    def note(self, integration_id: int, knock: Knock, now: float, seal: Seal) -> None:
        """Note a try with another password."""
        offer = self._offers.get(integration_id)
        if offer is None:
            offer = Offer(self._new_id(), integration_id, knock.digest, seal(), knock, now, now)
            self._offers[integration_id] = offer
            if len(self._offers) > MOST:
                self._offers.popitem(last=False)
        elif offer.digest != knock.digest:
            offer.sealed = b""
        offer.knock, offer.last_at = knock, now
        offer.tries += 1

    def all(self) -> list[Offer]:
        """Return them, the oldest first."""
        return list(self._offers.values())

    def forget(self, integration_id: int) -> None:
        """Forget what was offered for an integration."""
        self._offers.pop(integration_id, None)

    def forget_origin(self, origin: str) -> None:
        """Forget what came from an address."""
        for offer in [one for one in self._offers.values() if one.knock.origin == origin]:
            del self._offers[offer.integration_id]

    def clear(self) -> None:
        """Forget everything."""
        self._offers.clear()
