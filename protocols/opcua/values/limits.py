"""How much one integration, and all of them together, may keep in the address space."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class ValueLimits:
    """Bounds of nodes, values and history; sizes in bytes.

    The first ones are settings: OPCUA_ and the name in capitals.
    """

    nodes: int = 10_000  # of one integration, folders among them
    nodes_total: int = 100_000
    value_bytes: int = 256 * KIB  # of one value
    values_bytes: int = 16 * MIB  # of one integration: its values, its names, and what a node takes anyway
    values_total_bytes: int = 128 * MIB
    history_values: int = 100  # of one node; 0 keeps none
    history_total_bytes: int = 64 * MIB  # beyond it, those who keep most lose their oldest

    reserve_nodes: int = 100  # that each integration may have, even if all others have filled the total
    reserve_bytes: int = 256 * KIB
    name_bytes: int = 1_024
    name_levels: int = 32
    history_answer: int = 1_000  # values of one node in one answer
    history_answer_bytes: int = 1 * MIB  # of all nodes in one answer
    history_pace: int = 1 * MIB  # of history that is stored each second
    queue: int = 100  # values that wait for one monitored item
    queue_bytes: int = 8 * MIB  # that wait in one subscription
