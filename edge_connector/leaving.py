"""What waits to be written to a server that reads slowly, or not at all: bounded, because paho's queue is not."""

from __future__ import annotations

import logging
import threading
from collections import deque

from paho.mqtt.client import MQTTMessageInfo

log = logging.getLogger(__name__)

MOST = 16 * 1024 * 1024  # bytes


class Leaving:
    """Replies, events and what the agent tells of itself, until they are on their way."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._waiting: deque[tuple[MQTTMessageInfo, int]] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._full = False

    def has_room(self, size: int) -> bool:
        """Tell whether so much may be added; what may not is lost, as everything is that is sent with QoS 0."""
        with self._lock:
            while self._waiting and _is_gone(self._waiting[0][0]):
                self._bytes -= self._waiting.popleft()[1]
            full = self._bytes + size > self._most
        if full and not self._full:
            log.error("the server does not read: replies and events are dropped")
        self._full = full
        return not full

    def add(self, about: MQTTMessageInfo, size: int) -> None:
        with self._lock:
            self._waiting.append((about, size))
            self._bytes += size


def _is_gone(about: MQTTMessageInfo) -> bool:
    try:
        return about.is_published()
    except (RuntimeError, ValueError):  # the connection ended before
        return True
