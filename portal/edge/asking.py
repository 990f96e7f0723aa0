"""What pages ask of an Edge Connector: a call is begun at one look and read at the next, so that nobody waits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from portal import activity, clock, vrpc
from portal.db import writing
from portal.integrations import Actor
from portal.models import Integration
from portal.vrpc import Callee
from portal.vrpc_told import Agent

CLASS = "EdgeConnector"
SECONDS = 10.0  # that an answer may take
TOO_LONG = "The answer is too long to be shown here."
UNREADABLE = "The answer cannot be read."


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a call."""

    state: str  # "unknown" if there is none, "open" while it is under way, "told", or "failed"
    value: Any = None
    error: str = ""

    @property
    def is_open(self) -> bool:
        return self.state == "open"

    @property
    def is_told(self) -> bool:
        return self.state == "told"


UNKNOWN = Told("unknown")


def begin(agent: Agent, function: str, *arguments: Any, seconds: float = SECONDS) -> str:
    """Call a function of an agent's management, and return the id to read the answer by."""
    callee = Callee(agent.domain, agent.agent, CLASS, function=function)
    return vrpc.ask(callee, json.dumps(arguments), seconds)


def read(call: str) -> Told:
    """Return what has come of a call."""
    found = vrpc.outcome(call) if call else None
    if found is None:
        return UNKNOWN
    if found.is_open:
        return Told("open")
    if found.state == "late":
        return Told("failed", error=f"no answer came within {found.seconds:.0f} s")
    if found.state != "done":
        return Told("failed", error=found.error)
    if found.size > len(found.result.encode()):
        return Told("failed", error=TOO_LONG)
    try:
        return Told("told", _value(found.result))
    except (ValueError, RecursionError):  # a number of thousands of digits, or brackets without end
        return Told("failed", error=UNREADABLE)


def _value(result: str) -> Any:
    """Return what JSON says; half a character, which no page can hold, becomes a question mark."""
    value = json.loads(result)
    if "\\ud" not in result.lower():
        return value
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def record(kind: str, integration: Integration, actor: Actor, detail: str = "") -> None:
    """Put a deed on record."""
    with writing():
        activity.record(
            kind, clock.now(), integration=integration, account=actor.name, address=actor.address, detail=detail
        )
