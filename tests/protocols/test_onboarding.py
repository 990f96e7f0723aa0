"""Onboarding requests: what is one, who may wait, and how much is kept whatever clients do."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest

from protocols import crowding, origins
from protocols.crowding import SHOWN, TRY, TURN, Turns
from protocols.knocks import Knock, Request
from protocols.onboarding import GONE, LOOK, PATIENCE, SETTLES, Bounds, Requests
from protocols.origins import Origins

T = 1_000_000.0
END = T + 600


class Door:
    """Requests behind a window that is open, and clients that try as real ones do."""

    def __init__(self, **bounds: float) -> None:
        numbers = itertools.count(1)
        stated = {"requests": 10, "held": 4, "hold": 20.0, "per_address": 5, **bounds}
        self.requests = Requests(Bounds(**stated), lambda: f"r{next(numbers)}")
        self.requests.follow(1, END, ())
        self.sealed = 0

    def seal(self) -> bytes:
        self.sealed += 1
        return b"sealed"

    def ask(self, knock: Knock, began: float, at: float) -> float | None:
        return self.requests.knock(knock, at, at - began, self.seal)

    def wait(self, knock: Knock, began: float, until: float) -> float | None:
        """Have a client wait as long as it may; return the last answer."""
        at = began + LOOK
        while (answer := self.ask(knock, began, at)) and at < until:
            at += answer
        return answer

    def names(self, at: float = T) -> list[str]:
        return [request.knock.username for request in self.requests.listed(at)]

    def only(self, at: float = T) -> Request:
        (request,) = self.requests.listed(at)
        return request


@pytest.fixture
def door() -> Door:
    return Door()


def knock(username: str = "press", offered: str = "a", origin: str = "192.0.2.1", **more: Any) -> Knock:
    values = {"protocol": "mqtt", "client_id": "c", "address": origin, **more}
    return Knock(username=username, digest=offered.encode(), origin=origin, **values)


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


# --- how much is kept


def test_one_address_has_so_many_requests_and_the_rest_is_counted(door: Door) -> None:
    for number in range(50):
        door.ask(knock(str(number)), T, T + LOOK)
    assert len(door.names()) == 5 and door.requests.more == 45
    assert not door.requests.takes(knock("another"), T)
    assert door.requests.takes(knock("0"), T), "those that are there go on"
    assert door.requests.takes(knock("another", origin="192.0.2.2"), T)


def test_the_list_is_bounded_and_what_was_just_shown_stays(door: Door) -> None:
    for number in range(100):
        door.ask(knock(str(number), origin=str(number)), T, T + LOOK)
    assert door.names(T + 1) == [str(number) for number in range(10)]
    assert door.requests.more == 90 and door.sealed == 10


def test_of_too_many_the_least_patient_gives_way(door: Door) -> None:
    for number in range(10):
        door.ask(knock(str(number), origin=str(number)), T + number / 10, T + number / 10 + LOOK)
    for number in (0, 2, 3):
        door.ask(knock(str(number), origin=str(number)), T + 3, T + 3 + LOOK)
    at = T + 4 + SHOWN
    door.ask(knock("new", origin="x"), at, at + LOOK)
    assert door.names(at)[0] == "new"
    assert set(door.names(at)) == {"new", *"023456789"}, "the oldest of those that tried only once"


def test_an_address_that_fills_the_list_and_retries_makes_room_for_a_newcomer_at_once() -> None:
    door = Door(requests=20, per_address=10)
    crowd = [knock(str(number), origin=origin) for origin in ("x", "y") for number in range(10)]
    for at in (T, T + 3):
        for one in crowd:
            door.ask(one, at, at + LOOK)
        assert door.ask(knock("honest"), at + 1, at + 1 + LOOK) is not None
        assert "honest" in door.names(at + 2)
    for one in crowd:
        door.ask(one, T + 7, T + 7 + LOOK)
    assert "honest" in door.names(T + 8), "and is not pushed out by those that have more"
    assert len(door.names(T + 8)) == 20


def test_a_crowd_that_finds_no_room_does_not_take_the_turn_of_others() -> None:
    door = Door(requests=20, per_address=15)
    for number in range(20):
        door.ask(knock(str(number), origin="x" if number < 10 else "y"), T, T + LOOK)
    assert door.ask(knock("more", origin="x"), T + 1, T + 1 + LOOK) is None
    assert door.requests.is_hopeless(knock("more", origin="y").place, T + 1 + LOOK)
    assert door.ask(knock("honest"), T + 1, T + 1 + LOOK) is not None


def test_a_flood_from_many_addresses_pushes_out_neither_a_room_behind_one_router_nor_the_patient() -> None:
    door = Door(per_address=8, requests=20)
    room = [knock(f"press-{number}") for number in range(8)]
    for at in (T, T + 5, T + 10):
        for one in room:
            door.ask(one, at, at + LOOK)
    for number in range(100):
        at = T + 11 + number / 10
        door.ask(knock(f"flood-{number}", origin=f"x{number}"), at, at + LOOK)
    assert {one.knock.username for one in door.requests.listed(at)} > {one.username for one in room}


def test_an_address_has_so_many_usernames_whatever_has_become_of_their_requests() -> None:
    door = Door(requests=2, per_address=5)
    taken = []
    for number in range(20):
        at = T + number * (SHOWN + 1)
        taken.append(door.ask(knock(str(number)), at, at + LOOK) is not None)
    assert taken == [True] * 5 + [False] * 15
    assert door.requests.is_hopeless(knock("another").place, at)
    assert door.ask(knock("0"), at + 9, at + 9 + LOOK) is not None, "a username that it had comes again"
    assert door.ask(knock("another", origin="192.0.2.2"), at + 20, at + 20 + LOOK) is not None
    door.requests.follow(2, END, ())
    assert door.requests.takes(knock("another"), T), "another window counts anew"


def test_of_addresses_a_bounded_number_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origins, "MOST_KNOWN", 20)
    monkeypatch.setattr(origins, "MOST_BANNED", 20)
    kept = Origins(1)
    for number in range(100):
        kept.came(str(number), "press")
        kept.left(str(number))
        kept.ban(f"banned {number}")
    assert [kept.may_ask(str(number), "other") for number in (79, 80)] == [True, False]
    assert [kept.is_banned(f"banned {number}") for number in (79, 80)] == [False, True]


def test_what_comes_from_near_takes_the_place_of_what_comes_from_far_away_and_never_the_other_way(door: Door) -> None:
    for number in range(10):
        door.ask(knock(str(number), origin=f"far {number}"), T, T + LOOK)
    near = [knock(f"near {number}", origin=f"near {number}", is_near=True) for number in range(9)]
    assert [door.ask(one, T + 1, T + 1 + LOOK) is not None for one in near] == [True] * 9
    assert len(door.names(T + 2)) == 10
    for number in range(100):
        at = T + 20 + number
        door.ask(knock(f"late {number}", origin=f"late {number}"), at, at + LOOK)
    assert {one.username for one in near} < set(door.names(at)), "though their clients have long left"


def test_a_place_at_the_door_goes_to_who_comes_from_near() -> None:
    door = Door(held=4, per_address=9)
    far = [knock(str(number), origin=str(number)) for number in range(4)]
    assert [door.ask(one, T, T + LOOK) for one in far] == [LOOK] * 4
    assert door.ask(knock("near", is_near=True), T + 1, T + 1 + LOOK) == LOOK
    assert sorted(door.ask(one, T, T + 1.2) for one in far) == [0.0, LOOK, LOOK, LOOK]


def test_who_tries_more_often_has_no_better_chance_of_a_place_in_a_full_list() -> None:
    door = Door()
    shown: Counter[str] = Counter()
    for tenth in range(12_000):
        at = T + tenth / 10
        for kind, every in (("quick", 1), ("slow", 5)):
            for number in range(20):
                if (tenth + number * every // 2) % (10 * every) == 0:
                    one = knock(f"{kind} {number}", origin=f"{kind} {number}")
                    was_there = one.username in door.names(at)
                    shown[kind] += door.ask(one, at, at + LOOK) is not None and not was_there
    assert shown["slow"] > shown["quick"] / 2 > 50, shown


def test_of_turns_a_bounded_number_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowding, "MOST_TURNS", 20)
    turns = Turns()
    assert all(turns.has(str(number), T) for number in range(100))
    assert [turns.has(str(number), T + TRY) for number in (80, 79)] == [False, True]
    assert turns.has("99", T + TURN) and turns.has("98", T - 100), "also where a clock is set back"


def test_a_flood_does_not_search_for_room_each_time(door: Door) -> None:
    for number in range(11):
        door.ask(knock(str(number), origin=str(number)), T, T + LOOK)
    assert not door.requests.takes(knock("new", origin="x"), T + LOOK)
    assert door.requests.takes(knock("new", origin="x"), T + 1)


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
