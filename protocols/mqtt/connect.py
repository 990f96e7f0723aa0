"""CONNECT: how a client gets in (sections 3.1 and 3.2).

Nothing of any session, subscription or Will is touched before the credentials are accepted.
"""

from __future__ import annotations

from protocols.contract import Authenticate, Grant, Login, Refusal
from protocols.mqtt import encode, permissions
from protocols.mqtt.broker import Broker
from protocols.mqtt.client import Client
from protocols.mqtt.errors import ConnectRefused, LoginRefused
from protocols.mqtt.packets import (
    ACCEPTED,
    BAD_CREDENTIALS,
    IDENTIFIER_REJECTED,
    NOT_AUTHORIZED,
    UNACCEPTABLE_LEVEL,
    Connect,
    UnknownConnect,
)
from protocols.mqtt.session import Link

_CODES = {
    Refusal.NO_CREDENTIALS: BAD_CREDENTIALS,
    Refusal.UNKNOWN_USERNAME: BAD_CREDENTIALS,
    Refusal.WRONG_PASSWORD: BAD_CREDENTIALS,
    Refusal.INACTIVE: NOT_AUTHORIZED,
    Refusal.WRONG_TYPE: NOT_AUTHORIZED,
}


def admit(broker: Broker, packet: Connect | UnknownConnect, address: str, link: Link, transport: str) -> Client:
    """Let a client in, or raise ConnectRefused."""
    connect = check(packet)
    login = Login("mqtt", connect.username, connect.password, connect.client_id, address, "3.1.1", transport)
    grant = authenticate(broker.authenticate, login)
    check_will(connect, grant)
    broker.take_over(grant.integration_id, connect.client_id)
    session, present = broker.resume(grant.integration_id, connect.client_id, clean=connect.clean_session)
    link.outbox.send(encode.connack(ACCEPTED, session_present=present))  # [MQTT-3.2.0-1]
    client = Client(broker, connect, grant, session, link)
    session.attach(link)
    client.presence_id = broker.presence.connected(grant, login)
    return client


def check(packet: Connect | UnknownConnect) -> Connect:
    """Refuse a protocol level or a client identifier that is not accepted."""
    if isinstance(packet, UnknownConnect):  # [MQTT-3.1.2-2]
        raise ConnectRefused(UNACCEPTABLE_LEVEL, f"protocol level {packet.level} is not spoken")
    if not packet.client_id and not packet.clean_session:  # [MQTT-3.1.3-8]
        raise ConnectRefused(IDENTIFIER_REJECTED, "a stored session without a client identifier")
    return packet


def authenticate(authenticate: Authenticate, login: Login) -> Grant:
    """Refuse credentials that do not open this door."""
    answer = authenticate(login)
    if isinstance(answer, Refusal):
        raise LoginRefused(_CODES[answer], answer.value)
    return answer


def check_will(connect: Connect, grant: Grant) -> None:
    """Refuse a Will that the client would not be allowed to publish itself."""
    if connect.will is not None and not permissions.may_publish(grant, connect.will.topic):
        raise ConnectRefused(NOT_AUTHORIZED, f"a Will on {connect.will.topic[:60]!r}, which is not permitted")
