"""Logins that get no answer at once."""

import mqtt_wire as wire
import pytest

from protocols.contract import Refusal, Wait
from protocols.mqtt.connection import NO_CONNECT
from protocols.mqtt.errors import LoginRefused
from protocols.mqtt.limits import Limits
from protocols.mqtt.waiting import AT_ONCE, Waiting


def waiting(broker, *packets: bytes, seconds: float = 0.5) -> wire.Peer:
    broker.authenticate.waits.append(Wait(seconds))
    peer = wire.Peer(broker).send(*packets)
    assert peer.received() == [] and peer.connection.due_in == seconds
    return peer


def test_a_client_waits_and_is_asked_about_again() -> None:
    broker = wire.broker()
    peer = waiting(broker, wire.connect(), wire.subscribe(("a", 0)))
    peer.connection.go_on(0.5)
    assert broker.authenticate.waited == 0.5
    peer.send(now=0.5)
    assert [head for head, _ in peer.received()] == [0x20, 0x90], "what came behind the CONNECT is used"
    assert broker.presence.open == {"1"}


def test_nothing_is_touched_while_a_login_waits() -> None:
    broker = wire.broker()
    first = wire.joined(broker)
    peer = waiting(broker, wire.connect())
    assert not first.closed
    peer.connection.go_on(1.0)
    assert first.closed


@pytest.mark.parametrize(("level", "code"), [(4, 3), (5, 0x8A)])
def test_a_refusal_after_a_wait_is_answered(level: int, code: int) -> None:
    broker = wire.broker()
    broker.authenticate.answers["ada"] = Refusal.TOO_MANY_FAILURES
    peer = waiting(broker, wire.connect(level=level))
    with pytest.raises(LoginRefused) as refused:
        peer.connection.go_on(0.5)
    peer.connection.fail(refused.value)
    [(head, body)] = peer.received()
    assert (head, body[1]) == (0x20, code)
    assert peer.closed and peer.gently


def test_the_time_for_a_connect_does_not_run_while_its_login_waits() -> None:
    broker = wire.broker(Limits(connect_timeout=5))
    peer = waiting(broker, wire.connect(), seconds=20)
    assert peer.connection.overdue(19.0) is None
    broker.authenticate.waits.append(Wait(5))
    peer.connection.go_on(20.0)
    assert peer.connection.due_in == 5
    assert peer.connection.overdue(24.0) is None
    peer.connection.go_on(25.0)
    assert broker.authenticate.waited == 25.0
    assert [head for head, _ in peer.received()] == [0x20]
    other = wire.Peer(broker)
    assert other.connection.overdue(6.0) == NO_CONNECT


@pytest.mark.parametrize(("level", "code"), [(4, 3), (5, 0x88)])
def test_nobody_waits_for_ever(level: int, code: int) -> None:
    broker = wire.broker()
    peer = waiting(broker, wire.connect(level=level))
    broker.authenticate.waits += [Wait(1)] * 3
    peer.connection.go_on(29.0)
    peer.send(now=29.0)
    assert not peer.closed
    with pytest.raises(Exception, match="no answer to a login") as refused:
        peer.connection.go_on(30.0)
    peer.connection.fail(refused.value)
    assert peer.received()[0][1][1] == code


def test_a_connection_that_closes_while_it_waits_just_goes_away() -> None:
    broker = wire.broker()
    peer = waiting(broker, wire.connect(will=("w", b"", 0, False)))
    peer.connection.close("connection lost")
    peer.connection.go_on(0.5)
    assert broker.presence.events == [] and len(broker.authenticate.logins) == 1
    assert peer.received() == []


def test_who_sends_on_while_it_waits_is_kept_within_bounds() -> None:
    broker = wire.broker(Limits(max_connect_packet=1_000))
    peer = waiting(broker, wire.connect())
    peer.send(wire.publish("a", bytes(600)))
    assert not peer.connection.held
    peer.send(wire.publish("a", bytes(600)))
    assert peer.connection.held and not peer.closed
    peer.connection.go_on(0.5)
    watcher = wire.joined(broker, "w").send(wire.subscribe(("a", 0)))
    watcher.received()
    peer.send(now=0.5)
    assert len(watcher.received()) == 2


def test_a_login_that_waits_leaves_no_password_behind() -> None:
    broker = wire.broker()
    peer = waiting(broker, wire.connect())
    peer.connection.go_on(0.5)
    assert peer.connection._admission is None


