"""The shapes of what goes in and out: queries, which are held to them, and bodies, which are described by them."""

from __future__ import annotations

import re
from typing import Any

import marshmallow as ma

MOST = 1_000  # messages of a batch, values of a page
USUAL = 100  # values of a page
MOST_FILTERS = 100
LONGEST_WAIT = 300  # seconds
LONGEST_CALL = 86_400  # seconds; most portals have a lower bound, by a setting
LONGEST_TOPIC = 65_535  # bytes
# No wildcards, controls and non-characters; those of the higher planes are refused, too, and are not spelled here.
TOPIC = r"^[^+#\u0000-\u001f\u007f-\u009f\ufdd0-\ufdef\ufffe\uffff]+$"

Json = dict[str, Any]


class Whole(ma.fields.Integer):
    """An integer, in ASCII digits and nothing else."""

    def _validated(self, value: Any) -> int:
        if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII):
            raise self.make_error("invalid", input=value)
        return int(value)


class Switch(ma.fields.Boolean):
    """true or false, and nothing else."""

    truthy = {"true"}
    falsy = {"false"}


def _between(least: int, most: int) -> ma.validate.Range:
    return ma.validate.Range(least, most, error=f"must be from {least:,} to {most:,}")


def _limit() -> Whole:
    told = {"description": "How many values at most."}
    return Whole(load_default=USUAL, validate=_between(1, MOST), metadata=told)


def _no_wildcard(text: str) -> None:
    if "+" in text or "#" in text or "\0" in text:
        raise ma.ValidationError("a prefix is the beginning of topics, and has no wildcards and no U+0000")


class ValuesQuery(ma.Schema):
    prefix = ma.fields.String(
        load_default="",
        validate=_no_wildcard,
        metadata={
            "pattern": "^[^+#\\u0000]*$",
            "description": "Only topics that begin with it, such as `plant/line1/`.",
        },
    )
    limit = _limit()
    cursor = ma.fields.String(load_default=None, metadata={"description": "The `cursor` of the page before."})


class ValueQuery(ma.Schema):
    wait = Whole(
        load_default=0,
        validate=_between(0, LONGEST_WAIT),
        metadata={
            "description": "Long poll: where the answer would be 304 or 404, wait so many seconds at most for another."
        },
    )


class WriteQuery(ma.Schema):
    qos = Whole(
        load_default=0, validate=_between(0, 2), metadata={"description": "The QoS for subscribers that speak MQTT."}
    )
    retain = Switch(
        load_default=False,
        metadata={
            "description": "Keep it as the retained message, too, for those that subscribe later by MQTT. "
            "An empty retained value deletes the value."
        },
    )


class HistoryQuery(ma.Schema):
    limit = _limit()


class AgentsQuery(ma.Schema):
    limit = Whole(load_default=USUAL, validate=_between(1, MOST), metadata={"description": "How many agents at most."})
    cursor = ma.fields.String(load_default=None, metadata={"description": "The `cursor` of the page before."})


class StreamQuery(ma.Schema):
    filter = ma.fields.List(
        ma.fields.String(),
        required=True,
        validate=ma.validate.Length(1, MOST_FILTERS, error=f"must be there 1 to {MOST_FILTERS} times"),
        metadata={
            "description": "A topic filter as in MQTT, such as `plant/+/temperature` or `#`; repeat it for more."
        },
    )


def _object(required: list[str], properties: Json, *, closed: bool = False, **more: Any) -> Json:
    found = {"type": "object", "required": required, "properties": properties, **more}
    return found | {"additionalProperties": False} if closed else found


def ref(name: str) -> Json:
    """Return a reference to one of `COMPONENTS`."""
    return {"$ref": f"#/components/schemas/{name}"}


_BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_TOPIC = {
    "type": "string",
    "pattern": TOPIC,
    "description": "A topic name, without wildcards, control characters and non-characters.",
}
_PAYLOAD: Json = {
    "value": {"description": "The payload, where it is JSON: any JSON."},
    "text": {"type": "string", "description": "The payload, where it is other text."},
    "base64": {
        "type": "string",
        "pattern": _BASE64,
        "contentEncoding": "base64",
        "description": "The payload, where it is other bytes.",
    },
}
_COUNT = {"type": "integer", "minimum": 0}
_AGENT: Json = {
    "agent": {"type": "string", "description": "Its name."},
    "status": {"type": "string", "enum": ["online", "offline"]},
    "host": {"type": "string", "description": "The machine that it runs on, by its own word."},
    "version": {"type": "string"},
    "since": {
        "type": ["string", "null"],
        "format": "date-time",
        "description": "When it came online, or went offline; null where that is not known.",
    },
    "class_count": _COUNT,
}
_CLASS: Json = {
    "class": {"type": "string", "description": "Its name."},
    "function_count": _COUNT,
    "instance_count": _COUNT | {"description": "Of the shared instances."},
    "fault": {"type": ["string", "null"], "description": "Why what the agent says of it cannot be used."},
}
_FILTERS = {"type": "array", "items": {"type": "string"}}

