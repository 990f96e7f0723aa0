"""Bans and known logins in the database: shared, kept over restarts, shown, lifted, and bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from portal import activity, bans, clock, db, integrations
from portal.attempt import Attempt
from portal.bans import Keeper
from portal.guard import ADDRESS, KNOWN_FOR, REMEMBERED, USERNAME, Guard, Rules
from portal.models import Activity, Ban, KnownLogin
from tests.support.databases import counted_queries, in_threads

RULES = Rules(per_address=3, per_username=3)
HERE, THERE = "192.0.2.7", "198.51.100.1"


class Node:
    """A process that guards a door."""

    def __init__(self) -> None:
        self.guard = Guard(RULES)
        self.keeper = Keeper(self.guard)
        self.sync()

    def sync(self) -> None:
        self.keeper.sync(clock.now())

    def guess(self, count: int = 3, username: str = "turing", address: str | None = HERE) -> None:
        for number in range(count):
            attempt = _attempt(username, f"guess{number}", address or f"203.0.113.{number}")
            if self.guard.approach(attempt, _now()) is not None:
                self.guard.guessed(attempt, _now())
                self.guard.refused(attempt, _now())

    def let_in(self, username: str = "turing", address: str = HERE) -> None:
        self.guard.passed(_attempt(username, "right", address), _now())

    def is_banned(self, username: str = "turing", address: str = HERE) -> bool:
        return self.guard.approach(_attempt(username, "right", address), _now()) is None


def _attempt(username: str, password: str, address: str) -> Attempt:
    return Attempt("mqtt", username, password.encode(), address)


def _now() -> float:
    return clock.now().timestamp()


@pytest.fixture
def node(database) -> Node:
    return Node()


def happened(kind: str) -> list[Activity]:
    return list(Activity.select().where(Activity.kind == kind).order_by(Activity.id))


def test_without_anything_new_it_is_one_query_at_most(node):
    with counted_queries() as statements:
        node.sync()
    assert len(statements) == (0 if db.is_sqlite() else 1), statements


def test_what_it_wrote_itself_is_not_read_again(node, monkeypatch):
    node.guess()
    node.let_in("hopper")
    monkeypatch.setattr(node.guard, "follow", None)
    monkeypatch.setattr(node.guard, "learn", None)
    node.sync()
    node.sync()
    assert node.is_banned() and not node.is_banned("hopper")


def test_a_ban_is_kept_and_recorded(node):
    node.guess()
    node.sync()
    (ban,) = bans.current(clock.now())
    assert (ban.kind, ban.name, ban.protocol, ban.failures, ban.times) == (ADDRESS, HERE, "mqtt", 3, 1)
    assert (ban.last_username, ban.last_address) == ("turing", HERE)
    assert ban.until - ban.since == timedelta(minutes=10)
    (row,) = happened(activity.BANNED)
    assert row.detail == "address 192.0.2.7 banned for 10 minutes after 3 wrong passwords"
    assert (row.protocol, row.username) == ("mqtt", None)


def test_a_ban_of_an_integrations_username_is_recorded_with_it(node, actor, sealer):
    turing = integrations.create(actor, sealer, "mqtt", username="turing")
    node.guess(address=None)
    node.sync()
    (row,) = happened(activity.BANNED)
    assert (row.integration_id, row.username) == (turing.id, "turing")
    assert row.detail == "username banned for 10 minutes after 3 wrong passwords"
    assert bans.of_username("turing", clock.now()).failures == 3
    assert bans.of_username("hopper", clock.now()) is None


def test_other_nodes_hold_it_too(node):
    other = Node()
    node.guess()
    node.sync()
    other.sync()
    assert other.is_banned()
    assert not other.is_banned(address=THERE)


def test_a_restart_keeps_it(node):
    node.guess()
    node.sync()
    assert Node().is_banned()


def test_two_nodes_that_ban_the_same_address_make_one_ban(node):
    other = Node()
    node.guess()
    other.guess()
    results = in_threads(node.sync, other.sync)
    assert results == [None, None]
    assert len(bans.current(clock.now())) == 1


def test_lifting_ends_it_everywhere_and_is_recorded(node, actor):
    other = Node()
    node.guess()
    node.sync()
    other.sync()
    (ban,) = bans.current(clock.now())
    bans.lift(ban.id, actor)
    for each in (node, other):
        each.sync()
        assert not each.is_banned()
    (row,) = happened("ban.lifted")
    assert (row.account, row.address, row.detail) == (actor.name, actor.address, f"address {HERE}")
    assert bans.current(clock.now()) == []


def test_a_ban_that_is_over_cannot_be_lifted(node, actor):
    node.guess()
    node.sync()
    (ban,) = bans.current(clock.now())
    bans.lift(ban.id, actor)
    for id in (ban.id, 2**70):
        with pytest.raises(bans.NotFound):
            bans.lift(id, actor)
    assert len(happened("ban.lifted")) == 1


def test_bans_are_lifted_by_name(node, actor):
    node.guess(address="2001:db8::7")
    node.guess(username="hopper", address=None)
    node.sync()
    (network,) = bans.lift_by_name("2001:db8::99", actor)
    (username,) = bans.lift_by_name("hopper", actor)
    assert [network.kind, username.kind] == [ADDRESS, USERNAME]
    with pytest.raises(bans.NotFound, match="no ban holds for 'hopper'"):
        bans.lift_by_name("hopper", actor)


def test_a_known_login_is_known_to_other_nodes_and_after_a_restart(node):
    other = Node()
    node.let_in()
    node.sync()
    for each in (other, Node()):
        each.sync()
        each.guess()
        assert not each.is_banned()
        assert each.is_banned("hopper")


def test_what_one_node_learnt_later_is_learnt_by_the_other(node):
    other = Node()
    for username in ("turing", "hopper"):
        node.let_in(username)
        node.sync()
        other.sync()
    other.guess(username="eve")
    assert not other.is_banned("turing") and not other.is_banned("hopper")


def test_many_known_logins_are_saved(node):
    for number in range(1200):
        node.let_in(f"u{number}")
    node.sync()
    node.sync()
    assert KnownLogin.select().count() == 1200
    again = Node()
    again.guess(username="eve")
    assert not any(again.is_banned(f"u{number}") for number in range(1200))


def test_a_login_of_another_day_is_noted_once_more(node, monkeypatch):
    node.let_in()
    node.sync()
    later = clock.now() + timedelta(days=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    node.let_in()
    node.sync()
    (row,) = KnownLogin.select()
    assert row.last_at == later


def test_the_next_ban_after_a_restart_is_longer(node, monkeypatch):
    node.guess()
    node.sync()
    later = clock.now() + timedelta(minutes=11)
    monkeypatch.setattr(clock, "now", lambda: later)
    again = Node()
    assert not again.is_banned()
    again.guess()
    again.sync()
    (ban,) = bans.current(later)
    assert (ban.times, ban.until - ban.since) == (2, timedelta(minutes=20))
    assert [row.detail.split(" after")[0] for row in happened(activity.BANNED)] == [
        "address 192.0.2.7 banned for 10 minutes",
        "address 192.0.2.7 banned for 20 minutes",
    ]


def test_what_is_over_is_pruned(node):
    node.guess()
    node.let_in("hopper")
    node.sync()
    now = clock.now()
    assert bans.prune(now) == 0
    assert bans.prune(now + timedelta(seconds=REMEMBERED, minutes=11)) == 1
    assert bans.prune(now + timedelta(seconds=KNOWN_FOR + 60)) == 1
    assert (Ban.select().count(), KnownLogin.select().count()) == (0, 0)


def test_what_is_too_much_is_pruned(node, monkeypatch):
    monkeypatch.setattr(bans, "MAX_KNOWN", 3)
    monkeypatch.setattr(bans, "MAX_BANS", 2)
    for number in range(5):
        moment = datetime(2030, 1, 1, number, tzinfo=UTC)
        KnownLogin.create(username=f"u{number}", origin=HERE, last_at=moment)
        Ban.create(
            kind=ADDRESS,
            name=f"10.0.0.{number}",
            since=moment,
            until=moment,
            times=1,
            failures=3,
            protocol="mqtt",
            last_username="u",
            last_address="",
        )
    assert bans.prune(clock.now()) == 5
    assert {row.username for row in KnownLogin.select()} == {"u2", "u3", "u4"}
    assert {row.name for row in Ban.select()} == {"10.0.0.3", "10.0.0.4"}


def test_as_json_a_ban_has_everything(node):
    node.guess()
    node.sync()
    (ban,) = bans.current(clock.now())
    shown = bans.as_json(ban)
    assert shown["kind"] == ADDRESS and shown["name"] == HERE
    assert datetime.fromisoformat(shown["until"]) == ban.until
