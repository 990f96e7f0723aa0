"""What is followed over a connection: each filter has a number by which the server says what a message came for.

So a message that several filters fit is heard once for each of them, however often the server sends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_connector.topics import matches

VIA = "via"  # the user property in which a bridge leaves its name
REQUESTS = 1  # the number of all filters that are not followed, by which the agent itself is asked


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of a topic that is followed."""

    topic: str
    payload: bytes
    retain: bool  # as it was published
    via: tuple[str, ...]  # the bridges over which it came


Hear = Callable[[Heard], None]


class Following:
    """Filters, and who hears what comes of them."""

    def __init__(self) -> None:
        self._followed: dict[str, list[Hear]] = {}

    def add(self, topics: str, hear: Hear) -> None:
        """Follow a filter with each connection that is made from now on."""
        self._followed.setdefault(topics, []).append(hear)

    def subscribe(self, client: paho.Client) -> dict[int, str]:
        """Ask for everything; what is retained comes only with what is new to the server.  Return filters by packet."""
        asked = {}
        options = SubscribeOptions(2, retainAsPublished=True, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        for number, topics in enumerate(self._followed, REQUESTS + 1):
            packet = client.subscribe(topics, options=options, properties=numbered(number))[1]
            if packet is not None:
                asked[packet] = topics
        return asked

    def heard(self, message: paho.MQTTMessage) -> bool:
        """Hand a message to those who follow it; tell whether it asks the agent something."""
        numbers = getattr(message.properties, "SubscriptionIdentifier", [REQUESTS])
        via = tuple(value for name, value in getattr(message.properties, "UserProperty", []) if name == VIA)
        found = Heard(message.topic, bytes(message.payload), message.retain, via)
        for number, (topics, hears) in enumerate(self._followed.items(), REQUESTS + 1):
            if number in numbers and matches(topics, message.topic):  # a server could say any number
                for hear in hears:
                    hear(found)
        return REQUESTS in numbers


def numbered(number: int) -> Properties:
    """Return what gives a subscription a number."""
    return properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=number)


def properties(packet: int, **values: Any) -> Properties:
    """Return the properties of a kind of packet."""
    found = Properties(packet)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(found, name, value)
    return found
