"""A poll or a watch as a form has it: what an agent offers to be read, what was typed, and the definition of it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from portal import arguments, vrpc
from portal.arguments import Field, Unfit
from portal.edge.asking import CLASS
from portal.vrpc_told import Agent, Function

SHORTEST, LONGEST = 0.05, 7 * 86_400  # seconds of an interval, as the agent has it
MOST_CLASSES, MOST_SOURCES = 50, 5_000  # of an agent, which could say that it has millions
NAME_LENGTH, TOPIC_LENGTH = 200, 1_000
_BOTH = [("interval", SHORTEST, float(LONGEST)), ("deadband", 0.0, math.inf)]
GONE = "The Edge Connector does not offer this any more. Choose another."


@dataclass(frozen=True, slots=True)
class Source:
    """What may be read: a function of a connector, which changes nothing."""

    connector: str
    class_name: str
    function: Function

    @property
    def key(self) -> str:
        return f"{self.connector}/{self.function.name}"

    @property
    def tells(self) -> bool:
        """Say whether it tells by itself, so that it is watched; its last parameter is who listens."""
        found = arguments.fields(self.function.params)
        return bool(found) and found[-1].is_function

    @property
    def fields(self) -> list[Field]:
        """Return a field for each argument."""
        return [field for field in arguments.fields(self.function.params) if not field.is_function]


def sources(agent: Agent) -> list[Source]:
    """Return what the connectors of an agent offer to be read, by connector.  Raises `Silent`."""
    return sorted(islice(_sources(agent), MOST_SOURCES), key=lambda source: source.connector)


def _sources(agent: Agent) -> Iterator[Source]:
    opened = vrpc.opened(agent.domain, agent.agent, None)
    names = [one.name for one in opened.classes if one.name != CLASS] if opened else []
    for name in names[:MOST_CLASSES]:
        again = vrpc.opened(agent.domain, agent.agent, name)
        inside = again.named(name) if again else None
        if inside is not None:
            reading = [one for one in inside.functions if one.reads and not one.is_static]
            yield from (Source(connector, name, one) for connector in inside.instances for one in reading)


def typed(name: str, definition: Mapping[str, Any], offered: list[Source]) -> dict[str, str]:
    """Return what would have been typed for a definition."""
    source = f"{definition.get('connector')}/{definition.get('function')}"
    found = {
        "name": name,
        "source": source,
        "topic": str(definition.get("topic", "")),
        "send": str(definition.get("send", "always")),
        "interval": _figure(definition.get("interval")),
        "deadband": _figure(definition.get("deadband") or None),
        **{key: "on" for key in ("spread", "retain") if definition.get(key) is True},
    }
    chosen = named(source, offered)
    given = definition.get("arguments")
    if chosen is not None and isinstance(given, list):
        found |= {field.id: _argument(field, one) for field, one in zip(chosen.fields, given, strict=False)}
    return found


def named(key: str, offered: list[Source]) -> Source | None:
    """Return the source of this key."""
    return next((one for one in offered if one.key == key), None)


def read(typed: Mapping[str, str], offered: list[Source]) -> tuple[str, dict[str, Any]]:
    """Return the name and the definition that were typed.  Raises `Unfit` with all that is wrong."""
    errors: dict[str, str] = {}
    source = named(typed.get("source", ""), offered)
    values = "[]"
    if source is None:
        errors["source"] = GONE if typed.get("source") else "Choose what is to be read."
    else:
        try:
            values = arguments.read(source.fields, typed)
        except Unfit as unfit:
            errors |= unfit.errors
    checks = {"name": name_fault(typed.get("name", "")), "topic": topic_fault(typed.get("topic", ""))}
    errors |= {field: fault for field, fault in checks.items() if fault}
    numbers: dict[str, float | None] = {"interval": None, "deadband": 0.0}
    wanted = [("deadband", 0.0, math.inf)] if source is None or source.tells else _BOTH
    for field, least, most in wanted:
        try:
            numbers[field] = _number(typed.get(field, ""), field, least, most)
        except ValueError as error:
            errors[field] = str(error)
    if errors or source is None:
        raise Unfit(errors)
    how = {"send": "change" if typed.get("send") == "change" else "always"}
    flags = {key: typed.get(key) == "on" for key in ("spread", "retain")}
    what = {"connector": source.connector, "function": source.function.name, "arguments": json.loads(values)}
    return typed["name"], {**what, "topic": typed["topic"], **numbers, **how, **flags}


def name_fault(name: str) -> str:
    """Say in words what keeps a text from being the name of a feed."""
    if not name.strip():
        return "A name is required, such as temperature."
    if len(name) > NAME_LENGTH:
        return f"A name has at most {NAME_LENGTH} characters."
    return "" if name.isprintable() else "A name cannot hold control or invisible characters."


def topic_fault(topic: str) -> str:
    """Say in words what keeps a text from being a topic that readings may go to."""
    if not topic.strip():
        return "A topic is required, such as plant/hall1/temperature."
    if "+" in topic or "#" in topic:
        return "A topic cannot hold + or #: these stand for other topics, where a client subscribes."
    if topic.startswith("$"):
        return "Topics that begin with $ are the server's own."
    if len(topic) > TOPIC_LENGTH:
        return f"A topic has at most {TOPIC_LENGTH:,} characters."
    return "" if topic.isprintable() else "A topic cannot hold control or invisible characters here."


def _number(text: str, field: str, least: float, most: float) -> float:
    """Return the number that was typed; an empty deadband is none.  Raises `ValueError`."""
    allowed = (
        f"A number of seconds from {SHORTEST} to {LONGEST:,}." if field == "interval" else "A number, such as 0.5."
    )
    if not text.strip() and field == "deadband":
        return 0.0
    try:
        found = float(text.strip().replace(",", "."))
    except ValueError:
        raise ValueError(allowed) from None
    if not math.isfinite(found) or not least <= found <= most:
        raise ValueError(allowed)
    return found


def _figure(number: Any) -> str:
    """Return a number as it is typed."""
    if isinstance(number, bool) or not isinstance(number, int | float) or number in (math.inf, -math.inf):
        return ""
    return str(int(number)) if number == int(number) else str(number)


def _argument(field: Field, value: Any) -> str:
    """Return an argument as it is typed."""
    if value is None:
        return "" if field.param.is_optional else "null"
    if field.kind == "string" and isinstance(value, str) and value and not value.startswith('"'):
        return value
    return json.dumps(value, ensure_ascii=False)
