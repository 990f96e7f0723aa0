"""The simulation of newcomers beside a flood."""

from benchmarks.chances import STEPS, simulate


def test_who_finds_room_in_the_list_is_shown_from_its_first_try_on() -> None:
    for client in simulate(addresses=20, newcomers=5, period=5 * STEPS, steps=20 * STEPS, seed=1):
        assert len(client.came) == 1 and client.shown >= 14 * STEPS


def test_beside_more_than_the_list_holds_a_newcomer_comes_and_goes() -> None:
    found = simulate(addresses=400, newcomers=4, period=5 * STEPS, steps=60 * STEPS, seed=1)
    comings = sum(len(client.came) for client in found)
    assert 0 < comings < sum(client.tries for client in found)
    assert all(client.shown < 50 * STEPS for client in found), "none keeps its place for as long as it tries"
