"""Retained messages that are due to a session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from protocols.mqtt.packets import Message
from protocols.mqtt.retained import Retained
from protocols.mqtt.routes import Subscription

_STEPS = 2_000  # of a search, in one turn of the loop


class Replay:
    """Retained messages that one session has still to be sent.

    They are looked for when they are due, so that waiting costs little and nothing outdated is sent; and so many steps
    at a time, so that a search among many keeps nobody waiting.
    """

    __slots__ = ("_due", "_found", "_retained", "_steps", "_subscription")

    def __init__(self, retained: Retained) -> None:
        self._retained = retained
        self._due: dict[str, Subscription] = {}  # by filter, however often that is subscribed to
        self._found: Iterator[Message | None] | None = None
        self._subscription: Subscription
        self._steps = _STEPS

    def add(self, subscriptions: Iterable[Subscription]) -> None:
        """Add new subscriptions."""
        for subscription in subscriptions:
            self._due.pop(subscription.topic_filter, None)
            self._due[subscription.topic_filter] = subscription

    def drop(self, topic_filter: str) -> None:
        """Let go of a subscription that has ended."""
        self._due.pop(topic_filter, None)
        if self._found is not None and self._subscription.topic_filter == topic_filter:
            self._found = None

    def rest(self) -> None:
        """Begin a new turn."""
        self._steps = _STEPS

    @property
    def is_tired(self) -> bool:
        """Say whether this turn's steps are used up."""
        return not self._steps

    @property
    def is_over(self) -> bool:
        """Say whether nothing is left to look for."""
        return self._found is None and not self._due

    def next(self) -> tuple[Message, Subscription] | None:
        """Return the next message with its RETAIN flag set [MQTT-3.3.1-8] [MQTT5-3.3.1-8].

        None at the end, and when this turn's steps are used up.
        """
        while self._steps and not self.is_over:
            if self._found is None:
                topic_filter = next(iter(self._due))
                self._subscription = self._due.pop(topic_filter)
                self._found = self._retained.find(topic_filter)
            self._steps -= 1
            try:
                message = next(self._found)
            except StopIteration:
                self._found = None
                continue
            if message is not None and not self._subscription.muted:
                qos = min(message.qos, self._subscription.qos)
                return message if qos == message.qos else replace(message, qos=qos), self._subscription
        return None
