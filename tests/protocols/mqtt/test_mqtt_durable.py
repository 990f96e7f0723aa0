"""What is recorded of durable sessions, what waits for its commit, and what is taken back at start."""

from __future__ import annotations

from collections.abc import Callable

import mqtt_wire as wire
import pytest

from protocols.contract import Grant
from protocols.mqtt.backlog import QUEUED, RELEASED, SENT, Entry
from protocols.mqtt.client import NOT_STORED
from protocols.mqtt.keeping import EXPIRES_NEVER, NoKeeper, Stored, StoredSession, Will
from protocols.mqtt.limits import Limits
from protocols.mqtt.packets import Filter, Message

STATES = {QUEUED: "queued", SENT: "sent", RELEASED: "released"}
EXPIRY = {0x11: 3_600}


class Keeper(NoKeeper):
    """Remembers what is recorded, and commits when told to."""

    def __init__(self) -> None:
        self.changes = 0
        self.pending = False
        self.accepting = True
        self.log: list[str] = []
        self._waiting: list[Callable[[], None]] = []

    def commit(self) -> None:
        self.pending = False
        waiting, self._waiting = self._waiting, []
        for act in waiting:
            act()

    def after(self, act: Callable[[], None]) -> None:
        if self.pending:
            self._waiting.append(act)
        else:
            act()

    def _note(self, what: str) -> None:
        self.changes += 1
        self.pending = True
        self.log.append(what)

    def session(self, session) -> None:
        self._note(f"session {session.client_id}")

    def drop_session(self, session) -> None:
        self._note(f"no session {session.client_id}")

    def subscription(self, session, topic_filter: str) -> None:
        assert topic_filter in session.subscriptions
        self._note(f"{session.client_id} subscribes {topic_filter}")

    def drop_subscription(self, session, topic_filter: str) -> None:
        assert topic_filter in session.subscriptions
        self._note(f"{session.client_id} does not subscribe {topic_filter}")

    def entry(self, session, entry: Entry) -> None:
        self._note(f"{session.client_id}: {entry.message.payload.decode()} {STATES[entry.state]} {entry.packet_id}")

    def drop_entry(self, session, entry: Entry) -> None:
        self._note(f"{session.client_id}: no {entry.packet_id}")

    def received(self, session, packet_id: int) -> None:
        self._note(f"{session.client_id} sent {packet_id}")

    def drop_received(self, session, packet_id: int) -> None:
        self._note(f"{session.client_id} released {packet_id}")

    def retained(self, message: Message, owner: int = 0) -> None:
        self._note(f"retained {message.topic}")

    def drop_retained(self, topic: str) -> None:
        self._note(f"not retained {topic}")


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


def told(keeper: Keeper) -> list[str]:
    log, keeper.log = keeper.log, []
    return log


def durable(broker, client_id: str = "d", qos: int = 1, **options) -> wire.Peer:
    """Return a client with a durable session that subscribes to `a`."""
    peer = wire.joined(broker, client_id, clean=False, **options).send(wire.subscribe(("a", qos)))
    broker.keeper.commit()
    assert [head for head, _ in peer.received()] == [0x90]
    told(broker.keeper)
    return peer


def heads(peer: wire.Peer) -> list[int]:
    return [head for head, _ in peer.received()]


def test_what_is_not_durable_is_neither_recorded_nor_waits(keeper: Keeper) -> None:
    broker = wire.broker(keeper=keeper)
    peer = wire.joined(broker).send(wire.subscribe(("a", 2)))
    peer.send(wire.publish("a", b"x", 1, 1), wire.publish("a", b"x", 2, 2), wire.publish("a", b"x"))
    assert heads(peer) == [0x90, 0x32, 0x40, 0x34, 0x50, 0x30]
    keeper.pending = True  # for others
    assert heads(peer.send(wire.publish("a", b"x", 1, 3), wire.pubrel(2), wire.pubrec(2))) == [0x32, 0x40, 0x70, 0x62]
    assert told(keeper) == []


def test_a_puback_waits_for_the_commit_of_its_message(keeper: Keeper) -> None:
    broker = wire.broker(keeper=keeper)
    durable(broker).connection.close("connection lost")
    keeper.commit()
    told(keeper)
    writer = wire.joined(broker, "w").send(wire.publish("a", b"one", 1, 1))
    assert heads(writer) == []
    assert told(keeper) == ["d: one queued 0"]
    keeper.commit()
    assert writer.received() == [(0x40, b"\0\1")]


