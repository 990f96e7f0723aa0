"""The guard: what counts as guessing, who has to wait, and who is banned."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from portal import guard as module
from portal.attempt import Attempt, is_local, origin_of
from portal.guard import ADDRESS, LONGEST_WAIT, USERNAME, Ban, Guard, Rules
from tests.portal.guesser import HERE, RULES, START, THERE, Door


def test_guesses_from_one_address_ban_it(door):
    assert door.guess(4) == ["wrong"] * 4
    assert door.bans == []
    assert door.guess(1, mark="last") == ["wrong"]
    (ban,) = door.bans
    assert (ban.kind, ban.name, ban.failures, ban.times) == (ADDRESS, HERE, 5, 1)
    assert (ban.protocol, ban.last_username, ban.last_address) == ("mqtt", "turing", HERE)
    assert ban.until - ban.since == 600


def test_under_a_ban_passwords_are_not_looked_at(door):
    door.guess(5)
    looked_at = door.looked_at
    assert door.knock("turing", "gnirut") == "turned away"
    assert door.looked_at == looked_at


def test_guesses_at_ever_new_usernames_count_for_the_address(door):
    assert [door.knock(f"u{number}", "guess") for number in range(6)] == ["wrong"] * 5 + ["turned away"]


def test_the_same_wrong_password_again_is_no_new_guess(door):
    assert {door.knock("turing", "old password") for _ in range(1000)} == {"wrong"}
    assert door.bans == []


def test_other_addresses_are_not_affected(door):
    door.guess(9)
    assert door.knock("turing", "gnirut", THERE) == "in"
    assert door.knock("hopper", "reppoh", THERE) == "in"


def test_a_guesser_at_one_address_locks_nobody_out(door):
    door.guess(100)
    assert [ban.subject for ban in door.bans] == [(ADDRESS, HERE)]
    assert door.knock("turing", "typo", THERE) == "wrong"
    assert door.knock("turing", "gnirut", THERE) == "in"


def test_addresses_that_are_banned_one_after_the_other_ban_the_username_too(door):
    for number in range(2):
        door.guess(9, address=f"203.0.113.{number}", mark=f"{number}-")
    assert [ban.subject for ban in door.bans] == [
        (ADDRESS, "203.0.113.0"),
        (ADDRESS, "203.0.113.1"),
        (USERNAME, "turing"),
    ]


def test_guesses_from_many_addresses_ban_the_username(door):
    for number in range(5):
        door.knock("turing", f"guess{number}", f"203.0.113.{number}")
    (ban,) = door.bans
    assert (ban.subject, ban.last_address) == ((USERNAME, "turing"), "203.0.113.4")
    assert door.knock("turing", "gnirut", THERE) == "turned away"
    assert door.knock("hopper", "reppoh", THERE) == "in"


def test_one_address_bans_a_username_where_addresses_are_allowed_more():
    for per_address in (0, 50):
        door = Door(replace(RULES, per_address=per_address))
        door.guess(5)
        assert [ban.subject for ban in door.bans] == [(USERNAME, "turing")]


def test_turned_off_nobody_is_banned():
    door = Door(replace(RULES, per_address=0, per_username=0))
    assert set(door.guess(100)) == {"wrong"}
    assert door.bans == []
    assert door.now - START == pytest.approx(100 * module.FIRST_WAIT * 1.0, rel=0.3)


def test_old_guesses_do_not_count(door):
    door.guess(4)
    door.now += RULES.window
    assert door.guess(4, mark="more") == ["wrong"] * 4
    assert door.bans == []


def test_waits_grow_with_the_guesses():
    slow = Guard(Rules(per_address=50, per_username=50))
    grown = [slow.guessed(Attempt("mqtt", "turing", b"%d" % n, HERE), START) for n in range(40)]
    assert grown == sorted(grown)
    assert 0.1 <= grown[0] < 0.2
    assert grown[-1] == LONGEST_WAIT
    assert 1 < grown[12] < 3


# --- the end of a ban


def test_a_ban_ends_by_itself(door):
    door.guess(5)
    door.now += RULES.ban
    assert door.knock("turing", "gnirut") == "in"


def test_further_bans_are_longer_up_to_a_day(door):
    lengths = []
    for round_ in range(12):
        door.guess(5, mark=f"{round_}-")
        (ban,) = door.bans
        lengths.append(ban.until - ban.since)
        door.now = ban.until
    assert lengths[:3] == [600, 1200, 2400]
    assert lengths[-1] == 24 * 3600


def test_a_day_after_its_end_a_ban_is_forgotten(door):
    door.guess(5)
    door.now += RULES.ban + module.REMEMBERED + 1
    door.guess(5, mark="again")
    assert [ban.times for ban in door.bans] == [1]


def test_a_lifted_ban_leaves_nothing_behind(door):
    door.guess(5)
    bans, known = door.guard.unsaved(10)
    door.guard.saved(bans, known)
    door.guard.follow([], door.now)
    assert door.knock("turing", "gnirut") == "in"
    assert door.guess(4, mark="again") == ["wrong"] * 4
    assert door.knock("turing", "gnirut", THERE) == "in", "what the address did does not ban the username now"


def test_a_lifted_ban_of_a_username_leaves_nothing_behind(door):
    for number in range(5):
        door.knock("turing", f"guess{number}", f"203.0.113.{number}")
    bans, known = door.guard.unsaved(10)
    door.guard.saved(bans, known)
    door.guard.follow([], door.now)
    assert door.knock("turing", "typo", THERE) == "wrong"
    assert door.knock("turing", "gnirut", THERE) == "in"


def test_a_ban_that_is_not_saved_yet_survives_what_others_did(door):
    door.guess(5)
    door.guard.follow([], door.now)
    assert door.knock("turing", "gnirut") == "turned away"


def test_bans_of_other_processes_hold(door):
    ban = Ban(ADDRESS, HERE, START, START + 600, 3, 20, "http", "turing", HERE)
    door.guard.follow([ban], START)
    assert door.knock("turing", "gnirut") == "turned away"
    door.now = ban.until
    door.guess(5)
    assert [ban.times for ban in door.bans] == [4]


# --- the race with credentials that are just being made, and many at once


def test_what_is_right_after_all_is_no_guess(door):
    door.guess(4)
    attempt = Attempt("mqtt", "new", b"password", HERE)
    assert door.guard.approach(attempt, door.now) == 0
    door.guard.guessed(attempt, door.now)
    door.guard.passed(attempt, door.now, guessed=True)
    assert door.guard.approach(attempt, door.now) == 0
    assert door.bans == []


def test_guesses_that_come_all_at_once_are_bounded_too(door):
    looked_at = 0
    for number in range(1000):
        attempt = Attempt("mqtt", "turing", b"%d" % number, HERE)
        if door.guard.approach(attempt, door.now) == 0:
            looked_at += 1
            door.guard.guessed(attempt, door.now)
    assert looked_at == 5
    assert [ban.subject for ban in door.bans] == [(ADDRESS, HERE)], "though none of them waited for its answer"


def test_whatever_comes_no_stranger_has_more_passwords_looked_at_than_allowed():
    chance = random.Random(11)
    guard = Guard(RULES)
    looked: dict[tuple[str, str], list[tuple[float, bytes]]] = {}
    now = START
    for _ in range(20_000):
        now += chance.choice([0, 0, 0.1, 1, 20])
        username, address = f"u{chance.randrange(6)}", f"192.0.2.{chance.randrange(6)}"
        attempt = Attempt("mqtt", username, b"%d" % chance.randrange(5000), address)
        if guard.approach(attempt, now) is not None:
            guard.guessed(attempt, now)
            for subject in ((ADDRESS, address), (USERNAME, username)):
                looked.setdefault(subject, []).append((now, attempt.password))
        if chance.random() < 0.5:  # others went away before they were told
            guard.refused(attempt, now)
    for (kind, _), guesses in looked.items():
        for at, _ in guesses:
            within = {password for other, password in guesses if at <= other < at + RULES.window}
            # Those of one address that was banned for them do not count for the username.
            pardoned = RULES.per_address if kind == USERNAME else 0
            assert len(within) <= RULES.limit(kind) + pardoned


def test_many_threads_at_once_are_counted_exactly():
    guard = Guard(Rules(per_address=50, per_username=0))

    def work(thread: int) -> int:
        looked_at = 0
        for number in range(200):
            attempt = Attempt("mqtt", "turing", b"%d-%d" % (thread, number), HERE)
            if guard.approach(attempt, START) == 0:
                guard.guessed(attempt, START)
                looked_at += 1
        return looked_at

    with ThreadPoolExecutor(4) as pool:
        looked_at = sum(pool.map(work, range(4)))
    assert 50 <= looked_at <= 53  # a thread may have looked between another's approach and its guess
    assert len(guard.unsaved(0)[0]) == 1


# --- what addresses are, and how much is held


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("unknown", "unknown"),
        ("", ""),
    ],
)
def test_an_address_is_counted_as_its_origin(address, origin):
    assert origin_of(address) == origin
    assert Attempt("mqtt", "u", b"", address).origin == origin


def test_a_network_of_ipv6_is_one_guesser(door):
    said = [door.knock("turing", f"guess{number}", f"2001:db8::{number:x}") for number in range(6)]
    assert said == ["wrong"] * 5 + ["turned away"]
    assert [ban.name for ban in door.bans] == ["2001:db8::/64"]


def test_random_usernames_and_addresses_fill_bounded_tables(monkeypatch):
    for name in ("MAX_TRACKED", "MAX_BANS", "MAX_KNOWN"):
        monkeypatch.setattr(module, name, 50)
    door = Door(replace(RULES, per_address=3, per_username=3))
    chance = random.Random(7)
    for number in range(3000):
        door.knock(f"u{chance.randrange(60)}", f"guess{number}", f"10.{chance.randrange(100)}.1.1")
        name = f"good{number}"
        door.knock(name, name[::-1], f"10.99.{number % 256}.{number // 256}")
    guard = door.guard
    held = [*guard._tallies.values(), guard._queues, guard._bans, guard._known, guard._new_bans, guard._new_known]
    assert max(map(len, held)) <= 50
    assert len(guard._bans) == 50, "and bans there were"


def test_a_guess_is_held_as_a_keyed_digest_only(door):
    door.knock("turing", "secret-7431")
    tally = door.guard._tallies[ADDRESS][HERE]
    other = Door()
    other.knock("turing", "secret-7431")
    assert list(tally._guesses) != list(other.guard._tallies[ADDRESS][HERE]._guesses)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "192.168.1.7", "::ffff:172.16.0.1", "fe80::1%eth0", "fd00::1"]
)
def test_an_address_that_is_none_of_the_internet_is_local(address):
    assert is_local(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2600::1", "::ffff:8.8.8.8", "nonsense", ""])
def test_an_address_of_the_internet_is_not(address):
    assert not is_local(address)
