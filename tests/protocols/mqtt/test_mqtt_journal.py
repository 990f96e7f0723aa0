"""The bounded log about clients."""

from protocols.mqtt.journal import Journal


def test_lines_are_bounded_per_address_and_minute(caplog) -> None:
    journal = Journal(2, 1_000.0)
    for _ in range(5):
        journal.note("192.0.2.1", "garbage")
    journal.note("192.0.2.2", "garbage")
    assert len(caplog.records) == 3
    journal.sweep(1_059.0)
    assert len(caplog.records) == 3
    journal.sweep(1_060.0)
    assert "192.0.2.1: 3 more" in caplog.records[3].getMessage()
    journal.note("192.0.2.1", "garbage")
    assert len(caplog.records) == 5


def test_the_number_of_addresses_is_bounded(caplog) -> None:
    journal = Journal(1, 0.0)
    for number in range(10_100):
        journal.note(f"2001:db8::{number:x}", "garbage")
    assert len(journal._counts) <= 10_001
    assert len(caplog.records) <= 10_001


def test_a_fact_is_cut(caplog) -> None:
    Journal(1, 0.0).note("192.0.2.1", "x" * 10_000)
    assert len(caplog.records[0].getMessage()) < 300
