"""What clients send: the body of a value, messages to publish, and what a function is called with.

Nothing is done of a body with a fault.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import request

import payloads
from payloads import JSON, NotJson
from portal.api.callers import authenticate
from portal.api.problems import Problem, header, pointer
from portal.api.schemas import LONGEST_CALL, MOST
from portal.hub import Outgoing

PAYLOADS = ("value", "text", "base64")
FIELDS = frozenset({"topic", "qos", "retain", *PAYLOADS})
CALL = frozenset({"arguments", "instance", "timeout"})
CHEAP = 4 * 1024  # bytes of a body that is read before it is known whose it is

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def value() -> bytes:
    """Return the body of a request as a payload: with a JSON content type it has to be JSON."""
    body = _body()
    if _is_json():
        _read(payloads.check, body)
    return body


def messages() -> tuple[list[Outgoing], bool]:
    """Return the messages of a request, and whether they came in an array."""
    _hold_to_json()
    stated = _read(payloads.parse, _body())
    if isinstance(stated, dict):
        return [_message(stated)], False
    if not isinstance(stated, list):
        raise Problem(422, "the body has to be a message or an array of messages", pointer())
    if not 1 <= len(stated) <= MOST:
        raise Problem(422, f"there are {len(stated):,} messages, and 1 to {MOST:,} are allowed", pointer())
    return [_message(one, number) for number, one in enumerate(stated)], True


@dataclass(frozen=True, slots=True)
class Call:
    """What a function is called with."""

    arguments: str = "[]"  # JSON of an array
    instance: str = ""  # "" for a static function
    timeout: float | None = None  # seconds


def call() -> Call:
    """Return what the body of a request says of a call; it may be empty."""
    body = _body()
    if not body:
        return Call()
    _hold_to_json()
    stated = _read(payloads.parse, body)
    if not isinstance(stated, dict):
        raise Problem(422, "the body has to be an object", pointer())
    if not stated.keys() <= CALL:
        name = next(name for name in stated if name not in CALL)
        raise Problem(422, f"a call has no field {name[:60]!r}", pointer(name))
    arguments, instance, timeout = stated.get("arguments", []), stated.get("instance"), stated.get("timeout")
    if not isinstance(arguments, list):
        raise Problem(422, "arguments have to be an array", pointer("arguments"))
    if "instance" in stated and not (isinstance(instance, str) and instance):
        raise Problem(422, "instance has to be the name of one", pointer("instance"))
    if "timeout" in stated and not _is_time(timeout):
        raise Problem(422, "timeout has to be a number of seconds above 0", pointer("timeout"))
    return Call(_arguments(arguments), instance or "", timeout)


def _is_time(stated: Any) -> bool:
    return type(stated) in (int, float) and 0 < stated <= LONGEST_CALL


def _arguments(stated: list[Any]) -> str:
    return f"[{','.join(_argument(one, number) for number, one in enumerate(stated))}]"


def _argument(stated: Any, number: int) -> str:
    try:
        return _of_value(stated).decode()
    except UnicodeEncodeError:
        raise Problem(422, "it holds half a surrogate pair", pointer("arguments", number)) from None
    except ValueError:
        raise Problem(422, f"it {_FAULTS['value']}", pointer("arguments", number)) from None


def _body() -> bytes:
    if request.environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise Problem(415, "the body has to come without a content encoding", header("Content-Encoding"))
    return request.get_data(cache=False)


def _read(read: Callable[[bytes], Any], body: bytes) -> Any:
    if len(body) > CHEAP:
        authenticate()
    try:
        return read(body)
    except NotJson as error:
        raise Problem(400, f"the body is no JSON: {error}", pointer()) from None


def _hold_to_json() -> None:
    if not _is_json():
        raise Problem(415, f"the body has to be {JSON}", header("Content-Type"), headers={"Accept-Post": JSON})


def _is_json() -> bool:
    return request.mimetype == JSON or request.mimetype.endswith("+json")


def _message(stated: Any, *at: int) -> Outgoing:
    if not isinstance(stated, dict):
        raise Problem(422, "a message has to be an object", pointer(*at))
    if not stated.keys() <= FIELDS:
        name = next(name for name in stated if name not in FIELDS)
        raise Problem(422, f"a message has no field {name[:60]!r}", pointer(*at, name))
    topic, qos, retain = stated.get("topic"), stated.get("qos", 0), stated.get("retain", False)
    if not isinstance(topic, str):
        raise Problem(422, "a message has to have a topic, which is a string", pointer(*at, "topic"))
    if type(qos) is not int or not 0 <= qos <= 2:
        raise Problem(422, "the QoS has to be 0, 1 or 2", pointer(*at, "qos"))
    if not isinstance(retain, bool):
        raise Problem(422, "retain has to be true or false", pointer(*at, "retain"))
    return Outgoing(topic, _payload(stated, *at), qos, retain)


def _payload(stated: dict[str, Any], *at: int) -> bytes:
    names = [name for name in PAYLOADS if name in stated]
    if len(names) != 1:
        raise Problem(422, "a message has to have one of value, text and base64", pointer(*at, *names[1:2]))
    (name,) = names
    try:
        return _ENCODINGS[name](stated[name])
    except UnicodeEncodeError:
        raise Problem(422, f"{name} holds half a surrogate pair", pointer(*at, name)) from None
    except (TypeError, ValueError) as error:
        raise Problem(422, f"{name} {_FAULTS[name]}", pointer(*at, name)) from error


def _of_value(stated: Any) -> bytes:
    return _encode(stated).encode()


def _of_text(stated: Any) -> bytes:
    return str.encode(stated)


def _of_base64(stated: Any) -> bytes:
    return base64.b64decode(str.encode(stated, "ascii", "replace"), validate=True)


_ENCODINGS = {"value": _of_value, "text": _of_text, "base64": _of_base64}
_FAULTS = {
    "value": "holds a number that no Double holds",
    "text": "has to be a string",
    "base64": "has to be a string in Base64 (RFC 4648, with padding)",
}
