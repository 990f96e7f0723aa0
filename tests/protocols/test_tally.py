"""What is counted of connections."""

import pytest

from protocols.contract import Traffic
from protocols.tally import Counts, Networks, Tally, network_of


def test_traffic_adds_up_by_integration_until_it_is_taken() -> None:
    tally = Tally()
    tally.add(1, Counts(1, 2, 3, 4))
    tally.add(1, Counts(10, 20, 30, 40))
    tally.add(2, Counts(messages_in=5))
    tally.add(3, Counts())
    assert tally.take() == {1: Traffic(11, 22, 33, 44), 2: Traffic(5)}, "who had none is left out"
    assert tally.take() == {}
    assert tally.total == Counts(16, 22, 33, 44)


def test_what_was_counted_since_the_last_report() -> None:
    counts = Counts(1, 2, 3, 4)
    reported = counts.copy()
    counts.add(Counts(10, 20, 30, 40))
    assert reported == Counts(1, 2, 3, 4)
    assert counts.since(reported) == Counts(10, 20, 30, 40)


def test_what_is_added_is_not_changed_by_what_comes_later() -> None:
    tally, counts = Tally(), Counts(1)
    tally.add(1, counts)
    tally.add(1, Counts(1))
    assert counts == Counts(1)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2::1", "2001:0db8:0001:0002"),
        ("2001:db8:1:2:ffff::9", "2001:0db8:0001:0002"),
        ("2001:db8:1:2::7%eth0", "2001:0db8:0001:0002"),
        ("2001:db8:1:3::1", "2001:0db8:0001:0003"),
        ("a:b", "a:b"),
        ("", ""),
    ],
)
def test_an_ipv6_network_counts_as_one_address(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_network_without_connections_is_forgotten() -> None:
    networks = Networks()
    for one in ("a", "a", "b"):
        networks.add(one)
    networks.remove("a")
    networks.remove("b")
    assert networks.counts == {"a": 1}
