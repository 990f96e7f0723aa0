"""One client's session: what it subscribes to, and its QoS 1 and 2 messages in both directions.

A session outlives its connection if the client asked for that (4.1).  While there is no
connection, `line` and `outbox` are None and messages wait in the queue.
"""

from __future__ import annotations

from protocols.access import Access, is_closed
from protocols.contract import Grant
from protocols.mqtt import encode
from protocols.mqtt.alarms import Alarm
from protocols.mqtt.backlog import Entry
from protocols.mqtt.common import Common
from protocols.mqtt.keeping import Will
from protocols.mqtt.outgoing import Outgoing
from protocols.mqtt.packets import PACKET_IDENTIFIER_NOT_FOUND, SUCCESS
from protocols.mqtt.routes import Subscription
from protocols.mqtt.topics import parse_shared
from protocols.vrpc.access import access_of
from protocols.vrpc.names import Identity


class Session(Outgoing):
    """The state that the standards call Session State (3.1.2.4; 5.0: 4.1), for one client identifier."""

    __slots__ = (
        "access",
        "alarm",
        "client_id",
        "denied",
        "ends_at",
        "grant",
        "identity",
        "is_narrow",
        "is_simple",
        "is_stored",
        "left_at",
        "received",
        "record",
        "subscriptions",
        "will",
    )

    is_private = False  # what it subscribes to stays out of the hub

    def __init__(
        self, common: Common, grant: Grant, client_id: str, level: int, expiry: int, identity: Identity | None = None
    ) -> None:
        super().__init__(common, level, expiry)
        self.grant = grant
        self.client_id = client_id
        self.identity = identity  # of VRPC: who its Will says that it is
        self.access: Access = access_of(grant, client_id, identity)
        self.is_narrow = self.access.is_narrow  # looked at for each subscriber of a route
        self.denied = 0  # messages of an agent or client of VRPC that it may not publish
        self.is_simple = True  # is sent the same bytes as others of its level
        self.is_stored = False  # has no connection
        self.ends_at: float | None = None  # while there is no connection, and it does not last for ever
        self.left_at: float | None = None  # when its last connection ended, if that is known
        self.alarm: Alarm | None = None  # when the broker looks at it next
        self.will: Will | None = None
        self.subscriptions: dict[str, Subscription] = {}
        self.received: dict[int, None] = {}  # QoS 2 packet identifiers that await a PUBREL
        self.record = 0  # the keeper's

    @property
    def integration_id(self) -> int:
        return self.grant.integration_id

    def regrant(self, grant: Grant) -> None:
        """Hold the session to other topics from now on."""
        self.grant = grant
        self.access = access_of(grant, self.client_id, self.identity)
        self.is_narrow = self.access.is_narrow

    def may_subscribe(self, whole: str) -> bool:
        """Say whether a filter is permitted, shared or not."""
        _, inner = parse_shared(whole)
        return self.access.may_subscribe(inner) and (inner is whole or self.access.may_share(inner))

    def may_receive(self, topic: str) -> bool:
        """Say whether what a permitted subscription matches may be received, too."""
        if not self.is_narrow and not is_closed(self.grant.closed, topic):
            return True
        return self.access.may_receive(topic)

    # --- what is recorded

    def record_entry(self, entry: Entry) -> None:
        """Have a message recorded."""
        self._common.keeper.entry(self, entry)

    def forget_entry(self, entry: Entry) -> None:
        """Have a message forgotten, if it was recorded."""
        if self.expiry:
            self._common.keeper.drop_entry(self, entry)

    # --- incoming messages

    def receive_once(self, packet_id: int) -> bool:
        """Say whether an incoming QoS 2 PUBLISH is a new message [MQTT-4.3.3-2] [MQTT5-4.3.3-10]."""
        if packet_id in self.received:
            return False
        self.received[packet_id] = None
        if self.expiry:
            self._common.keeper.received(self, packet_id)
        return True

    def pubrel(self, packet_id: int, reason: int = 0) -> None:
        """Accept that the identifier's next PUBLISH is a new message, and say so."""
        known = packet_id in self.received
        if known:
            del self.received[packet_id]
            if self.expiry:
                self._common.keeper.drop_received(self, packet_id)
        if self.line is not None:
            data = encode.pubcomp(packet_id, SUCCESS if known else PACKET_IDENTIFIER_NOT_FOUND, level=self.level)
            self.line.gate.send(data, wait=known and self.expiry > 0 and self._common.keeper.pending)
