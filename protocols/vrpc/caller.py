"""The portal's own VRPC client: requests to agents, and their answers.

Each agent answers to a topic of its own, `D/__gatehouse__/<id>`, that no other agent can guess: what promises are
called is the agents' choice, and two of them may choose the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from typing import Protocol

from protocols.contract import Refused
from protocols.hits import Hits
from protocols.vrpc.agents import Key
from protocols.vrpc.answering import Answer, read_answer, whose
from protocols.vrpc.calls import (
    DONE,
    FAILED,
    GONE,
    HOST,
    LATE,
    UNUSABLE,
    Call,
    Channel,
    Done,
    Outcome,
    Request,
    check_arguments,
    payload_of,
    topic_of,
)
from protocols.vrpc.limits import Limits
from protocols.vrpc.names import CLIENT_INFO

_SHORTEST = 0.1  # seconds that a call may take
_OFFLINE = b'{"status":"offline"}'
_AGAIN = 10.0  # seconds until an agent that sends to nobody is told so again
_MOST_TOLD = 1_000


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
        self._unsent: dict[int, tuple[str, bytes]] = {}  # topics and requests that nobody listens to yet
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
        topic = topic_of(request)
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
        payload = payload_of(request, call)
        if not self._broker.publish(topic, payload):
            self._unsent[call.number] = topic, payload
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
        """Send again what nobody listened to, and end the calls whose time is over."""
        now = self._broker.now()
        for number, (topic, payload) in list(self._unsent.items()):
            self._send_again(number, topic, payload, now)
        while self._due and (self._due[0][0] <= now or self._due[0][1] not in self._calls):
            call = self._calls.get(heappop(self._due)[1])
            if call is not None:
                seconds = f"{call.until - call.began:.3g}"
                self._end(call, LATE, error=f"no answer within {seconds} seconds")

    def _send_again(self, number: int, topic: str, payload: bytes, now: float) -> None:
        """Send a request to an agent that subscribes to the functions of an instance after it has said that it is."""
        call = self._calls[number]
        if self._broker.publish(topic, payload):
            del self._unsent[number]
        elif now - call.began >= self._limits.unheard:
            self._end(call, UNUSABLE, error=f"the agent does not listen to {topic.partition('/')[2]}")

    def _end(self, call: Call, state: str, *, result: str = "", error: str = "") -> None:
        self._forget(call)
        outcome = Outcome(state, result, error, self._broker.now() - call.began, call.is_promised)
        self._broker.soon(partial(call.done, outcome))

    def _forget(self, call: Call) -> None:
        self._unsent.pop(call.number, None)
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
