"""Clients that wait to be cut off, beside others that are told of values without end."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from benchmarks.generator.clients import Job, LoadError
from benchmarks.generator.opcua import doors, wire
from benchmarks.generator.opcua.sessions import Session, entered

_INTERVAL = 50.0  # milliseconds


async def leave(job: Job, node: Callable[[Job, int], str], say: Callable[[Job], None]) -> Job:
    """Keep a session for each of the credentials until told to end; return when each was closed by the server.

    Each monitors a value of its own; the job's "listeners" monitor those of the others' load.
    """
    door = await doors.find(job)
    with ExitStack() as stack:
        listening = stack.enter_context(entered(door, job["listeners"]))
        held: list[Session] = []
        for username, password in job["held"]:
            held += stack.enter_context(entered(replace(door, username=username, password=password), 1))
            own = node({**job, "username": username}, 0)
            held[-1].write(own)
            held[-1].subscribe(own, _INTERVAL)
        numbers = {
            one.link.socket.fileno(): one.subscribe(node(job, number), _INTERVAL)
            for number, one in enumerate(listening)
        }
        say({})
        closed = _wait([*listening, *held], numbers)
    return {"closed": [closed.get(place) for place in range(len(listening), len(listening) + len(held))]}


def _wait(sessions: list[Session], numbers: dict[int, int]) -> dict[int, float]:
    """Let those with a number acknowledge what they are told; return when sessions were closed, by their place."""
    closed: dict[int, float] = {}
    by_descriptor: dict[int, tuple[int, Session]] = {}
    with select.epoll() as arrivals:
        arrivals.register(sys.stdin, select.EPOLLIN)
        for place, session in enumerate(sessions):
            by_descriptor[session.link.socket.fileno()] = place, session
            arrivals.register(session.link.socket, select.EPOLLIN)
        while True:
            for descriptor, _ in arrivals.poll():
                if descriptor == sys.stdin.fileno():
                    return closed
                place, session = by_descriptor[descriptor]
                try:
                    _take(session, numbers.get(descriptor))
                except (LoadError, OSError):
                    closed[place] = time.monotonic()
                    arrivals.unregister(descriptor)


def _take(session: Session, number: int | None) -> None:
    for answer in session.link.receive():
        body: Any = session.channel.unpack(answer)
        wire.check_good(body)
        if number is not None:
            session.publish(wire.publish(number, wire.sequence_number_of(body)))
