"""Sessions that end, and Wills that are due, at their time."""

import mqtt_wire as wire

EXPIRY = 0x11


def test_dropped_sessions_leave_no_alarms_behind() -> None:
    broker = wire.broker()
    for _ in range(1_000):
        peer = wire.Peer(broker).send(wire.connect("c", level=5, stated={EXPIRY: 1_000_000}))
        peer.connection.close("connection lost")
    assert len(broker.sessions) == 1
    assert len(broker.sessions._alarms) <= 101


def test_each_session_has_an_alarm_however_often_it_comes_and_goes() -> None:
    broker = wire.broker()
    for number in range(300):
        for _ in range(3):
            stated = {EXPIRY: 100 + number}
            wire.Peer(broker).send(wire.connect(f"c{number}", level=5, clean=False, stated=stated), wire.disconnect())
    assert len(broker.sessions._alarms) == 300
    for number in range(300):
        broker.sweep(99.5 + number)
        assert broker.sessions.stored == 300 - number
        broker.sweep(100.0 + number)
        assert broker.sessions.stored == 299 - number


def test_a_session_that_is_back_is_left_alone_and_ends_later() -> None:
    broker = wire.broker()
    connect = wire.connect("c", level=5, clean=False, stated={EXPIRY: 10})
    wire.Peer(broker).send(connect, wire.disconnect())
    peer = wire.Peer(broker).send(connect, now=5.0)
    broker.sweep(20.0)
    peer.send(wire.disconnect(), now=25.0)
    broker.sweep(34.9)
    assert broker.sessions.stored == 1
    broker.sweep(35.0)
    assert broker.sessions.stored == 0
