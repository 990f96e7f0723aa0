"""What can be wrong with what a client sent.

MqttError                       the connection must be closed; the text is a fact fit for a log
├── MalformedPacket             bytes that are no packet of the standard
│   ├── PacketTooLarge          a length above what this connection may send
│   └── InvalidTopic            a topic name that the standard forbids
│       └── InvalidFilter       a topic filter that the standard forbids
├── QuotaExceeded               more than there is room for, of all clients together
├── ProtocolViolation           a well-formed packet that was not allowed at that moment
│   ├── ReceiveMaximumExceeded  more QoS 1 and 2 messages under way than CONNACK allowed
│   └── TopicAliasInvalid       a topic alias that is 0, too high, or stands for nothing
└── ConnectRefused              a CONNECT that gets a CONNACK with a code other than 0
    └── LoginRefused            the credentials were refused, which `authenticate` has recorded

`code` is the reason code of 5.0 that a client of that version is told with the last packet.
"""

from __future__ import annotations


class MqttError(Exception):
    """Close the connection: the client broke the standard or was refused."""

    code = 0x80


class MalformedPacket(MqttError):
    """Bytes that are no packet of the standard."""

    code = 0x81


class PacketTooLarge(MalformedPacket):
    """A packet longer than this connection may send."""

    code = 0x95


class InvalidTopic(MalformedPacket):
    """A topic name that the standard forbids."""

    code = 0x90


class InvalidFilter(InvalidTopic):
    """A topic filter that the standard forbids."""

    code = 0x8F


class ProtocolViolation(MqttError):
    """A well-formed packet that was not allowed at that moment."""

    code = 0x82


class ReceiveMaximumExceeded(ProtocolViolation):
    """More QoS 1 and 2 messages under way than CONNACK allowed."""

    code = 0x93


class TopicAliasInvalid(ProtocolViolation):
    """A topic alias that is 0, too high, or stands for nothing."""

    code = 0x94


class QuotaExceeded(MqttError):
    """More than there is room for, of all clients together."""

    code = 0x97


class ConnectRefused(MqttError):
    """A CONNECT that is answered with this reason code; `welcome` knows what 3.1.1 has instead."""

    def __init__(self, code: int, fact: str) -> None:
        super().__init__(fact)
        self.code = code


class LoginRefused(ConnectRefused):
    """Credentials that do not open this door; the client is told advice, never the fact.

    `given` is the username and the password that it is to come with instead, for it alone.
    """

    def __init__(self, code: int, fact: str, advice: str = "", given: tuple[str, str] | None = None) -> None:
        super().__init__(code, fact)
        self.advice = advice
        self.given = given
