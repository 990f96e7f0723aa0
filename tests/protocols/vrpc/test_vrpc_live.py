"""Who is live as which agent or client, and who is told."""

from __future__ import annotations

from protocols.contract import Refusal
from protocols.vrpc.live import WITHIN, Claimant, Live, Who
from protocols.vrpc.names import AGENT, CLIENT, Identity

PRESS = Identity("acme.default", AGENT, "press")
BOB = Claimant(2, "bob", "198.51.100.9")
CALLER = Identity("acme.default", CLIENT, "raspi/ab12cd34")


class Follower:
    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def joined(self, identity: Identity, who: Who) -> None:
        self.told.append(("joined", identity.name, who.connection_id))

    def left(self, identity: Identity, who: Who) -> None:
        self.told.append(("left", identity.name, who.connection_id))

    def rivals(self, identity: Identity, addresses: tuple[str, str]) -> None:
        self.told.append(("rivals", identity.name, *addresses))

    def claimed(self, identity: Identity, claimant: Claimant) -> None:
        self.told.append(("claimed", identity.name, *claimant))


def who(number: int, integration: int = 1, address: str = "192.0.2.1") -> Who:
    return Who(f"c{number}", integration, "ada", address, f"va3{number}")


def followed() -> tuple[Live, Follower]:
    live = Live()
    live.follower = Follower()
    return live, live.follower


def test_an_agent_is_live_from_its_connection_to_its_end() -> None:
    live, follower = followed()
    assert live.owner(PRESS) is None
    live.join(PRESS, who(1))
    assert live.owner(PRESS) == who(1)
    live.leave(PRESS, "c1")
    assert live.owner(PRESS) is None and len(live) == 0
    assert follower.told == [("joined", "press", "c1"), ("left", "press", "c1")]


def test_a_client_is_live_until_the_last_of_its_connections_has_ended() -> None:
    live, _ = followed()
    live.join(CALLER, who(1))
    live.join(CALLER, who(2))
    assert live.take_over(CALLER, "192.0.2.2", 0.0) is None, "clients share a name on purpose"
    live.leave(CALLER, "c1")
    assert live.owner(CALLER) == who(2)


def test_somebody_elses_agent_of_the_same_name_is_told_with_both_addresses() -> None:
    live, follower = followed()
    live.join(PRESS, who(1))
    assert live.taken(PRESS, BOB, 0) is Refusal.NAME_TAKEN
    assert follower.told[-1] == ("rivals", "press", "192.0.2.1", "198.51.100.9")


def test_the_integration_that_is_connected_as_an_agent_may_come_again() -> None:
    live, follower = followed()
    live.join(PRESS, who(1, integration=2))
    assert live.taken(PRESS, BOB, 1) is None, "also where another one was the agent before"
    assert follower.told == [("joined", "press", "c1")]


def test_an_agent_that_is_offline_belongs_to_an_integration_still() -> None:
    live, follower = followed()
    assert live.taken(PRESS, BOB, 2) is None and live.taken(PRESS, BOB, 0) is None
    assert follower.told == []
    assert live.taken(PRESS, BOB, 1) is Refusal.NAME_OWNED
    assert follower.told == [("claimed", "press", 2, "bob", "198.51.100.9")]


def test_three_take_overs_within_a_minute_are_those_of_twins() -> None:
    live, follower = followed()
    live.join(PRESS, who(1))
    for at in (0.0, 1.0):
        assert live.take_over(PRESS, "198.51.100.9", at) == who(1)
    assert follower.told == [("joined", "press", "c1")]
    live.take_over(PRESS, "198.51.100.9", WITHIN - 1)
    assert follower.told[-1] == ("rivals", "press", "192.0.2.1", "198.51.100.9")


def test_take_overs_that_are_far_apart_are_those_of_a_bad_network() -> None:
    live, follower = followed()
    live.join(PRESS, who(1))
    for number in range(9):
        live.take_over(PRESS, "198.51.100.9", number * WITHIN / 2)
    assert follower.told == [("joined", "press", "c1")]
