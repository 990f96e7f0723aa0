"""Agents as the HTTP side sees them: some are known, and what their functions answer is up to the test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from protocols.contract import Refused

DOMAIN = "acme.default"


@dataclass
class Outcome:
    """How a call has ended."""

    state: str = "done"
    result: str = "null"
    error: str = ""
    seconds: float = 0.25


def function(name: str, *params: tuple[str, str], is_static: bool = True) -> dict[str, Any]:
    described = [
        {"name": one, "type": kind, "description": "", "optional": False, "default": None} for one, kind in params
    ]
    return {"name": name, "is_static": is_static, "description": "", "params": described, "ret": None}


FUNCTIONS = [
    function("add", ("a", "number"), ("b", "number")),
    function("anything"),
    function("status", is_static=False),
]


def row(agent: str, status: str = "online", domain: str = DOMAIN) -> dict[str, Any]:
    return {
        "domain": domain,
        "agent": agent,
        "status": status,
        "hostname": "host",
        "version": "1.0",
        "since": 1_764_000_000.0,
        "classes": 2,
    }


class Agents:
    """A registry and a caller: press and müller/1 are there, and gone is offline."""

    longest = 30.0

    def __init__(self) -> None:
        self.known = [row("gone", "offline"), row("müller 1"), row("press"), row("theirs", domain="other")]
        self.calls: list[tuple[Any, ...]] = []
        self.waiting: dict[int, Callable[[Any], None]] = {}
        self.abandoned: list[int] = []
        self.refusal = ""
        self.reading = False

    def agents(self, domain: str) -> list[dict[str, Any]]:
        return [one for one in self.known if one["domain"] == domain]

    def agent(self, domain: str, agent: str, class_name: str | None) -> dict[str, Any] | None:
        for one in self.agents(domain):
            if one["agent"] == agent:
                return one | {"info": [self._class("Press", class_name), self._class("Broken", class_name)]}
        return None

    def _class(self, name: str, opened: str | None) -> dict[str, Any]:
        is_broken = name == "Broken"
        found = {
            "name": name,
            "fault": "it is no JSON" if is_broken else "",
            "function_count": 0 if is_broken else len(FUNCTIONS),
            "instance_count": 0 if is_broken else 1,
        }
        more = {"functions": FUNCTIONS, "constructors": [], "instances": ["press-4"]}
        if is_broken:
            more = {"functions": [], "constructors": [], "instances": []}
        return found | more | {"reading": is_broken or self.reading} if name == opened else found

    def call(self, *wanted: Any) -> int:
        if self.refusal:
            raise Refused(self.refusal)
        *call, done = wanted
        self.calls.append(tuple(call))
        self.waiting[len(self.calls)] = done
        return len(self.calls)

    def abandon(self, call: int) -> None:
        self.waiting.pop(call, None)
        self.abandoned.append(call)

    def answer(self, call: int, outcome: Outcome) -> None:
        self.waiting.pop(call)(outcome)
