"""Onboarding requests: what is one, who may wait, and what becomes of those that are decided on."""

from __future__ import annotations

import pytest

from protocols.onboarding import GONE, LOOK, PATIENCE, SETTLES
from tests.protocols.onboarding_bed import END, Door, T, knock

# --- the window


def test_with_the_window_closed_nothing_is_taken_and_nothing_is_sealed(door: Door) -> None:
    door.requests.follow(None, 0.0, ())
    assert not door.requests.takes(knock(), T)
    assert door.ask(knock(), T, T + LOOK) is None
    assert door.names() == [] and door.sealed == 0 and door.requests.more == 0


def test_at_its_end_everything_is_forgotten_and_who_waits_is_refused(door: Door) -> None:
    assert door.ask(knock(), END - 1, END - 0.5)
    assert door.names(END - 0.5) == ["press"]
    assert door.ask(knock(), END - 1, END) is None
    assert door.names(END - 0.5) == [], "also for a clock that is set back"


def test_closing_forgets_everything_and_another_window_begins_empty(door: Door) -> None:
    door.ask(knock(), T, T + LOOK)
    door.requests.follow(2, END, ())
    assert door.names() == []
    door.ask(knock(), T, T + LOOK)
    door.requests.follow(2, END + 600, ())
    assert door.names() == ["press"], "one that is extended is the same"


# --- one client, one request


def test_a_client_that_retries_is_one_request_with_its_tries(door: Door) -> None:
    for number in range(7):
        assert door.ask(knock(client_id=f"c{number}"), T + number, T + number + LOOK)
    request = door.only(T + 7)
    assert (request.tries, request.first_at, request.last_at) == (7, T + LOOK, T + 6 + LOOK)
    assert request.knock.client_id == "c6" and request.client_id_varies
    assert door.sealed == 1


@pytest.mark.parametrize("other", [{"username": "b"}, {"offered": "b"}, {"origin": "192.0.2.2"}, {"protocol": "http"}])
def test_other_credentials_and_another_address_are_another_request(door: Door, other: dict) -> None:
    door.ask(knock(), T, T + LOOK)
    door.ask(knock(**other), T, T + LOOK)
    assert len(door.requests.listed(T + 1)) == 2


def test_a_name_that_was_stated_stays(door: Door) -> None:
    door.ask(knock(name="Press 4"), T, T + LOOK)
    door.ask(knock(client_id="d"), T + 1, T + 1 + LOOK)
    assert (door.only(T + 2).knock.name, door.only(T + 2).knock.client_id) == ("Press 4", "d")


def test_looks_of_one_try_are_not_tries(door: Door) -> None:
    door.wait(knock(), T, T + 5)
    assert door.only(T + 5).tries == 1


# --- waiting at the door


@pytest.mark.parametrize(("protocol", "seconds"), [*PATIENCE.items(), ("http", 20.0)])
def test_a_client_waits_no_longer_than_it_would_by_itself(door: Door, protocol: str, seconds: float) -> None:
    waiting = knock(protocol=protocol)
    assert door.ask(waiting, T, T + LOOK)
    assert door.ask(waiting, T, T + seconds - 1)
    assert door.ask(waiting, T, T + seconds) == 0
    assert not door.requests.is_held(door.only(T + seconds), T + seconds)
    assert door.ask(waiting, T + seconds + 1, T + seconds + 1 + LOOK), "and again when it comes back"


def test_the_setting_bounds_it_for_every_protocol() -> None:
    door = Door(hold=1.0)
    assert door.ask(knock(), T, T + LOOK)
    assert door.ask(knock(), T, T + 1) == 0


def test_no_more_wait_than_may_and_who_leaves_makes_room() -> None:
    door = Door(per_address=9)
    for number in range(4):
        assert door.ask(knock(str(number)), T, T + LOOK)
    assert door.ask(knock("late"), T, T + LOOK) == 0, "it is a request all the same"
    assert len(door.requests.listed(T + 1)) == 5
    for number in range(3):
        assert door.ask(knock(str(number)), T, T + 1)
    assert door.ask(knock("late"), T + GONE, T + GONE + LOOK), "the fourth has not been asked about for so long"
    assert door.ask(knock("later"), T + GONE, T + GONE + LOOK) == 0


def test_an_address_that_takes_all_places_at_the_door_gives_one_up_for_another() -> None:
    door = Door(held=4, per_address=10)
    crowd = [knock(str(number)) for number in range(6)]
    assert [door.ask(one, T, T + LOOK) for one in crowd] == [LOOK] * 4 + [0.0] * 2
    other = [knock(str(number), origin="192.0.2.2") for number in range(2)]
    assert [door.ask(one, T + 1, T + 1 + LOOK) for one in other] == [LOOK, 0.0], "nor may it have all of them"
    assert sorted(door.ask(one, T, T + 1.2) for one in crowd[:4]) == [0.0, LOOK, LOOK, LOOK]
    assert door.ask(other[0], T + 1, T + 1.2) == LOOK


def test_of_a_request_the_newest_try_waits(door: Door) -> None:
    assert door.ask(knock(), T, T + LOOK)
    assert door.ask(knock(), T + 3, T + 3 + LOOK)
    assert door.ask(knock(), T, T + 3 + 2 * LOOK) == 0
    assert door.ask(knock(), T + 3, T + 3 + 2 * LOOK)


