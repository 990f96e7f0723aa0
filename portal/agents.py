"""The agents of VRPC, as clients of the REST API see them: those of the domain that their integration is granted.

Each function raises what those of `portal.hub` do, and `hub.Fault` for what has a status of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from portal import hub
from portal.hub import Caller

Told = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """The function that is to be called, of an instance unless it is static."""

    agent: str
    class_name: str
    function: str
    instance: str = ""


def agents(caller: Caller, limit: int, cursor: str | None) -> Told:
    """Return a page of the agents, by name."""
    found = hub.ask("http_agents", caller, limit, cursor)
    return {"agents": [_agent(row) for row in found["agents"]], "cursor": found["cursor"]}


def agent(caller: Caller, name: str) -> Told:
    """Return an agent with its classes."""
    found = hub.ask("http_agent", caller, name)
    return {**_agent(found), "classes": [_class(row) for row in found["info"]]}


def agent_class(caller: Caller, name: str, class_name: str) -> Told:
    """Return a class of an agent with its functions and shared instances."""
    found = hub.ask("http_agent_class", caller, name, class_name)
    told = {"functions": found["functions"], "constructors": found["constructors"]}
    return {**_class(found), **{key: [_function(one) for one in many] for key, many in told.items()}} | {
        "instances": found["instances"]
    }


def prepare(caller: Caller, target: Target, arguments: str, timeout: float | None) -> str:
    """Return the ticket, good for one use, with which the caller's socket may be handed over for a call.

    `arguments` is the JSON of an array; `timeout` is in seconds, None for as long as a call may take.
    """
    of_target = (target.agent, target.class_name, target.function, target.instance)
    return str(hub.ask("http_call", caller, *of_target, arguments, timeout))


def _agent(row: Mapping[str, Any]) -> Told:
    since = row["since"]
    return {
        "agent": row["agent"],
        "status": row["status"],
        "host": row["hostname"],
        "version": row["version"],
        "since": None if since is None else datetime.fromtimestamp(since, UTC).isoformat(timespec="milliseconds"),
        "class_count": row["classes"],
    }


def _class(row: Mapping[str, Any]) -> Told:
    return {
        "class": row["name"],
        "function_count": row["function_count"],
        "instance_count": row["instance_count"],
        "fault": row["fault"] or None,
    }


def _function(row: Mapping[str, Any]) -> Told:
    return {
        "function": row["name"],
        "static": row["is_static"],
        "description": row["description"],
        "parameters": [
            {name: one[name] for name in ("name", "type", "description", "optional", "default")}
            for one in row["params"]
        ],
        "returns": row["ret"],
    }
