"""Presence: what the writer makes of batches of events, and who counts as online."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import peewee as pw
import pytest

from portal import activity, integrations, presence
from portal.activity import LOGIN, LoginLog, LoginNote
from portal.models import Activity, Connection, Integration, Node, Revision
from portal.presence import Connected, Disconnected, Heartbeat, Kicks, NodeGone, Writer
from tests.support.databases import counted_queries

START = datetime(2030, 1, 1, tzinfo=UTC)
NODE = "node-a"


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.fixture
def turing(database, actor, sealer) -> Integration:
    return integrations.create(actor, sealer, "mqtt", username="turing")


@pytest.fixture
def hopper(database, actor, sealer) -> Integration:
    return integrations.create(actor, sealer, "mqtt", username="hopper")


@pytest.fixture
def writer(database) -> Writer:
    presence.start_node(NODE, START, {"mqtt": 1883})
    return Writer(NODE)


def connected(id: str, integration, seconds: float = 0) -> Connected:
    key = integration if isinstance(integration, int) else integration.id
    return Connected(id, key, "mqtt", f"client-{id}", "192.0.2.1", after(seconds))


def online(seconds: float = 0) -> set[int]:
    return {row[0] for row in presence.online_ids(after(seconds)).tuples()}


def ids() -> set[str]:
    return {row.id for row in Connection.select()}


def test_a_connection_makes_its_integration_online_with_its_last_login(writer, turing, hopper):
    writer.write([connected("1", turing, 2)])
    assert online() == {turing.id}
    assert Integration.get_by_id(turing.id).last_login == after(2)
    assert Integration.get_by_id(hopper.id).last_login is None
    (row,) = presence.connections_of(turing.id, START)
    assert (row.client_id, row.address, row.protocol) == ("client-1", "192.0.2.1", "mqtt")
    assert row.connected_at == after(2)


def test_a_closed_connection_is_gone_and_the_last_login_stays(writer, turing):
    writer.write([connected("1", turing, 2)])
    writer.write([Disconnected("1")])
    assert online() == set()
    assert Integration.get_by_id(turing.id).last_login == after(2)


def test_a_connection_that_closed_in_the_same_batch_leaves_no_row_but_a_last_login(writer, turing):
    writer.write([connected("1", turing, 2), Disconnected("1")])
    assert ids() == set()
    assert Integration.get_by_id(turing.id).last_login == after(2)


def test_a_taken_over_connection_does_not_close_its_successor(writer, turing):
    writer.write([connected("1", turing)])
    writer.write([connected("2", turing, 1), Disconnected("1")])
    assert ids() == {"2"}
    assert online() == {turing.id}
    assert Integration.get_by_id(turing.id).last_login == after(1)


def test_the_latest_of_several_logins_in_a_batch_is_the_last_login(writer, turing):
    writer.write([connected(str(second), turing, second) for second in range(3)])
    assert Integration.get_by_id(turing.id).last_login == after(2)
    assert presence.count_by_integration([turing.id, 999], START) == {turing.id: 3}


def test_closing_an_unknown_connection_is_nothing(writer, turing):
    writer.write([connected("1", turing), Disconnected("never opened")])
    assert ids() == {"1"}


def test_many_connections_are_written_in_one_batch(writer, turing, hopper):
    opened = [connected(str(n), turing if n % 2 else hopper) for n in range(1500)]
    writer.write(opened)
    assert presence.count_by_integration([turing.id, hopper.id], START) == {
        turing.id: 750,
        hopper.id: 750,
    }
    writer.write([Disconnected(event.connection_id) for event in opened])
    assert ids() == set()


def test_an_integration_that_was_deleted_meanwhile_does_not_spoil_the_batch(writer, turing, hopper, actor):
    integrations.delete(turing.id, actor)
    writer.write([connected("1", turing), connected("2", hopper)])
    assert ids() == {"2"}
    assert online() == {hopper.id}


def test_presence_is_counted_when_it_changes_and_only_then(writer, turing):
    before = Revision.values_now()["presence"]
    writer.write([Heartbeat(after(1))])
    assert Revision.values_now()["presence"] == before
    writer.write([connected("1", turing)])
    writer.write([Disconnected("1")])
    assert Revision.values_now()["presence"] == before + 2


def test_nobody_is_online_on_a_node_whose_heartbeat_is_stale(writer, turing):
    writer.write([connected("1", turing)])
    assert online(5) == {turing.id}
    assert online(5.001) == set()
    assert presence.count_by_integration([turing.id], after(6)) == {}
    assert presence.connections_of(turing.id, after(6)) == []
    assert presence.nodes_up(after(6)) == []


def test_a_heartbeat_keeps_a_node_up(writer, turing):
    writer.write([connected("1", turing)])
    writer.write([Heartbeat(after(4)), Heartbeat(after(8))])
    assert online(13) == {turing.id}
    (node,) = presence.nodes_up(after(13))
    assert node.id == NODE
    assert json.loads(node.listeners) == {"mqtt": 1883}


def test_the_heartbeat_of_a_node_that_was_deleted_says_so_and_writes_nothing(writer, turing):
    presence.stop_node(NODE)
    with pytest.raises(NodeGone):
        writer.write([connected("1", turing), Heartbeat(after(1))])
    assert ids() == set()
    assert Integration.get_by_id(turing.id).last_login is None


def test_a_connection_on_a_node_that_was_deleted_fails_as_a_whole(writer, turing):
    presence.stop_node(NODE)
    note = LoginNote(LOGIN, START, "mqtt", "turing", "192.0.2.1", "c", turing.id)
    with pytest.raises(pw.IntegrityError):
        writer.write([note, connected("1", turing)])
    assert Integration.get_by_id(turing.id).last_login is None
    assert Activity.select().where(Activity.kind == LOGIN).count() == 0


def test_notes_of_a_failed_batch_start_a_row_again(writer, turing, monkeypatch):
    note = LoginNote(activity.REFUSED, START, "mqtt", "eve", "192.0.2.1", "unknown username")
    original = LoginLog.write

    def write_and_fail(log: LoginLog, notes: list[LoginNote]) -> None:
        original(log, notes)
        raise pw.OperationalError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(LoginLog, "write", write_and_fail)
        with pytest.raises(pw.OperationalError):
            writer.write([note])
    writer.write([note])
    (row,) = Activity.select().where(Activity.kind == activity.REFUSED)
    assert row.count == 1


def test_replace_makes_the_table_show_exactly_what_is_open(writer, turing, hopper):
    writer.write([connected("1", turing), connected("2", hopper)])
    writer.replace([connected("2", hopper), connected("3", hopper, 9), connected("4", 999)])
    assert ids() == {"2", "3"}
    assert Integration.get_by_id(hopper.id).last_login == after(9)


def test_replace_leaves_other_nodes_alone(writer, turing):
    presence.start_node("node-b", START, {})
    Writer("node-b").write([connected("b", turing)])
    writer.write([connected("a", turing)])
    writer.replace([])
    assert ids() == {"b"}


def test_a_node_that_starts_again_clears_its_own_leftovers_only(writer, turing):
    presence.start_node("node-b", START, {})
    Writer("node-b").write([connected("b", turing)])
    writer.write([connected("a", turing)])
    presence.start_node(NODE, after(9), {"mqtt": 1884})
    assert ids() == {"b"}
    node = Node.get_by_id(NODE)
    assert (node.started_at, node.heartbeat_at) == (after(9), after(9))
    assert json.loads(node.listeners) == {"mqtt": 1884}


def test_a_node_that_signs_off_takes_its_connections_along(writer, turing):
    writer.write([connected("1", turing)])
    presence.stop_node(NODE)
    assert ids() == set()
    assert presence.nodes_up(START) == []


def test_sweep_deletes_nodes_that_were_silent_for_long(writer, turing):
    presence.start_node("node-b", after(50), {})
    writer.write([connected("1", turing)])
    assert presence.sweep(after(60)) == 0
    assert ids() == {"1"}
    assert presence.sweep(after(60.001)) == 1
    assert ids() == set()
    assert [node.id for node in Node.select()] == ["node-b"]


def test_a_sweep_with_nothing_to_do_takes_one_query(writer):
    with counted_queries() as statements:
        presence.sweep(START)
    assert len(statements) == 1, statements


def test_a_batch_of_many_logins_takes_few_statements(writer, turing):
    events = [connected(str(n), turing, n) for n in range(500)]
    events += [LoginNote(LOGIN, START, "mqtt", "turing", "a", "c", turing.id) for _ in range(500)]
    with counted_queries() as statements:
        writer.write(events)
    assert len(statements) < 25, len(statements)


def test_a_connection_tells_its_version_and_transport(writer, turing):
    writer.write([Connected("1", turing.id, "mqtt", "c", "192.0.2.1", START, "5.0", "wss")])
    (row,) = presence.connections_of(turing.id, START)
    assert (row.version, row.transport, row.kicked) == ("5.0", "wss", False)


def test_of_many_connections_the_newest_can_be_asked_for(writer, turing):
    writer.write([connected(str(second), turing, second) for second in range(5)])
    assert [row.id for row in presence.connections_of(turing.id, START, 2)] == ["4", "3"]


def test_a_kick_is_found_by_the_node_that_has_the_connection(writer, turing, actor):
    presence.start_node("node-b", START, {})
    Writer("node-b").write([connected("b", turing)])
    writer.write([connected("a", turing), connected("a2", turing)])
    here, there = Kicks(NODE), Kicks("node-b")
    integrations.disconnect(turing.id, actor, "b")
    assert (here.look(Revision.values_now()), there.look(Revision.values_now())) == ([], ["b"])
    integrations.disconnect(turing.id, actor)
    assert sorted(here.look(Revision.values_now())) == ["a", "a2"]


def test_without_a_kick_a_look_asks_nothing(writer, turing, actor):
    kicks = Kicks(NODE)
    revisions = Revision.values_now()
    kicks.look(revisions)
    with counted_queries() as statements:
        assert kicks.look(revisions) == []
    assert statements == []


def test_every_node_is_listed_with_its_connections(writer, turing):
    presence.start_node("node-b", after(60), {})
    writer.write([connected("1", turing), connected("2", turing)])
    found = presence.nodes_with_connections()
    assert [(node.id, count) for node, count in found] == [(NODE, 2), ("node-b", 0)]
    assert [presence.is_up(node, after(62)) for node, _ in found] == [False, True]
