"""What is wrong with clients, told to the log once each and never without end."""

from __future__ import annotations

import logging

_ADDRESSES = 10_000
_PERIOD = 60.0  # seconds
_SHOWN = 200  # characters of a fact


class Journal:
    """Logs facts about the peers of one protocol, a bounded number per address and minute."""

    def __init__(self, protocol: str, lines: int, now: float) -> None:
        self._protocol = protocol
        self._log = logging.getLogger(f"protocols.{protocol}")
        self._lines = lines
        self._counts: dict[str, int] = {}
        self._since = now

    def note(self, address: str, fact: str) -> None:
        """Log a fact about a peer, unless there were too many lately."""
        if self._counts_one(address):
            self._log.warning("%s client at %s: %s", self._protocol, address, _printable(fact[:_SHOWN]))

    def fail(self, address: str, error: Exception, what: str = "a request of") -> None:
        """Log an error of ours that a peer met, with where it came from."""
        if self._counts_one(address):
            self._log.error("%s the %s client at %s failed", what, self._protocol, address, exc_info=error)

    def sweep(self, now: float) -> None:
        """Begin a new minute, and tell how much the last one left out."""
        if now - self._since < _PERIOD:
            return
        for address, count in self._counts.items():
            if count > self._lines:
                left_out = count - self._lines
                self._log.warning("%s clients at %s: %d more of such, not logged", self._protocol, address, left_out)
        self._counts.clear()
        self._since = now

    def _counts_one(self, address: str) -> bool:
        if address not in self._counts and len(self._counts) >= _ADDRESSES:
            address = "other addresses"
        count = self._counts[address] = self._counts.get(address, 0) + 1
        return count <= self._lines


def _printable(text: str) -> str:
    """Return a text that cannot do anything to a terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
