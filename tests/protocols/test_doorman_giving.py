"""Clients that come without a username: who is given credentials to knock with, and who is not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal import integrations
from portal.onboarding import decisions, ignored
from protocols import doorman
from protocols.contract import Given, Login, Refusal, Wait
from protocols.onboarding import LOOK
from tests.protocols.doorman_bed import PER_ADDRESS, House, decide, login


def nameless(client_id: str = "sensor-1", **more: str) -> Login:
    return login(client_id=client_id, **more)._replace(username=None, password=None)


def give(house: House, one: Login) -> Given | None:
    house.began += timedelta(seconds=1)
    house.now = house.began
    return house.entrance.give(one)


def with_given(one: Login, given: Given) -> Login:
    return one._replace(username=given.username, password=given.password.encode())


def test_with_the_window_closed_nobody_is_given_credentials(house):
    assert give(house, nameless()) is None and house.book.refusals == []


def test_a_client_without_a_username_is_given_credentials_to_knock_with(opened, sealer):
    given = give(opened, nameless())
    (row,) = opened.listed()
    assert (row["username"], row["client_id"], row["tries"]) == (given.username, "sensor-1", 1)
    assert row["is_made_up"] and row["is_told"] and not row["is_held"]
    assert opened.book.refusals == [(given.username, Refusal.NO_CREDENTIALS)]
    assert opened.try_once(with_given(nameless(), given)) == Wait(LOOK, knocks=True)
    (again,) = opened.listed()
    assert again["id"] == row["id"] and again["is_made_up"] and again["is_held"] and not again["is_told"]
    assert sealer.open(opened.doorman.sealed([row["id"]])[0]["sealed"]) == given.password


def test_a_client_that_does_not_take_them_is_one_request_and_only_its_last_connection_knows_the_password(
    opened, sealer
):
    given = [give(opened, nameless()) for _ in range(5)]
    (row,) = opened.listed()
    assert {one.username for one in given} == {row["username"]} and len({one.password for one in given}) == 5
    assert row["tries"] == 5
    assert sealer.open(opened.doorman.sealed([row["id"]])[0]["sealed"]) == given[-1].password
    opened.try_once(with_given(nameless(), given[0]))
    assert len(opened.listed()) == 2, "an earlier one is a rival, of which the operator is warned"


def test_who_has_come_with_its_credentials_keeps_them_whoever_states_its_client_id(opened, sealer):
    given = give(opened, nameless())
    opened.try_once(with_given(nameless(), given))
    other = give(opened, nameless())
    assert other.username != given.username
    passwords = {
        row["username"]: sealer.open(row["sealed"])
        for row in opened.doorman.sealed([one["id"] for one in opened.listed()])
    }
    assert passwords == dict([given, other])


@pytest.mark.parametrize("other", [{"client_id": "sensor-2"}, {"address": "192.0.2.2"}])
def test_another_client_is_given_other_credentials(opened, other):
    assert give(opened, nameless()).username != give(opened, nameless(**other)).username
    assert len(opened.listed()) == 2


def test_over_http_where_nothing_tells_clients_apart_each_is_given_its_own(opened):
    assert len({give(opened, nameless(protocol="http")).username for _ in range(3)}) == 3


def test_who_was_let_in_under_given_credentials_is_not_told_them_again(opened):
    given = give(opened, nameless())
    decide(opened, decisions.APPROVED, keys=[opened.listed()[0]["key"]])
    assert give(opened, nameless()).username != given.username


def test_a_username_that_an_integration_has_is_not_given(opened, actor, sealer, monkeypatch):
    integrations.create(actor, sealer, "mqtt", username="vast_turing_2", password="secret")
    opened.follow()
    monkeypatch.setattr(doorman, "generate_username", lambda number: f"vast_turing_{number}")
    assert give(opened, nameless()).username == "vast_turing_3"


@pytest.mark.parametrize("why", ["ignored", "ignored for good", "its address banned", "banned for guessing"])
def test_nobody_is_given_credentials_who_is_not_wanted(opened, actor, why):
    give(opened, nameless())
    if why == "ignored":
        decide(opened, decisions.IGNORED, keys=[opened.listed()[0]["nameless"]])
    if why == "ignored for good":
        ignored.add(actor, "mqtt", "", "sensor-1", "192.0.2.1")
        opened.follow()
        assert give(opened, nameless("sensor-2")) is not None
    if why == "its address banned":
        decide(opened, decisions.BANNED, origin="192.0.2.1")
    if why == "banned for guessing":
        for number in range(PER_ADDRESS + 6):
            opened.try_once(login(f"press-{number}"))
    assert give(opened, nameless()) is None


def test_an_address_is_given_so_many_usernames(opened):
    given = [give(opened, nameless(f"sensor-{number}")) for number in range(50)]
    assert sum(one is not None for one in given) == len(opened.listed()) == PER_ADDRESS
    assert opened.doorman.listed()["more"] == 50 - PER_ADDRESS
