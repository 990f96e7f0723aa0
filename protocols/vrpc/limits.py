"""How much is kept of agents, and how much the portal's own calls may take."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of VRPC; sizes in bytes, times in seconds.

    The first ones are settings: VRPC_ and the name in capitals.
    """

    agents: int = 5_000  # that are listed
    classes: int = 1_000  # of one agent that are listed
    class_bytes: int = 8 * MIB  # of a class info that is read
    client_info: float = 600.0  # that what a client says of itself stays retained
    call_timeout: float = 30.0  # the longest, and the default
    calls: int = 1_000  # under way
    reply_bytes: int = MIB  # of an answer to a call
    watches: int = 100  # of events

    unheard: float = 1.0  # that a request is offered again while nobody listens to its topic
    agent_info_bytes: int = 16 * KIB
    text: int = 4_000  # characters of a description
    documentation: int = 2 * MIB  # of a class that is shown; of the functions beyond it their names
    functions: int = 2_000  # of a class that are shown
    instances: int = 5_000  # of a class that are shown
    params: int = 100  # of a function that are shown
    step: int = 64 * KIB  # bytes of class infos, or of answers, that are read in one turn of the loop
    messages: int = 100  # answers and events that are looked at in one turn of the loop
    at_once: int = 128 * KIB  # bytes of a class info that somebody waits for, and that is not read in steps
    described: int = 4 * MIB  # bytes of the class infos whose functions are kept as they are shown
    inbox_bytes: int = 16 * MIB  # of answers and events that have arrived and are not looked at
    twins: float = 600.0  # that two agents with one name stay flagged
    results: int = 1_000  # of calls that pages have made
    results_bytes: int = 16 * MIB
    result_seconds: float = 60.0  # that a result is kept
    result_bytes: int = 64 * KIB  # of a result that a page is told
    events: int = 200  # of a watch
    event_bytes: int = 256 * KIB  # of a watch
    event_rate: int = 100  # that are looked at of a watch between two sweeps
    idle: float = 30.0  # that a watch goes on when nobody asks
    error: int = 4_000  # characters of an error's message


# The limits that are settings, named VRPC_ and this in capitals.
SETTINGS = ("agents", "classes", "class_bytes", "client_info", "call_timeout", "calls", "reply_bytes", "watches")
