"""The guard: who has logged in before gets in all the same, and guesses no quicker for it."""

from __future__ import annotations

import pytest

from portal import guard as module
from portal.attempt import Attempt
from portal.guard import ADDRESS
from tests.portal.guesser import HERE, START, THERE


@pytest.mark.parametrize("username", ["turing", "hopper"], ids=["guessed at", "another"])
def test_a_known_login_gets_in_at_once_behind_a_banned_address(door, username):
    assert door.knock(username, username[::-1]) == "in"
    door.guess(50)
    assert [ban.subject for ban in door.bans] == [(ADDRESS, HERE)]
    door.now += 1
    before = door.now
    assert door.knock(username, username[::-1]) == "in"
    assert door.now == before


def test_a_known_login_gets_in_under_a_ban_of_its_username(door):
    door.knock("turing", "gnirut", THERE)
    for number in range(5):
        door.knock("turing", f"guess{number}", f"203.0.113.{number}")
    assert door.knock("turing", "gnirut", THERE) == "in"
    assert door.knock("turing", "gnirut", HERE) == "turned away"


def test_a_fleet_behind_a_banned_address_gets_in_at_once(door):
    door.knock("turing", "gnirut")
    door.guess(5, username="hopper")
    before = door.now
    assert {door.knock("turing", "gnirut") for _ in range(500)} == {"in"}
    assert door.now == before


def test_under_a_ban_guesses_of_a_known_login_are_looked_at_one_by_one(door):
    door.knock("turing", "gnirut")
    door.guess(5)
    attempts = [Attempt("mqtt", "turing", b"guess-%d" % number, HERE) for number in range(100)]
    pauses = []
    for attempt in attempts:  # all in one instant
        pauses.append(door.guard.approach(attempt, door.now))
        if pauses[-1] == 0:
            door.guard.guessed(attempt, door.now)
    assert pauses[:4] == pytest.approx([0, 1, 2, 3])
    assert sum(pause is not None for pause in pauses) <= 1 + module.LONGEST_QUEUE
    door.now += module.LONGEST_QUEUE + 2
    assert door.knock("turing", "gnirut") == "in"


def test_an_old_password_that_is_tried_for_ever_takes_no_turns_under_a_ban(door):
    door.knock("turing", "gnirut")
    door.guess(5, username="hopper")
    door.knock("turing", "old")
    door.now += 2
    attempt = Attempt("mqtt", "turing", b"old", HERE)
    for _ in range(100):
        assert door.guard.approach(attempt, door.now) == 0
        door.guard.guessed(attempt, door.now)


def test_a_wrong_password_makes_no_known_login(door):
    door.guess(50)
    door.guess(50, username="hopper")
    assert door.guard.unsaved(100)[1] == {}


def test_known_logins_expire(door):
    door.knock("turing", "gnirut")
    door.now += module.KNOWN_FOR
    door.guess(5)
    assert door.knock("turing", "gnirut") == "turned away"


def test_known_logins_are_noted_once_a_day(door):
    door.knock("turing", "gnirut")
    bans, known = door.guard.unsaved(10)
    assert known == {("turing", HERE): START}
    door.guard.saved(bans, known)
    door.now += 3600
    door.knock("turing", "gnirut")
    assert door.guard.unsaved(10)[1] == {}
    door.now += 24 * 3600
    door.knock("turing", "gnirut")
    assert door.guard.unsaved(10)[1] == {("turing", HERE): door.now}


def test_learnt_logins_count(door):
    door.guard.learn([(("turing", HERE), START)])
    door.guess(5)
    door.now += 1
    assert door.knock("turing", "gnirut") == "in"


def test_an_address_is_known_as_long_as_a_login_from_there_is(door, monkeypatch):
    monkeypatch.setattr(module, "MAX_KNOWN", 2)
    assert not door.guard.knows(HERE)
    for username in ("turing", "hopper"):
        door.knock(username, username[::-1])
    door.knock("turing", "gnirut", THERE)
    assert door.guard.knows(HERE) and door.guard.knows(THERE)
    door.knock("hopper", "reppoh", THERE)
    assert not door.guard.knows(HERE) and door.guard.knows(THERE)