COMPONENTS: dict[str, Json] = {
    "Me": _object(
        ["username", "publish", "subscribe"],
        {
            "username": {"type": "string"},
            "publish": _FILTERS | {"description": "Filters of the topics that it may write to."},
            "subscribe": _FILTERS | {"description": "Filters of the topics that it may read."},
        },
    ),
    "Value": _object(
        ["topic", "number", "time", "integration", "retain"],
        {
            "topic": {"type": "string"},
            "number": {"type": "integer", "description": "Grows from message to message, of all topics together."},
            "time": {"type": "string", "format": "date-time"},
            "integration": {"type": ["string", "null"], "description": "Who published it; null for the portal itself."},
            "retain": {"type": "boolean"},
            **_PAYLOAD,
            "deleted": {"const": True, "description": "In a history: the value was deleted here."},
        },
    ),
    "Page": _object(
        ["values", "cursor"],
        {
            "values": {"type": "array", "items": ref("Value")},
            "cursor": {
                "type": ["string", "null"],
                "description": "Where the next page begins; null on the last one. A page may have fewer values than "
                "asked for, and still not be the last one.",
            },
        },
    ),
    "History": _object(["values"], {"values": {"type": "array", "items": ref("Value")}}),
    "Message": _object(
        ["topic"],
        {
            "topic": _TOPIC,
            **_PAYLOAD,
            "qos": {"type": "integer", "enum": [0, 1, 2], "default": 0},
            "retain": {"type": "boolean", "default": False},
        },
        closed=True,
        oneOf=[{"required": [name]} for name in _PAYLOAD],
    ),
    "Published": _object(
        ["numbers"],
        {"numbers": {"type": "array", "items": {"type": "integer"}, "description": "Of each message, in their order."}},
    ),
    "Knock": _object(
        [],
        {"name": {"type": "string", "maxLength": 200, "description": "What you are called, for whoever decides."}},
        closed=True,
    ),
    "Knocked": _object(
        ["state", "username"],
        {
            "state": {"type": "string", "enum": ["waiting", "approved"]},
            "username": {"type": "string", "description": "Yours from now on."},
            "password": {"type": "string", "description": "Told once, if you came without credentials. Keep it."},
        },
    ),
    "Agents": _object(
        ["agents", "cursor"],
        {
            "agents": {"type": "array", "items": ref("Agent")},
            "cursor": {"type": ["string", "null"], "description": "Where the next page begins; null on the last one."},
        },
    ),
    "Agent": _object(list(_AGENT), _AGENT),
    "AgentWithClasses": _object([*_AGENT, "classes"], {**_AGENT, "classes": {"type": "array", "items": ref("Class")}}),
    "Class": _object(list(_CLASS), _CLASS),
    "ClassWithFunctions": _object(
        [*_CLASS, "functions", "constructors", "instances"],
        {
            **_CLASS,
            "functions": {
                "type": "array",
                "items": ref("Function"),
                "description": "A name is there once for each overload.",
            },
            "constructors": {
                "type": "array",
                "items": ref("Function"),
                "description": "What an instance is made with, where that is documented.",
            },
            "instances": {
                "type": "array",
                "items": {"type": "string"},
                "description": "The names of the shared instances.",
            },
        },
    ),
    "Function": _object(
        ["function", "static", "description", "parameters", "returns"],
        {
            "function": {"type": "string", "description": "Its name."},
            "static": {"type": "boolean", "description": "Others are called on an instance."},
            "description": {"type": "string"},
            "parameters": {
                "type": "array",
                "items": ref("Parameter"),
                "description": "What is documented of them: of a function without documentation, nothing.",
            },
            "returns": {"type": ["object", "null"], "description": "`type` and `description` of the result."},
        },
    ),
    "Parameter": _object(
        ["name", "type", "description", "optional", "default"],
        {
            "name": {"type": "string"},
            "type": {"type": "string", "description": "As it is documented, in the words of the agent's language."},
            "description": {"type": "string"},
            "optional": {"type": "boolean"},
            "default": {"type": ["string", "null"], "description": "JSON."},
        },
    ),
    "Call": _object(
        [],
        {
            "arguments": {"type": "array", "items": {}, "default": [], "description": "One after the other."},
            "instance": {
                "type": "string",
                "minLength": 1,
                "description": "The shared instance whose function it is; none for a static function.",
            },
            "timeout": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": LONGEST_CALL,
                "description": "Seconds to wait for the result, up to the bound of the portal, which is what it is "
                "without this.",
            },
        },
        closed=True,
    ),
    "Result": _object(
        ["result", "seconds"],
        {
            "result": {"description": "What the function has returned, or what its promise came to: any JSON."},
            "seconds": {"type": "number", "description": "From the request to the agent to its reply."},
        },
    ),
    "Problem": _object(
        ["type", "title", "status", "detail"],
        {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {
                "type": "array",
                "description": "Which input it is about.",
                "items": _object(
                    ["detail"],
                    {
                        "detail": {"type": "string"},
                        "pointer": {
                            "type": "string",
                            "description": "Into the body: a JSON Pointer, such as `#/3/topic`.",
                        },
                        "parameter": {"type": "string", "description": "A parameter of the path or the query."},
                        "header": {"type": "string", "description": "A header."},
                    },
                ),
            },
        },
    ),
}
COMPONENTS["CallProblem"] = COMPONENTS["Problem"] | {
    "properties": COMPONENTS["Problem"]["properties"]
    | {
        "type": {
            "type": "string",
            "description": "`/api/v1/#CallProblem` where the function itself has failed: what it says is in `detail`, "
            "and how much it has done, only its agent knows. Any other where there is no result that can be handed on.",
        }
    }
}
