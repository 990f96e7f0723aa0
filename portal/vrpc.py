"""VRPC agents as pages show them, and calls to them on behalf of an account.

All is asked of the main part of the protocols worker, which is itself a VRPC client, and raises `worker_client.Refused`
and `worker_client.Silent`.  A call holds nobody up: it is begun, and asked about until it has ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from portal import activity, clock, telling, worker_client
from portal.db import writing
from portal.integrations import Actor
from portal.models import Integration
from portal.vrpc_told import Agent, Opened, agent_of, class_of, moment, usernames
from portal.worker_client import MQTT

NAME = 60  # characters of each name in the activity


@dataclass(frozen=True, slots=True)
class Callee:
    """What is called: a function of a class, or with an instance of that."""

    domain: str
    agent: str
    class_name: str
    instance: str = ""
    function: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has become of a call."""

    state: str  # "waiting", "promised", "done", "failed" or "late"
    is_promise: bool  # the value came, or is to come, after a promise of it
    result: str  # JSON, or the beginning of it
    size: int  # bytes of all of it
    error: str
    seconds: float

    @property
    def is_open(self) -> bool:
        return self.state in {"waiting", "promised"}


@dataclass(frozen=True, slots=True)
class Event:
    """An event that an agent told, with its arguments as a JSON array."""

    number: int
    time: datetime
    arguments: str


@dataclass(frozen=True, slots=True)
class Events:
    """The last events, the newest last, and how many there were before these that are not kept."""

    state: str  # "starting", "live", "failed" or "ended"
    error: str
    events: tuple[Event, ...]
    dropped: int


def agents() -> list[Agent]:
    """Return all agents, by domain and name."""
    rows = worker_client.have(MQTT, "vrpc_agents")
    known = usernames(rows)
    return [agent_of(row, known) for row in rows]


def opened(domain: str, agent: str, class_name: str | None) -> Opened | None:
    """Return an agent with its classes, and all that is in one of them."""
    found = worker_client.have(MQTT, "vrpc_agent", domain, agent, class_name)
    if found is None:
        return None
    return Opened(agent_of(found, usernames([found])), tuple(class_of(row) for row in found["info"]))


def ask(callee: Callee, arguments: str, timeout: float | None = None) -> str:
    """Call a function with a JSON array of arguments; return the id by which to ask for the outcome.

    It is not put on record: this is for what pages look at by themselves, and for what is recorded as something else.
    """
    target = (callee.domain, callee.agent, callee.class_name, callee.instance, callee.function)
    return str(worker_client.have(MQTT, "vrpc_call", *target, arguments, timeout)["call"])


def call(actor: Actor, callee: Callee, arguments: str, timeout: float | None) -> str:
    """Call a function on behalf of an account, and put that on record; return the id as `ask` does."""
    begun = ask(callee, arguments, timeout)
    _record("agent.called", actor, callee)
    return begun


def create(actor: Actor, callee: Callee, arguments: str, timeout: float | None) -> str:
    """Create a shared instance."""
    target = (callee.domain, callee.agent, callee.class_name, callee.instance)
    found = worker_client.have(MQTT, "vrpc_create", *target, arguments, timeout)
    _record("agent.instance-created", actor, callee)
    return str(found["call"])


def delete(actor: Actor, callee: Callee, timeout: float | None = None) -> str:
    """Delete an instance."""
    target = (callee.domain, callee.agent, callee.class_name, callee.instance)
    found = worker_client.have(MQTT, "vrpc_delete", *target, timeout)
    _record("agent.instance-deleted", actor, callee)
    return str(found["call"])


def outcome(call: str) -> Outcome | None:
    """Return what has become of a call; None a minute after its end."""
    found = worker_client.have(MQTT, "vrpc_result", call)
    if found is None:
        return None
    names = ("state", "promise", "result", "size", "error", "seconds")
    return Outcome(*(found[name] for name in names))


def watch(callee: Callee, event: str) -> str:
    """Watch an event of an instance for as long as somebody asks; return the id to ask by."""
    target = (callee.domain, callee.agent, callee.class_name, callee.instance)
    return str(worker_client.have(MQTT, "vrpc_watch", *target, event)["watch"])


def events(watch: str) -> Events | None:
    """Return the last events of a watch; None when it has ended."""
    found = worker_client.have(MQTT, "vrpc_events", watch, 0)
    if found is None:
        return None
    rows = (Event(row["number"], moment(row["time"]), row["arguments"]) for row in found["events"])
    return Events(found["state"], found["error"], tuple(rows), found["dropped"])


def unwatch(watch: str) -> None:
    """End a watch."""
    worker_client.have(MQTT, "vrpc_unwatch", watch)


def remove(actor: Actor, domain: str, agent: str) -> None:
    """Forget an agent that is offline, and clear what is retained of it.  Raises `Refused` for one that is online."""
    worker_client.have(MQTT, "vrpc_remove", domain, agent)
    _record("agent.removed", actor, Callee(domain, agent, ""))


def hand_over(actor: Actor, domain: str, agent: str, to: Integration) -> None:
    """Let an agent that is offline belong to the integration that asks for it.  Raises `Refused`."""
    worker_client.have(MQTT, "vrpc_hand_over", domain, agent, to.id)
    _record("agent.handed-over", actor, Callee(domain, agent, ""), to)


def _record(kind: str, actor: Actor, callee: Callee, integration: Integration | None = None) -> None:
    """Put on record what was done to what, and not with which arguments: there may be secrets in them."""
    parts = (callee.class_name, callee.instance, callee.function)
    what = ".".join(telling.name(part, NAME) for part in parts if part)
    detail = f"{what} of {telling.name(callee.agent, NAME)}" if what else telling.name(callee.agent, NAME)
    with writing():
        who = {"account": actor.name, "address": actor.address}
        activity.record(kind, clock.now(), integration=integration, detail=detail, **who)
