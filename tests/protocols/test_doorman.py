"""Logins that knock: what the entrance answers them, and what becomes of guessing meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal import activity, clock, integrations
from portal.guard import FIRST_WAIT
from portal.models import Integration, Revision
from portal.onboarding import decisions, ignored, window
from protocols import doorman
from protocols.contract import Grant, Refusal, Wait
from protocols.onboarding import LOOK
from tests.protocols.doorman_bed import PER_ADDRESS, SECRET, decide, login


@pytest.fixture
def turing(database, actor, sealer) -> Integration:
    return integrations.create(actor, sealer, "mqtt", username="turing", password="secret")


def test_with_the_window_closed_a_refused_login_is_what_it_was(house):
    assert house.ask(login()) == Wait(pytest.approx(0.126)), "a guess, which is counted"
    assert house.ask(login(), 0.2) is Refusal.UNKNOWN_USERNAME
    assert house.listed() == [] and house.book.refusals == [("press", Refusal.UNKNOWN_USERNAME)]


def test_an_unknown_username_knocks_and_waits(opened):
    assert opened.ask(login(will_topic="d/a/__agentInfo__")) == Wait(FIRST_WAIT)
    assert opened.listed() == [], "before the credentials were read anew it may be known"
    assert opened.ask(login(will_topic="d/a/__agentInfo__"), 0.1) == Wait(LOOK, knocks=True)
    (row,) = opened.listed()
    assert (row["username"], row["client_id"], row["address"]) == ("press", "client-1", "192.0.2.1")
    assert row["will_topic"] == "d/a/__agentInfo__" and row["is_held"] and row["tries"] == 1
    assert opened.book.refusals == [], "the answer is not final"


def test_it_is_refused_as_ever_when_it_has_waited_in_vain(opened):
    opened.try_once(login())
    assert opened.ask(login(), 14.0) is Refusal.UNKNOWN_USERNAME
    assert opened.book.refusals == [("press", Refusal.UNKNOWN_USERNAME)]
    assert len(opened.listed()) == 1, "and may be approved when it has left"


def test_who_is_approved_is_let_in_with_its_own_password(opened, actor, sealer):
    opened.try_once(login())
    (row,) = opened.doorman.sealed([opened.listed()[0]["id"]])
    integrations.create(actor, sealer, "mqtt", username="press", password=sealer.open(row["sealed"]))
    decide(opened, decisions.APPROVED, keys=[row["key"]])
    assert opened.ask(login(), 0.3) == Wait(LOOK, knocks=True), "until the credentials are read"
    opened.follow()
    assert isinstance(opened.ask(login(), 0.4), Grant)
    assert opened.try_once(login(password=b"another")) is Refusal.WRONG_PASSWORD


@pytest.mark.parametrize("end", [window.close, lambda actor: window.expire(clock.now() + timedelta(hours=1))])
def test_at_the_end_of_the_window_who_waits_is_refused_and_nothing_is_kept(opened, actor, end):
    assert opened.try_once(login()) == Wait(LOOK, knocks=True)
    end(actor)
    opened.follow()
    assert opened.ask(login(), 0.3) is Refusal.UNKNOWN_USERNAME
    assert opened.doorman.listed() == {"requests": [], "more": 0, "offers": [], "node": "here"}
    assert opened.doorman.sealed(["mqtt.1"]) == []


def test_its_time_ends_the_window_without_the_database(opened):
    opened.try_once(login())
    opened.now += timedelta(minutes=10)
    opened.doorman.sweep()
    assert not opened.doorman.is_open
    assert opened.listed() == []


def test_the_job_takes_a_window_away_whose_time_is_over(opened):
    opened.doorman.expire()
    assert window.read().window is not None
    opened.now += timedelta(minutes=10)
    opened.doorman.expire()
    assert window.read().window is None
    opened.doorman.look(Revision.values_now())
    assert not opened.doorman.is_open


@pytest.mark.parametrize("username", ["x" * 129, "x" * 65_535, " press", "a\tb", "a\u202eb", "a\0b", "\ud800"])
def test_a_username_that_no_integration_can_have_is_no_request(opened, username):
    assert opened.try_once(login(username)) is Refusal.UNKNOWN_USERNAME
    assert opened.listed() == []


@pytest.mark.parametrize("password", [b"", b"\xff\xfe", b"a\0b", b"x" * 257])
def test_a_password_that_no_integration_can_have_is_no_request(opened, password):
    assert opened.try_once(login(password=password)) is Refusal.UNKNOWN_USERNAME
    assert opened.listed() == []


def test_what_a_client_says_of_itself_is_cut_and_made_printable(opened):
    opened.try_once(login(client_id="<b>\u202e" + "x" * 70_000, will_topic="\x1b[2J" + "y" * 70_000))
    (row,) = opened.listed()
    assert row["client_id"].startswith("<b>\N{REPLACEMENT CHARACTER}x") and len(row["client_id"]) == 256
    assert row["will_topic"].startswith("\N{REPLACEMENT CHARACTER}[2J") and len(row["will_topic"]) == 256


def test_no_password_is_told_and_none_is_kept_in_the_clear(opened, sealer):
    opened.try_once(login())
    assert SECRET.decode() not in str(opened.doorman.listed())
    (row,) = opened.doorman.sealed([opened.listed()[0]["id"]])
    assert SECRET not in row["sealed"] and sealer.open(row["sealed"]) == SECRET.decode()
    held = vars(opened.doorman._requests)
    assert SECRET.decode() not in repr(held) and SECRET.hex() not in repr(held)


def test_a_client_that_is_ignored_for_good_is_refused_without_waiting(opened, actor):
    ignored.add(actor, "mqtt", "press", "client-1", "192.0.2.1")
    opened.follow()
    assert opened.try_once(login()) is Refusal.UNKNOWN_USERNAME
    assert opened.try_once(login(client_id="other")) == Wait(LOOK, knocks=True)


# --- guessing


def test_clients_behind_one_router_that_knock_are_not_banned_for_it(opened):
    for number in range(PER_ADDRESS):
        assert opened.try_once(login(f"press-{number}")) in (Wait(LOOK, knocks=True), Refusal.UNKNOWN_USERNAME)
    assert not opened.is_banned(login("press-0"))
    assert len(opened.listed()) == PER_ADDRESS


def test_who_knocks_with_a_thousand_usernames_fills_no_list_and_is_banned(opened):
    answers = [opened.try_once(login(f"press-{number}")) for number in range(1_000)]
    assert len(opened.listed()) == PER_ADDRESS
    assert answers[-1] is Refusal.TOO_MANY_FAILURES
    assert answers.count(Refusal.UNKNOWN_USERNAME) <= PER_ADDRESS + 5
    assert opened.try_once(login("other", address="192.0.2.2")) == Wait(LOOK, knocks=True)


def test_tries_at_once_beyond_what_is_kept_are_guesses_too(opened):
    logins = [login(f"press-{number}") for number in range(PER_ADDRESS + 20)]
    for one in logins:
        assert opened.ask(one) == Wait(FIRST_WAIT), "there is room as far as anybody knows"
    for one in logins:
        opened.gate.read_at += 100
        opened.entrance(one, 0.1)
    assert len(opened.listed()) == PER_ADDRESS and opened.is_banned(login("late"))


def test_clients_that_leave_at_once_do_not_keep_others_from_knocking(opened, monkeypatch):
    monkeypatch.setattr(doorman, "MOST_PROMISED", 20)
    for number in range(50):
        opened.entrance(login(f"press-{number}", address=f"192.0.2.{number}"))
    opened.began += timedelta(seconds=doorman.PROMISE)
    assert opened.try_once(login("patient", address="198.51.100.1")) == Wait(LOOK, knocks=True)


def test_guessing_at_a_known_username_is_stopped_while_the_window_is_open(opened, turing):
    opened.follow()
    answers = [opened.try_once(login("turing", b"guess-%d" % number)) for number in range(8)]
    assert answers == [Refusal.WRONG_PASSWORD] * 5 + [Refusal.TOO_MANY_FAILURES] * 3
    assert opened.listed() == []


def test_a_banned_address_does_not_knock(opened):
    for number in range(PER_ADDRESS + 6):
        opened.try_once(login(f"press-{number}"))
    decide(opened, decisions.BANNED, origin="192.0.2.1")
    assert opened.try_once(login("late")) is Refusal.TOO_MANY_FAILURES
    assert opened.listed() == []


@pytest.mark.parametrize("address", ["192.168.1.7", "11.0.0.7"])
def test_where_clients_are_known_or_no_internet_is_a_full_list_has_room(opened, turing, address):
    opened.follow()
    assert isinstance(opened.ask(login("turing", b"secret", address="11.0.0.7")), Grant)
    for number in range(10):
        opened.try_once(login(f"far-{number}", address=f"12.0.0.{number}"))
    assert opened.try_once(login("far", address="12.0.1.1")) is Refusal.UNKNOWN_USERNAME
    assert opened.try_once(login("near", address=address)) == Wait(LOOK, knocks=True)
    assert "near" in [row["username"] for row in opened.listed()]


# --- a password that has changed


def test_a_known_client_with_another_password_is_refused_and_its_password_offered(opened, turing, sealer):
    opened.follow()
    for _ in range(3):
        assert opened.try_once(login("turing")) is Refusal.WRONG_PASSWORD
    (offer,) = opened.doorman.listed()["offers"]
    assert (offer["integration_id"], offer["tries"], offer["is_clear"]) == (turing.id, 3, True)
    assert sealer.open(opened.doorman.offered(turing.id, offer["id"])["sealed"]) == SECRET.decode()
    assert opened.doorman.offered(turing.id, "mqtt.other") is None
    assert isinstance(opened.ask(login("turing", b"secret")), Grant)
    assert opened.doorman.listed()["offers"] == [], "its own password still works"


def test_of_several_passwords_nobody_can_accept_one(opened, turing):
    opened.follow()
    opened.try_once(login("turing"))
    opened.try_once(login("turing", b"guess", address="192.0.2.2"))
    (offer,) = opened.doorman.listed()["offers"]
    assert not offer["is_clear"]
    assert opened.doorman.offered(turing.id, offer["id"])["sealed"] == b""


@pytest.mark.parametrize("why", ["inactive", "another door", "closed"])
def test_nothing_is_offered_where_it_would_not_let_the_client_in(opened, turing, actor, why):
    if why == "inactive":
        integrations.set_active(turing.id, False, actor)
    if why == "closed":
        window.close(actor)
    opened.follow()
    opened.try_once(login("turing", protocol="http" if why == "another door" else "mqtt"))
    window.open_one(actor)
    opened.follow()
    assert opened.doorman.listed()["offers"] == []


def test_refused_logins_are_told_of_as_ever(opened, turing):
    opened.follow()
    opened.try_once(login("turing"))
    assert opened.book.refusals == [("turing", Refusal.WRONG_PASSWORD)]
    assert activity.REFUSED == "login.refused"
