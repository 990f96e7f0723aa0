"""To which topics an integration may publish and subscribe; and closing its connections."""

from __future__ import annotations

import pytest

from portal import clock, integrations, presence
from portal.fields import FieldError
from portal.models import Activity, Connection, Integration, Revision
from tests.support.databases import kinds, revision


@pytest.fixture
def turing(database, actor, sealer) -> Integration:
    return integrations.create(actor, sealer, "mqtt", username="turing", password="secret one")


def test_a_created_integration_may_use_every_topic(turing):
    found = integrations.by_id(turing.id)
    assert (found.publish_filters, found.subscribe_filters) == (("#",), ("#",))


def test_permissions_are_saved_counted_and_recorded(turing, actor):
    integrations.set_permissions(turing.id, actor, publish=["plant/%u/#", "é"], subscribe=[])
    found = integrations.by_id(turing.id)
    assert (found.publish_filters, found.subscribe_filters) == (("plant/%u/#", "é"), ())
    assert found.revision == revision() == 2
    row = Activity.select().order_by(Activity.id.desc()).get()
    assert (row.kind, row.account) == ("integration.permissions-changed", "ada@example.com")
    assert row.detail == "publish: plant/%u/#, é; subscribe: nothing"


def test_permissions_that_are_not_given_or_the_same_are_no_change(turing, actor):
    integrations.set_permissions(turing.id, actor)
    integrations.set_permissions(turing.id, actor, publish=["#"])
    assert kinds() == ["integration.created"]
    integrations.set_permissions(turing.id, actor, subscribe=["a"])
    assert integrations.by_id(turing.id).publish_filters == ("#",)
    assert Activity.select().order_by(Activity.id.desc()).get().detail == "subscribe: a"


def test_a_wrong_filter_changes_nothing(turing, actor):
    with pytest.raises(FieldError) as caught:
        integrations.set_permissions(turing.id, actor, publish=["a"], subscribe=["a/#/b"])
    assert caught.value.field == "subscribe"
    assert integrations.by_id(turing.id).publish_filters == ("#",)
    assert revision() == 1


@pytest.fixture
def open_connections(turing) -> list[str]:
    presence.start_node("node", clock.now(), {})
    ids = ["1", "2", "3"]
    opened = [presence.Connected(id, turing.id, "mqtt", f"client-{id}", "192.0.2.1", clock.now()) for id in ids]
    presence.Writer("node").write(opened)
    return ids


def kicked() -> set[str]:
    return {row.id for row in Connection.select().where(Connection.kicked)}


def test_disconnecting_one_connection_asks_its_node_and_records_it(turing, actor, open_connections):
    before = Revision.values_now()
    assert integrations.disconnect(turing.id, actor, "2") == 1
    assert kicked() == {"2"}
    after = Revision.values_now()
    assert after["kicks"] == before["kicks"] + 1
    assert after["integrations"] == before["integrations"], "no credential changed"
    row = Activity.select().order_by(Activity.id.desc()).get()
    assert (row.kind, row.detail, row.account) == ("integration.disconnected", "client client-2", "ada@example.com")


def test_disconnecting_all_connections_says_how_many(turing, actor, open_connections):
    assert integrations.disconnect(turing.id, actor, "2") == 1
    assert integrations.disconnect(turing.id, actor) == 2
    assert kicked() == {"1", "2", "3"}
    assert Activity.select().order_by(Activity.id.desc()).get().detail == "2 connections"
    assert integrations.disconnect(turing.id, actor) == 0
    assert kinds().count("integration.disconnected") == 2, "nothing was done the last time"
