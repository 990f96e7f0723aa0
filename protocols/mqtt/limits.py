"""How much one client, and all of them together, may ask of the broker."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the broker; sizes in bytes, times in seconds."""

    connect_timeout: float = 10.0  # from the open socket to a complete CONNECT
    max_connect_packet: int = 128 * KIB  # nothing larger is read before the login
    unfinished_connects: int = 16 * MIB  # of all clients together that are not let in yet
    max_packet: int = 16 * MIB
    inflight: int = 20  # QoS 1 and 2 messages sent and not yet acknowledged, per session
    queue_messages: int = 1_000  # QoS 1 and 2 messages that wait, per session
    queue_bytes: int = 16 * MIB
    outbound_bytes: int = 4 * MIB  # what waits for a slow reader; QoS 0 beyond it is dropped
    patience: float = 1.0  # how long publishers wait for a subscriber that falls behind
    retained_messages: int = 50_000
    retained_bytes: int = 128 * MIB
    subscriptions: int = 5_000  # per session
    topic_levels: int = 128  # of what is kept: filters and retained topics
    stored_sessions: int = 1_000  # per integration; beyond it the longest unused one is dropped
    sweep_interval: float = 0.5  # how often time-outs are looked for
    log_lines: int = 10  # about bad input, per address and minute
