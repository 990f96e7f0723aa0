"""The portal's own VRPC client: requests to agents, and their answers.

Each agent answers to a topic of its own, `D/__gatehouse__/<id>`, that no other agent can guess: what promises are
called is the agents' choice, and two of them may choose the same.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from typing import NamedTuple, Protocol

from protocols.contract import Refused
from protocols.hits import Hits
from protocols.vrpc.agents import Key
from protocols.vrpc.answering import PROMISE, Answer, read_answer, whose
from protocols.vrpc.describing import LIFE_CYCLE, is_level
from protocols.vrpc.limits import Limits
from protocols.vrpc.names import CLIENT_INFO

HOST = "__gatehouse__"  # nobody can be called so
STATIC = "__static__"
VERSION = 3
DONE, FAILED, UNUSABLE, LATE, GONE = "done", "failed", "unusable", "late", "gone"

_OWN = LIFE_CYCLE | {STATIC}  # names of the protocol's own
_SHORTEST = 0.1  # seconds that a call may take
_OFFLINE = b'{"status":"offline"}'
_AGAIN = 10.0  # seconds until an agent that sends to nobody is told so again
_MOST_TOLD = 1_000


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


class Broker(Protocol):
    """What the caller needs of the broker."""

    def now(self) -> float:
        """Return the time in seconds, from any beginning."""
        ...

    def soon(self, act: Callable[[], object], /) -> object:
        """Call something in the next turn of the loop."""
        ...

    def publish(self, topic: str, payload: bytes) -> bool:
        """Send a message to those who subscribe to its topic; say whether anybody does."""
        ...

    def listen(self, topic_filter: str) -> None:
        """Hear what comes on these topics."""
        ...

    def unlisten(self, topic_filter: str) -> None:
        """Hear no more of it."""
        ...


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


class Caller:
    """Calls that are under way; `token` returns what nobody can guess, 16 hexadecimal digits or more."""

    def __init__(self, limits: Limits, hits: Hits, is_online: Callable[[Key], bool], token: Callable[[], str]) -> None:
        self._limits = limits
        self._hits = hits
        self._is_online = is_online
        self._token = token
        self._broker: Broker
        self._channels: dict[Key, Channel] = {}
        self._by_id: dict[str, Channel] = {}
        self._domains: dict[str, int] = {}  # that are listened to, with how many agents
        self._calls: dict[int, Call] = {}
        self._due: list[tuple[float, int]] = []
        self._inbox: deque[tuple[Channel, str, bytes]] = deque()
        self._inbox_bytes = 0
        self._told: dict[str, float] = {}  # who sends to nobody, and when that was said
        self._number = 0
        self.unheard = 0  # messages that nobody waited for

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def longest(self) -> float:
        """Return for how many seconds a call may take at most."""
        return self._limits.call_timeout

    def connect(self, broker: Broker) -> None:
        """Take what the broker offers."""
        self._broker = broker

    # --- agents

    def appeared(self, key: Key) -> None:
        """Listen to the answers of an agent."""
        if not self._domains.setdefault(key[0], 0):
            self._broker.listen(f"{key[0]}/{HOST}/#")
        self._domains[key[0]] += 1
        while (identifier := self._token()[:8]) in self._by_id:
            pass
        self._channels[key] = self._by_id[identifier] = Channel(key, identifier)

    def vanished(self, key: Key) -> None:
        """Forget an agent."""
        channel = self._channels.pop(key)
        self._by_id.pop(channel.id, None)
        self._domains[key[0]] -= 1
        if not self._domains[key[0]]:
            del self._domains[key[0]]
            self._broker.unlisten(f"{key[0]}/{HOST}/#")

    def went_offline(self, key: Key) -> None:
        """End the calls to an agent: nobody is there to answer."""
        for call in list(self._channels[key].calls.values()):
            self._end(call, GONE, error="the agent went offline")

    def channel(self, key: Key) -> Channel:
        """Return what goes to an agent; raises Refused if it is not online."""
        if not self._is_online(key):
            raise Refused("The agent is not online.", "agent")
        return self._channels[key]

    # --- calls

    def call(self, request: Request, timeout: float | None, done: Done) -> int:
        """Call a function, and return the call's number; raises Refused.

        `done` is told once how it ended, and never before this has returned.
        """
        channel = self.channel(request.key)
        topic = _topic(request)
        check_arguments(request.arguments)
        if len(self._calls) >= self._limits.calls:
            self._hits.add("calls")
            raise Refused("Too many calls are under way.")
        now = self._broker.now()
        self._number += 1
        seconds = self.longest if timeout is None else min(max(timeout, _SHORTEST), self.longest)
        call = Call(self._number, channel, f"gh{self._token()}", done, now, now + seconds)
        self._calls[call.number] = channel.calls[call.name] = call
        heappush(self._due, (call.until, call.number))
        if not self._broker.publish(topic, _payload(request, call)):
            self._end(call, UNUSABLE, error=f"the agent does not listen to {topic.partition('/')[2]}")
        return call.number

    def abandon(self, number: int) -> None:
        """Let go of a call: nobody waits for it any more."""
        call = self._calls.get(number)
        if call is not None:
            self._forget(call)

    def is_promised(self, number: int) -> bool:
        """Say whether a call was answered with a promise."""
        call = self._calls.get(number)
        return call is not None and call.is_promised

    def sweep(self) -> None:
        """End the calls whose time is over."""
        now = self._broker.now()
        while self._due and (self._due[0][0] <= now or self._due[0][1] not in self._calls):
            call = self._calls.get(heappop(self._due)[1])
            if call is not None:
                seconds = f"{call.until - call.began:.3g}"
                self._end(call, LATE, error=f"no answer within {seconds} seconds")

    def _end(self, call: Call, state: str, *, result: str = "", error: str = "") -> None:
        self._forget(call)
        outcome = Outcome(state, result, error, self._broker.now() - call.began, call.is_promised)
        self._broker.soon(partial(call.done, outcome))

    def _forget(self, call: Call) -> None:
        del self._calls[call.number]
        del call.channel.calls[call.name]

    # --- what comes back

    def heard(self, topic: str, payload: bytes) -> None:
        """Note a message to the portal; it is looked at in the next turn of the loop."""
        domain, _, rest = topic.partition("/")
        identifier, _, event = rest.partition("/")[2].partition("/")
        channel = self._by_id.get(identifier)
        if channel is None or channel.key[0] != domain or (event and event not in channel.events):
            self.unheard += 1
            if event != CLIENT_INFO:
                self._tell_gone(domain, identifier, channel)
        elif not event and not channel.calls:
            self.unheard += 1
        elif self._inbox_bytes + len(payload) > self._limits.inbox_bytes:
            self._hits.add("reply_bytes")
        else:
            if not self._inbox:
                self._broker.soon(self._look)
            self._inbox.append((channel, event, payload))
            self._inbox_bytes += len(payload)

    def _look(self) -> None:
        """Look at some of what has arrived."""
        left = self._limits.step
        for _ in range(self._limits.messages):
            if not self._inbox or left <= 0:
                break
            channel, event, payload = self._inbox.popleft()
            self._inbox_bytes -= len(payload)
            left -= len(payload)
            if not event:
                self._answer(channel, payload)
            elif (hear := channel.events.get(event)) is not None:
                hear(payload)
        if self._inbox:
            self._broker.soon(self._look)

    def _answer(self, channel: Channel, payload: bytes) -> None:
        name = whose(payload, channel.calls)
        if not name:
            self.unheard += 1
            return
        call, most = channel.calls[name], self._limits.reply_bytes
        if len(payload) > most:
            self._hits.add("reply_bytes")
            text = f"the answer has {len(payload):,} bytes, and may have {most:,} (VRPC_REPLY_BYTES)"
            self._end(call, UNUSABLE, error=text)
            return
        try:
            answer = read_answer(payload, name, self._limits.error)
        except ValueError as error:
            self._end(call, UNUSABLE, error=f"the answer cannot be read: {error}")
            return
        if answer is not None:
            self._take(call, answer)

    def _take(self, call: Call, answer: Answer) -> None:
        if answer.error:
            self._end(call, FAILED, error=answer.error)
        elif not answer.promise:
            self._end(call, DONE, result=answer.result)
        elif answer.promise in call.channel.calls:
            self._end(call, UNUSABLE, error="the agent has given the same promise twice")
        else:
            del call.channel.calls[call.name]
            call.name = answer.promise
            call.channel.calls[call.name] = call

    def _tell_gone(self, domain: str, identifier: str, channel: Channel | None) -> None:
        """Have an agent forget the events that it sends to nobody, as after a restart."""
        if channel is not None and channel.events:
            return
        now = self._broker.now()
        place = f"{domain}/{HOST}/{identifier}"
        if now - self._told.get(place, now - _AGAIN) < _AGAIN:
            return
        if len(self._told) >= _MOST_TOLD:
            del self._told[next(iter(self._told))]
        self._told[place] = now
        self._broker.soon(partial(self._broker.publish, f"{place}/{CLIENT_INFO}", _OFFLINE))


def _topic(request: Request) -> str:
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


def _payload(request: Request, call: Call) -> bytes:
    """Return a request as agents take it; the arguments stay the text they are."""
    context = request.instance or request.class_name
    start = json.dumps({"c": context, "f": request.function, "i": call.name, "s": call.channel.topic, "v": VERSION})
    return f'{start[:-1]}, "a": {request.arguments}}}'.encode()
