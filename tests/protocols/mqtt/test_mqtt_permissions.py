"""What happens when a grant changes while clients are there."""

import mqtt_wire as wire

from protocols.contract import Grant


def grant(publish: tuple[str, ...] = ("#",), subscribe: tuple[str, ...] = ("#",)) -> dict[int, Grant]:
    return {1: Grant(1, "ada", publish, subscribe)}


def seen(peer: wire.Peer) -> list[str]:
    return [wire.message(found)[0] for found in peer.received()]


def test_a_withdrawn_publish_permission_holds_at_once_and_so_does_a_new_one() -> None:
    broker = wire.broker()
    watcher = wire.joined(broker, "watcher", "bob").send(wire.subscribe(("#", 0)))
    watcher.received()
    peer = wire.joined(broker).send(wire.publish("a"), wire.publish("b"))
    assert seen(watcher) == ["a", "b"]
    broker.permit(grant(publish=("b",)))
    peer.send(wire.publish("a"), wire.publish("b"))
    assert seen(watcher) == ["b"]
    broker.permit(grant(publish=("a",)))
    peer.send(wire.publish("a"), wire.publish("b"))
    assert seen(watcher) == ["a"]


def test_a_subscription_is_silent_while_it_is_not_permitted() -> None:
    broker = wire.broker()
    peer = wire.joined(broker).send(wire.subscribe(("a/#", 0), ("b", 0), ("$share/g/a/#", 0)))
    peer.received()
    writer = wire.joined(broker, "w", "bob")
    broker.permit(grant(subscribe=("b", "a/x")))
    writer.send(wire.publish("a/x"), wire.publish("b"))
    assert seen(peer) == ["b"]
    assert broker.subscriptions.count == 1
    broker.permit(grant())
    writer.send(wire.publish("a/x"), wire.publish("b"))
    assert sorted(seen(peer)) == ["a/x", "a/x", "b"]
    peer.send(wire.unsubscribe("a/#", "b", "$share/g/a/#"))
    assert broker.subscriptions.count == 0


def test_a_silent_subscription_can_be_ended_and_goes_with_its_session() -> None:
    broker = wire.broker()
    peer = wire.joined(broker).send(wire.subscribe(("a", 0), ("b", 0)))
    broker.permit(grant(subscribe=()))
    peer.received()
    peer.send(wire.unsubscribe("a"), wire.DISCONNECT)
    broker.permit(grant())
    assert broker.subscriptions.count == 0


def test_messages_that_wait_are_not_delivered_once_they_are_not_permitted() -> None:
    broker = wire.broker()
    wire.joined(broker, clean=False).send(wire.subscribe(("#", 1)), wire.DISCONNECT)
    wire.joined(broker, "w", "bob").send(wire.publish("a", b"x", 1), wire.publish("b", b"x", 1))
    broker.authenticate.answers["ada"] = Grant(1, "ada", subscribe=("b",))
    broker.permit(grant(subscribe=("b",)))
    assert seen_after_connack(broker) == ["b"]


def test_a_message_sent_and_not_acknowledged_is_not_sent_again_either() -> None:
    broker = wire.broker()
    peer = wire.joined(broker, clean=False).send(wire.subscribe(("#", 1)))
    peer.received()
    wire.joined(broker, "w", "bob").send(wire.publish("a", b"x", 1), wire.publish("b", b"x", 1))
    assert seen(peer) == ["a", "b"]
    peer.connection.close("connection lost")
    broker.authenticate.answers["ada"] = Grant(1, "ada", subscribe=("b",))
    assert seen_after_connack(broker) == ["b"], "the login alone says so"


def seen_after_connack(broker) -> list[str]:
    [_, *rest] = wire.Peer(broker).send(wire.connect(clean=False)).received()
    return [wire.message(found)[0] for found in rest]


def test_a_will_that_is_not_permitted_any_more_is_not_published() -> None:
    broker = wire.broker()
    watcher = wire.joined(broker, "watcher", "bob").send(wire.subscribe(("#", 0)))
    watcher.received()
    peer = wire.joined(broker, will=("w", b"gone", 0, False))
    broker.permit(grant(publish=("a",)))
    peer.connection.close("connection lost")
    assert seen(watcher) == []


def test_a_forbidden_publish_is_told_where_there_is_an_answer() -> None:
    broker = wire.broker()
    broker.authenticate.answers["ada"] = Grant(1, "ada", publish=("a",))
    peer = wire.Peer(broker).send(wire.connect(level=5))
    peer.received()
    peer.send(wire.publish("b", level=5), wire.publish("b", b"", 1, 7, level=5), wire.publish("b", b"", 2, 8, level=5))
    assert peer.received() == [(0x40, b"\0\x07\x87"), (0x50, b"\0\x08\x87")]


def test_the_filter_inside_a_shared_subscription_is_what_counts() -> None:
    broker = wire.broker()
    broker.authenticate.answers["ada"] = Grant(1, "ada", subscribe=("a/#",))
    peer = wire.Peer(broker).send(wire.connect(level=5))
    peer.received()
    peer.send(wire.subscribe(("$share/g/a/b", 1), ("$share/g/b", 1), ("b", 1), level=5))
    assert peer.received() == [(0x90, b"\0\x01\0\x01\x87\x87")]


def test_shared_messages_that_a_member_may_not_read_any_more_go_to_another() -> None:
    broker = wire.broker()
    share = wire.subscribe(("$share/g/a", 1))
    wire.joined(broker, clean=False).send(share, wire.DISCONNECT)
    wire.joined(broker, "w", "bob").send(wire.publish("a", b"1", 1), wire.publish("a", b"2", 1))
    other = wire.joined(broker, "other", "bob").send(share)
    other.received()
    broker.permit(grant(subscribe=("b",)))
    assert [wire.message(found)[1] for found in other.received()] == [b"1", b"2"]
