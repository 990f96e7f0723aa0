"""The topics and values that all protocols share, as web workers see them: the hub itself is in the protocols worker.

What a client of the REST API asks goes with its credentials, and everything about it is decided there, in memory, with
one question.  Each function raises `Unauthorized`, `Forbidden` and `patient.Later`, and as every question to the worker
`worker_client.Refused` and `worker_client.Silent`.  `Topics` is the same for the portal's own pages, which may do
anything; some of its messages have the beginning of a payload, and its size.  On the wire a message is
`[number, topic, payload, retain, integration, time]`, or with the size behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, datetime
from typing import Any

from portal import worker_client
from portal.patient import Later
from portal.worker_client import MQTT


class Unauthorized(Exception):
    """No valid credentials, for whatever reason."""


class Forbidden(Exception):
    """The topic permissions of the caller do not allow it."""

    def __init__(self, topic: str) -> None:
        super().__init__(topic)
        self.topic = topic


class Fault(Exception):
    """What cannot be done, as the client is to be told (RFC 9457); and after how many seconds to try again, if any."""

    def __init__(self, told: dict[str, Any], retry: int) -> None:
        super().__init__(told["detail"])
        self.told = told
        self.retry = retry


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as stated in the request."""

    username: str | None
    password: bytes | None
    address: str  # the IP address
    waited: float  # seconds, see `patient.Later`
    agent: str  # what the client calls itself


@dataclass(frozen=True, slots=True)
class Me:
    """Whom the credentials belong to, and the topic filters that it may use."""

    integration_id: int
    username: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """What was published on a topic; an empty payload that is retained has deleted the topic's value."""

    number: int  # counts up from message to message, of all topics together
    topic: str
    payload: bytes
    retain: bool
    integration: str  # the username of who published it, "" for the portal itself
    time: datetime
    size: int  # bytes of the payload, of which `Topics` may tell the first ones only

    @property
    def is_deleted(self) -> bool:
        return self.retain and not self.payload


@dataclass(frozen=True, slots=True)
class Page:
    """Some values by topic, and where to go on."""

    values: tuple[Value, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Child:
    """One level below others in the tree of topics, with the value of the topic that ends there."""

    level: str
    has_children: bool
    value: Value | None


@dataclass(frozen=True, slots=True)
class Children:
    """Some levels by name, and where to go on."""

    children: tuple[Child, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is to be published."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Knocked:
    """What came of asking to come in."""

    is_in: bool
    username: str | None = None  # and the password: what the caller is to ask again with, where it had none
    password: str | None = None


def me(caller: Caller) -> Me:
    """Return who the caller is."""
    found = ask("http_me", caller)
    return Me(found["integration_id"], found["username"], tuple(found["publish"]), tuple(found["subscribe"]))


def get(caller: Caller, topic: str) -> Value | None:
    """Return the last value of a topic."""
    found = ask("http_get", caller, topic)
    return None if found is None else _value(found)


def values(caller: Caller, prefix: str, limit: int, cursor: str | None) -> Page:
    """Return the last values of topics that begin with the prefix and that the caller may read."""
    return _page(ask("http_values", caller, prefix, limit, cursor))


def publish(caller: Caller, messages: Sequence[Outgoing], match: Sequence[int] | None = None) -> list[int]:
    """Publish all of these messages or, when one cannot be, none; return their numbers.

    With a `match`, the value that is there has to have one of these numbers: 0 stands for no value, and none at all for
    any value.  The field of a refusal for that reason is "match".
    """
    found: list[int] = ask("http_publish", caller, [astuple(message) for message in messages], match)
    return found


def delete(caller: Caller, topic: str, match: Sequence[int] | None = None) -> bool:
    """Delete the value of a topic; return whether there was one, or True if the caller may not read it.

    For `match` see `publish`.
    """
    return bool(ask("http_delete", caller, topic, match))


def history(caller: Caller, topic: str, limit: int) -> list[Value]:
    """Return the last values of a topic, the newest last."""
    return [_value(row) for row in ask("http_history", caller, topic, limit)]


def enter(caller: Caller, filters: Sequence[str]) -> str:
    """Return the ticket, good for one use, with which the caller's socket may be handed over as a stream of these."""
    return str(ask("http_enter", caller, list(filters)))


def knock(caller: Caller, name: str, *, is_given: bool) -> Knocked:
    """Ask an operator to let the caller in, who calls itself so; `is_given` has it given credentials."""
    return Knocked(**ask("http_knock", caller, name, is_given))


class Topics:
    """What the portal's own pages ask, on behalf of an operator; `most` is how many bytes of each payload they want."""

    @staticmethod
    def get(topic: str, most: int) -> Value | None:
        """Return the last value of a topic."""
        found = worker_client.have(MQTT, "topics_get", topic, most)
        return None if found is None else _value(found)

    @staticmethod
    def children(prefix: str, cursor: str | None, limit: int, most: int) -> Children:
        """Return the levels right below a prefix: "" is the root, all others end with a slash."""
        found = worker_client.have(MQTT, "topics_children", prefix, cursor, limit, most)
        rows = (Child(level, more, None if row is None else _value(row)) for level, more, row in found["children"])
        return Children(tuple(rows), found["cursor"])

    @staticmethod
    def find(text: str, cursor: str | None, limit: int, most: int) -> Page:
        """Return the last values of topics that contain a text; a page may be short and not be the last."""
        return _page(worker_client.have(MQTT, "topics_find", text, cursor, limit, most))

    @staticmethod
    def spelled(beginning: str, digest: bytes, cursor: str | None) -> tuple[str | None, str | None]:
        """Return the topic that begins like this and has this BLAKE2b digest, or where to go on looking."""
        found = worker_client.have(MQTT, "topics_spelled", beginning, digest, cursor)
        return found["topic"], found["cursor"]

    @staticmethod
    def history(topic: str, limit: int, most: int) -> list[Value]:
        """Return the last values of a topic, the newest last."""
        return [_value(row) for row in worker_client.have(MQTT, "topics_history", topic, limit, most)]

    @staticmethod
    def publish(topic: str, payload: bytes, qos: int, retain: bool) -> int:
        """Publish a message; return its number."""
        return int(worker_client.have(MQTT, "topics_publish", topic, payload, qos, retain))

    @staticmethod
    def delete(topic: str) -> bool:
        """Delete the value of a topic; return whether there was one."""
        return bool(worker_client.have(MQTT, "topics_delete", topic))


def ask(action: str, caller: Caller, *arguments: Any) -> Any:
    """Ask on behalf of a caller."""
    found: dict[str, Any] = worker_client.have(MQTT, action, asdict(caller), *arguments)
    if "ok" in found:
        return found["ok"]
    if "wait" in found:
        raise Later(found["wait"])
    if "forbidden" in found:
        raise Forbidden(found["forbidden"])
    if "fault" in found:
        raise Fault(found["fault"], found["retry"])
    raise Unauthorized


def _value(row: Sequence[Any]) -> Value:
    number, topic, payload, retain, integration, time, *size = row
    at = datetime.fromtimestamp(time, UTC)
    return Value(number, topic, payload, retain, integration, at, size[0] if size else len(payload))


def _page(found: dict[str, Any]) -> Page:
    return Page(tuple(_value(row) for row in found["values"]), found["cursor"])
