"""CONNECT: how a client gets in (sections 3.1 and 3.2).

Nothing of any session, subscription or Will is touched before the credentials are accepted.
"""

from __future__ import annotations

from typing import NoReturn

from protocols.access import Access
from protocols.contract import Grant, Login, Refusal, Wait
from protocols.mqtt import encode, properties, welcome
from protocols.mqtt.broker import Broker
from protocols.mqtt.client import Client
from protocols.mqtt.decode import decode_connect
from protocols.mqtt.errors import ConnectRefused, LoginRefused, MqttError
from protocols.mqtt.keeping import EXPIRES_NEVER, Will
from protocols.mqtt.line import Line, Link
from protocols.mqtt.packets import (
    BAD_AUTHENTICATION_METHOD,
    BAD_USER_NAME_OR_PASSWORD,
    BANNED,
    CLIENT_IDENTIFIER_NOT_VALID,
    LEVEL_3_1_1,
    LEVEL_5,
    NOT_AUTHORIZED,
    QUOTA_EXCEEDED,
    SERVER_BUSY,
    SERVER_UNAVAILABLE,
    UNSUPPORTED_PROTOCOL_VERSION,
    Connect,
    UnknownConnect,
)
from protocols.mqtt.session import Session
from protocols.vrpc.access import access_of, misplaced
from protocols.vrpc.live import Claimant, Who
from protocols.vrpc.names import AGENT, Identity, agent_topic, identity

_CODES = {
    Refusal.NO_CREDENTIALS: BAD_USER_NAME_OR_PASSWORD,
    Refusal.UNKNOWN_USERNAME: BAD_USER_NAME_OR_PASSWORD,
    Refusal.WRONG_PASSWORD: BAD_USER_NAME_OR_PASSWORD,
    Refusal.INACTIVE: NOT_AUTHORIZED,
    Refusal.WRONG_TYPE: NOT_AUTHORIZED,
    Refusal.TOO_MANY_FAILURES: BANNED,
    Refusal.NO_AGENT_OR_CLIENT: NOT_AUTHORIZED,
    Refusal.OTHER_DOMAIN: NOT_AUTHORIZED,
    Refusal.OTHER_ROLE: NOT_AUTHORIZED,
    Refusal.NAME_TAKEN: NOT_AUTHORIZED,
    Refusal.NAME_OWNED: NOT_AUTHORIZED,
    Refusal.ANOTHER_INSTANCE: QUOTA_EXCEEDED,
    Refusal.FLEET_CLOSED: NOT_AUTHORIZED,
    Refusal.NO_FLEET: BAD_USER_NAME_OR_PASSWORD,
}

_ADVICE = "onboarding is open: connect with a username and a password of your own making, and an operator is asked"
_GIVEN = "onboarding is open: connect with the username and password in the user properties, and an operator is asked"
_VERSIONS = {LEVEL_3_1_1: "3.1.1"}
_CONNECT_5 = b"\0\4MQTT\5"  # the start of a CONNECT's body


def begin(broker: Broker, body: bytes, address: str, transport: str, link: Link) -> Admission:
    """Decode and check a CONNECT; raise MqttError, with an answer sent where there is one."""
    try:
        packet = decode_connect(body)
    except MqttError as error:
        if body.startswith(_CONNECT_5):  # [MQTT5-3.1.4-2] with words, which 3.1.1 has not
            link.outbox.send(encode.connack(error.code, level=LEVEL_5))
        raise
    try:
        return Admission(broker, check(packet), len(body), address, transport, link)
    except ConnectRefused as refusal:
        link.outbox.send(welcome.refuse(refusal, packet))
        raise


