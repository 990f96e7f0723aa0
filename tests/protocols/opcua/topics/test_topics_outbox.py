"""What was written and is still to be published."""

from __future__ import annotations

from protocols.opcua.topics import outbox
from protocols.opcua.topics.outbox import Outbox, Outgoing


def message(number: int, topic: str = "a") -> Outgoing:
    return Outgoing(topic, b"%d" % number, 1, number)


def everything(box: Outbox) -> list[int]:
    found = []
    while batch := box.batch():
        found += [one.mark for one in batch]
        box.arrived(batch)
    return found


def test_all_leaves_in_order_and_stays_until_it_has_arrived():
    box = Outbox()
    for number in range(120):
        box.add(message(number))
    first = box.batch()
    assert box.batch() == first
    assert everything(box) == list(range(120))
    assert (len(box), box._bytes, box.dropped) == (0, 0, 0)


def test_beyond_its_bound_the_last_of_each_topic_stays_in_order(monkeypatch):
    monkeypatch.setattr(outbox, "_MOST", 100)
    box = Outbox()
    for number in range(1_000):
        box.add(message(number, f"t{number % 3}"))
    assert len(box) <= 100
    marks = everything(box)
    assert marks == sorted(marks)
    assert set(marks) >= {997, 998, 999}
    assert box.dropped == 1_000 - len(marks)


def test_of_too_many_topics_the_oldest_goes(monkeypatch):
    monkeypatch.setattr(outbox, "_MOST_BYTES", 30_000)
    box = Outbox()
    for number in range(1_000):
        box.add(message(number, f"t{number}"))
    assert 0 < box._bytes <= 30_000
    marks = everything(box)
    assert marks == list(range(1_000 - len(marks), 1_000))


def test_what_was_dropped_while_it_was_on_its_way_is_not_taken_for_another(monkeypatch):
    monkeypatch.setattr(outbox, "_MOST", 10)
    box = Outbox()
    for number in range(8):
        box.add(message(number))
    batch = box.batch()
    for number in range(8, 13):
        box.add(message(number))
    left = len(box)
    box.arrived(batch)
    assert len(box) == left
    assert everything(box)[-1] == 12
