"""How many onboarding requests are kept whatever clients do, and who gives way when there are too many."""

from __future__ import annotations

from collections import Counter

import pytest

from protocols import crowding, origins
from protocols.crowding import SHOWN, TRY, TURN, Turns
from protocols.onboarding import LOOK
from protocols.origins import Origins
from tests.protocols.onboarding_bed import END, Door, T, knock


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
