"""VRPC version 3 as bytes: requests, answers, and what an agent tells of itself.  No socket, no clock."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge_connector.errors import Malformed, Refused

V = 3
STATIC = "__static__"
AGENT_INFO, CLASS_INFO, CONCISE_INFO, CLIENT_INFO = (
    "__agentInfo__",
    "__classInfo__",
    "__classInfoConcise__",
    "__clientInfo__",
)
EVENT, ONCE, PROMISE = "__e__", "__f__", "__p__"
DEPTH = 100  # levels of arrays and objects in a request

_ID_LENGTH = 1024  # of a call, and of an event


@dataclass(frozen=True)
class Request:
    """Somebody calls a function of a class or of an instance."""

    class_name: str
    instance: str  # STATIC, or a name
    function: str
    arguments: list[Any]
    client: str  # the topic that answers go to, which is who it is
    id: str | int


def parse(domain: str, agent: str, topic: str, payload: bytes) -> Request:
    """Return what a message asks for; class, instance and function are what the topic says.  Raises `Malformed`."""
    levels = topic.split("/")
    if len(levels) != 5 or levels[:2] != [domain, agent]:
        raise Malformed("its topic is none of this agent's functions")
    try:
        asked = json.loads(payload)
    except (ValueError, RecursionError):
        raise Malformed("it is no JSON") from None
    if not isinstance(asked, dict):
        raise Malformed("it is no JSON object")
    client, call, arguments = asked.get("s"), asked.get("i"), asked.get("a", [])
    if not isinstance(client, str) or not is_client(domain, client):
        raise Malformed("its reply topic is none of a client of this domain")
    if isinstance(call, bool) or not isinstance(call, str | int) or len(str(call)) > _ID_LENGTH:
        raise Malformed("it has no id")
    if not isinstance(arguments, list):
        raise Malformed("its arguments are no list")
    return Request(levels[2], levels[3], levels[4], arguments, client, call)


def is_client(domain: str, topic: str) -> bool:
    """Tell whether a topic is where a client of a domain gets its replies: nothing else is ever written to."""
    levels = topic.split("/")
    return len(levels) == 3 and levels[0] == domain and all(map(_is_plain, levels[1:]))


def event_topic(domain: str, agent: str, client: str, argument: str) -> str:
    """Return the topic that an event callback names: one of this agent's events, or below the client's own."""
    topic = argument.removeprefix(EVENT)
    levels = topic.split("/")
    own = len(levels) == 4 and levels[:2] == [domain, agent] and all(map(_is_plain, levels[2:]))
    theirs = topic.startswith(f"{client}/") and len(levels) <= 6 and all(map(_is_plain, levels[3:]))
    if len(topic) > _ID_LENGTH or not (own or theirs):
        raise Refused("an event can only be told on a topic of this agent's or of the client's own")
    return topic


def agent_info(status: str, hostname: str, version: str) -> bytes:
    """Return what an agent tells of itself."""
    return _packed({"status": status, "hostname": hostname, "version": version, "v": V})


def class_info(name: str, instances: Sequence[str], members: Sequence[str], statics: Sequence[str]) -> dict[str, Any]:
    """Return what an agent tells of a class, without its documentation."""
    return {
        "className": name,
        "instances": list(instances),
        "memberFunctions": list(members),
        "staticFunctions": list(statics),
        "v": V,
    }


def packed_info(info: dict[str, Any]) -> bytes:
    """Return the bytes of what is told of a class."""
    return _packed(info)


def result(id: str | int, value: Any) -> bytes:
    """Return an answer.  Raises `Refused` for what JSON cannot say."""
    return encode({"r": value, "i": id, "v": V})


def fault(id: str | int, message: str) -> bytes:
    """Return an answer that says what went wrong."""
    return _packed({"e": {"message": message}, "i": id, "v": V})


def event(id: str, arguments: Sequence[Any]) -> bytes:
    """Return what a callback is called with.  Raises `Refused`."""
    return encode({"a": list(arguments), "i": id, "v": V})


def encode(value: Any) -> bytes:
    """Return a value as JSON; NaN and the infinities, which it does not have, are null.  Raises `Refused`."""
    try:
        return _packed(value)
    except ValueError:
        return _packed(_finite(value))
    except (TypeError, RecursionError) as error:
        raise Refused(f"the result cannot be said in JSON: {error}") from None


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value


def _packed(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


def _is_plain(level: str) -> bool:
    reserved = level == CONCISE_INFO or level.startswith("__") and level.endswith("Info__")
    return bool(level) and not reserved and not any(one in level for one in "+#\0")
