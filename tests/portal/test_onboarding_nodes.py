"""Several machines on one database: the portal of one shows what knocks at all of them, and decides on it."""

from __future__ import annotations

import json

import pytest

from portal import clock, integrations, presence
from portal.models import OnboardingDecision, OnboardingShare
from portal.onboarding import requests, shares, window
from protocols import doorman
from tests.portal.knocking import HERE, PASSWORD, Doors

THERE = "198.51.100.1"


@pytest.fixture
def here(database, sealer, monkeypatch, actor) -> Doors:
    """The machine whose portal is looked at; the window is open."""
    monkeypatch.setattr(doorman, "SHARE", 0.0)
    made = Doors(sealer)
    monkeypatch.setattr("portal.worker_client.have", made.have)
    presence.start_node("here", clock.now(), {"mqtt": 1883})
    window.open_one(actor)
    return made


@pytest.fixture
def there(here, sealer) -> Doors:
    """Another machine."""
    for node in ("there", "there-opcua"):
        presence.start_node(node, clock.now(), {"mqtt": 1883})
    return Doors(sealer, "there")


def shown(settings) -> list[str]:
    return [one.username for one in requests.find(settings).requests]


def test_a_machine_alone_writes_nothing_of_its_requests_to_the_database(here):
    presence.start_node("here-opcua", clock.now(), {"opcua": 4840})
    here.knock()
    here.share()
    assert not OnboardingShare.select().exists()


def test_what_knocks_at_another_machine_is_shown(here, there, settings):
    there.knock("press", will_topic="a/will")
    there.knock("robot", protocol="opcua")
    here.knock("pump")
    there.share()
    assert sorted(shown(settings)) == ["press", "pump", "robot"]
    press = next(one for one in requests.find(settings).requests if one.username == "press")
    assert (press.will_topic, press.tries, press.is_held, press.is_rival) == ("a/will", 1, True, False)


def test_a_password_is_there_sealed_and_goes_when_the_window_closes(here, there, actor):
    there.knock()
    there.share()
    assert not [row.node for row in OnboardingShare.select() if PASSWORD in row.document]
    window.close(actor)
    shares.write("there", "{}", clock.now())
    assert not OnboardingShare.select().exists(), "nor is it written by who was about to"


@pytest.mark.parametrize("end", ["time", "another"])
def test_however_a_window_ends_nothing_is_left(here, there, actor, settings, end, monkeypatch):
    there.knock()
    there.share()
    requests.dismiss([requests.find(settings).requests[0].id], actor, settings)
    later = clock.now() + window.timedelta(hours=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    if end == "time":
        assert window.expire(later)
    else:
        window.open_one(actor)
    assert not OnboardingShare.select().exists() and not OnboardingDecision.select().exists()


def test_a_machine_that_is_down_is_not_shown(here, there, settings):
    there.knock()
    there.share()
    presence.stop_node("there")
    assert shown(settings) == []


def test_what_does_not_change_is_not_written_again(here, there, monkeypatch):
    there.knock()
    there.share()
    monkeypatch.setattr(shares, "write", lambda *_: pytest.fail("written again"))
    there.share()


@pytest.mark.parametrize("password", [PASSWORD, "another"])
def test_a_client_that_comes_to_both_is_one_request_and_a_rival_is_warned_of(here, there, settings, password):
    here.knock()
    there.knock(password=password)
    there.share()
    found = requests.find(settings).requests
    if password == PASSWORD:
        assert [(one.username, one.tries, one.is_rival) for one in found] == [("press", 2, False)]
    else:
        assert [(one.username, one.is_rival) for one in found] == [("press", True)] * 2


def test_an_approval_lets_it_in_with_its_own_password_wherever_it_comes(here, there, actor, sealer, settings):
    there.knock()
    there.share()
    (request,) = requests.find(settings).requests
    (outcome,) = requests.approve([request.id], actor, sealer, settings)
    assert integrations.reveal(outcome.integration.id, actor, sealer) == PASSWORD
    there.share()
    assert there.have("mqtt", "onboarding_sealed", [request.id]) == [], "it takes no place there"
    assert shown(settings) == []
    (again,) = requests.approve([request.id], actor, sealer, settings) or [None]
    assert again is None, "nobody approves it twice"


@pytest.mark.parametrize("act", ["ignore", "ban"])
def test_who_is_ignored_or_banned_is_so_everywhere(here, there, actor, settings, act):
    there.knock()
    there.share()
    (request,) = requests.find(settings).requests
    if act == "ignore":
        assert [one.username for one in requests.dismiss([request.id], actor, settings)] == ["press"]
    else:
        assert requests.ban(request.id, actor, settings) == HERE
    assert shown(settings) == []
    here.knock(password="and another")
    there.knock(password="one more")
    there.share()
    assert shown(settings) == []
    there.knock(address=THERE)
    there.share()
    assert shown(settings) == ["press"]


def test_of_rivals_at_two_machines_each_is_ignored_by_itself(here, there, actor, settings):
    here.knock()
    there.knock(password="another")
    there.share()
    first, second = requests.find(settings).requests
    requests.dismiss([second.id], actor, settings)
    there.share()
    assert [one.id for one in requests.find(settings).requests] == [first.id]


def test_a_part_that_is_new_follows_what_was_decided_before(here, there, actor, settings, sealer):
    here.knock()
    requests.dismiss([requests.find(settings).requests[0].id], actor, settings)
    started = Doors(sealer, "started")
    started.knock()
    assert started.have("mqtt", "onboarding_list")["requests"] == []


@pytest.mark.parametrize("password", [PASSWORD, "a guess"])
def test_a_password_is_accepted_from_another_machine_unless_there_is_another_one(
    here, there, actor, sealer, settings, password
):
    turing = integrations.create(actor, sealer, "mqtt", username="turing", password="secret")
    there.offer(turing.id, "turing")
    there.share()
    (offer,) = requests.find(settings).offers
    here.offer(turing.id, "turing", password)
    (both,) = requests.find(settings).offers
    assert (both.id, both.tries, both.is_clear) == (offer.id, 2, password == PASSWORD)
    accepted = requests.accept(turing.id, both.id, actor, sealer, settings)
    assert (accepted is not None) is (password == PASSWORD)
    if accepted is not None:
        there.share()
        assert requests.find(settings).offers == ()
        assert integrations.reveal(turing.id, actor, sealer) == PASSWORD


def test_a_full_list_is_a_document_of_bounded_size(here, there):
    for number in range(20):
        there.knock(f"press-{number}", client_id="c" * 300, will_topic="w" * 300, address=f"192.0.2.{number}")
    there.share()
    document = OnboardingShare.get_by_id("there").document
    assert len(json.loads(document)["requests"]) == 10 and len(document) < 20_000