def test_answers_stay_in_order_behind_one_that_waits(keeper: Keeper) -> None:
    broker = wire.broker(keeper=keeper)
    durable(broker).connection.close("connection lost")
    writer = wire.joined(broker, "w")
    writer.send(wire.publish("a", b"x", 1, 1), wire.publish("z", b"x", 1, 2), wire.PINGREQ)
    assert heads(writer) == [0xD0]
    writer.send(wire.publish("z", b"x", 2, 3))
    assert heads(writer) == []
    keeper.commit()
    assert [body for _, body in writer.received()] == [b"\0\1", b"\0\2", b"\0\3"]


def test_what_comes_after_a_commit_began_waits_for_the_next(keeper: Keeper) -> None:
    broker = wire.broker(keeper=keeper)
    durable(broker).connection.close("connection lost")
    writer = wire.joined(broker, "w").send(wire.publish("a", b"x", 1, 1))
    first, keeper._waiting = keeper._waiting, []  # a batch under way
    writer.send(wire.publish("a", b"x", 1, 2))
    for act in first:
        act()
    assert [body for _, body in writer.received()] == [b"\0\1"]
    keeper.commit()
    assert [body for _, body in writer.received()] == [b"\0\2"]


def test_an_outgoing_qos_2_handshake_waits_at_each_step_and_qos_1_goes_at_once(keeper: Keeper) -> None:
    broker = wire.broker(keeper=keeper)
    peer = durable(broker, qos=2)
    writer = wire.joined(broker, "w").send(wire.publish("a", b"one", 2, 1), wire.publish("a", b"two", 1, 2))
    assert heads(peer) == [0x32]
    assert told(keeper) == ["d: one sent 1", "d: two sent 2"]
    assert heads(writer) == []
    keeper.commit()
    assert heads(peer) == [0x34] and heads(writer) == [0x50, 0x40]
    peer.send(wire.pubrec(1))
    assert heads(peer) == [] and told(keeper) == ["d:  released 1"]
    keeper.commit()
    assert heads(peer) == [0x62]
    peer.send(wire.pubcomp(1), wire.puback(2))
    assert told(keeper) == ["d: no 1", "d: no 2"]


def test_an_incoming_qos_2_handshake_of_a_durable_session_waits_at_each_step(keeper: Keeper) -> None:
    broker = wire.broker(keeper=keeper)
    writer = wire.joined(broker, "w", clean=False)
    keeper.commit()
    writer.send(wire.publish("z", b"x", 2, 7))
    assert heads(writer) == []
    keeper.commit()
    assert heads(writer) == [0x50]
    writer.send(wire.pubrel(7))
    assert heads(writer) == []
    keeper.commit()
    assert heads(writer) == [0x70]
    assert told(keeper)[1:] == ["w sent 7", "w released 7"]


def test_subscriptions_of_a_durable_session_are_answered_once_they_are_committed(keeper: Keeper) -> None:
    broker = wire.broker(keeper=keeper)
    peer = wire.joined(broker, "d", clean=False)
    keeper.commit()
    peer.send(wire.subscribe(("a", 1), ("b", 1)))
    assert heads(peer) == []
    keeper.commit()
    assert heads(peer) == [0x90]
    peer.send(wire.unsubscribe("a", "zzz"))
    assert heads(peer) == []
    keeper.commit()
    assert heads(peer) == [0xB0]
    assert told(keeper) == ["session d", "d subscribes a", "d subscribes b", "d does not subscribe a"]


def test_retained_messages_are_recorded_before_they_are_acknowledged(keeper: Keeper) -> None:
    broker = wire.broker(keeper=keeper)
    writer = wire.joined(broker, "w").send(wire.publish("r", b"x", 1, 1, retain=True))
    assert heads(writer) == []
    keeper.commit()
    assert heads(writer) == [0x40]
    writer.send(wire.publish("r", b"", 1, 2, retain=True), wire.publish("r", b"", 0, retain=True))
    assert told(keeper) == ["retained r", "not retained r"]


