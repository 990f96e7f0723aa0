"""The bounded log about clients."""

import pytest

from protocols.journal import Journal


def test_lines_are_bounded_per_address_and_minute(caplog) -> None:
    journal = Journal("mqtt", 2, 1_000.0)
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
    journal = Journal("mqtt", 1, 0.0)
    for number in range(10_100):
        journal.note(f"2001:db8::{number:x}", "garbage")
    assert len(journal._counts) <= 10_001
    assert len(caplog.records) <= 10_001


def test_a_fact_is_cut(caplog) -> None:
    Journal("mqtt", 1, 0.0).note("192.0.2.1", "x" * 10_000)
    assert len(caplog.records[0].getMessage()) < 300


def test_a_fact_does_nothing_to_a_terminal(caplog) -> None:
    Journal("mqtt", 1, 0.0).note("192.0.2.1", "\x1b[2J\n")
    assert caplog.records[0].getMessage().isprintable()


@pytest.mark.parametrize("protocol", ["mqtt", "opcua"])
def test_each_protocol_is_named_and_has_a_log_of_its_own(protocol: str, caplog) -> None:
    Journal(protocol, 1, 0.0).note("192.0.2.1", "garbage")
    assert [(one.name, one.getMessage()) for one in caplog.records] == [
        (f"protocols.{protocol}", f"{protocol} client at 192.0.2.1: garbage")
    ]


def test_an_error_of_ours_counts_as_a_line_and_shows_where_it_came_from(caplog) -> None:
    journal = Journal("opcua", 1, 0.0)
    journal.fail("192.0.2.1", ValueError("a bug"))
    journal.fail("192.0.2.1", ValueError("a bug"))
    journal.note("192.0.2.1", "garbage")
    assert [one.getMessage() for one in caplog.records] == ["a request of the opcua client at 192.0.2.1 failed"]
    assert "ValueError: a bug" in caplog.text
