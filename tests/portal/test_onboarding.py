"""Smart onboarding in the portal: the window, and who is seen to knock while it is open."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal import clock
from portal.models import Activity, OnboardingWindow, Revision
from portal.onboarding import ignored, requests, window
from portal.onboarding.window import NotOpen
from portal.worker_client import OPCUA
from tests.portal.knocking import GRACE, only
from tests.support.databases import in_threads, kinds


def counter() -> int:
    return Revision.values_now()["onboarding"]


# --- the window


def test_one_window_is_open_at_a_time_and_says_who_opened_it(database, actor, time):
    made = window.open_one(actor)
    assert window.open_one(GRACE).id == made.id
    (found,) = OnboardingWindow.select()
    assert (found.opened_by, found.closes_at - found.opened_at) == (actor.name, timedelta(minutes=10))
    assert window.current(time[0]) == found
    (row,) = Activity.select()
    assert (row.kind, row.account, row.detail) == ("onboarding.opened", actor.name, "for 10 minutes")


def test_two_that_open_it_at_once_open_one(database, actor):
    in_threads(lambda: window.open_one(actor), lambda: window.open_one(GRACE))
    assert OnboardingWindow.select().count() == 1
    assert kinds() == ["onboarding.opened"]


def test_it_can_be_extended_up_to_an_hour_from_now(database, actor, time):
    began = time[0]
    window.open_one(actor)
    assert window.extend(GRACE).closes_at - began == timedelta(minutes=20)
    for _ in range(9):
        window.extend(GRACE)
    assert window.current(began).closes_at - began == timedelta(minutes=60)


def test_what_is_closed_cannot_be_extended_and_is_closed_once(database, actor):
    with pytest.raises(NotOpen):
        window.extend(actor)
    window.open_one(actor)
    assert window.close(GRACE) and not window.close(GRACE)
    assert window.current(clock.now()) is None
    assert kinds() == ["onboarding.opened", "onboarding.closed"]


def test_its_time_ends_it_and_the_jobs_thread_says_so_once(database, actor, time):
    window.open_one(actor)
    assert not window.expire(time[0])
    time[0] += timedelta(minutes=10)
    assert window.current(time[0]) is None
    before = counter()
    assert window.expire(time[0]) and not window.expire(time[0])
    assert counter() == before + 1
    assert Activity.get(Activity.kind == "onboarding.closed").account is None


def test_a_clock_that_is_set_back_keeps_no_window_open_for_hours(database, actor, time):
    window.open_one(actor)
    time[0] -= timedelta(hours=2)
    assert window.current(time[0]) is None and window.expire(time[0])


def test_a_window_left_over_makes_room_for_a_new_one(database, actor, time):
    first = window.open_one(actor).id
    time[0] += timedelta(hours=3)
    assert window.open_one(GRACE).id != first
    assert [row.opened_by for row in OnboardingWindow.select()] == [GRACE.name]


def test_the_follower_tells_each_change_once(database, actor):
    follower = window.Follower()
    assert follower.look(Revision.values_now()).window is None
    assert follower.look(Revision.values_now()) is None
    window.open_one(actor)
    assert follower.look(Revision.values_now()).window.opened_by == actor.name
    ignored.add(actor, "mqtt", "press", "c", "192.0.2.1")
    assert follower.look(Revision.values_now()).ignored == (("mqtt", "press", "c"),)
    assert follower.look(Revision.values_now()) is None


# --- requests


def test_requests_of_both_parts_are_one_list_oldest_first(opened, settings, time):
    for protocol in ("mqtt", "opcua", "http"):
        opened.knock(protocol, protocol=protocol)
        time[0] += timedelta(seconds=1)
    assert [one.protocol for one in requests.find(settings).requests] == ["mqtt", "opcua", "http"]


def test_a_part_that_does_not_answer_is_told(opened, settings):
    opened.knock()
    opened.silent.add(OPCUA)
    found = requests.find(settings)
    assert len(found.requests) == 1 and found.silent == (OPCUA,)


@pytest.mark.parametrize("will", ["acme.default/press/__agentInfo__", "acme.default/host/ab12cd34/__clientInfo__"])
def test_a_vrpc_client_is_known_by_its_will(opened, settings, will):
    opened.knock(will_topic=will, client_id="va3ab12")
    assert only(settings).type == "vrpc"


@pytest.mark.parametrize("will", ["acme.default/hall1/__agentInfo__", ""])
def test_an_edge_connector_is_known_by_its_client_id_and_let_in_as_one(opened, settings, actor, sealer, will):
    opened.knock(will_topic=will, client_id="ve3" + "0" * 20)
    assert only(settings).type == "edge"
    (outcome,) = requests.approve([only(settings).id], actor, sealer, settings)
    assert (outcome.integration.type, outcome.integration.role) == ("edge", "agent")


def test_a_client_of_vrpc_with_the_client_id_of_an_edge_connector_is_none(opened, settings, actor, sealer):
    opened.knock(will_topic="acme.default/host/ab12cd34/__clientInfo__", client_id="ve3" + "0" * 20)
    assert only(settings).type == "vrpc"
    (outcome,) = requests.approve([only(settings).id], actor, sealer, settings)
    assert (outcome.integration.type, outcome.integration.role) == ("vrpc", "client")


@pytest.mark.parametrize(
    ("knock", "place"),
    [
        ({"will_topic": "acme.hall2/press/__agentInfo__"}, ("acme.hall2", "agent")),
        ({"will_topic": "acme.hall2/host/ab12cd34/__clientInfo__"}, ("acme.hall2", "client")),
        ({"client_id": "va3" + "0" * 16}, ("gatehouse.default", "agent")),
        ({"client_id": "va3" + "0" * 16, "username": "acme.hall2/press"}, ("acme.hall2", "agent")),
        ({"client_id": "vc3ab_2-d34" + "0" * 12}, ("gatehouse.default", "client")),
    ],
)
def test_a_vrpc_client_is_let_in_as_what_it_comes_for_and_no_more(opened, settings, actor, sealer, knock, place):
    opened.knock(**knock)
    (outcome,) = requests.approve([only(settings).id], actor, sealer, settings)
    made = outcome.integration
    assert (made.type, made.domain, made.role) == ("vrpc", *place)


@pytest.mark.parametrize(
    "knock",
    [
        {"client_id": "va3" + "0" * 16, "will_topic": "state"},  # as VRPC it could not have this Will
        {"client_id": "va3xyz"},
        {"client_id": "ve3" + "0" * 20, "will_topic": "state"},
        {"client_id": "va3" + "0" * 16, "protocol": "http"},
        {"will_topic": "a/b/c/d/__agentInfo__"},
    ],
)
def test_a_client_that_only_looks_like_vrpc_is_what_its_door_is_for(opened, settings, knock):
    opened.knock(**knock)
    assert only(settings).type == knock.get("protocol", "mqtt")


def test_rivals_for_a_username_are_told_whatever_door_they_came_by(opened, settings):
    opened.knock()
    opened.knock(address="198.51.100.1", password="another")
    opened.knock("other")
    opened.knock(protocol="opcua", address="198.51.100.2")
    rivals = [(one.username, one.is_rival) for one in requests.find(settings).requests]
    assert sorted(rivals) == [("other", False), *[("press", True)] * 3]
