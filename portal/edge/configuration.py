"""The `edge.toml` of a download: what is known is filled in, and what a person knows is there as an example."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from portal.edge.choices import CONNECTORS, SYSTEM, WINDOWS
from portal.edge.plan import Plan

EXAMPLES = Path(__file__).parent / "files" / "connectors"
READY = frozenset({"files", SYSTEM})  # work without being filled in

_HEAD = """\
# The configuration of an Edge Connector of Gatehouse. It holds a password: keep it to yourself.
# All keys are in docs/edge-connector.md of Gatehouse. After a change, restart the Edge Connector.
"""
_EXAMPLE = """\
# An example: fill it in, and take the # off its lines. The name after "connectors." is yours to choose.
"""
_UNFIT = "# {label} does not work on this system.\n"


def text(plan: Plan) -> str:
    """Return the file for a plan."""
    parts = [_HEAD, _server(plan), _agent(plan)]
    for kind in (SYSTEM, *plan.connectors):
        example = (EXAMPLES / f"{kind}.toml").read_text("utf-8")
        if kind == SYSTEM and plan.target == WINDOWS:
            example = example.replace('"/"', r'"C:\\"')
        if kind != SYSTEM and plan.target not in CONNECTORS[kind].targets:
            parts.append(_UNFIT.format(label=CONNECTORS[kind].label))
        elif kind in READY:
            parts.append(example)
        else:
            parts.append(_EXAMPLE + "".join(f"# {line}\n" for line in example.splitlines()))
    return "\n".join(parts)


def _server(plan: Plan) -> str:
    values: dict[str, str | int] = {"host": plan.host, "port": plan.port, "transport": plan.transport}
    if plan.transport in ("ws", "wss"):
        values["path"] = plan.path
    if plan.fingerprint:
        values["fingerprint"] = plan.fingerprint
    if not plan.token:
        values |= {"username": plan.username, "password": plan.password}
    return table("server", values)


def _agent(plan: Plan) -> str:
    if not plan.token:
        return table("agent", {"domain": plan.domain, "name": plan.name})
    fleet = table("fleet", {"prefix": plan.name, "token": plan.token})
    return f"{table('agent', {'domain': plan.domain})}\n{fleet}"


def table(name: str, values: Mapping[str, str | int]) -> str:
    """Return a table as TOML has it."""
    return f"[{name}]\n" + "".join(f"{key} = {_value(one)}\n" for key, one in values.items())


def _value(value: str | int) -> str:
    """Write a value as TOML does: its texts have JSON's escapes, and one more character to escape."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
