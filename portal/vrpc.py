"""VRPC agents as pages show them, and calls to them on behalf of an account.

All is asked of the main part of the protocols worker, which is itself a VRPC client, and raises `worker_client.Refused`
and `worker_client.Silent`.  A call holds nobody up: it is begun, and asked about until it has ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from portal import activity, clock, telling, worker_client
from portal.db import writing
from portal.integrations import Actor
from portal.worker_client import MQTT

NAME = 60  # characters of each name in the activity
_AS_THEY_ARE = (
    *("domain", "agent", "hostname", "version", "integration_id", "integration", "address", "client_id"),
    *("classes", "functions", "instances", "fault"),
)


@dataclass(frozen=True, slots=True)
class Twins:
    """Two that come by the name of one agent, since when, and how often they took over from each other."""

    addresses: tuple[str, ...]
    since: datetime
    times: int


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent as it says of itself, and the integration by which it came in last; "" and 0 where nothing is known."""

    domain: str
    agent: str
    is_online: bool
    hostname: str
    version: str
    integration_id: int
    integration: str
    address: str
    client_id: str
    since: datetime | None  # that it came online, or went offline
    classes: int
    functions: int
    instances: int
    fault: str
    twins: Twins | None


@dataclass(frozen=True, slots=True)
class Param:
    """A documented parameter; its type is whatever the author wrote, its default a JSON text."""

    name: str
    type: str
    description: str
    is_optional: bool
    default: str | None


@dataclass(frozen=True, slots=True)
class Returns:
    """What is documented of the value that a function returns."""

    type: str
    description: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function, or one of several of the same name with other parameters; or a constructor."""

    name: str
    is_static: bool
    description: str
    params: tuple[Param, ...]
    returns: Returns | None
    reads: bool = False  # the agent says that it changes nothing


@dataclass(frozen=True, slots=True)
class Class:
    """A class; what is in it is only known of the one that was asked for."""

    name: str
    fault: str
    is_read: bool  # large ones are read bit by bit, and have nothing in them before
    function_count: int
    instance_count: int
    functions: tuple[Function, ...]
    constructors: tuple[Function, ...]
    instances: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """An agent with its classes."""

    agent: Agent
    classes: tuple[Class, ...]

    def named(self, name: str | None) -> Class | None:
        """Return the class of this name."""
        return next((found for found in self.classes if found.name == name), None)


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
    return [_agent(row) for row in worker_client.have(MQTT, "vrpc_agents")]


def opened(domain: str, agent: str, class_name: str | None) -> Opened | None:
    """Return an agent with its classes, and all that is in one of them."""
    found = worker_client.have(MQTT, "vrpc_agent", domain, agent, class_name)
    return None if found is None else Opened(_agent(found), tuple(_class(row) for row in found["info"]))


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
    rows = (Event(row["number"], _moment(row["time"]), row["arguments"]) for row in found["events"])
    return Events(found["state"], found["error"], tuple(rows), found["dropped"])


def unwatch(watch: str) -> None:
    """End a watch."""
    worker_client.have(MQTT, "vrpc_unwatch", watch)


def remove(actor: Actor, domain: str, agent: str) -> None:
    """Forget an agent that is offline, and clear what is retained of it.  Raises `Refused` for one that is online."""
    worker_client.have(MQTT, "vrpc_remove", domain, agent)
    _record("agent.removed", actor, Callee(domain, agent, ""))


def _agent(row: dict[str, Any]) -> Agent:
    twins = row["twins"]
    as_they_are = {name: row[name] for name in _AS_THEY_ARE}
    return Agent(
        **as_they_are,
        is_online=row["status"] == "online",
        since=None if row["since"] is None else _moment(row["since"]),
        twins=None if twins is None else Twins(tuple(twins["addresses"]), _moment(twins["since"]), twins["times"]),
    )


def _class(row: dict[str, Any]) -> Class:
    functions, constructors = (
        tuple(_function(one) for one in row.get(name, ())) for name in ("functions", "constructors")
    )
    counts = (row["function_count"], row["instance_count"])
    is_read = not row.get("reading", False)
    return Class(row["name"], row["fault"], is_read, *counts, functions, constructors, tuple(row.get("instances", ())))


def _function(row: dict[str, Any]) -> Function:
    names = ("name", "type", "description", "optional", "default")
    params = tuple(Param(*(param[name] for name in names)) for param in row["params"])
    ret = row["ret"]
    returns = None if ret is None else Returns(ret["type"], ret["description"])
    return Function(row["name"], row["is_static"], row["description"], params, returns, row["reads"])


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _record(kind: str, actor: Actor, callee: Callee) -> None:
    """Put on record what was done to what, and not with which arguments: there may be secrets in them."""
    parts = (callee.class_name, callee.instance, callee.function)
    what = ".".join(telling.name(part, NAME) for part in parts if part)
    detail = f"{what} of {telling.name(callee.agent, NAME)}" if what else telling.name(callee.agent, NAME)
    with writing():
        activity.record(kind, clock.now(), account=actor.name, address=actor.address, detail=detail)
