"""What onboarding requests each address has made: what is kept of it goes on counting when a request has given way."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Hashable

MOST_KNOWN = 4_000  # addresses whose usernames are remembered
MOST_BANNED = 1_000


class Origins:
    """Counts requests and usernames by address, and knows which of these may have no more; bounded."""

    def __init__(self, most: int) -> None:
        """`most` is how many requests at a time, and how many usernames in a window, an address may have."""
        self._most = most
        self._requests: Counter[str] = Counter()
        self._names: OrderedDict[str, set[int]] = OrderedDict()
        self._banned: OrderedDict[str, None] = OrderedDict()

    def clear(self) -> None:
        """Forget everything."""
        for kept in (self._requests, self._names, self._banned):
            kept.clear()

    def requests_of(self, origin: str) -> int:
        """Return how many requests an address has."""
        return self._requests[origin]

    def most_requests(self) -> int:
        """Return how many the address has that has most of them."""
        return max(self._requests.values(), default=0)

    def may_ask(self, origin: str, name: Hashable) -> bool:
        """Tell whether an address may have another request, of a client with this name."""
        if origin in self._banned or self._requests[origin] >= self._most:
            return False
        names = self._names.get(origin, ())
        return len(names) < self._most or hash(name) in names

    def came(self, origin: str, name: Hashable) -> None:
        """Count a request."""
        self._requests[origin] += 1
        self._names.setdefault(origin, set()).add(hash(name))
        self._names.move_to_end(origin)
        if len(self._names) > MOST_KNOWN:
            self._names.popitem(last=False)

    def left(self, origin: str) -> None:
        """Take a request from those that an address has now; its username goes on counting."""
        self._requests[origin] -= 1
        if not self._requests[origin]:
            del self._requests[origin]

    def let_in(self, origin: str, name: Hashable) -> None:
        """Note that a client was no guess."""
        self._names.get(origin, set()).discard(hash(name))

    def ban(self, origin: str) -> None:
        """Have no more requests of an address."""
        self._banned[origin] = None
        if len(self._banned) > MOST_BANNED:
            self._banned.popitem(last=False)

    def is_banned(self, origin: str) -> bool:
        """Tell whether an address may have no more."""
        return origin in self._banned
