"""What can be wrong with what a client sent.

MqttError                       the connection must be closed; the text is a fact fit for a log
├── MalformedPacket             bytes that are no packet of the standard
│   ├── PacketTooLarge          a length above what this connection may send
│   └── InvalidTopic            a topic name or topic filter that the standard forbids
├── ProtocolViolation           a well-formed packet that was not allowed at that moment
└── ConnectRefused              a CONNECT that gets a CONNACK with a code other than 0
    └── LoginRefused            the credentials were refused, which `authenticate` has recorded
"""

from __future__ import annotations


class MqttError(Exception):
    """Close the connection: the client broke the standard or was refused."""


class MalformedPacket(MqttError):
    """Bytes that are no packet of the standard."""


class PacketTooLarge(MalformedPacket):
    """A packet longer than this connection may send."""


class InvalidTopic(MalformedPacket):
    """A topic name or topic filter that the standard forbids."""


class ProtocolViolation(MqttError):
    """A well-formed packet that was not allowed at that moment."""


class ConnectRefused(MqttError):
    """A CONNECT that is answered with this CONNACK return code."""

    def __init__(self, code: int, fact: str) -> None:
        super().__init__(fact)
        self.code = code


class LoginRefused(ConnectRefused):
    """Credentials that do not open this door."""
