"""What is looked at of an agent, as the address of its page says it; a name may have more bytes than an address."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import takewhile
from urllib.parse import quote, urlencode

from flask import abort
from werkzeug.datastructures import MultiDict

from portal import vrpc
from portal.views import places
from portal.vrpc import Callee
from portal.vrpc_told import Class, Opened
from portal.worker_client import Silent

# Characters of an address, percent-encoded; with a digest for each of five names together below 4,094.
WIDTH = 500  # of a name; a longer one is named by its beginning and a digest
BEGINNING = 200
SHORT = 300  # of what is searched for, and of the name of an event
DIGEST = 16  # bytes
ACTS = frozenset({"create", "delete", "watch"})
LONGEST_ID = 64
_NOTHING: dict[str, object] = {"function": None, "overload": 0, "act": "", "event": "", "call": "", "watch": ""}


@dataclass(frozen=True, slots=True)
class Place:
    """An agent, what is open of it, and what the panel beside is about: a function, or an act on an instance."""

    domain: str
    agent: str
    class_name: str | None = None
    instance: str | None = None
    function: str | None = None
    overload: int = 0  # which one of the functions, or constructors, of that name
    act: str = ""  # of ACTS
    search: str = ""
    event: str = ""
    call: str = ""
    watch: str = ""

    def pairs(self, **changes: object) -> list[tuple[str, str]]:
        """Return what the address says, with these changes."""
        place = replace(self, **changes) if changes else self  # type: ignore[arg-type]
        pairs = [*named("domain", place.domain), *named("agent", place.agent)]
        optional = {"class": place.class_name, "instance": place.instance, "function": place.function}
        for key, name in optional.items():
            pairs += named(key, name) if name is not None else []
        short = {"overload": place.overload or "", "act": place.act, "q": place.search, "event": place.event}
        short |= {"call": place.call, "watch": place.watch}
        return [*pairs, *((key, str(value)) for key, value in short.items() if value)]

    def query(self, **changes: object) -> str:
        """Return the address's query string, with these changes."""
        return f"?{urlencode(self.pairs(**changes), quote_via=quote, safe='/')}"

    def only(self, **changes: object) -> str:
        """Return the query string of the same class and instance with nothing in the panel but these changes."""
        return self.query(
            **{"function": None, "overload": 0, "act": "", "event": "", "call": "", "watch": "", **changes}
        )

    def callee(self) -> Callee:
        """Return what a call from here is for."""
        return Callee(self.domain, self.agent, self.class_name or "", self.instance or "", self.function or "")


@dataclass(frozen=True, slots=True)
class Look:
    """A place, and the agent there; None where it is not there any more, or nobody answers."""

    place: Place
    opened: Opened | None
    is_silent: bool = False

    @property
    def inside(self) -> Class | None:
        """Return the class that is open."""
        return self.opened.named(self.place.class_name) if self.opened else None


def named(key: str, name: str) -> list[tuple[str, str]]:
    """Return what names something in an address, which has no room for long names; forms change what is no text."""
    if name.isprintable() and places.width(name) <= WIDTH:
        return [(key, name)]
    plain = "".join(takewhile(str.isprintable, name[:BEGINNING]))
    return [(key, places.beginning(plain, BEGINNING)), (f"{key}-digest", _digest(name))]


def read(arguments: MultiDict[str, str]) -> Look:
    """Return what an address names.  Raises `Silent` where long names had to be looked up."""
    if "agent" not in arguments:
        abort(404)
    domain, agent = _agent(arguments)
    class_name = _named(arguments, "class")
    is_long = class_name is None and "class" in arguments
    try:
        found = vrpc.opened(domain, agent, class_name)
        if is_long and found is not None:
            class_name = _named(arguments, "class", (one.name for one in found.classes))
            found = vrpc.opened(domain, agent, class_name)
    except Silent:
        if any(name.endswith("-digest") for name in arguments):
            raise
        return Look(_place(arguments, domain, agent, class_name, None), None, is_silent=True)
    return Look(_place(arguments, domain, agent, class_name, found), found)


def _place(
    arguments: MultiDict[str, str], domain: str, agent: str, class_name: str | None, found: Opened | None
) -> Place:
    inside = found.named(class_name) if found else None
    overload, act = arguments.get("overload", ""), arguments.get("act", "")
    return Place(
        domain,
        agent,
        class_name,
        _named(arguments, "instance", inside.instances if inside else ()),
        _named(arguments, "function", (one.name for one in inside.functions) if inside else ()),
        int(overload) if overload.isascii() and overload.isdigit() and len(overload) < 4 else 0,
        act if act in ACTS else "",
        places.beginning(arguments.get("q", ""), SHORT),
        places.beginning(arguments.get("event", ""), SHORT),
        arguments.get("call", "")[:LONGEST_ID],
        arguments.get("watch", "")[:LONGEST_ID],
    )


def _agent(arguments: MultiDict[str, str]) -> tuple[str, str]:
    domain, agent = _named(arguments, "domain"), _named(arguments, "agent")
    if domain is not None and agent is not None:
        return domain, agent
    for one in vrpc.agents():
        if (
            _named(arguments, "domain", [one.domain]) == one.domain
            and _named(arguments, "agent", [one.agent]) == one.agent
        ):
            return one.domain, one.agent
    return arguments.get("domain", ""), arguments["agent"]  # there is none of that name any more


def _named(arguments: MultiDict[str, str], key: str, names: Iterable[str] = ()) -> str | None:
    """Return what an address names; a long name if it is one of these."""
    name, digest = arguments.get(key), arguments.get(f"{key}-digest")
    if name is None or digest is None:
        return name if name is None else places.beginning(name, WIDTH)
    return next((one for one in names if one.startswith(name) and _digest(one) == digest), None)


def _digest(name: str) -> str:
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=DIGEST).hexdigest()
