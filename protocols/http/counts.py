"""What is counted of periods and integrations."""

from __future__ import annotations

from dataclasses import dataclass

from protocols.contract import Traffic


@dataclass(slots=True)
class Counts:
    """Messages and bytes, ever."""

    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


class Tally:
    """Adds up the traffic of each integration."""

    def __init__(self) -> None:
        self._counts: dict[int, Counts] = {}

    def sent(self, integration_id: int, own: Counts, messages: int, size: int) -> None:
        """Count what an integration's client sent."""
        for counts in (own, self._of(integration_id)):
            counts.messages_in += messages
            counts.bytes_in += size

    def got(self, integration_id: int, own: Counts, messages: int, size: int) -> None:
        """Count what an integration's client got."""
        for counts in (own, self._of(integration_id)):
            counts.messages_out += messages
            counts.bytes_out += size

    def take(self) -> dict[int, Traffic]:
        """Return what was added since the last call."""
        counted, self._counts = self._counts, {}
        return {
            integration_id: Traffic(one.messages_in, one.messages_out, one.bytes_in, one.bytes_out)
            for integration_id, one in counted.items()
        }

    def _of(self, integration_id: int) -> Counts:
        return self._counts.setdefault(integration_id, Counts())
