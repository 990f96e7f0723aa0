"""What the portal's calls are: requests as agents take them, how each ends, and what is under way with one agent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

from protocols.contract import Refused
from protocols.vrpc.agents import Key
from protocols.vrpc.answering import PROMISE
from protocols.vrpc.describing import LIFE_CYCLE, is_level

HOST = "__gatehouse__"  # nobody can be called so
STATIC = "__static__"
VERSION = 3
DONE, FAILED, UNUSABLE, LATE, GONE = "done", "failed", "unusable", "late", "gone"

_OWN = LIFE_CYCLE | {STATIC}  # names of the protocol's own


class Outcome(NamedTuple):
    """How a call ended; `result` is JSON text."""

    state: str  # DONE, FAILED by the agent's own word, UNUSABLE, LATE: no answer in time, GONE: the agent went offline
    result: str
    error: str
    seconds: float
    is_promised: bool = False  # the agent has answered with a promise first


Done = Callable[[Outcome], None]


class Request(NamedTuple):
    """What is to be called; `arguments` is the JSON text of an array, `instance` "" for a static function."""

    key: Key
    class_name: str
    instance: str
    function: str
    arguments: str


class Call:
    """A request that is under way."""

    __slots__ = ("began", "channel", "done", "name", "number", "until")

    def __init__(self, number: int, channel: Channel, name: str, done: Done, began: float, until: float) -> None:
        self.number = number
        self.channel = channel
        self.name = name  # what its answer is known by
        self.done = done
        self.began = began
        self.until = until

    @property
    def is_promised(self) -> bool:
        """Say whether a promise is waited for."""
        return self.name.startswith(PROMISE)


class Channel:
    """What goes to one agent, and what comes from it."""

    __slots__ = ("calls", "events", "id", "key", "topic")

    def __init__(self, key: Key, identifier: str) -> None:
        self.key = key
        self.id = identifier
        self.topic = f"{key[0]}/{HOST}/{identifier}"
        self.calls: dict[str, Call] = {}  # by what their answers are known by
        self.events: dict[str, Callable[[bytes], None]] = {}  # who hears of them, by the last level of their topic

    @property
    def is_open(self) -> bool:
        """Say whether anything is expected of the agent."""
        return bool(self.calls or self.events)


def topic_of(request: Request) -> str:
    """Return the topic of a request; raises Refused for what can be no name."""
    levels = {"class_name": request.class_name, "instance": request.instance or STATIC, "function": request.function}
    for field, level in levels.items():
        if level not in _OWN and not is_level(level):
            raise Refused(f"{level[:60]!r} cannot be a name.", field)
    return "/".join((*request.key, *levels.values()))


def check_arguments(arguments: str) -> None:
    """Raise Refused unless this is the JSON text of an array."""
    try:
        if not isinstance(json.loads(arguments, parse_constant=_refuse), list):
            raise Refused("The arguments have to be a JSON array.", "arguments")
    except (ValueError, RecursionError) as error:
        said = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        raise Refused(f"The arguments are no JSON: {said}", "arguments") from None


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no value of it")


def payload_of(request: Request, call: Call) -> bytes:
    """Return a request as agents take it; the arguments stay the text they are."""
    context = request.instance or request.class_name
    start = json.dumps({"c": context, "f": request.function, "i": call.name, "s": call.channel.topic, "v": VERSION})
    return f'{start[:-1]}, "a": {request.arguments}}}'.encode()
