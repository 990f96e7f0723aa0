"""What operators decide on who knocks: approved, ignored, banned, or let in again with another password."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal import bans, clock, integrations
from portal.attempt import Attempt
from portal.fields import FieldError
from portal.guard import ADDRESS, Guard, Rules
from portal.models import Activity, Ban, IgnoredClient, Integration, KnownLogin, OnboardingWindow
from portal.onboarding import ignored, requests, window
from portal.onboarding.window import NotOpen
from portal.worker_client import OPCUA, Silent
from tests.portal.knocking import GRACE, PASSWORD, only
from tests.support.databases import in_threads, kinds

# --- approving


def test_an_approval_makes_an_integration_of_what_the_client_brought(opened, settings, actor, sealer):
    opened.knock(protocol="opcua", name="Press 4")
    (outcome,) = requests.approve([only(settings).id], GRACE, sealer, settings)
    made = Integration.get()
    assert outcome.integration == made
    assert (made.username, made.type, made.note, made.created_by) == ("press", "opcua", "Press 4", GRACE.name)
    assert sealer.open(made.sealed_password) == PASSWORD
    assert requests.find(settings).requests == ()
    assert kinds() == ["onboarding.opened", "integration.created", "onboarding.approved"]
    row = Activity.get(Activity.kind == "onboarding.approved")
    assert (row.detail, row.account) == ("client client-1 “Press 4” from 192.0.2.1, 1 try", GRACE.name)
    assert PASSWORD not in str([row.__data__ for row in Activity.select()])


def test_several_are_approved_at_once_and_a_taken_username_is_told(opened, settings, actor, sealer):
    for name in ("a", "b", "c"):
        opened.knock(name)
    ids = [one.id for one in requests.find(settings).requests]
    integrations.create(actor, sealer, "mqtt", username="b")
    outcomes = {one.username: one for one in requests.approve(ids, GRACE, sealer, settings)}
    assert {name for name, one in outcomes.items() if one.integration} == {"a", "c"}
    assert "taken" in outcomes["b"].fault
    assert Integration.select().count() == 3


def test_two_operators_make_one_integration_and_the_second_is_told(opened, settings, actor, sealer):
    opened.knock()
    id = only(settings).id
    both = in_threads(*[lambda who=who: requests.approve([id], who, sealer, settings) for who in (actor, GRACE)])
    assert Integration.select().count() == 1
    made = [outcome for outcomes in both for outcome in outcomes if outcome.integration]
    assert len(made) == 1, both


def test_the_second_of_two_is_told_that_it_is_decided_and_not_that_the_username_is_taken(
    opened, settings, actor, sealer, monkeypatch
):
    opened.knock()
    id = only(settings).id
    seen = opened.have("mqtt", "onboarding_sealed", [id])
    assert requests.approve([id], actor, sealer, settings)[0].integration
    monkeypatch.setattr("portal.worker_client.have", lambda *_, **__: [dict(seen[0])])  # as the second saw it before
    (second,) = requests.approve([id], GRACE, sealer, settings)
    assert (second.username, second.integration, second.fault) == ("press", None, requests.DECIDED)
    integrations.set_password(Integration.get().id, "another", actor, sealer)
    (rival,) = requests.approve([id], GRACE, sealer, settings)
    assert "taken" in rival.fault, "somebody else has it"


def test_what_could_be_decided_is_told_also_where_a_part_does_not_answer(opened, settings, actor, sealer):
    opened.knock("press")
    opened.knock("hmi", protocol="opcua")
    ids = [one.id for one in requests.find(settings).requests]
    opened.silent.add(OPCUA)
    made, missing = requests.approve(ids, actor, sealer, settings)
    assert made.integration.username == "press"
    assert (missing.username, missing.integration, missing.fault) == ("OPC UA", None, requests.SILENT)
    opened.silent.clear()
    assert [one.username for one in requests.find(settings).requests] == ["hmi"], "it can be approved again"


def test_a_window_that_closes_between_two_approvals_is_told_for_the_second(
    opened, settings, actor, sealer, monkeypatch
):
    for name in "ab":
        opened.knock(name)
    ids = [one.id for one in requests.find(settings).requests]
    create = integrations.create

    def create_and_close(*given, **named):
        made = create(*given, **named)
        OnboardingWindow.delete().execute()
        return made

    monkeypatch.setattr(integrations, "create", create_and_close)
    first, second = requests.approve(ids, actor, sealer, settings)
    assert first.integration is not None and second.integration is None
    assert second.fault == str(NotOpen())


def test_activity_has_what_the_client_said_of_itself(opened, settings, actor, sealer):
    opened.knock(will_topic="acme/press/__agentInfo__", name="Press 4")
    requests.dismiss([only(settings).id], actor, settings)
    told = Activity.get(Activity.kind == "onboarding.ignored").detail
    assert told == "client client-1 “Press 4” from 192.0.2.1, 1 try, Will on acme/press/__agentInfo__"


def test_what_is_gone_is_approved_by_nobody(opened, settings, actor, sealer):
    assert requests.approve(["mqtt.gone", "opcua.gone", "nonsense"], actor, sealer, settings) == []


def test_nothing_is_approved_once_the_window_is_closed(opened, settings, actor, sealer, monkeypatch):
    opened.knock()
    id = only(settings).id
    kept = opened.have("mqtt", "onboarding_sealed", [id])
    window.close(actor)
    for _ in range(2):
        with pytest.raises(NotOpen):
            requests.approve([id], actor, sealer, settings)
        with pytest.raises(NotOpen):
            requests.dismiss([id], actor, settings)
        with pytest.raises(NotOpen):
            requests.accept(1, id, actor, sealer, settings)
        monkeypatch.setattr("portal.worker_client.have", lambda *_: kept)  # a part that has not heard of it
    assert Integration.select().count() == 0


def test_without_an_answer_nothing_is_decided(opened, settings, actor, sealer):
    opened.knock()
    id = only(settings).id
    opened.silent.add("mqtt")
    for act in (requests.approve, lambda *_: requests.dismiss([id], actor, settings)):
        with pytest.raises(Silent):
            act([id], actor, sealer, settings)
    assert Integration.select().count() == 0


def test_a_note_that_is_too_long_is_told(opened, settings, sealer, actor):
    with pytest.raises(FieldError):
        integrations.create(actor, sealer, "mqtt", note="x" * 501)
    opened.knock(name="x" * 5_000)
    (outcome,) = requests.approve([only(settings).id], actor, sealer, settings)
    assert len(outcome.integration.note) == 256, "what clients say was cut before"


# --- ignoring


def test_who_is_ignored_stays_away_until_the_next_window(opened, settings, actor):
    opened.knock()
    (gone,) = requests.dismiss([only(settings).id], actor, settings)
    assert gone.username == "press"
    opened.knock()
    assert requests.find(settings).requests == ()
    assert Activity.get(Activity.kind == "onboarding.ignored").username == "press"
    window.close(actor)
    window.open_one(actor)
    opened.knock()
    assert only(settings).username == "press"


def test_who_is_ignored_for_good_stays_away_until_that_is_undone(opened, settings, actor):
    opened.knock(will_topic="a/will")
    requests.dismiss([only(settings).id], actor, settings, for_good=True)
    window.close(actor)
    window.open_one(actor)
    opened.knock()
    assert requests.find(settings).requests == ()
    (row,) = ignored.everybody()
    assert (row.protocol, row.username, row.client_id, row.ignored_by) == ("mqtt", "press", "client-1", actor.name)
    told = Activity.get(Activity.kind == "onboarding.ignored-for-good").detail
    assert told == "client client-1 from 192.0.2.1, 1 try, Will on a/will"
    assert ignored.forget(row.id, GRACE).username == "press"
    opened.knock()
    assert only(settings).username == "press"
    assert kinds()[-1] == "onboarding.heard-again"
    with pytest.raises(ignored.NotIgnored):
        ignored.forget(row.id, GRACE)


def test_a_client_without_a_username_is_approved_under_the_one_that_it_was_given(opened, settings, actor, sealer):
    given = opened.give()
    request = only(settings)
    assert (request.username, request.is_made_up, request.is_told) == (given.username, True, True)
    (outcome,) = requests.approve([request.id], actor, sealer, settings)
    assert integrations.reveal(outcome.integration.id, actor, sealer) == given.password
    told = Activity.get(Activity.kind == "onboarding.approved").detail
    assert told == "client client-1 from 192.0.2.1, 1 try, username made up by Gatehouse"


def test_ignored_for_good_it_stays_away_though_it_would_be_given_another_username(opened, settings, actor):
    for client_id in ("client-1", "client-2"):
        given = opened.give(client_id)
        requests.dismiss([only(settings).id], actor, settings, for_good=True)
        assert requests.find(settings).requests == ()
        rows = [(row.username, row.client_id) for row in ignored.everybody()[:2]]
        assert rows == [(given.username, client_id), ("", client_id)]
    assert len(ignored.everybody()) == 4, "of two clients without a username each is ignored by itself"


def test_a_client_that_makes_up_client_ids_is_ignored_whatever_it_is_called(database, actor):
    ignored.add(actor, "mqtt", "press", "c1", "from here")
    ignored.add(actor, "mqtt", "press", "c2", "from here")
    ignored.add(actor, "http", "press", "c2", "from here")
    assert {(row.protocol, row.client_id) for row in IgnoredClient.select()} == {("mqtt", ""), ("http", "c2")}
    told = [row.detail for row in Activity.select().order_by(Activity.id)]
    assert told == ["from here", "from here, by any client id", "from here"]


def test_not_too_many_are_ignored_for_good(database, actor, monkeypatch):
    monkeypatch.setattr(ignored, "MOST", 3)
    for number in range(6):
        ignored.add(actor, "mqtt", f"press-{number}", "c", "192.0.2.1")
    assert [row.username for row in ignored.everybody()] == ["press-5", "press-4", "press-3"]


# --- banning


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8:1:2:3::4"])
def test_a_ban_of_its_address_takes_all_of_its_requests(opened, settings, actor, address):
    opened.knock("a", address=address)
    opened.knock("b", address=address, protocol="opcua")
    opened.knock("c", address="198.51.100.1")
    first = requests.find(settings).requests[0]
    assert requests.ban(first.id, actor, settings) == address
    assert [one.username for one in requests.find(settings).requests] == ["c"]
    (ban,) = Ban.select()
    assert (ban.kind, ban.name, ban.until - ban.since) == (ADDRESS, bans.origin_of(address), timedelta(hours=24))
    assert Activity.get(Activity.kind == "ban.set").detail == f"address {ban.name} banned for 24 hours"
    assert requests.ban(first.id, actor, settings) is None


@pytest.mark.parametrize("per_address", [0, 20])
def test_an_operators_ban_holds_also_where_bans_for_guessing_are_off(database, actor, per_address):
    bans.add("192.0.2.1", "mqtt", "press", 24, actor)
    guard = Guard(Rules(per_address=per_address))
    bans.Keeper(guard).sync(clock.now())
    now = clock.now().timestamp()
    assert guard.approach(Attempt("mqtt", "press", b"a", "192.0.2.1"), now) is None
    assert guard.approach(Attempt("mqtt", "press", b"a", "192.0.2.2"), now) == 0


# --- a password that has changed


@pytest.fixture
def turing(database, actor, sealer) -> Integration:
    return integrations.create(actor, sealer, "mqtt", username="turing", password="old")


def test_the_password_that_a_client_comes_with_is_accepted_by_a_click(opened, settings, turing, sealer):
    opened.offer(turing.id, "turing")
    offer = requests.find(settings).offer_of(turing.id)
    assert offer.is_clear and offer.address == "192.0.2.1"
    changed = requests.accept(turing.id, offer.id, GRACE, sealer, settings)
    assert sealer.open(changed.sealed_password) == PASSWORD
    assert requests.find(settings).offer_of(turing.id) is None
    assert kinds()[-2:] == ["integration.password-changed", "onboarding.password-accepted"]
    detail = f"client client-1 from 192.0.2.1, a new address, 1 try since {offer.first_at:%H:%M:%S} UTC"
    assert Activity.get(Activity.kind == "onboarding.password-accepted").detail == detail
    assert requests.accept(turing.id, offer.id, GRACE, sealer, settings) is None


@pytest.mark.parametrize(("address", "is_new"), [("192.0.2.1", False), ("192.0.2.9", True), ("2001:db8::1", True)])
def test_a_password_from_an_address_that_its_client_never_came_from_is_marked(
    opened, settings, turing, time, address, is_new
):
    for username, origin in (("turing", "192.0.2.1"), ("other", "192.0.2.9")):
        KnownLogin.create(username=username, origin=origin, last_at=time[0])
    opened.offer(turing.id, "turing", address=address)
    time[0] += timedelta(seconds=5)
    opened.offer(turing.id, "turing", address=address)
    offer = requests.find(settings).offer_of(turing.id)
    assert (offer.is_new_address, offer.tries, offer.client_id) == (is_new, 2, "client-1")
    assert offer.last_at - offer.first_at == timedelta(seconds=5)


def test_of_several_passwords_none_is_accepted(opened, settings, turing, sealer, actor):
    opened.offer(turing.id, "turing")
    id = requests.find(settings).offer_of(turing.id).id
    opened.offer(turing.id, "turing", "a guess")
    assert requests.accept(turing.id, id, actor, sealer, settings) is None
    assert sealer.open(Integration.get().sealed_password) == "old"


def test_nothing_is_accepted_for_another_integration(opened, settings, turing, sealer, actor):
    other = integrations.create(actor, sealer, "mqtt", username="other", password="old")
    opened.offer(turing.id, "turing")
    id = requests.find(settings).offer_of(turing.id).id
    assert requests.accept(other.id, id, actor, sealer, settings) is None
