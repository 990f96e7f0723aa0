"""/messages: publishing many at once, and following what is published; and /me."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from flask import Response, request
from flask.typing import ResponseReturnValue

from payloads import JSON
from portal import hub
from portal.api import answers, bodies, sockets
from portal.api.callers import caller
from portal.api.described import EVENTS, LAST_EVENT_ID, MESSAGES, in_json, operation
from portal.api.problems import ROOM, Place, Problem, header, pointer
from portal.api.schemas import StreamQuery
from portal.hub import Outgoing
from portal.worker_client import Refused

NUMBER = re.compile(r"[0-9]{1,15}|[0-8][0-9]{15}", re.ASCII)  # below 2**53


@operation(
    "GET",
    "/me",
    "See who you are",
    "And which topics you may use.",
    answers={200: ("You.", in_json("Me"), None)},
    problems=(406,),
    sample='curl -u "$LOGIN" "$URL/me"',
)
def me() -> ResponseReturnValue:
    answers.hold_to(JSON)
    found = hub.me(caller())
    told = {"username": found.username, "publish": found.publish, "subscribe": found.subscribe}
    return Response(json.dumps(told), content_type=JSON)


@operation(
    "POST",
    "/messages",
    "Publish messages",
    "One, or an array of up to 1,000: all of them or, if one cannot be published, none.",
    answers={200: ("They are published.", in_json("Published"), None)},
    problems=(400, 403, 406, 413, 415, 422, 507),
    sample="""curl -u "$LOGIN" -H "Content-Type: application/json" "$URL/messages" \\
  -d '[{"topic": "demo/a", "value": 1, "qos": 1}, {"topic": "demo/b", "text": "hello", "retain": true}]'""",
    body=MESSAGES,
    needs_body=True,
)
def publish() -> ResponseReturnValue:
    answers.hold_to(JSON)
    stated, is_batch = bodies.messages()
    try:
        numbers = hub.publish(caller(), stated)
    except Refused as error:
        raise _problem(error, is_batch=is_batch) from None
    except hub.Forbidden as error:
        place = _place_of(error.topic, stated, is_batch=is_batch)
        raise Problem(403, f"your permissions do not open {error.topic[:60]!r}", place) from None
    return Response(json.dumps({"numbers": numbers}), content_type=JSON)


@operation(
    "GET",
    "/messages",
    "Follow messages",
    "Server-Sent Events, as they are published: `message` and `deleted` with a value in JSON as data and its number "
    "as id; `gap` where messages are missing that are not kept any more; `dropped` with a count where you have read "
    "too slowly. A comment comes every 15 s when there is nothing else.",
    query=StreamQuery(),
    answers={200: ("Events, without an end.", EVENTS, None)},
    problems=(400, 403, 406),
    sample='curl -N -u "$LOGIN" -G "$URL/messages" --data-urlencode "filter=demo/#"',
    headers=(LAST_EVENT_ID,),
)
def follow(query: dict[str, Any]) -> ResponseReturnValue:
    answers.hold_to(answers.EVENTS)
    after = request.headers.get("Last-Event-ID")
    if after and not NUMBER.fullmatch(after):
        raise Problem(422, "it has to be the id of an event", header("Last-Event-ID"))
    asking = caller()
    if request.method == "HEAD":
        hub.me(asking)
        return Response(content_type=answers.EVENTS)
    sockets.follow(asking, query["filter"], int(after) if after else None)


def _problem(error: Refused, *, is_batch: bool) -> Problem:
    """Return what keeps a message from being published, about what the protocols worker calls messages/0/topic."""
    tokens = error.field.split("/")[1:]
    is_full = tokens[-1:] == [ROOM]
    inside = tokens[:-1] if is_full else tokens
    return Problem(507 if is_full else 422, str(error), pointer(*(inside if is_batch else inside[1:])))


def _place_of(topic: str, stated: Sequence[Outgoing], *, is_batch: bool) -> Place:
    number = next(number for number, message in enumerate(stated) if message.topic == topic)
    return pointer(*([number] if is_batch else []), "topic")
