"""5.0: shared subscriptions (4.8.2)."""

from collections import Counter

import mqtt_client as mqtt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqtt_bench import Bench, Client, kinds
from mqtt_client import RECEIVE_MAXIMUM, SESSION_EXPIRY, SUBSCRIPTION_ID


def group(bench: Bench, size: int = 3, wanted: int = 2, *, durable: bool = False, name: str = "g") -> list[Client]:
    """Return the members of a group that shares a/#."""
    members = [bench.client(f"{name}{number}", durable=durable) for number in range(size)]
    for member in members:
        assert member.subscribe((f"$share/{name}/a/#", wanted))[0].codes == (wanted,)
    return members


BAD = ["$share/", "$share//a", "$share/g", "$share/g/", "$share/+/a", "$share/#/a", "$share/g+/a", "$share/g#/a"]


@pytest.mark.parametrize("bad", [*BAD, "$share/g/a#", "$share/g/#/a", "$share/g/a+"])
def test_a_shared_filter_that_is_none_is_refused(bad: str) -> None:
    """5.0: 4.8.2-1 4.8.2-2 4.7.1-1 4.7.1-2."""
    client = Bench().client()
    seen = client.subscribe((bad, 0))
    if client.closed:
        assert [one.reason for one in seen if one.kind == "DISCONNECT"] in ([0x81], [0x82], [0x8F])
    else:
        assert seen[0].codes[0] >= 0x80


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_each_message_goes_to_one_member_and_they_take_their_turns(qos: int) -> None:
    """5.0: 4.8.2-1 4.8.2-3."""
    bench = Bench()
    members, writer = group(bench), bench.client("writer")
    watcher = bench.client("watcher")
    watcher.subscribe(("a/#", 0))
    heard = Counter()
    for number in range(1, 31):
        writer.publish("a/b", bytes([number]), qos, number)
        for at, member in enumerate(members):
            for seen in member.take():
                heard[at] += 1
                assert seen.qos == qos
                member.answer("PUBACK" if qos == 1 else "PUBREC", seen.packet_id) if qos else None
                for released in member.take():
                    member.answer("PUBCOMP", released.packet_id)
    assert heard == {0: 10, 1: 10, 2: 10}
    assert len(watcher.take()) == 30, "who does not share gets everything"


@pytest.mark.parametrize(("qos", "wanted"), [(2, 0), (2, 1), (1, 0), (1, 2), (0, 2)])
def test_a_members_granted_qos_is_respected(qos: int, wanted: int) -> None:
    """5.0: 4.8.2-3 3.8.4-8."""
    bench = Bench()
    [member] = group(bench, 1, wanted)
    bench.client("writer").publish("a", b"x", qos)
    assert [seen.qos for seen in member.take()] == [min(qos, wanted)]


def test_groups_are_apart_and_a_client_may_share_and_subscribe() -> None:
    """5.0: 4.8.2-1."""
    bench = Bench()
    one, two = group(bench, 1, name="g")[0], group(bench, 1, name="h")[0]
    one.subscribe(("a/#", 0))
    bench.client("writer").publish("a", b"x", 1)
    assert (len(one.take()), len(two.take())) == (2, 1)


def test_retained_messages_are_not_sent_for_a_shared_subscription() -> None:
    """5.0: 4.8.2-1."""
    bench = Bench()
    bench.client("writer").publish("a", b"kept", 1, retain=True)
    assert kinds(bench.client("c").subscribe(("$share/g/a", 1))) == ["SUBACK"]


def test_a_shared_subscription_has_an_identifier_too() -> None:
    """5.0: 3.3.4-3."""
    bench = Bench()
    client = bench.client("c")
    client.subscribe(("$share/g/a", 1), properties={SUBSCRIPTION_ID: 9})
    bench.client("writer").publish("a", b"x", 1)
    assert [seen.properties for seen in client.take()] == [{SUBSCRIPTION_ID: [9]}]


@pytest.mark.parametrize("leaves", ["unsubscribes", "disconnects", "is lost"])
def test_a_member_that_leaves_gets_nothing_more(leaves: str) -> None:
    """5.0: 3.10.4-2 4.8.2-1."""
    bench = Bench()
    members = group(bench, 2)
    if leaves == "unsubscribes":
        assert members[0].unsubscribe("$share/g/a/#")[0].codes == (0,)
    elif leaves == "disconnects":
        members[0].send(mqtt.disconnect())
    else:
        members[0].lose()
    writer = bench.client("writer")
    for number in range(6):
        writer.publish("a", bytes([number]))
    assert members[1].payloads() == [bytes([number]) for number in range(6)]
    assert members[0].take() == []


def test_qos_1_of_a_member_whose_session_ends_goes_to_another() -> None:
    """5.0: 4.8.2-4 4.5.0-1."""
    bench = Bench()
    members, writer = group(bench, 2), bench.client("writer")
    for number in range(1, 5):
        writer.publish("a", bytes([number]), 1, number)
    lost, kept = members[0].take(), members[1].take()
    assert (len(lost), len(kept)) == (2, 2)
    members[0].lose()
    assert sorted(seen.payload for seen in kept + members[1].take()) == [b"\x01", b"\x02", b"\x03", b"\x04"]


def test_qos_2_that_has_begun_is_completed_by_the_same_member() -> None:
    """5.0: 4.8.2-4."""
    bench = Bench()
    members = group(bench, 2, durable=True)
    bench.client("writer").publish("a", b"x", 2)
    [number] = [number for number, member in enumerate(members) if member.peer.connection.outbox.size]
    [first] = members[number].take()
    members[number].lose()
    bench.wait(10)
    assert members[1 - number].take() == []
    back = bench.client(f"g{number}", durable=True)
    assert [(seen.packet_id, seen.payload, seen.dup) for seen in back.early] == [(first.packet_id, b"x", True)]
    assert kinds(back.answer("PUBREC", first.packet_id).take()) == ["PUBREL"]


