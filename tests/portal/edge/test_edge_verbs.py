"""Edge Connectors and their fleets in the database."""

from __future__ import annotations

import pytest

from portal import activity, integrations
from portal.edge import connectors, fleets
from portal.fields import FieldError
from portal.integrations import NotFound
from portal.models import Activity, EdgeConnector, EdgeFleet, Integration, Revision

CHOSEN = {"domain": "acme.default", "connectors": ["files", "http"], "target": "docker"}


@pytest.fixture
def hall(database, actor, sealer):
    return fleets.create(actor, sealer, prefix="hall", **CHOSEN)


def recorded():
    return [row.kind for row in Activity.select().order_by(Activity.id)]


def join(fleet, sealer, username="hall-0a1b2c3d"):
    return connectors.join(fleet, sealer, username=username, password="own", address="192.0.2.7")


def test_an_edge_connector_is_an_agent_called_like_its_username(database, actor, sealer):
    made = connectors.create(actor, sealer, name="press@hall.1", **CHOSEN)
    found = integrations.by_id(made.id)
    assert (found.username, found.type, found.domain, found.role) == ("press@hall.1", "edge", "acme.default", "agent")
    assert (found.publish_filters, found.subscribe_filters) == (("#",), ("#",))
    row = connectors.row(made.id)
    assert (row.connectors, row.target, row.fleet) == (["files", "http"], "docker", None)
    assert recorded() == ["integration.created", "edge.created"]


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a" * 65, "__a", "prüf", "a:b", "a\n"])
def test_a_name_that_is_no_level_of_a_topic_is_refused(database, actor, sealer, name):
    with pytest.raises(FieldError) as refused:
        connectors.create(actor, sealer, name=name, **CHOSEN)
    assert refused.value.field == "name"
    assert not Integration.select().exists()


@pytest.mark.parametrize("bad", [{"connectors": ["files", "psychic"]}, {"target": "amiga"}, {"target": "windows"}])
def test_what_no_download_can_be_made_of_is_refused(database, actor, sealer, bad):
    for make in (
        lambda given: connectors.create(actor, sealer, name="press", **given),
        lambda given: fleets.create(actor, sealer, prefix="press", **given),
    ):
        with pytest.raises(FieldError) as refused:
            make(CHOSEN | bad)
        assert refused.value.field == next(iter(bad))


@pytest.mark.parametrize("username", ["hall 1", "hall/1", "hall;reboot", "h\u00e4ll", "x" * 65])
def test_one_is_renamed_to_what_its_download_can_be_called_only(database, actor, sealer, username):
    made = connectors.create(actor, sealer, name="hall1", **CHOSEN)
    with pytest.raises(FieldError, match="A username has") as refused:
        integrations.rename(made.id, username, actor)
    assert refused.value.field == "username"
    assert integrations.rename(made.id, "hall@2", actor).username == "hall@2"


def test_a_name_that_is_taken_leaves_nothing_behind(turing, actor, sealer):
    with pytest.raises(FieldError, match="taken"):
        connectors.create(actor, sealer, name=turing.username, **CHOSEN)
    assert not EdgeConnector.select().exists()
    assert "edge.created" not in recorded()


def test_an_integration_that_was_made_otherwise_has_no_row(database, actor, sealer):
    made = integrations.create(actor, sealer, "edge", domain="acme.default")
    assert connectors.row(made.id) is None


def test_a_fleet_has_a_token_of_its_own_and_is_open(hall, actor, sealer):
    other = fleets.create(actor, sealer, prefix="roof", **CHOSEN)
    token = fleets.token(hall, sealer)
    assert len(token) == 32 and ":" not in token and token != fleets.token(other, sealer)
    assert hall.is_open
    assert [one.prefix for one in fleets.everything()] == ["hall", "roof"]


@pytest.mark.parametrize("prefix", ["", "a@b", "a/b", "a" * 33, "__a", "hall"])
def test_a_prefix_that_cannot_be_one_is_refused(hall, actor, sealer, prefix):
    with pytest.raises(FieldError) as refused:
        fleets.create(actor, sealer, prefix=prefix, **CHOSEN)
    assert refused.value.field == "prefix"
    assert EdgeFleet.select().count() == 1


def test_a_fleet_needs_a_domain(database, actor, sealer):
    with pytest.raises(FieldError) as refused:
        fleets.create(actor, sealer, prefix="hall", **CHOSEN | {"domain": "a/b"})
    assert refused.value.field == "domain"


def test_opening_and_closing_is_counted_and_recorded_once(hall, actor):
    before = Revision.values_now()["fleets"]
    assert not fleets.set_open(hall.id, False, actor).is_open
    fleets.set_open(hall.id, False, actor)
    assert not fleets.by_id(hall.id).is_open
    assert fleets.set_open(hall.id, True, actor).is_open
    assert Revision.values_now()["fleets"] == before + 3
    assert recorded() == ["edge.fleet-created", "edge.fleet-closed", "edge.fleet-opened"]


def test_a_member_has_what_its_fleet_was_made_with(hall, sealer):
    made = join(hall, sealer)
    assert (made.type, made.domain, made.role, made.note) == ("edge", "acme.default", "agent", "fleet hall")
    assert (made.created_by, sealer.open(made.sealed_password)) == ("fleet hall", "own")
    row = connectors.row(made.id)
    assert (row.connectors, row.target, row.fleet_id) == (["files", "http"], "docker", hall.id)
    assert fleets.members(hall.id) == [made]
    (joined, _) = activity.of_integration(made.id, 9)
    assert (joined.kind, joined.account, joined.address) == ("edge.joined", "fleet hall", "192.0.2.7")


def test_the_members_of_a_deleted_fleet_stay(hall, actor, sealer):
    made = join(hall, sealer)
    fleets.delete(hall.id, actor)
    assert integrations.by_id(made.id) and connectors.row(made.id).fleet is None
    with pytest.raises(NotFound):
        fleets.set_open(hall.id, True, actor)


def test_an_integration_that_is_deleted_takes_its_row_along(hall, actor, sealer):
    made = join(hall, sealer)
    assert connectors.remove(made.id, actor) == made
    assert not EdgeConnector.select().exists()
    assert recorded()[-2:] == ["integration.deleted", "edge.removed"]
    assert fleets.members(hall.id) == []
