"""Random clients of a broker without sockets: what goes wrong has a seed that repeats it exactly."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from protocols.contract import Grant, Refusal, Wait
from protocols.mqtt.broker import Broker
from protocols.mqtt.connection import Connection
from protocols.mqtt.errors import MqttError
from protocols.mqtt.limits import Limits
from protocols.mqtt.sys_topics import SysPublisher
from tests.fuzz.memory import Memory
from tests.fuzz.watch import Watch
from tests.fuzz.writer import Writer, answers, cut
from tests.protocols.mqtt import mqtt_wire as wire

LIMITS = Limits(
    max_packet=100_000,
    max_connect_packet=80_000,
    inflight=5,
    queue_messages=20,
    queue_bytes=100_000,
    queue_total_bytes=300_000,
    outbound_bytes=60_000,
    retained_messages=12,
    retained_bytes=100_000,
    subscriptions=6,
    stored_sessions=4,
    receive_maximum=5,
    topic_aliases=3,
    unfinished_connects=100_000,
    uncommitted_answers=10,
    max_connections_per_integration=6,
)

GRANTS = [("#",), ("#",), ("#",), ("#", "$SYS/#"), ("a/#", "b"), ("+/%c", "$SYS/#"), ("%u/#", "a"), ()]


class Peer:
    """One client: what it writes, and what it should be sent."""

    def __init__(self, world: World) -> None:
        random = world.random
        self.writer = Writer(random, random.choice([4, 5]))
        self.watch = Watch(b"", {})
        self.closed = False
        self.reads = random.random() < 0.8
        self.polite = random.random() < 0.8  # answers as it should
        self._world = world
        self._connection = Connection(world.broker, "192.0.2.7", world.now, lambda: None, self._on_close)
        self._waiting: list[bytes] = []

    def connect(self) -> None:
        """Send a CONNECT that may be wrong."""
        data = self.writer.connect()
        self.watch = Watch(data, self.writer.stated)
        if self._world.random.random() < 0.05:
            data = self._world.random.randbytes(30)
        self.send(data)

    def send(self, data: bytes) -> None:
        self._queue(data)
        self.push()

    def _queue(self, data: bytes) -> None:
        self.watch.sent(data, is_clear=self.writer.is_clear)
        self._waiting += cut(self._world.random, data)

    def push(self) -> None:
        """Have the server take what was sent, as far as it reads."""
        connection, now = self._connection, self._world.now
        while not self.closed and (connection.can_go_on or (self._waiting and not connection.held)):
            data = self._waiting.pop(0) if self._waiting and not connection.held else b""
            self._guard(lambda data=data: connection.feed(data, now))
        connection.settle()

    def _guard(self, act: Callable[[], None]) -> None:
        try:
            act()
        except MqttError as error:
            self._connection.fail(error)

    def receive(self) -> None:
        """Read everything, check it, and answer some of it."""
        connection = self._connection
        connection.settle()
        while connection.outbox.size:
            found = self.watch.read(connection.outbox.take())
            if not self.closed:
                connection.drained()
            for answer in answers(found) if self.polite else ():
                self._queue(answer)
        self.push()

    def check(self) -> None:
        """Do what the server's sweep does with a connection."""
        connection = self._connection
        if self.closed:
            return
        if (reason := connection.overdue(self._world.now)) is not None:
            connection.expel(reason)
        elif connection.due_in is not None:
            self._guard(lambda: connection.go_on(self._world.now))
            self.push()

    def kick(self) -> None:
        self._connection.close("kicked", code=0x98)

    def lose(self) -> None:
        """Break the connection."""
        self._connection.close("connection lost")
        self._connection.take_dropped()
        self._connection.discard()
        self._world.peers.remove(self)

    def _on_close(self, gently: bool) -> None:
        self.closed = True