class Clock:
    """A loop that turns when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self._soon: list = []
        self._later: list = []

    def follow(self, waiting: Waiting) -> None:
        waiting.start(lambda: self.now, self._soon.append, lambda seconds, call: self._later.append((seconds, call)))

    def turn(self) -> None:
        due, self._soon[:] = list(self._soon), []
        for call in due:
            call()

    def pass_to(self, now: float) -> None:
        """Have the time come for everything that is to be called later, and turn once."""
        self.now = now
        self._soon += [call for _, call in self._later]
        self._later.clear()
        self.turn()

    @property
    def is_idle(self) -> bool:
        return not self._soon and not self._later


def queue(most: int = 100) -> tuple[Clock, Waiting]:
    clock, waiting = Clock(), Waiting(most)
    clock.follow(waiting)
    return clock, waiting


def test_a_few_are_asked_about_in_a_turn_who_has_been_due_for_the_longest_first() -> None:
    clock, waiting = queue()
    asked: list[int] = []
    for number in range(2 * AT_ONCE + 1):
        waiting.add(1.0 - number / 100, lambda number=number: asked.append(number))
    clock.pass_to(0.5)
    assert asked == []
    clock.pass_to(1.0)
    assert asked == list(range(2 * AT_ONCE, AT_ONCE, -1))
    clock.turn()
    clock.turn()
    assert asked == list(range(2 * AT_ONCE, -1, -1)) and clock.is_idle, "nobody is looked for where nobody waits"


def test_who_came_first_of_those_due_at_one_time_is_asked_about_first() -> None:
    clock, waiting = queue()
    asked: list[int] = []
    for number in range(AT_ONCE):
        waiting.add(0.1, lambda number=number: asked.append(number))
    clock.pass_to(0.1)
    assert asked == list(range(AT_ONCE))


def test_who_waits_on_stands_in_the_queue_again() -> None:
    clock, waiting = queue()
    asked: list[float] = []

    def ask() -> None:
        asked.append(clock.now)
        if len(asked) < 3:
            waiting.add(0.05, ask)

    waiting.add(0.05, ask)
    for step in range(1, 10):
        clock.pass_to(step * 0.05)
    assert asked == pytest.approx([0.05, 0.1, 0.15]) and clock.is_idle


@pytest.mark.parametrize(("level", "code"), [(4, 3), (5, 0x89)])
def test_beyond_so_many_that_wait_others_are_refused_at_once(level: int, code: int) -> None:
    broker = wire.broker(Limits(waiting_logins=1))
    Clock().follow(broker.waiting)
    broker.waiting.add(1.0, lambda: None)
    broker.authenticate.waits += [Wait(0.5)]
    refused = wire.Peer(broker).send(wire.connect("c", "nobody", level=level))
    assert refused.received()[0][1][1] == code and refused.closed
    assert broker.hits.counts == {"waiting_logins": 1}
    assert wire.joined(broker).closed is False, "who is known does not wait"


def test_who_waits_already_waits_on_beside_many_others() -> None:
    broker = wire.broker(Limits(waiting_logins=1))
    peer = waiting(broker, wire.connect())
    Clock().follow(broker.waiting)
    broker.waiting.add(1.0, lambda: None)
    broker.authenticate.waits.append(Wait(0.5))
    peer.connection.go_on(0.5)
    assert not peer.closed and peer.connection.due_in == 0.5


def test_strangers_wait_in_the_queue_and_a_known_client_passes_them(start) -> None:
    running = start()
    running.door.waits += [Wait(30.0)] * 3
    strangers = [running.socket(wire.connect(f"s{number}", "nobody", b"no")) for number in range(3)]
    while running.do(lambda: len(running.server._broker.waiting)) < 3:
        pass
    running.client("known")
    assert running.do(lambda: len(running.server._broker.waiting)) == 3
    for stranger in strangers:
        stranger.close()


def test_a_stranger_is_answered_after_its_wait(start) -> None:
    running = start()
    running.door.waits.append(Wait(0.01))
    stranger = running.socket(wire.connect("s", "nobody", b"no"))
    assert stranger.receive() == wire.connack(4) and stranger.at_end()
    assert running.do(lambda: len(running.server._broker.waiting)) == 0
