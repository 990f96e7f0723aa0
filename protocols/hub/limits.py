"""How much the hub keeps."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class HubLimits:
    """Bounds of the hub.  The first ones are settings: HUB_ and the name in capitals."""

    topics: int = 100_000  # those that were updated least recently go first
    bytes: int = 64 * MIB  # of them and their values; one may take a quarter of it
    payload: int = MIB  # bytes of a value; the hub does not keep a larger one
    history: int = 100  # values of a topic, the last one among them
    history_bytes: int = 64 * MIB  # of all values that are not the last one

    waiting_bytes: int = 8 * MIB  # that were heard and are not looked at yet
    expiry_interval: float = 10.0  # seconds between two looks for values that have expired
    turn: int = 500  # topics that are looked at in one turn of the loop for those of integrations that are deleted
    steps: int = 10_000  # topics that are looked at in one call
    matches: int = 2_000  # of a topic against a filter in one call: about a microsecond each
