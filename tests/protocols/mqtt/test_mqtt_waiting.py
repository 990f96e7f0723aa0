"""Logins that get no answer at once."""

import mqtt_wire as wire
import pytest

from protocols.contract import Refusal, Wait
from protocols.mqtt.connection import NO_CONNECT
from protocols.mqtt.errors import LoginRefused
from protocols.mqtt.limits import Limits


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
