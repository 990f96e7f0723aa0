"""/onboarding: asking to come in, for clients that have no integration yet."""

from __future__ import annotations

import json

from flask import Response, request
from flask.typing import ResponseReturnValue

import payloads
from payloads import JSON, NotJson
from portal import hub
from portal.api import answers
from portal.api.callers import caller
from portal.api.described import in_json, operation
from portal.api.problems import Problem, header, pointer
from portal.api.schemas import ref

RETRY = 2  # seconds after which to ask again
MOST_BODY = 4 * 1024
LONGEST_NAME = 200


@operation(
    "POST",
    "/onboarding",
    "Ask to come in",
    "For clients that have no integration yet, while smart onboarding is open in the portal: an operator sees who you "
    "are, and decides. Come with a username and a password of your own making, or with none, and you are given both. "
    "Ask again with them until the state is `approved`; they open everything else then.",
    answers={
        200: ("You may come in.", in_json("Knocked"), None),
        202: (
            "An operator is asked.",
            in_json("Knocked"),
            {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}},
        ),
    },
    problems=(400, 406, 413, 415, 422),
    sample="""curl -u "$LOGIN" -H "Content-Type: application/json" -d '{"name": "Press 4"}' "$URL/onboarding\"""",
    body={JSON: {"schema": ref("Knock")}},
)
def knock() -> ResponseReturnValue:
    answers.hold_to(JSON)
    name, asking = _name(), caller()
    is_nobody = not asking.username and (asking.username == "" or "Authorization" not in request.headers)
    found = hub.knock(asking, name, is_given=is_nobody)
    told = {"state": "approved" if found.is_in else "waiting", "username": found.username or asking.username}
    if found.password is not None:
        told["password"] = found.password
    body = json.dumps(told)
    if found.is_in:
        return Response(body, content_type=JSON)
    return Response(body, 202, {"Retry-After": str(RETRY)}, content_type=JSON)


def _name() -> str:
    """Return what the client says that it is called; it need not say anything."""
    if request.content_length is not None and request.content_length > MOST_BODY:
        raise Problem(413, f"the body has {MOST_BODY:,} bytes at most")
    body = request.get_data(cache=False)
    if not body:
        return ""
    if request.mimetype != JSON:
        raise Problem(415, f"the body has to be {JSON}", header("Content-Type"), headers={"Accept-Post": JSON})
    try:
        stated = payloads.parse(body)
    except NotJson as error:
        raise Problem(400, f"the body is no JSON: {error}", pointer()) from None
    if not isinstance(stated, dict) or not stated.keys() <= {"name"}:
        raise Problem(422, "the body has to be an object with a name, or empty", pointer())
    name = stated.get("name", "")
    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        raise Problem(422, f"a name is a string of {LONGEST_NAME} characters at most", pointer("name"))
    return name
