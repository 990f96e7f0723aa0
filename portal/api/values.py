"""/values: the last value of each topic."""

from __future__ import annotations

from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from payloads import JSON
from portal import hub
from portal.api import answers, bodies, conditions, sockets
from portal.api.callers import caller
from portal.api.described import ANY_PAYLOAD, BY_PATH, ETAG, IF_MATCH, IF_NONE_MATCH, IF_NOTHING, in_json, operation
from portal.api.problems import Problem, parameter
from portal.api.schemas import HistoryQuery, ValueQuery, ValuesQuery, WriteQuery
from portal.api.topics import hold_to_utf8
from portal.hub import Outgoing

ONE = "/values/<topic:topic>"
HISTORY = "/history/<topic:topic>"
BY_TOPIC: dict[str, Any] = {"merge_slashes": False, "parameters": [BY_PATH]}  # levels of a topic may be empty


@operation(
    "GET",
    "/values",
    "List values",
    "By topic, level by level; those of topics that you may read.",
    query=ValuesQuery(),
    answers={200: ("Some values.", in_json("Page"), None)},
    problems=(400, 406),
    sample='curl -u "$LOGIN" "$URL/values?prefix=demo/"',
)
def values(query: dict[str, Any]) -> ResponseReturnValue:
    answers.hold_to(JSON)
    found = hub.values(caller(), query["prefix"], query["limit"], query["cursor"])
    return answers.listing(found.values, cursor=found.cursor)


@operation(
    "GET",
    ONE,
    "Read a value",
    "The payload as it was published: as JSON if it is JSON, as text if it is UTF-8, else as bytes; "
    "as bytes in any case if `Accept` asks for that.",
    query=ValueQuery(),
    answers={200: ("The value.", ANY_PAYLOAD, ETAG), 304: ("It is still the one that you have.", None, ETAG)},
    problems=(400, 403, 404, 406),
    sample='curl -u "$LOGIN" "$URL/values/demo/hello"',
    headers=(IF_NONE_MATCH,),
    **BY_TOPIC,
)
def value(query: dict[str, Any], topic: str) -> ResponseReturnValue:
    hold_to_utf8(topic=topic)
    found = hub.get(asking := caller(), topic)
    is_known = found is not None and request.if_none_match.contains_weak(str(found.number))
    if found is not None and not is_known:
        return answers.value(found)
    if query["wait"] and request.method == "GET":
        number = found.number if found is not None else 0
        sockets.poll(asking, topic, number, query["wait"], raw=answers.prefers_bytes())
    if found is None:
        raise Problem(404, "this topic has no value", parameter("topic"))
    return answers.empty(304, ETag=answers.etag(found))


@operation(
    "PUT",
    ONE,
    "Write a value",
    "Publishes the body as it comes. With a JSON content type it has to be JSON; with any other it may be anything.",
    query=WriteQuery(),
    answers={204: ("It is published.", None, ETAG)},
    problems=(400, 403, 412, 413, 415, 422, 507),
    sample='curl -u "$LOGIN" -X PUT -H "Content-Type: application/json" -d 21.5 "$URL/values/demo/hello"',
    body=ANY_PAYLOAD,
    headers=(IF_MATCH, IF_NOTHING),
    **BY_TOPIC,
)
def write(query: dict[str, Any], topic: str) -> ResponseReturnValue:
    hold_to_utf8(topic=topic)
    message = Outgoing(topic, bodies.value(), query["qos"], query["retain"])
    (number,) = hub.publish(caller(), [message], conditions.match())
    return answers.empty(204, ETag=f'"{number}"')


@operation(
    "DELETE",
    ONE,
    "Delete a value",
    "Also the retained message of the topic. Where you may not read the topic, you are not told whether there was any.",
    answers={204: ("It is deleted.", None, None)},
    problems=(400, 403, 404, 412, 422),
    sample='curl -u "$LOGIN" -X DELETE "$URL/values/demo/hello"',
    headers=(IF_MATCH,),
    **BY_TOPIC,
)
def delete(topic: str) -> ResponseReturnValue:
    hold_to_utf8(topic=topic)
    if not hub.delete(caller(), topic, conditions.match()):
        raise Problem(404, "this topic has no value", parameter("topic"))
    return answers.empty(204)


@operation(
    "GET",
    HISTORY,
    "Read the recent values of a topic",
    "The newest last. Deletions are among them. What is kept is bounded, and does not survive a restart.",
    query=HistoryQuery(),
    answers={200: ("The values; none of a topic that nothing is known of.", in_json("History"), None)},
    problems=(400, 403, 406),
    sample='curl -u "$LOGIN" "$URL/history/demo/hello?limit=10"',
    **BY_TOPIC,
)
def history(query: dict[str, Any], topic: str) -> ResponseReturnValue:
    hold_to_utf8(topic=topic)
    answers.hold_to(JSON)
    return answers.listing(hub.history(caller(), topic, query["limit"]))
