"""Messages that come by themselves: nobody has to look at them at the end of each turn."""

from __future__ import annotations

from tests.protocols.hub.hub_bed import START, Bed, Ear, anything


def alone(bed: Bed, topic: str, payload: bytes, now: float = 0.0, *, after: float = 0.0) -> None:
    """Note a message, at a time of the loop and so many seconds after the one before."""
    bed.clock.now += after
    head = b"\x30\x00" + len(topic).to_bytes(2, "big") + topic.encode()
    bed.hub.hear_alone(bed.hub.entry(topic), head + payload, len(head), 7, now)


def test_they_become_values_with_who_and_when() -> None:
    bed = Bed()
    alone(bed, "a", b"1")
    found = bed.hub.get("a")
    assert found is not None and found[1:] == ("a", b"1", False, 7, START)
    assert bed.woken == 0


def test_they_have_the_time_at_which_they_came() -> None:
    bed = Bed()
    alone(bed, "a", b"1", 0.0)
    alone(bed, "b", b"2", 0.0)
    alone(bed, "a", b"3", 0.004, after=0.004)
    assert [message.time for message in bed.hub.history("a", 9)] == [START, START + 0.004]
    assert [message.time for message in bed.hub.history("b", 9)] == [START]


def test_they_keep_their_place_among_others() -> None:
    bed = Bed()
    alone(bed, "a", b"1")
    bed.run("a", b"2", b"3")
    alone(bed, "a", b"4")
    bed.hub.settle()
    alone(bed, "a", b"5")
    assert bed.history("a") == [b"1", b"2", b"3", b"4", b"5"]


def test_what_comes_after_a_look_is_seen_at_the_next() -> None:
    bed = Bed()
    for number in range(3):
        alone(bed, "a", b"%d" % number)
        bed.hub.sweep()
    assert bed.history("a") == [b"0", b"1", b"2"]


def test_who_listens_is_told_at_the_end_of_the_turn() -> None:
    bed, ear = Bed(), Ear()
    bed.hub.listen(["a"], ear, anything)
    for payload in (b"1", b"2"):
        alone(bed, "a", payload)
        alone(bed, "other", payload)
    assert bed.woken == 1 and ear.told == []
    bed.hub.settle()
    assert ear.told == [("a", b"1"), ("a", b"2")] and ear.turns == 1


def test_who_begins_to_listen_is_not_told_of_what_came_before() -> None:
    bed, ear = Bed(), Ear()
    alone(bed, "a", b"1")
    bed.hub.listen(["a"], ear, anything)
    alone(bed, "a", b"2")
    bed.hub.settle()
    assert ear.told == [("a", b"2")]
