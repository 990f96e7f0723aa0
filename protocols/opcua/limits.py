"""How much one client, and all of them together, may ask of the server."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the server; sizes in bytes, times in seconds.

    The first ones are settings: OPCUA_ and the name in capitals.
    """

    connect_timeout: float = 10.0  # from the open socket to ActivateSession, without the wait at the door
    session_timeout: float = 30.0  # the most that a client may ask for
    max_message: int = 2 * MIB
    max_connections: int = 5_000
    max_connections_per_address: int = 2_500  # many clients share an address behind a router
    max_connections_per_integration: int = 2_500  # a connection has one session
    subscriptions: int = 1_000  # per integration
    monitored_items: int = 20_000  # per integration
    publishing_interval: float = 0.05  # the shortest
    subscription_bytes: int = 64 * MIB  # that one integration makes the server keep for them; see `room`
    subscription_total_bytes: int = 256 * MIB  # the same, of all integrations; see `reserved_bytes`

    max_chunk: int = 65_535
    max_chunks: int = 64  # of one message, for every 2 MB that it may have
    max_first_message: int = 64 * KIB  # before the login
    first_requests: int = 20  # before the login
    elements: int = 200_000  # of one message, once decoded
    operations: int = 1_000  # in one request, such as nodes to read
    references: int = 10_000  # in one answer to Browse
    continuation_points: int = 10  # per session
    path_elements: int = 256  # of one path that is translated
    queued_frames: int = 64  # of one connection, before it is not read
    queued_bytes: int = 256 * KIB  # the same, after the login; before it there is max_first_message
    held_before_login: int = 16 * MIB  # of messages not served yet, of all clients that are not let in together
    held: int = 128 * MIB  # the same, of all others together
    pending: int = 1_000  # connections that are not logged in; beyond it the oldest gives way
    session_subscriptions: int = 100
    item_queue: int = 100  # notifications of one monitored item
    queue_bytes: int = 8 * MIB  # of the notifications that wait in one subscription
    reserved_bytes: int = 256 * KIB  # that each integration may have kept, whatever others have
    unacknowledged: int = 20  # publish responses of one subscription that are kept to be sent again
    slowest_interval: float = 3_600.0  # the longest publishing interval
    shortest_timeout: float = 5.0  # the least that a session may be idle
    token_lifetime: float = 3_600.0  # of a secure channel's keys
    longest_wait: float = 30.0  # that a login may be kept waiting for its answer
    sweep_interval: float = 0.5  # how often time-outs are looked for
    rejected_certificates: int = 100
    rejected_per_address: int = 10
    log_lines: int = 10  # about bad input, per address and minute