class Admission:
    """One CONNECT until it is accepted or refused; the password is let go of with it."""

    __slots__ = ("_broker", "_connect", "_identity", "_link", "_login", "_since", "size")

    def __init__(self, broker: Broker, connect: Connect, size: int, address: str, transport: str, link: Link) -> None:
        self.size = size  # bytes
        self._connect = connect
        self._broker = broker
        self._link = link
        self._since = broker.common.now
        version = _VERSIONS.get(connect.level, "5.0")
        will_topic = connect.will.topic if connect.will is not None else ""
        self._identity = identity(will_topic) if will_topic else None
        self._login = Login(
            "mqtt", connect.username, connect.password, connect.client_id, address, version, transport, will_topic
        )

    def ask(self) -> Client | float:
        """Let the client in, or return in how many seconds to ask again; raise ConnectRefused once it is told so."""
        try:
            grant = self._authenticate()
            return grant.seconds if isinstance(grant, Wait) else self._admit(grant)
        except ConnectRefused as refusal:  # [MQTT-3.1.4-5] [MQTT5-3.1.4-6] the rest is not looked at
            self._link.outbox.send(welcome.refuse(refusal, self._connect))
            raise

    def _admit(self, grant: Grant) -> Client:
        """Take over or resume the session, and answer with CONNACK."""
        connect, broker = self._connect, self._broker
        client_id = connect.client_id or _new_client_id(broker, connect.level)
        self._check_place(grant)
        self._check_single(grant, client_id)
        access = access_of(grant, client_id, self._identity)
        _check_will(connect, access)
        told = welcome.properties_for(connect, client_id, access, broker.limits)
        self._take_over_agent()
        broker.sessions.take_over(grant.integration_id, client_id)
        if broker.sessions.count(grant.integration_id) >= broker.limits.max_connections_per_integration:
            broker.hits.add("max_connections_per_integration")
            raise ConnectRefused(QUOTA_EXCEEDED, "too many connections of this integration")
        session, present = broker.sessions.resume(
            grant, client_id, connect.level, _expiry(connect, access), self._identity, clean=connect.clean_start
        )
        if connect.will is not None:
            # Who has left its domain is offline there at once.
            delay = 0 if access.is_narrow else connect.will_delay
            session.will = Will(connect.will, delay, connect.will_expiry)
        if session.expiry:
            broker.keeper.session(session)
        # [MQTT-3.2.0-1] [MQTT5-3.2.0-1]
        self._link.outbox.send(encode.connack(session_present=present, level=connect.level, properties=told))
        return self._join(grant, session)

    def _check_place(self, grant: Grant) -> None:
        """Refuse who says by its Will that it is somebody whom its integration does not let it be, or who is taken."""
        refusal = misplaced(grant, self._identity) if self._connect.will is not None else None
        if self._identity is not None and refusal is None:
            refusal = self._check_name(self._identity, grant)
        if refusal is not None:
            self._refuse(refusal, grant)

    def _check_name(self, known: Identity, grant: Grant) -> Refusal | None:
        """Say whether it is another integration's, be that one connected or not."""
        broker = self._broker
        owner = broker.retained.owner(agent_topic(known.domain, known.name)) if known.kind == AGENT else 0
        return broker.live.taken(known, Claimant(grant.integration_id, grant.username, self._login.address), owner)

    def _check_single(self, grant: Grant, client_id: str) -> None:
        """Refuse a second instance of what may run once; the same one takes over."""
        if grant.is_single and self._broker.sessions.has_other(grant.integration_id, client_id):
            self._refuse(Refusal.ANOTHER_INSTANCE, grant)

    def _refuse(self, refusal: Refusal, grant: Grant) -> NoReturn:
        self._broker.presence.refused(self._login, refusal, grant.integration_id)
        raise ConnectRefused(_CODES[refusal], refusal.value)

    def _take_over_agent(self) -> None:
        """Close the connection that is this agent now, whatever client identifier it has."""
        broker, known = self._broker, self._identity
        owner = broker.live.take_over(known, self._login.address, broker.common.now) if known is not None else None
        if owner is not None:
            broker.sessions.take_over(owner.integration_id, owner.client_id)

    def _join(self, grant: Grant, session: Session) -> Client:
        """Go on with the session, and announce the connection."""
        connect, broker = self._connect, self._broker
        line = _line(broker, connect, self._link)
        if session.is_simple != line.is_simple:
            session.is_simple = line.is_simple
            if session.subscriptions:
                broker.subscriptions.forget_routes()
        keep_alive = welcome.keep_alive(connect, broker.limits)
        if keep_alive != connect.keep_alive:
            broker.hits.add("max_keep_alive")
        client = Client(broker, session, line, keep_alive=keep_alive, explains=welcome.explains(connect))
        session.attach(line)
        login = self._login
        if not login.client_id and connect.level != LEVEL_3_1_1:
            login = login._replace(client_id=session.client_id)
        broker.crowd.connects += 1
        client.presence_id = broker.presence.connected(grant, login)
        if (known := session.identity) is not None:
            told = (client.presence_id, grant.integration_id, grant.username, login.address, session.client_id)
            broker.live.join(known, Who(*told, session.is_narrow))
        return client

    def _authenticate(self) -> Grant | Wait:
        """Refuse credentials that do not open this door."""
        waited = self._broker.common.now - self._since
        if not self._login.username and welcome.can_be_given(self._connect):
            given = self._broker.give(self._login)
            if given is not None:
                raise LoginRefused(NOT_AUTHORIZED, "no username, so it was given one", _GIVEN, given)
        answer = self._broker.authenticate(self._login, waited)
        if isinstance(answer, Refusal):
            raise LoginRefused(_CODES[answer], answer.value, self._advice(answer))
        if isinstance(answer, Wait):
            self._check_wait(waited)
        return answer

    def _advice(self, refusal: Refusal) -> str:
        """Return what a client whose login is refused may be told of it."""
        if refusal is Refusal.FLEET_CLOSED:  # which only who knows its token gets
            return refusal.value
        return _ADVICE if refusal is Refusal.NO_CREDENTIALS and self._broker.invites() else ""

    def _check_wait(self, waited: float) -> None:
        """Refuse who would have to wait for too long, or among too many."""
        if waited >= self._broker.limits.longest_wait:
            raise ConnectRefused(SERVER_UNAVAILABLE, "no answer to a login in time")
        if not waited and self._broker.waiting.is_full:
            self._broker.hits.add("waiting_logins")
            raise LoginRefused(SERVER_BUSY, "too many logins wait for their answer")


