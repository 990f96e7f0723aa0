"""How much one client, and all of them together, may ask of the broker."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the broker; sizes in bytes, times in seconds.

    The first ones are settings: MQTT_ and the name in capitals.
    """

    connect_timeout: float = 10.0  # from the open socket to a complete CONNECT
    max_packet: int = 16 * MIB
    max_connections: int = 20_000
    max_connections_per_address: int = 10_000  # many clients share an address behind a router or a proxy
    max_connections_per_integration: int = 10_000
    max_handshakes: int = 5_000  # of TLS and WebSockets, begun and not finished; beyond it the oldest give way
    inflight: int = 64  # QoS 1 and 2 messages sent and not yet acknowledged, per session
    queue_messages: int = 10_000  # QoS 1 and 2 messages that wait, per session
    queue_bytes: int = 16 * MIB
    queue_total_bytes: int = 256 * MIB  # that wait, of all sessions together
    outbound_bytes: int = 4 * MIB  # what waits for a slow reader; QoS 0 beyond it is dropped
    retained_messages: int = 50_000
    retained_bytes: int = 128 * MIB
    subscriptions: int = 5_000  # per session
    publish_rate: float = 0  # messages a second, per integration; 0 for any number
    stored_sessions: int = 10_000  # per integration; beyond it the longest unused one is dropped
    max_keep_alive: int = 0  # that a client of 5.0 is told to keep at most; 0 for any
    receive_maximum: int = 1_000  # QoS 1 and 2 messages under way from a client of 5.0
    topic_aliases: int = 100  # that a client of 5.0 may define; it is sent as many at most
    max_connect_packet: int = 128 * KIB  # nothing larger is read before the login
    waiting_logins: int = 10_000  # that are not answered at once; beyond it they are refused
    unfinished_connects: int = 16 * MIB  # of all clients together that are not let in yet
    unfinished_packets: int = 256 * MIB  # of all others together, in large packets that have arrived in part
    outbound_total_bytes: int = 512 * MIB  # what waits for all slow readers together, as far as they share none of it
    patience: float = 1.0  # how long publishers wait for a subscriber that falls behind
    subscription_characters: int = 1024 * 1024  # of a session's filters together, before another long one
    topic_levels: int = 128  # of what is kept: filters and retained topics

    longest_wait: float = 30.0  # that a login may be kept waiting for its answer
    uncommitted_answers: int = 1_000  # that wait for one client's messages to be stored, before it is not read
    queue_reserve: int = 16 * KIB  # that each session's queue may have, even if all others have filled the total
    sweep_interval: float = 0.5  # how often time-outs are looked for
    expiry_interval: float = 10.0  # how often expired messages are looked for
    sys_interval: float = 10.0  # how often $SYS topics are brought up to date
    log_lines: int = 10  # about bad input, per address and minute
