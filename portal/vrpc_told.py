"""What the protocols worker tells of VRPC agents, in the shapes that pages show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from portal.models import Integration, tuples

FEW = 1_000  # integrations that are asked for by their ids; a database takes no more than some thousands of these
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
class Claim:
    """An integration that wants to be an agent which belongs to another one, and was refused."""

    integration_id: int
    integration: str
    address: str
    seen: datetime


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent as it says of itself, and the integration that it belongs to; "" and 0 where nothing is known."""

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
    claim: Claim | None

    @property
    def is_claimed(self) -> bool:
        """Tell whether it can be handed over."""
        return self.claim is not None and not self.is_online


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


def usernames(rows: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Return the usernames of the integrations that agents belong to which are not connected."""
    ids = {row["integration_id"] for row in rows if row["integration_id"] and not row["integration"]}
    if not ids:
        return {}
    known = Integration.select(Integration.id, Integration.username)
    if len(ids) <= FEW:
        known = known.where(Integration.id.in_(ids))
    return dict(tuples(known))


def agent_of(row: Mapping[str, Any], known: Mapping[int, str]) -> Agent:
    """Return an agent; of who is not connected, the usernames are those."""
    twins, claim = row["twins"], row["claim"]
    as_they_are = {name: row[name] for name in _AS_THEY_ARE}
    as_they_are["integration"] = row["integration"] or known.get(row["integration_id"], "")
    return Agent(
        **as_they_are,
        claim=None if claim is None else _claim(claim),
        is_online=row["status"] == "online",
        since=None if row["since"] is None else moment(row["since"]),
        twins=None if twins is None else Twins(tuple(twins["addresses"]), moment(twins["since"]), twins["times"]),
    )


def _claim(row: Mapping[str, Any]) -> Claim:
    return Claim(row["integration_id"], row["username"], row["address"], moment(row["seen_at"]))


def class_of(row: dict[str, Any]) -> Class:
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


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
