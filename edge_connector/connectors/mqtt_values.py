"""The last values of topics, and who is told of new ones."""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edge_connector import topics
from edge_connector.errors import EdgeError, Refused
from edge_connector.following import Heard

log = logging.getLogger(__name__)

MOST = 256  # watches
BYTES = 16 * 1024 * 1024  # of values that are kept


@dataclass(eq=False)
class _Watch:
    filter: str
    tell: Callable[[str, bytes], None]


class Values:
    """What was heard last of each topic, up to a number of topics and of bytes; the oldest gives way."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._last: dict[str, bytes] = {}
        self._bytes = 0
        self._watches: list[_Watch] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._last)

    def hear(self, heard: Heard) -> None:
        """Take note of a message, and tell of it."""
        with self._lock:
            self._forget(heard.topic)
            if heard.payload or not heard.retain:  # an empty one that is retained removes what was
                self._last[heard.topic] = heard.payload
                self._bytes += len(heard.payload)
            while len(self._last) > self._most or self._bytes > BYTES:
                self._forget(next(iter(self._last)))
            for watch in self._watches:
                if topics.matches(watch.filter, heard.topic):
                    self._tell(watch, heard.topic, heard.payload)

    def get(self, filter: str) -> dict[str, bytes]:
        """Return the last values of the topics that a filter matches."""
        with self._lock:
            return {topic: one for topic, one in self._last.items() if topics.matches(filter, topic)}

    def watch(self, filter: str, tell: Callable[[str, bytes], None]) -> Callable[[], None]:
        """Tell of what is there, and of what comes; return what ends that."""
        watch = _Watch(filter, tell)
        with self._lock:
            if len(self._watches) >= MOST:
                raise Refused(f"there are {MOST} watches already")
            for topic, one in self._last.items():
                if topics.matches(filter, topic):
                    self._tell(watch, topic, one)
            self._watches.append(watch)
        return lambda: self._end(watch)

    def _end(self, watch: _Watch) -> None:
        with self._lock:
            if watch in self._watches:
                self._watches.remove(watch)

    def _forget(self, topic: str) -> None:
        self._bytes -= len(self._last.pop(topic, b""))

    def _tell(self, watch: _Watch, topic: str, payload: bytes) -> None:
        try:
            watch.tell(topic, payload)
        except EdgeError as error:
            log.warning("%s: a value of %s cannot be told: %s", self._name, topic, error)
        except Exception:
            log.exception("%s: a value of %s cannot be told", self._name, topic)


def plain(payload: bytes) -> Any:
    """Return JSON as what it says, a text as it is, anything else as base64:…"""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return f"base64:{base64.b64encode(payload).decode()}"
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def packed(value: Any) -> bytes:
    """Return the bytes of what `plain` says."""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    if not value.startswith("base64:"):
        return value.encode("utf-8", "replace")
    try:
        return base64.b64decode(value.removeprefix("base64:"), validate=True)
    except ValueError:
        raise Refused("what follows base64: is none") from None
