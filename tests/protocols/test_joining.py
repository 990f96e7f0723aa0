"""Clients that join a fleet by their first login: who may, who may not, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable

import peewee as pw
import pytest

from portal import db, integrations
from portal.edge import connectors, fleets
from portal.gate import Gate
from portal.guard import Guard, Rules
from portal.models import Activity, EdgeFleet, Integration, Revision
from portal.onboarding import window
from protocols.contract import Grant, Login, Refusal, Wait
from protocols.doorman import Doorman
from protocols.entrance import Entrance
from protocols.joining import Joining
from protocols.onboarding import Bounds
from tests.protocols.doorman_bed import Book

OWN = "o" * 32
MEMBER = "hall-0a1b2c3d"
CHOSEN = {"domain": "acme.default", "connectors": ["files"], "target": "docker"}


class House:
    """A part of the protocols worker on one machine, without its servers and threads."""

    def __init__(self, sealer) -> None:
        self.gate, self.book = Gate(sealer), Book()
        self.guard = Guard(Rules(per_address=5, per_username=5))
        self.doorman = Doorman("mqtt", "here", Bounds(requests=10, held=4, hold=20.0), sealer)
        self.aside: list[Callable[[], None]] = []
        self.joining = Joining(sealer, self.aside.append)
        self.entrance = Entrance(self.gate, self.guard, self.book, self.doorman, self.joining)

    def follow(self) -> None:
        """Do what the thread beside does, and read what has changed."""
        while self.aside:
            self.aside.pop()()
        self.gate.refresh()
        self.joining.look(Revision.values_now())
        self.doorman.follow(window.read())

    def answer(self, login: Login) -> Grant | Refusal:
        """Ask until the answer is final, without waiting for real."""
        waited = 0.0
        while isinstance(said := self.entrance(login, waited), Wait):
            waited += said.seconds
            assert waited < 10, "it is never decided on"
            self.follow()
        return said


@pytest.fixture
def fleet(database, actor, sealer) -> EdgeFleet:
    return fleets.create(actor, sealer, prefix="hall", **CHOSEN)


@pytest.fixture
def token(fleet, sealer) -> str:
    return fleets.token(fleet, sealer)


@pytest.fixture
def house(fleet, sealer) -> House:
    made = House(sealer)
    made.follow()
    return made


def login(token: str, username: str = MEMBER, own: str = OWN, **more: str) -> Login:
    return Login("mqtt", username, f"join:{token}:{own}".encode(), "ve3", "192.0.2.7", **more)


def by_own_password(own: str = OWN) -> Login:
    return Login("mqtt", MEMBER, own.encode(), "ve3", "192.0.2.7")


def test_a_new_member_is_let_in_at_its_first_try_and_by_its_own_password_from_then_on(house, fleet, token, sealer):
    granted = house.answer(login(token))
    (made,) = fleets.members(fleet.id)
    assert granted == Grant(made.id, MEMBER, ("#",), ("#",), "acme.default", "agent", True, frozenset({"acme.default"}))
    assert sealer.open(made.sealed_password) == OWN and house.book.refusals == []
    assert house.answer(by_own_password()) == granted
    assert [row.kind for row in Activity.select().where(Activity.integration_id == made.id)] == [
        "integration.created",
        "edge.joined",
    ]


def test_who_did_not_hear_that_it_has_joined_comes_in_by_the_same_password_again(house, fleet, token, actor):
    granted = house.answer(login(token))
    assert house.answer(login(token)) == granted
    fleets.set_open(fleet.id, False, actor)
    house.follow()
    assert house.answer(login(token)) == granted, "it is a member, whatever the fleet is now"
    assert len(fleets.members(fleet.id)) == 1


def test_a_name_that_is_taken_is_not_given_to_who_has_another_password(house, token):
    house.answer(login(token))
    assert house.answer(login(token, own="x" * 32)) is Refusal.WRONG_PASSWORD
    assert house.book.refusals == [(MEMBER, Refusal.WRONG_PASSWORD)]


def test_nobody_takes_the_username_of_another_integration_by_joining(house, token, actor, sealer):
    integrations.create(actor, sealer, "mqtt", username="hall-abcd1234", password="secret")
    house.follow()
    assert house.answer(login(token, "hall-abcd1234")) is Refusal.WRONG_PASSWORD


def test_a_closed_fleet_says_so_to_who_knows_its_token_and_counts_no_guess(house, fleet, token, actor):
    fleets.set_open(fleet.id, False, actor)
    house.follow()
    for number in range(9):
        assert house.answer(login(token, f"hall-0000000{number}")) is Refusal.FLEET_CLOSED
    assert house.book.refusals[-1] == ("hall-00000008", Refusal.FLEET_CLOSED)
    assert not Integration.select().exists()
    fleets.set_open(fleet.id, True, actor)
    house.follow()
    assert isinstance(house.answer(login(token)), Grant)


@pytest.mark.parametrize("username", [MEMBER, "roof-0a1b2c3d", "hall", "hall-0A1B2C3D", "hall-0a1b2c3d4", "hall-"])
def test_a_wrong_token_and_a_name_of_no_fleet_are_guesses(house, username):
    for number in range(5):
        assert house.answer(login(f"{number}" * 32, username)) is Refusal.NO_FLEET
    assert house.answer(login("9" * 32, username)) is Refusal.TOO_MANY_FAILURES
    assert not Integration.select().exists()


def test_a_closed_fleet_is_told_to_nobody_with_a_wrong_token(house, fleet, actor):
    fleets.set_open(fleet.id, False, actor)
    house.follow()
    assert house.answer(login("x" * 32)) is Refusal.NO_FLEET


def test_who_asks_to_join_is_no_onboarding_request(house, actor):
    window.open_one(actor)
    house.follow()
    assert house.answer(login("x" * 32)) is Refusal.NO_FLEET
    assert house.doorman.listed()["requests"] == []


def test_nobody_joins_by_another_door(house, token):
    attempt = login(token)._replace(protocol="http")
    assert house.answer(attempt) is Refusal.UNKNOWN_USERNAME


def test_a_token_of_a_fleet_that_was_deleted_is_worth_nothing(house, fleet, token, actor, sealer):
    fleets.delete(fleet.id, actor)
    fleets.create(actor, sealer, prefix="hall", **CHOSEN)
    house.follow()
    assert house.answer(login(token)) is Refusal.NO_FLEET


def test_a_fleet_that_is_closed_while_a_member_joins_takes_it_no_more(house, fleet, token, actor):
    waited = house.entrance(login(token)).seconds
    house.follow()
    assert isinstance(house.entrance(login(token), waited), Wait) and house.aside
    fleets.set_open(fleet.id, False, actor)
    assert house.answer(login(token)) is Refusal.FLEET_CLOSED
    assert not Integration.select().exists()


def test_a_fleet_that_has_as_many_members_as_it_may_have_closes_itself(house, fleet, token, actor, monkeypatch):
    monkeypatch.setattr(fleets, "MOST_MEMBERS", 2)
    for number in (1, 2):
        assert isinstance(house.answer(login(token, f"hall-0000000{number}")), Grant)
    assert house.answer(login(token)) is Refusal.FLEET_CLOSED
    assert len(fleets.members(fleet.id)) == 2 and not fleets.by_id(fleet.id).is_open
    closed = Activity.select().where(Activity.kind == "edge.fleet-closed").get()
    assert (closed.account, closed.address, closed.detail) == ("fleet hall", "192.0.2.7", "hall")
    assert isinstance(house.answer(login(token, "hall-00000001")), Grant), "members come in as ever"


def test_of_two_machines_one_makes_the_integration_and_both_let_the_member_in(house, fleet, token, sealer):
    other = House(sealer)
    other.follow()
    for one in (house, other):
        one.entrance(login(token), 0.0)
        one.gate.refresh()
        assert isinstance(one.entrance(login(token), 0.1), Wait)
    assert house.answer(login(token)) == other.answer(login(token))
    assert len(fleets.members(fleet.id)) == 1


def test_while_the_database_is_away_a_member_waits_and_is_made_when_it_is_back(house, fleet, token, monkeypatch):
    real = connectors.join

    def fail(*_: object, **__: object) -> None:
        raise db.Unavailable[0]("database is locked")

    monkeypatch.setattr(fleets, "join", fail)
    waited = house.entrance(login(token)).seconds
    house.follow()
    for _ in range(3):
        assert isinstance(house.entrance(login(token), waited), Wait)
        house.follow()
    monkeypatch.setattr(fleets, "join", real)
    assert isinstance(house.answer(login(token)), Grant)


def test_a_token_that_was_sealed_with_another_key_keeps_only_its_own_fleet_closed(house, fleet, actor, sealer, caplog):
    roof = fleets.create(actor, sealer, prefix="roof", **CHOSEN)
    EdgeFleet.update(sealed_token=b"\x01damaged").where(EdgeFleet.id == fleet.id).execute()
    house.follow()
    assert isinstance(house.answer(login(fleets.token(roof, sealer), "roof-0a1b2c3d")), Grant)
    assert "nobody can join the fleet hall" in caplog.text


def test_one_that_the_database_does_not_take_keeps_nobody_else_out(house, fleet, token, monkeypatch):
    real = connectors.join

    def fail(*given: object, username: str, **more: object) -> object:
        if username == MEMBER:
            raise pw.DataError("value out of range")
        return real(*given, username=username, **more)

    monkeypatch.setattr(fleets, "join", fail)
    waited = house.entrance(login(token)).seconds
    house.follow()
    assert isinstance(house.entrance(login(token), waited), Wait)
    house.follow()
    assert isinstance(house.answer(login(token, "hall-00000001")), Grant)