def test_a_clock_that_is_set_back_keeps_nobody_out(door: Door) -> None:
    assert door.ask(knock(), T, T + LOOK)
    assert door.ask(knock(), T - 300, T - 300 + LOOK)
    assert door.ask(knock(), T - 300, T - 300 + 2 * LOOK), "and goes on waiting"


def test_of_a_thousand_tries_at_once_one_waits(door: Door) -> None:
    answers = [door.ask(knock(), T, T + LOOK + number / 100_000) for number in range(1_000)]
    assert [answer for answer in answers if answer] == [LOOK]
    assert door.only(T + 1).tries == 1


# --- decisions


def test_who_is_dismissed_is_refused_and_stays_away_for_this_window(door: Door) -> None:
    door.ask(knock(), T, T + LOOK)
    door.requests.dismiss([door.only().knock.place])
    assert door.names() == []
    assert door.ask(knock(), T, T + 1) is None
    assert door.ask(knock(offered="another"), T + 2, T + 2 + LOOK) is None
    assert door.ask(knock(origin="192.0.2.2"), T + 2, T + 2 + LOOK), "somebody else"
    assert door.requests.more == 0, "nothing of this is worth counting"
    door.requests.follow(2, END, ())
    assert door.ask(knock(), T + 3, T + 3 + LOOK)


@pytest.mark.parametrize("client_id", ["", "c"])
def test_who_is_ignored_for_good_is_no_request_and_ceases_to_be_one(door: Door, client_id: str) -> None:
    door.ask(knock(), T, T + LOOK)
    door.ask(knock("other"), T, T + LOOK)
    door.requests.follow(1, END, [("mqtt", "press", client_id), ("http", "other", "")])
    assert door.names() == ["other"]
    assert not door.requests.takes(knock(), T)
    assert door.requests.takes(knock(client_id="d"), T) is bool(client_id)


def test_a_banned_address_loses_all_of_its_requests(door: Door) -> None:
    for number in range(3):
        door.ask(knock(str(number)), T, T + LOOK)
    door.ask(knock("other", origin="192.0.2.2"), T, T + LOOK)
    door.requests.dismiss_origin("192.0.2.1")
    assert door.names() == ["other"]
    assert door.ask(knock("0"), T, T + 1) is None
    door.requests.offer(7, knock("turing"), T + 1, door.seal)
    assert door.ask(knock("late"), T + 1, T + 1 + LOOK) is None, "nor another one from there"
    assert door.names(T + 1) == ["other"] and door.requests.offers(T + 1) == []
    assert not door.requests.takes(knock("later"), T + 1) and door.requests.more == 0


def test_of_rivals_behind_one_router_each_is_dismissed_by_itself(door: Door) -> None:
    for offered in "ab":
        door.ask(knock(offered=offered), T, T + LOOK)
    first = next(one for one in door.requests.listed(T) if one.knock.digest == b"a")
    door.requests.dismiss([first.knock.key])
    assert [one.knock.digest for one in door.requests.listed(T + 1)] == [b"b"]
    assert door.ask(knock(offered="a"), T + 1, T + 1 + LOOK) is None
    assert door.ask(knock(offered="b"), T + 1, T + 1 + LOOK)


def test_who_is_approved_waits_on_until_that_is_known_and_takes_no_place(door: Door) -> None:
    for number in range(5):
        door.ask(knock(str(number)), T, T + LOOK)
    first = door.requests.listed(T)[0]
    door.requests.approved([first.knock.key], T + 1)
    assert len(door.names(T + 1)) == 4
    assert door.requests.get(first.id, T + 1) is None, "nobody approves it again"
    assert door.ask(first.knock, T, T + 1.1) == LOOK
    assert door.requests.takes(knock("sixth"), T + 1)
    assert door.ask(first.knock, T + 1 + SETTLES, T + 1 + SETTLES + LOOK)
    assert door.requests.listed(T + 7)[0].id == "r6", "its integration is no more, and it asks anew"


def test_an_approval_of_what_is_gone_is_nothing(door: Door) -> None:
    assert door.requests.get("r9", T) is None
    door.requests.approved([knock().key], T)
    door.requests.dismiss([knock().place])
    assert door.ask(knock(), T, T + LOOK) is None, "it may be one of another node, and come here later"


# --- a known client with another password


def test_a_password_that_is_offered_is_kept_until_its_client_comes_in(door: Door) -> None:
    for second in range(3):
        door.requests.offer(7, knock(), T + second, door.seal)
    (offer,) = door.requests.offers(T + 3)
    assert (offer.integration_id, offer.tries, offer.sealed, door.sealed) == (7, 3, b"sealed", 1)
    door.requests.let_in(7)
    assert door.requests.offers(T + 3) == []


def test_of_several_passwords_none_can_be_accepted(door: Door) -> None:
    door.requests.offer(7, knock(), T, door.seal)
    door.requests.offer(7, knock(offered="guess"), T + 1, door.seal)
    door.requests.offer(7, knock(), T + 2, door.seal)
    (offer,) = door.requests.offers(T + 3)
    assert offer.sealed == b"" and offer.tries == 3


def test_no_password_is_kept_beyond_the_window_and_not_too_many_in_it(door: Door) -> None:
    for number in range(300):
        door.requests.offer(number, knock(), T, door.seal)
    assert [offer.integration_id for offer in door.requests.offers(T)] == list(range(200, 300))
    assert door.requests.offers(END) == []
    door.requests.offer(1, knock(), END, door.seal)
    assert door.requests.offers(END - 1) == []