def test_a_session_is_recorded_while_it_is_durable(keeper: Keeper) -> None:
    broker = wire.broker(keeper=keeper)
    peer = wire.joined(broker, "d", clean=False)
    peer.connection.close("connection lost")
    assert told(keeper) == ["session d", "session d"]
    wire.joined(broker, "d", clean=True).send(wire.DISCONNECT)
    assert told(keeper) == ["no session d"]
    peer = wire.Peer(broker).send(wire.connect("d", level=5, stated=EXPIRY))
    peer.send(wire.disconnect(0, {0x11: 0}))
    assert told(keeper) == ["session d", "no session d"]


def test_who_sends_faster_than_is_committed_is_not_read(keeper: Keeper) -> None:
    broker = wire.broker(Limits(uncommitted_answers=10), keeper)
    durable(broker).connection.close("connection lost")
    writer = wire.joined(broker, "w")
    for number in range(30):
        writer.send(wire.publish("a", b"x", 1, number + 1))
    assert writer.connection.held and writer.connection.gate.waiting == 11
    answered = 0
    while writer.connection.gate.waiting:
        keeper.commit()
        assert not writer.connection.held
        answered += len(heads(writer))
        writer.send()
    assert answered == 30


def test_a_connection_that_ends_before_the_commit_harms_nothing(keeper: Keeper) -> None:
    broker = wire.broker(keeper=keeper)
    durable(broker).connection.close("connection lost")
    writer = wire.joined(broker, "w").send(wire.publish("a", b"x", 1, 1))
    writer.connection.close("connection lost")
    writer.connection.discard()
    keeper.commit()


# --- nothing can be written


def full(broker, keeper: Keeper) -> None:
    durable(broker)
    keeper.accepting = False


def test_a_message_that_cannot_be_stored_is_refused_in_words_of_version_5(keeper: Keeper) -> None:
    broker = wire.broker(keeper=keeper)
    full(broker, keeper)
    live = wire.joined(broker, "live").send(wire.subscribe(("#", 2)))
    live.received()
    writer = wire.Peer(broker).send(wire.connect("w", level=5))
    writer.received()
    writer.send(wire.publish("a", b"x", 1, 1, level=5), wire.publish("a", b"x", 2, 2, level=5))
    writer.send(wire.publish("r", b"x", 1, 3, level=5, retain=True))
    found = writer.received()
    assert [(head, body[:3]) for head, body in found] == [
        (0x40, b"\0\1\x97"),
        (0x50, b"\0\2\x97"),
        (0x40, b"\0\3\x97"),
    ]
    assert live.received() == [], "it will come again"
    writer.send(wire.publish("z", b"x", 1, 4, level=5), wire.publish("a", b"x", level=5))
    assert heads(writer) == [0x40] and heads(live) == [0x32, 0x30], "live traffic goes on"


def test_a_client_of_3_1_1_sends_again_what_could_not_be_stored(keeper: Keeper) -> None:
    broker = wire.broker(keeper=keeper)
    full(broker, keeper)
    writer = wire.joined(broker, "w").send(wire.publish("a", b"x", 1, 1), wire.publish("z", b"x", 1, 2), wire.PINGREQ)
    assert [body for _, body in writer.received()] == [b"\0\2", b""]
    assert writer.connection.overdue(1.0) is None
    keeper.accepting = True
    assert writer.connection.overdue(1.0) == NOT_STORED


def test_nothing_overtakes_what_a_client_of_3_1_1_sends_again(keeper: Keeper) -> None:
    broker = wire.broker(keeper=keeper)
    full(broker, keeper)
    writer = wire.joined(broker, "w").send(wire.publish("a", b"1", 1, 1))
    keeper.accepting = True
    writer.send(wire.publish("a", b"2", 1, 2), wire.publish("z", b"x", 1, 3))
    writer.connection.settle()
    keeper.commit()
    assert [body for _, body in writer.received()] == [b"\0\3"]
    again = wire.joined(broker, "w").send(
        wire.publish("a", b"1", 1, 1, dup=True), wire.publish("a", b"2", 1, 2, dup=True)
    )
    again.connection.settle()
    keeper.commit()
    assert [body for _, body in again.received()] == [b"\0\1", b"\0\2"]