@pytest.mark.parametrize("received", [False, True])
def test_qos_2_that_has_begun_goes_to_nobody_else_when_the_session_ends(received: bool) -> None:
    """5.0: 4.8.2-5."""
    bench = Bench()
    members = group(bench, 2, durable=True)
    bench.client("writer").publish("a", b"x", 2)
    [number] = [number for number, member in enumerate(members) if member.peer.connection.outbox.size]
    [first] = members[number].take()
    if received:
        members[number].answer("PUBREC", first.packet_id)
    members[number].lose()
    bench.client(f"g{number}").lose()  # a clean start ends the session
    assert members[1 - number].take() == []


@pytest.mark.parametrize(("qos", "kind"), [(1, "PUBACK"), (2, "PUBREC")])
def test_a_message_that_a_member_refuses_is_discarded(qos: int, kind: str) -> None:
    """5.0: 4.8.2-6 4.4.0-2."""
    bench = Bench()
    members = group(bench, 2, durable=True)
    bench.client("writer").publish("a", b"x", qos)
    [number] = [number for number, member in enumerate(members) if member.peer.connection.outbox.size]
    [first] = members[number].take()
    assert members[number].answer(kind, first.packet_id, 0x83).take() == []
    members[number].lose()
    assert bench.client(f"g{number}", durable=True).early == []
    assert members[1 - number].take() == []


def test_a_message_never_waits_behind_a_full_window_while_another_member_is_free() -> None:
    """5.0: 4.9.0-2."""
    bench = Bench()
    slow = bench.client("slow", properties={RECEIVE_MAXIMUM: 1})
    fast = bench.client("fast")
    for member in (slow, fast):
        member.subscribe(("$share/g/a", 1))
    writer = bench.client("writer")
    heard = []
    for number in range(1, 11):
        writer.publish("a", bytes([number]), 1, number)
        for seen in fast.take():
            heard.append(seen.payload)
            fast.answer("PUBACK", seen.packet_id)
    assert len(heard) == 9
    assert len(slow.take()) == 1


def test_a_message_for_a_group_that_is_away_waits_for_it() -> None:
    """5.0: 4.5.0-1."""
    bench = Bench()
    members = group(bench, 2, durable=True)
    for member in members:
        member.lose()
    writer = bench.client("writer")
    for number in range(1, 5):
        writer.publish("a", bytes([number]), 1, number)
    found = [seen.payload[0] for number in (0, 1) for seen in bench.client(f"g{number}", durable=True).early]
    assert sorted(found) == [1, 2, 3, 4]


def test_unsubscribing_compares_the_whole_shared_filter() -> None:
    """5.0: 3.10.4-1 3.11.3-2."""
    bench = Bench()
    [member] = group(bench, 1)
    assert member.unsubscribe("a/#", "$share/h/a/#", "$share/g/a/+")[0].codes == (0x11, 0x11, 0x11)
    bench.client("writer").publish("a/b", b"x")
    assert member.payloads() == [b"x"]


STEP = st.one_of(
    st.just(("publish",)),
    st.tuples(st.just("answer"), st.integers(0, 2), st.integers(1, 3)),
    st.tuples(st.sampled_from(["lose", "end", "come"]), st.integers(0, 2)),
)


@settings(max_examples=60)
@given(steps=st.lists(STEP, max_size=50), window=st.integers(1, 4))
def test_whoever_comes_and_goes_a_group_loses_nothing(steps: list[tuple], window: int) -> None:
    """5.0: 4.8.2-3 4.5.0-1 4.9.0-2."""
    bench = Bench(inflight=window)
    writer = bench.client("writer")
    anchor = bench.client("anchor", durable=True)  # so that the group never ends
    members: list[Client | None] = [None, None, None]
    waiting: dict[int, list[int]] = {0: [], 1: [], 2: []}
    heard: set[bytes] = set()
    sent = 0

    def hear(number: int, seen: list[mqtt.Seen]) -> None:
        heard.update(one.payload for one in seen)
        waiting[number] += [one.packet_id for one in seen]

    def come(number: int) -> None:
        waiting[number].clear()
        members[number] = client = bench.client(f"m{number}", durable=True)
        hear(number, client.early)
        hear(number, client.subscribe(("$share/g/a", 1))[1:])

    anchor.subscribe(("$share/g/a", 1))
    anchor.lose()
    for step in steps:
        client = members[step[1]] if len(step) > 1 else None
        if step[0] == "publish":
            sent += 1
            writer.publish("a", bytes([sent]), 1, sent)
        elif step[0] == "come":
            come(step[1])
        elif client is not None and step[0] == "answer":
            hear(step[1], client.take())
            for packet_id in waiting[step[1]][: step[2]]:
                client.answer("PUBACK", packet_id)
            del waiting[step[1]][: step[2]]
        elif client is not None:
            client.send(mqtt.disconnect(0, {SESSION_EXPIRY: 0})) if step[0] == "end" else client.lose()
            members[step[1]] = None
    for number in range(3):
        come(number)
    anchor = bench.client("anchor", durable=True)
    seen = anchor.early
    while seen or any(waiting.values()):
        heard.update(one.payload for one in seen)
        for one in seen:
            anchor.answer("PUBACK", one.packet_id)
        for number, client in enumerate(members):
            assert client is not None
            for packet_id in waiting[number]:
                client.answer("PUBACK", packet_id)
            waiting[number].clear()
            hear(number, client.take())
        seen = anchor.take()
    assert heard == {bytes([number]) for number in range(1, sent + 1)}
