"""The broker: what all connections share, and the way of a message to everybody who subscribes to its topic.

It is synchronous and deterministic, and knows neither sockets nor the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from protocols.contract import Authenticate, Give, Grant, Presence, Refused, give_nobody
from protocols.hub.hub import Hub
from protocols.hub.messages import Publication
from protocols.hub.runs import Source
from protocols.mqtt.backlog import QUEUED, Entry
from protocols.mqtt.common import Common
from protocols.mqtt.crowd import Crowd
from protocols.mqtt.handshakes import Handshakes
from protocols.mqtt.keeping import Keeper, NoKeeper, Stored, Will
from protocols.mqtt.limits import Limits
from protocols.mqtt.meters import Meters
from protocols.mqtt.packets import NOT_AUTHORIZED, Message
from protocols.mqtt.routes import Route
from protocols.mqtt.session import Session
from protocols.mqtt.sessions import Sessions
from protocols.mqtt.subscriptions import Subscriptions
from protocols.mqtt.waiting import Waiting
from protocols.tally import Tally
from protocols.vrpc.access import misplaced
from protocols.vrpc.live import Live
from protocols.vrpc.names import is_class_info

MISPLACED = "VRPC domain or role changed"


class Broker:
    """Sessions, subscriptions, retained messages and routing."""

    def __init__(
        self,
        authenticate: Authenticate,
        presence: Presence,
        limits: Limits,
        keeper: Keeper | None = None,
        *,
        hub: Hub,
        new_client_id: Callable[[], str],
        invites: Callable[[], bool] = lambda: False,
        give: Give = give_nobody,
    ) -> None:
        """`invites` says whether clients that nobody knows may ask to come in."""
        self.authenticate = authenticate
        self.presence = presence
        self.limits = limits
        self.hub = hub
        self.invites = invites
        self.give = give
        self.new_client_id = new_client_id  # unguessable [MQTT5-3.2.2-16]
        self.common = Common(limits, keeper or NoKeeper())
        self.flow = self.common.flow
        self.hits = self.common.hits
        self.retained = self.common.retained
        self.subscriptions = Subscriptions(hub.entry)
        self.sessions = Sessions(self.common, self.subscriptions, self._redeliver, self._publish_will)
        self.crowd = Crowd(limits)
        self.live = Live()  # agents and clients of VRPC
        self.tally = Tally()
        self.meters = Meters(limits.publish_rate)
        self.handshakes = Handshakes(limits.max_handshakes, self.hits)  # under way below clients: TLS, WebSockets
        self.waiting = Waiting(limits.waiting_logins)
        self.forbidden = Route(hub.entry(""), forbidden=True)  # where messages go that a client may not publish
        self.unfinished = 0  # bytes of CONNECTs that have arrived in part, or wait for their answer
        self.unfinished_packets = 0  # bytes of large packets that have arrived in part
        self._next_expiry = 0.0

    @property
    def keeper(self) -> Keeper:
        return self.common.keeper

    # --- state

    def restore(self, stored: Stored, now: float, closed: frozenset[str] = frozenset()) -> None:
        """Take back what was recorded, before any client is let in; these are the domains of VRPC."""
        self.common.now = now
        self.subscriptions.closed = closed
        for message in stored.retained:
            if self.retained.restore(message, stored.owners.get(message.topic, 0)):
                self.retained.tell(message.topic, message.payload)
            if not is_class_info(message.topic):
                self.hub.adopt(message.topic, message.payload, self._expires_in(message))
        for session in stored.sessions:
            self.sessions.restore(session)

    def permit(self, grants: Mapping[int, Grant]) -> None:
        """Hold open connections and stored sessions of these integrations to other topics from now on."""
        for integration_id, grant in grants.items():
            self.subscriptions.closed = grant.closed  # the same for all
            for session in self.sessions.of(integration_id):
                if session.grant != grant:
                    self._let_go_of_misplaced(session, grant)
                    self.sessions.permit(session, grant)
        self.forbidden.end()
        self.forbidden = Route(self.hub.entry(""), forbidden=True)
        self.subscriptions.forget_routes()

    def _let_go_of_misplaced(self, session: Session, grant: Grant) -> None:
        """Close the connection of an agent or client that its integration does not let it be any more.

        Its Will is published before it is held to other topics: in its domain it is offline.
        """
        if session.identity is not None and session.line is not None and misplaced(grant, session.identity):
            session.line.link.close(MISPLACED, code=NOT_AUTHORIZED)

    def sweep(self, now: float) -> None:
        """Do what is due: end sessions, publish delayed Wills, throw away expired messages."""
        self.common.now = now
        self.sessions.sweep()
        self.flow.give_up(now, self.limits.patience)
        if now >= self._next_expiry:
            self._next_expiry = now + self.limits.expiry_interval
            self.retained.sweep(now)
            for session in self.sessions:
                session.expire()

    def _redeliver(self, entries: Iterable[Entry]) -> None:
        """Hand shared messages of a session that will not send them to other members of their groups."""
        for entry in entries:
            # [MQTT5-4.8.2-5] of QoS 2 only what was not sent yet
            if entry.share and (entry.state == QUEUED or entry.message.qos == 1):
                self._share(entry.message, entry.share)

    def _publish_will(self, session: Session, will: Will) -> None:
        message = will.message
        if not session.access.may_publish(message.topic):
            return
        if not session.access.is_ruled(message.topic) and self.live.tells(message.topic):
            return
        if will.expiry is not None:
            message.expires_at = self.common.now + will.expiry
        owner = session.integration_id if session.is_narrow else 0
        self.publish(message, Source(session.integration_id, message.retain, will.expiry), owner)

    # --- messages

    def hold_for_hub(self, wanted: Sequence[Publication]) -> None:
        """Raise Refused unless all that comes in by another protocol, in this order, can be kept as it should."""
        for place, (topic, *_) in enumerate(wanted):
            if self.live.tells(topic):
                raise Refused(
                    "an agent or client of VRPC that is connected tells this itself", f"messages/{place}/topic"
                )
        places = [place for place, (_, _, _, retain) in enumerate(wanted) if retain]
        if places and (found := self.retained.beyond(Message(*wanted[place]) for place in places)) is not None:
            place, limit = places[found[0]], found[1]
            if limit == "topic_levels":
                most = self.limits.topic_levels
                raise Refused(f"the topic of a retained message has {most} levels at most", f"messages/{place}/topic")
            raise Refused("there is no room for another retained message", f"messages/{place}/room")
        if self.keeper.accepting:
            return
        for place, one in enumerate(wanted):
            message = Message(*one)
            if message.qos and self.must_keep(message, self.subscriptions.route(message.topic)):
                raise Refused("messages cannot be stored now", f"messages/{place}/room")

    def publish_for_hub(self, topic: str, payload: bytes, qos: int, source: Source) -> None:
        """Publish what came in by another protocol, and was held to what can be kept."""
        self.publish(Message(topic, payload, qos, source.retain), source)

    def forget(self, integration_ids: Collection[int]) -> None:
        """Take back what agents and clients of these integrations have retained, for everybody."""
        for topic in self.retained.owned_by(integration_ids):
            self.publish(Message(topic, b"", 0, retain=True), Source(0, True))

    def publish(self, message: Message, source: Source, owner: int = 0) -> None:
        """Keep a retained message, and send it to everybody who subscribes to its topic, and the hub.

        `owner` is the integration of VRPC, or the Edge Connector, that it goes with.
        """
        if message.retain:  # [MQTT-3.3.1-5] [MQTT5-3.3.1-5]
            self.retained.keep(message, owner)
            if source.expires_in is None:
                source = source._replace(expires_in=self._expires_in(message))
        route = self.subscriptions.route(message.topic)
        self.hub.hear(route.entry, message.payload, source)
        self.route(message, route)

    def route(self, message: Message, route: Route, origin: Session | None = None) -> None:
        """Send a message to the subscribers of its topic, each with its own QoS [MQTT-3.8.4-6] [MQTT5-3.8.4-8]."""
        if route.plain:
            self._route_plain(_alike(message, message.qos) if message.retain else message, route)
        if route.special or route.shares:
            self.route_special(message, route, origin)

    def route_special(self, message: Message, route: Route, origin: Session | None) -> None:
        """Send a message to those subscribers that are not sent the same as everybody."""
        for target in route.special:
            own = target.own if target.subscriber is origin else target  # [MQTT5-3.8.3-3]
            if own is not None:
                retain = message.retain and own.retain_as_published
                _send(own.subscriber, message, own.qos, own.identifiers, retain=retain)
        for share in route.shares:
            self._share(message, share.whole)

    def _route_plain(self, message: Message, route: Route) -> None:
        lower = message
        variants: dict[int, bytes | None] = {}
        for session, granted in route.plain:
            qos = message.qos if message.qos < granted else granted
            if qos:
                if qos != lower.qos:
                    lower = _alike(message, qos)
                session.deliver(lower)
            elif session.line is not None:
                level = session.level
                if level not in variants:
                    variants[level] = session.line.encode(_alike(message, 0))
                if (data := variants[level]) is not None:
                    session.line.outbox.offer(data, 1)

    def _share(self, message: Message, whole: str) -> None:
        """Send a message to one member of a group [MQTT5-4.8.2-3]."""
        share = self.subscriptions.share(whole)
        chosen = share.choose(message.qos) if share is not None else None
        if chosen is not None:
            session, subscription = chosen
            identifiers = (subscription.identifier,) if subscription.identifier else ()
            retain = message.retain and subscription.retain_as_published
            _send(session, message, subscription.qos, identifiers, whole, retain=retain)

    def _expires_in(self, message: Message) -> float | None:
        return None if message.expires_at is None else message.expires_at - self.common.now

    def must_keep(self, message: Message, route: Route) -> bool:
        """Say whether a message is acknowledged only once it is stored."""
        if message.retain:
            return True
        subscribers = [session for session, qos in route.plain if qos]
        subscribers += [target.subscriber for target in route.special if target.qos]
        for share in route.shares:
            subscribers += share.members
        return any(session.expiry for session in subscribers)


def _alike(message: Message, qos: int, *, retain: bool = False) -> Message:
    """Return a message as it is sent on: the RETAIN flag is 0 [MQTT-3.3.1-9] [MQTT5-3.3.1-12]."""
    return Message(message.topic, message.payload, qos, retain, message.properties, message.expires_at)


def _send(
    session: Session, message: Message, granted: int, identifiers: tuple[int, ...], share: str = "", *, retain: bool
) -> None:
    qos = min(message.qos, granted)
    if qos != message.qos or retain != message.retain:
        message = _alike(message, qos, retain=retain)
    if qos:
        session.deliver(message, identifiers, share)
    elif session.line is not None:
        session.line.offer(message, identifiers)