@pytest.mark.parametrize("level", [4, 5])
def test_the_hub_hears_nothing_of_what_could_not_be_stored(keeper: Keeper, level: int) -> None:
    broker = wire.broker(keeper=keeper)
    full(broker, keeper)
    writer = wire.joined(broker, "w", level=level).send(wire.publish("z", b"1", 1, 1, level=level))
    writer.send(wire.publish("a", b"x", 1, 2, level=level), wire.publish("r", b"x", 1, 3, retain=True, level=level))
    assert [message.topic for message in broker.hub.find("", None, 9).messages] == ["z"]


def test_a_durable_session_takes_no_subscriptions_that_cannot_be_stored(keeper: Keeper) -> None:
    broker = wire.broker(keeper=keeper)
    keeper.accepting = False
    peer = wire.joined(broker, "d", clean=False).send(wire.subscribe(("a", 1)))
    assert peer.received() == [(0x90, b"\0\1\x80")]
    wire.joined(broker, "c").send(wire.subscribe(("a", 1)))
    assert broker.subscriptions.count == 1


# --- taken back


def entry(payload: bytes, state: int = QUEUED, packet_id: int = 0, qos: int = 1) -> Entry:
    one = Entry(Message("a", payload, qos))
    one.state, one.packet_id = state, packet_id
    return one


def restored(**options) -> wire.Broker:
    broker = wire.broker()
    values = {"client_id": "d", "level": 4, "expiry": EXPIRES_NEVER, "ends_at": None, **options}
    session = StoredSession(Grant(1, "ada"), **values)
    broker.restore(Stored([session], [Message("r", b"kept", 1, retain=True)]), 100.0)
    return broker


def test_a_restored_session_goes_on_where_it_was() -> None:
    broker = restored(
        subscriptions=[(Filter("a", 1), 0), (Filter("$share/g/b", 1), 7)],
        entries=[entry(b"1", SENT, 5), entry(b"", RELEASED, 6, 2), entry(b"2"), entry(b"3")],
        received={9},
    )
    wire.joined(broker, "w").send(wire.publish("a", b"4", 1), wire.publish("b", b"5", 1))
    peer = wire.Peer(broker).send(wire.connect("d", clean=False))
    first, *rest = peer.received()
    assert first == wire.connack(present=True)
    assert [head for head, _ in rest] == [0x3A, 0x62, 0x32, 0x32, 0x32, 0x32]
    assert [wire.message(one)[1] for one in rest if one[0] != 0x62] == [b"1", b"2", b"3", b"4", b"5"]
    assert [wire.message(one)[3] for one in rest if one[0] == 0x32] == [7, 8, 9, 10]
    watcher = wire.joined(broker, "watcher").send(wire.subscribe(("z", 0), ("r", 0)))
    assert heads(watcher) == [0x90, 0x31]
    peer.send(wire.publish("z", b"again", 2, 9, dup=True))
    assert heads(peer) == [0x50] and heads(watcher) == []


def test_a_restored_session_that_was_connected_has_lost_its_connection_now() -> None:
    broker = restored(expiry=60, will=Will(Message("w", b"gone"), delay=10))
    watcher = wire.joined(broker, "watcher").send(wire.subscribe(("w", 0)))
    watcher.received()
    broker.sweep(109.0)
    assert heads(watcher) == []
    broker.sweep(110.0)
    assert heads(watcher) == [0x30]
    assert broker.sessions.stored == 1
    broker.sweep(160.0)
    assert broker.sessions.stored == 0


def test_a_restored_session_ends_when_it_was_to_end() -> None:
    broker = restored(expiry=60, ends_at=130.0)
    broker.sweep(129.9)
    assert broker.sessions.stored == 1
    broker.sweep(130.0)
    assert broker.sessions.stored == 0


def test_a_restored_subscription_that_is_not_permitted_is_silent() -> None:
    broker = wire.broker()
    session = StoredSession(
        Grant(1, "ada", subscribe=("b",)), "d", 4, EXPIRES_NEVER, None, subscriptions=[(Filter("a", 1), 0)]
    )
    broker.restore(Stored([session]), 0.0)
    assert broker.subscriptions.count == 0
    broker.permit({1: Grant(1, "ada")})
    assert broker.subscriptions.count == 1