class World:
    """A broker, its clients, the time and the disk."""

    most_sessions = 2 * LIMITS.stored_sessions  # of both integrations, once nobody is connected

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = 0.0
        self.peers: list[Peer] = []
        self.start()
        self.actions = [
            (self._come, 12),
            (self.send, 60),
            (self._receive, 40),
            (self._lose, 3),
            (self._wait, 10),
            (self._commit, 12),
            (self._permit, 1),
            (self._portal, 1),
        ]

    def start(self) -> None:
        """Start a broker."""
        self.broker = self.make_broker()
        self.door: wire.Door = self.broker.authenticate  # type: ignore[assignment]
        self.presence: wire.Recorder = self.broker.presence  # type: ignore[assignment]
        self._sys_topics = SysPublisher(self.broker, 10.0, self.now)

    def make_broker(self) -> Broker:
        self._keeper = Memory()
        return wire.broker(LIMITS, self._keeper)

    def run(self, steps: int) -> None:
        """Do random things, then check that nothing stays behind."""
        actions, weights = zip(*self.actions, strict=True)
        for _ in range(steps):
            self.random.choices(actions, weights)[0]()
        self._end()

    def _some(self) -> Peer | None:
        return self.random.choice(self.peers) if self.peers else None

    def _come(self) -> None:
        if len(self.peers) < 12:
            if self.random.random() < 0.1:
                self.door.waits.append(Wait(1.0))
            self.peers.append(Peer(self))
            self.peers[-1].connect()

    def send(self) -> None:
        if (peer := self._some()) is not None:
            peer.send(peer.writer.packet())

    def _receive(self) -> None:
        if (peer := self._some()) is not None and peer.reads:
            peer.receive()
            if peer.closed:
                peer.lose()

    def _lose(self) -> None:
        if (peer := self._some()) is not None:
            peer.lose()

    def _wait(self) -> None:
        self.now += self.random.choice([0.1, 0.5, 2, 2, 20, 2_000])
        for peer in list(self.peers):
            peer.check()
        self.broker.sweep(self.now)
        if self._sys_topics.is_due(self.now):
            self._sys_topics.publish(self.now)
        for peer in list(self.peers):
            peer.push()

    def _commit(self) -> None:
        self.commit()
        for peer in list(self.peers):
            peer.push()

    def _permit(self) -> None:
        number, name = self.random.choice([(1, "ada"), (2, "bob")])
        grant = Grant(number, name, self.random.choice(GRANTS), self.random.choice(GRANTS))
        if not isinstance(self.door.answers[name], Refusal):
            self.door.answers[name] = grant
        self.broker.permit({number: grant})

    def _portal(self) -> None:
        number = self.random.choice([1, 2])
        if self.random.random() < 0.5 and (peer := self._some()) is not None:
            peer.kick()
        else:
            self.broker.sessions.disconnect([number], "deactivated", forget=self.random.random() < 0.5)

    def commit(self) -> None:
        """Commit what is pending, if the disk works; decide whether there is room on it."""
        self._keeper.accepting = self.random.random() < 0.9
        self._keeper.commit()

    def commit_all(self) -> None:
        """Commit what is pending."""
        self._keeper.commit()

    def check_records(self) -> None:
        """See that what is recorded is what there is."""
        there: set[tuple[object, ...]] = set()
        for session in self.broker.sessions:
            if session.expiry:
                there.add(("session", session))
                there.update(("subscription", session, topic_filter) for topic_filter in session.subscriptions)
                there.update(("received", session, packet_id) for packet_id in session.received)
                waiting = session._backlog._entries if session._backlog is not None else ()
                there.update(("entry", session, entry) for entry in (*session._inflight.values(), *waiting))
        names = [name for name in self.broker.retained.names("#") if not name.startswith("$")]
        there.update(("retained", name) for name in names)
        held = self._keeper.held
        assert held == there, f"recorded: {held - there}; not recorded: {there - held}"

    def _end(self) -> None:
        self.check_records()
        for peer in list(self.peers):
            peer.receive()
            peer.lose()
        self.commit_all()
        self.check_records()
        assert self.presence.open == set(), "a connection that is gone is shown as open"
        broker = self.broker
        assert broker.unfinished == 0, "unfinished CONNECTs of clients that are gone"
        assert not broker.flow.congested, "congested outboxes of clients that are gone"
        assert broker.sessions.stored == len(broker.sessions)
        assert len(broker.sessions) <= self.most_sessions
        broker.sessions.disconnect([1, 2], "deleted", forget=True)
        self.commit_all()
        assert len(broker.sessions) == 0
        assert (broker.subscriptions.count, broker.subscriptions.shared) == (0, 0), "subscriptions without sessions"
        assert broker.common.pool.size == 0, f"{broker.common.pool.size} bytes queued for nobody"
        assert broker.retained.count <= LIMITS.retained_messages
        self.check_records()


def run(seed: int, steps: int = 400, world: type[World] = World) -> None:
    """Run one world; raises what went wrong, with what repeats it."""
    try:
        world(seed).run(steps)
    except BaseException as error:
        name = "joined" if world is World else "disk"
        error.add_note(f"repeat it by: python -m tests.fuzz {name} --seed {seed} --count 1")
        raise
