"""How fast integrations may publish."""

from __future__ import annotations


class Meter:
    """How much one integration may still publish, at a rate, and at most a second's worth at once."""

    __slots__ = ("_at", "_rate", "_tokens")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._tokens = rate
        self._at = now

    def wait(self, now: float) -> float:
        """Return for how many seconds nothing should be read."""
        self._tokens = min(self._rate, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return 0.0 if self._tokens > 0 else (1 - self._tokens) / self._rate

    def take(self, count: int) -> None:
        """Note that so many messages were published."""
        self._tokens -= count


class Meters:
    """A meter for each integration, if there is a rate."""

    def __init__(self, rate: float) -> None:
        self._rate = rate  # messages a second; 0 for any number
        self._meters: dict[int, Meter] = {}

    def of(self, integration_id: int, now: float) -> Meter | None:
        """Return what an integration's messages are measured by, if they are."""
        if not self._rate:
            return None
        meter = self._meters.get(integration_id)
        if meter is None:
            meter = self._meters[integration_id] = Meter(self._rate, now)
        return meter