def check(packet: Connect | UnknownConnect) -> Connect:
    """Refuse a protocol level, a client identifier or a kind of authentication that is not accepted."""
    if isinstance(packet, UnknownConnect):  # [MQTT-3.1.2-2] [MQTT5-3.1.2-2]
        raise ConnectRefused(UNSUPPORTED_PROTOCOL_VERSION, f"protocol level {packet.level} is not spoken")
    if not packet.client_id and not packet.clean_start and packet.level == LEVEL_3_1_1:  # [MQTT-3.1.3-8]
        raise ConnectRefused(CLIENT_IDENTIFIER_NOT_VALID, "a stored session without a client identifier")
    if properties.AUTHENTICATION_METHOD in packet.properties:  # [MQTT5-4.12.0-1]
        raise ConnectRefused(BAD_AUTHENTICATION_METHOD, "an authentication method; only passwords are accepted")
    return packet


def _new_client_id(broker: Broker, level: int) -> str:
    """Name a client that did not name itself [MQTT-3.1.3-6] [MQTT5-3.1.3-6]."""
    name = broker.new_client_id()
    return name if level != LEVEL_3_1_1 else f"\0{name}"  # which nobody can state, as it is told to nobody


def _expiry(connect: Connect, access: Access) -> int:
    """Return for how many seconds the session is to outlive the connection.

    Those of VRPC do not: meanwhile their name may be another's, whose requests are nothing for them.
    """
    if not access.lasts:
        return 0
    if connect.level == LEVEL_3_1_1:
        return 0 if connect.clean_start else EXPIRES_NEVER
    return int(connect.properties.get(properties.SESSION_EXPIRY_INTERVAL, 0))


def _check_will(connect: Connect, access: Access) -> None:
    """Refuse a Will that the client would not be allowed to publish itself."""
    if connect.will is not None and not access.may_publish(connect.will.topic):
        raise ConnectRefused(NOT_AUTHORIZED, f"a Will on {connect.will.topic[:60]!r}, which is not permitted")


def _line(broker: Broker, connect: Connect, link: Link) -> Line:
    """Note what the client said that it takes."""
    stated = connect.properties
    if not stated:
        return Line(broker.common, link, connect.level)
    return Line(
        broker.common,
        link,
        connect.level,
        window=stated.get(properties.RECEIVE_MAXIMUM, 65_535),
        max_packet=stated.get(properties.MAXIMUM_PACKET_SIZE, 0),
        aliases=stated.get(properties.TOPIC_ALIAS_MAXIMUM, 0),
    )
