"""Messages that wait for one session: its backlog."""

from __future__ import annotations

from collections import deque

from protocols.mqtt.packets import Message


class Backlog:
    """A queue of messages, bounded in number and bytes of payload."""

    __slots__ = ("_max_messages", "_max_size", "_messages", "_size")

    def __init__(self, max_messages: int, max_size: int) -> None:
        self._max_messages = max_messages
        self._max_size = max_size
        self._messages: deque[Message] = deque()
        self._size = 0

    def add(self, message: Message) -> bool:
        """Append a message; False when it does not fit, though an empty queue takes any."""
        size = self._size + len(message.payload)
        if len(self._messages) >= self._max_messages or (size > self._max_size and self._messages):
            return False
        self._messages.append(message)
        self._size = size
        return True

    def take(self) -> Message | None:
        """Remove and return the oldest message."""
        if not self._messages:
            return None
        message = self._messages.popleft()
        self._size -= len(message.payload)
        return message

    @property
    def fill(self) -> float:
        """Return how full the queue is: 0 to about 1."""
        return max(len(self._messages) / self._max_messages, self._size / self._max_size)
