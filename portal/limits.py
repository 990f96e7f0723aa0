"""The limits of the protocol servers that a setting can change: what each bounds, and what may be set."""

from __future__ import annotations

import re
from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
UNITS = {"": 1, "K": KIB, "M": MIB, "G": GIB}
SIZE = re.compile(r"([0-9]{1,12})([KMG]?)(?:I?B)?", re.IGNORECASE)
SECONDS = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,3})?")
COUNT = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: `unit` is "bytes", "seconds", "whole seconds", "/s", or "" for a count; `scope` is whom it holds for.

    `zero` says what 0 means where it is not simply none.
    """

    setting: str
    unit: str
    least: int
    most: int
    scope: str
    meaning: str
    zero: str = ""

    @property
    def field(self) -> str:
        """Return the name that the server has for it."""
        return self.setting.partition("_")[2].lower()

    @property
    def protocol(self) -> str:
        return self.setting.partition("_")[0].lower()

    def parse(self, text: str) -> float | int:
        """Return the value of a setting; raises `ValueError` that says what is allowed."""
        value = self._read(text.strip())
        if value is None or not self.least <= value <= self.most:
            raise ValueError(f"must be {self._allowed()}, not {text.strip()!r}")
        return value

    def _read(self, text: str) -> float | int | None:
        if self.unit == "bytes":
            found = SIZE.fullmatch(text)
            return int(found[1]) * UNITS[found[2].upper()] if found else None
        if self.unit == "seconds":
            return float(text) if SECONDS.fullmatch(text) else None
        return int(text) if COUNT.fullmatch(text) else None

    def _allowed(self) -> str:
        if self.unit == "bytes":
            return f"a size from {_size(self.least)} to {_size(self.most)}, such as {_size(self.least * 4)}"
        what = self.unit if self.unit.endswith("seconds") else "a number"
        return f"{what} from {self.least} to {self.most}"


def _size(count: int) -> str:
    """Return a number of bytes as it is written in a setting."""
    for letter in ("G", "M", "K"):
        if count >= UNITS[letter] and count % UNITS[letter] == 0:
            return f"{count // UNITS[letter]}{letter}"
    return str(count)


_ALL, _ADDRESS, _INTEGRATION = "all together", "each address", "each integration"
_CLIENT, _NODE, _TOPIC, _AGENT = "each client", "each node", "each topic", "each agent"

LIMITS = {
    limit.setting: limit
    for limit in (
        Limit("MQTT_MAX_CONNECTIONS", "", 1, 1_000_000, _ALL, "Open connections"),
        Limit("MQTT_MAX_CONNECTIONS_PER_ADDRESS", "", 1, 1_000_000, _ADDRESS, "Open connections from one address"),
        Limit(
            "MQTT_MAX_CONNECTIONS_PER_INTEGRATION",
            "",
            1,
            1_000_000,
            _INTEGRATION,
            "Open connections of one integration",
        ),
        Limit("MQTT_MAX_HANDSHAKES", "", 10, 1_000_000, _ALL, "TLS and WebSocket handshakes that are not finished"),
        Limit("MQTT_CONNECT_TIMEOUT", "seconds", 1, 300, _CLIENT, "Time for a client to log in after it connected"),
        Limit("MQTT_MAX_PACKET", "bytes", 1 * KIB, 256 * MIB, _CLIENT, "Largest packet"),
        Limit("MQTT_PUBLISH_RATE", "/s", 0, 10_000_000, _INTEGRATION, "Messages published in a second", "any number"),
        Limit("MQTT_INFLIGHT", "", 1, 65_535, _CLIENT, "Messages sent at once without an acknowledgement; more wait"),
        Limit("MQTT_QUEUE_MESSAGES", "", 1, 10_000_000, _CLIENT, "Messages kept for a client that is away or slow"),
        Limit("MQTT_QUEUE_BYTES", "bytes", 1 * KIB, 16 * GIB, _CLIENT, "Bytes of these messages"),
        Limit("MQTT_QUEUE_TOTAL_BYTES", "bytes", 64 * KIB, 256 * GIB, _ALL, "Bytes of all messages that are kept"),
        Limit("MQTT_OUTBOUND_BYTES", "bytes", 16 * KIB, 1 * GIB, _CLIENT, "Bytes on their way to a slow reader"),
        Limit("MQTT_RETAINED_MESSAGES", "", 0, 100_000_000, _ALL, "Retained messages"),
        Limit("MQTT_RETAINED_BYTES", "bytes", 0, 256 * GIB, _ALL, "Bytes of retained messages"),
        Limit("MQTT_SUBSCRIPTIONS", "", 1, 1_000_000, _CLIENT, "Subscriptions"),
        Limit("MQTT_RECEIVE_MAXIMUM", "", 1, 65_535, _CLIENT, "QoS 1 and 2 messages under way from it"),
        Limit("MQTT_TOPIC_ALIASES", "", 0, 65_535, _CLIENT, "Topic aliases in each direction"),
        Limit("MQTT_MAX_KEEP_ALIVE", "whole seconds", 0, 65_535, _CLIENT, "Longest keep alive that is granted", "any"),
        Limit("MQTT_STORED_SESSIONS", "", 0, 1_000_000, _INTEGRATION, "Sessions kept for clients that are away"),
        Limit("MQTT_MAX_CONNECT_PACKET", "bytes", 1 * KIB, 256 * MIB, _CLIENT, "Largest packet before it is let in"),
        Limit("MQTT_WAITING_LOGINS", "", 100, 1_000_000, _ALL, "Logins that wait for their answer"),
        Limit("MQTT_UNFINISHED_CONNECTS", "bytes", 64 * KIB, 16 * GIB, _ALL, "Bytes of logins that are not finished"),
        Limit("MQTT_UNFINISHED_PACKETS", "bytes", 64 * KIB, 256 * GIB, _ALL, "Bytes of large packets in parts"),
        Limit("MQTT_OUTBOUND_TOTAL_BYTES", "bytes", 64 * KIB, 256 * GIB, _ALL, "Bytes on their way to slow readers"),
        Limit("MQTT_PATIENCE", "seconds", 0, 60, _CLIENT, "Time that publishers wait for a slow reader"),
        Limit("MQTT_SUBSCRIPTION_CHARACTERS", "", 256, 1_000_000_000, _CLIENT, "Characters of its long topic filters"),
        Limit("MQTT_TOPIC_LEVELS", "", 1, 10_000, _TOPIC, "Its levels, as far as it is retained or subscribed to"),
        Limit("HTTP_ONLINE", "seconds", 5, 86_400, _INTEGRATION, "Time from its last request until it is offline"),
        Limit("HTTP_STREAMS", "", 1, 100_000, _ALL, "Open streams and long polls"),
        Limit("HTTP_STREAMS_PER_INTEGRATION", "", 1, 100_000, _INTEGRATION, "Open streams and long polls"),
        Limit("HTTP_OUTBOUND_BYTES", "bytes", 16 * KIB, 1 * GIB, _CLIENT, "Bytes on their way to a slow reader"),
        Limit("HTTP_CALLS", "", 1, 100_000, _ALL, "Calls of agents' functions under way"),
        Limit("HTTP_CALLS_PER_INTEGRATION", "", 1, 100_000, _INTEGRATION, "Calls of agents' functions under way"),
        Limit("VRPC_AGENTS", "", 1, 100_000, _ALL, "Agents that are listed"),
        Limit("VRPC_CLASSES", "", 1, 100_000, _AGENT, "Classes that are listed"),
        Limit("VRPC_CLASS_BYTES", "bytes", 1 * KIB, 256 * MIB, _AGENT, "Largest description of a class that is read"),
        Limit("VRPC_CLIENT_INFO", "seconds", 1, 999_999, _CLIENT, "Time that what it says of itself stays retained"),
        Limit("VRPC_CALL_TIMEOUT", "seconds", 1, 86_400, _ALL, "Longest time of a call from the portal"),
        Limit("VRPC_CALLS", "", 1, 100_000, _ALL, "Calls from the portal that are under way"),
        Limit("VRPC_REPLY_BYTES", "bytes", 1 * KIB, 256 * MIB, _AGENT, "Largest answer to a call from the portal"),
        Limit("VRPC_WATCHES", "", 1, 10_000, _ALL, "Events that are watched from the portal"),
        Limit("OPCUA_MAX_CONNECTIONS", "", 1, 1_000_000, _ALL, "Open connections"),
        Limit("OPCUA_MAX_CONNECTIONS_PER_ADDRESS", "", 1, 1_000_000, _ADDRESS, "Open connections from one address"),
        Limit(
            "OPCUA_MAX_CONNECTIONS_PER_INTEGRATION",
            "",
            1,
            1_000_000,
            _INTEGRATION,
            "Open connections of one integration",
        ),
        Limit("OPCUA_CONNECT_TIMEOUT", "seconds", 1, 300, _CLIENT, "Time for a client to log in after it connected"),
        Limit("OPCUA_SESSION_TIMEOUT", "seconds", 5, 3600, _CLIENT, "Time after which a silent session ends"),
        Limit("OPCUA_MAX_MESSAGE", "bytes", 64 * KIB, 64 * MIB, _CLIENT, "Largest message"),
        Limit("OPCUA_SUBSCRIPTIONS", "", 1, 1_000_000, _INTEGRATION, "Subscriptions"),
        Limit("OPCUA_MONITORED_ITEMS", "", 1, 10_000_000, _INTEGRATION, "Monitored items"),
        Limit("OPCUA_PUBLISHING_INTERVAL", "seconds", 0, 60, _CLIENT, "Shortest publishing interval"),
        Limit("OPCUA_SUBSCRIPTION_BYTES", "bytes", 1 * MIB, 16 * GIB, _INTEGRATION, "Bytes kept for its subscriptions"),
        Limit("OPCUA_SUBSCRIPTION_TOTAL_BYTES", "bytes", 1 * MIB, 256 * GIB, _ALL, "Bytes kept for subscriptions"),
        Limit("OPCUA_NODES", "", 1, 1_000_000, _INTEGRATION, "Nodes, folders among them"),
        Limit("OPCUA_NODES_TOTAL", "", 1, 10_000_000, _ALL, "Nodes"),
        Limit("OPCUA_VALUE_BYTES", "bytes", 1 * KIB, 16 * MIB, _NODE, "Its value"),
        Limit("OPCUA_VALUES_BYTES", "bytes", 64 * KIB, 16 * GIB, _INTEGRATION, "Bytes of all values and names"),
        Limit("OPCUA_VALUES_TOTAL_BYTES", "bytes", 1 * MIB, 256 * GIB, _ALL, "Bytes of all values and names"),
        Limit("OPCUA_HISTORY_VALUES", "", 0, 100_000, _NODE, "Values in its history", "none"),
        Limit("OPCUA_HISTORY_TOTAL_BYTES", "bytes", 64 * KIB, 256 * GIB, _ALL, "Bytes of all history"),
        Limit("HUB_TOPICS", "", 1, 10_000_000, _ALL, "Topics whose last value is kept"),
        Limit("HUB_BYTES", "bytes", 64 * KIB, 256 * GIB, _ALL, "Bytes of these topics and values"),
        Limit("HUB_PAYLOAD", "bytes", 1 * KIB, 256 * MIB, _TOPIC, "Its value"),
        Limit("HUB_HISTORY", "", 0, 10_000, _TOPIC, "Values in its history", "none"),
        Limit("HUB_HISTORY_BYTES", "bytes", 64 * KIB, 256 * GIB, _ALL, "Bytes of all history"),
    )
}
