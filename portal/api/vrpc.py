"""/agents: the agents of VRPC, and calls of their functions."""

from __future__ import annotations

import json
from typing import Any

from flask import Response
from flask.typing import ResponseReturnValue

from payloads import JSON
from portal import agents
from portal.agents import Target
from portal.api import answers, bodies, sockets
from portal.api.callers import caller
from portal.api.described import CALL, in_json, in_path, operation
from portal.api.schemas import AgentsQuery
from portal.api.topics import hold_to_utf8

AGENT = "/agents/<agent>"
CLASS = f"{AGENT}/<class_name>"
FUNCTION = f"{CLASS}/<function>"
OF_AGENT = in_path("agent", "The name of the agent.", "press-host")
OF_CLASS = in_path("class_name", "The name of the class.", "Press")
OF_FUNCTION = in_path("function", "The name of the function.", "status")


@operation(
    "GET",
    "/agents",
    "List agents",
    "Of the domain that your integration is granted, by name; those that are offline, too.",
    query=AgentsQuery(),
    answers={200: ("Some agents.", in_json("Agents"), None)},
    problems=(400, 403, 406),
    sample='curl -u "$LOGIN" "$URL/agents"',
)
def agent_list(query: dict[str, Any]) -> ResponseReturnValue:
    answers.hold_to(JSON)
    return _told(agents.agents(caller(), query["limit"], query["cursor"]))


@operation(
    "GET",
    AGENT,
    "See an agent",
    "With its classes.",
    answers={200: ("The agent.", in_json("AgentWithClasses"), None)},
    problems=(400, 403, 404, 406),
    sample='curl -u "$LOGIN" "$URL/agents/press-host"',
    merge_slashes=False,
    parameters=[OF_AGENT],
)
def agent(agent: str) -> ResponseReturnValue:
    hold_to_utf8(agent=agent)
    answers.hold_to(JSON)
    return _told(agents.agent(caller(), agent))


@operation(
    "GET",
    CLASS,
    "See a class of an agent",
    "With its functions, as far as the agent documents them, and its shared instances.",
    answers={200: ("The class.", in_json("ClassWithFunctions"), None)},
    problems=(400, 403, 404, 406),
    sample='curl -u "$LOGIN" "$URL/agents/press-host/Press"',
    merge_slashes=False,
    parameters=[OF_AGENT, OF_CLASS],
)
def agent_class(agent: str, class_name: str) -> ResponseReturnValue:
    hold_to_utf8(agent=agent, class_name=class_name)
    answers.hold_to(JSON)
    return _told(agents.agent_class(caller(), agent, class_name))


@operation(
    "POST",
    FUNCTION,
    "Call a function",
    "Of a class, or of one of its shared instances. The answer comes when the function has returned; where it returns "
    "a promise, when that is settled. Every class also has `__createShared__`, whose arguments are the name of a new "
    "instance and what it is made with, `__delete__`, with the name of one, and `__callAll__`, with the name of a "
    "function that is called on all instances, and its arguments. After a 4xx nothing has been called.",
    answers={200: ("The result.", in_json("Result"), None)},
    problems=(400, 403, 404, 406, 413, 415, 422, 429, 502, 504),
    sample="""curl -u "$LOGIN" -H "Content-Type: application/json" "$URL/agents/press-host/Press/status" \\
  -d '{"instance": "press-4", "arguments": [], "timeout": 10}'""",
    body=CALL,
    merge_slashes=False,
    parameters=[OF_AGENT, OF_CLASS, OF_FUNCTION],
)
def call(agent: str, class_name: str, function: str) -> ResponseReturnValue:
    hold_to_utf8(agent=agent, class_name=class_name, function=function)
    answers.hold_to(JSON)
    stated = bodies.call()
    target = Target(agent, class_name, function, stated.instance)
    sockets.call(caller(), target, stated.arguments, stated.timeout)


def _told(found: dict[str, Any]) -> Response:
    return Response(json.dumps(found), content_type=JSON)
