"""The verbs of integrations: what each changes, counts and records, and what it refuses."""

from __future__ import annotations

import pytest

from portal import activity, clock, db, integrations, presence
from portal.fields import FieldError
from portal.integrations import NotFound
from portal.kinds import KINDS
from portal.models import Activity, Connection, Integration
from tests.support.databases import in_threads, kinds, revision


@pytest.fixture
def turing(database, actor, sealer) -> Integration:
    return integrations.create(actor, sealer, "mqtt", username="turing", password="secret one")


def test_a_created_integration_is_active_and_known_by_its_name(turing, sealer):
    found = integrations.by_username("turing")
    assert (found.id, found.type, found.active, found.note) == (turing.id, "mqtt", True, "")
    assert found.created_by == "ada@example.com"
    assert found.last_login is None
    assert found.revision == revision() == 1
    assert sealer.open(found.sealed_password) == "secret one"


def test_a_created_integration_is_recorded_without_its_password(turing):
    (row,) = Activity.select()
    assert (row.kind, row.username, row.integration_id) == (
        "integration.created",
        "turing",
        turing.id,
    )
    assert (row.account, row.address, row.detail) == ("ada@example.com", "192.0.2.7", "MQTT")
    assert "secret" not in str(row.__data__)


@pytest.mark.parametrize(("type", "filters"), [("mqtt", ("#",)), ("opcua", ())])
def test_what_is_permitted_at_first_depends_on_the_type(database, actor, sealer, type, filters):
    found = integrations.by_id(integrations.create(actor, sealer, type).id)
    assert (found.publish_filters, found.subscribe_filters) == (filters, filters)


@pytest.mark.parametrize("type", list(KINDS))
def test_every_type_can_be_created_with_generated_credentials(database, actor, sealer, type):
    made = integrations.create(actor, sealer, type, domain="acme.default" if KINDS[type].is_placed else "")
    assert made.type == type
    assert "_" in made.username
    assert len(sealer.open(made.sealed_password)) == 24


def test_generated_credentials_differ(database, actor, sealer):
    made = [integrations.create(actor, sealer, "mqtt") for _ in range(20)]
    assert len({row.username for row in made}) == 20
    assert len({sealer.open(row.sealed_password) for row in made}) == 20


def test_a_taken_generated_name_is_replaced_by_another(turing, actor, sealer, monkeypatch):
    monkeypatch.setattr(integrations, "generate_username", lambda attempt: ["turing", "turing_7"][attempt])
    assert integrations.create(actor, sealer, "mqtt").username == "turing_7"


def test_no_free_generated_name_is_said_at_the_field(turing, actor, sealer, monkeypatch):
    monkeypatch.setattr(integrations, "generate_username", lambda attempt: "turing")
    with pytest.raises(FieldError) as caught:
        integrations.create(actor, sealer, "mqtt")
    assert caught.value.field == "username"


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("type", {"type": "carrier pigeon"}),
        ("username", {"username": ""}),
        ("username", {"username": "turing"}),
        ("username", {"username": "a\0b"}),
        ("password", {"password": ""}),
        ("note", {"note": "x" * 501}),
    ],
)
def test_an_unusable_value_is_refused_at_its_field_and_nothing_changes(turing, actor, sealer, field, values):
    with pytest.raises(FieldError) as caught:
        integrations.create(actor, sealer, **{"type": "mqtt", **values})
    assert caught.value.field == field
    assert Integration.select().count() == 1
    assert revision() == 1
    assert kinds() == ["integration.created"]


def test_usernames_differ_by_case(turing, actor, sealer):
    integrations.create(actor, sealer, "mqtt", username="Turing")
    assert integrations.by_username("Turing").id != turing.id


def test_rename_keeps_the_rest_and_records_the_old_name(turing, actor, sealer):
    renamed = integrations.rename(turing.id, "alan", actor)
    assert renamed.username == "alan"
    stored = integrations.by_username("alan")
    assert stored.id == turing.id
    assert stored.revision == revision() == 2
    assert sealer.open(stored.sealed_password) == "secret one"
    assert Activity.select().order_by(Activity.id.desc()).get().detail == "was turing"
    with pytest.raises(NotFound):
        integrations.by_username("turing")


def test_rename_to_its_own_name_is_no_change(turing, actor):
    integrations.rename(turing.id, "turing", actor)
    assert integrations.by_id(turing.id).revision == 1
    assert kinds() == ["integration.created"]


def test_rename_to_a_taken_name_is_refused_at_the_field(turing, actor, sealer):
    integrations.create(actor, sealer, "mqtt", username="hopper")
    with pytest.raises(FieldError) as caught:
        integrations.rename(turing.id, "hopper", actor)
    assert (caught.value.field, caught.value.message) == ("username", integrations.TAKEN)
    assert integrations.by_id(turing.id).username == "turing"


def test_set_password_seals_the_new_one(turing, actor, sealer):
    integrations.set_password(turing.id, "secret two", actor, sealer)
    stored = integrations.by_id(turing.id)
    assert sealer.open(stored.sealed_password) == "secret two"
    assert stored.revision == revision() == 2
    assert kinds()[-1] == "integration.password-changed"
    assert "secret" not in str([row.__data__ for row in Activity.select()])


def test_an_empty_password_is_refused_at_the_field(turing, actor, sealer):
    with pytest.raises(FieldError) as caught:
        integrations.set_password(turing.id, "", actor, sealer)
    assert caught.value.field == "password"
    assert integrations.reveal(turing.id, actor, sealer) == "secret one"


def test_set_note_is_recorded_once(turing, actor):
    integrations.set_note(turing.id, " on the roof ", actor)
    integrations.set_note(turing.id, "on the roof", actor)
    assert integrations.by_id(turing.id).note == "on the roof"
    assert kinds() == ["integration.created", "integration.note-changed"]


def test_deactivate_and_activate_change_the_state_once_each(turing, actor):
    for active in (False, False, True, True):
        integrations.set_active(turing.id, active, actor)
        assert integrations.by_id(turing.id).active is active
    assert kinds()[1:] == ["integration.deactivated", "integration.activated"]


def test_delete_removes_it_and_keeps_what_happened(turing, actor):
    gone = integrations.delete(turing.id, actor)
    assert gone.username == "turing"
    assert revision() == 2
    with pytest.raises(NotFound):
        integrations.by_id(turing.id)
    assert kinds() == ["integration.created", "integration.deleted"]
    assert {row.username for row in Activity.select()} == {"turing"}


def test_delete_takes_the_open_connections_along(turing, actor):
    presence.start_node("node", clock.now(), {})
    row = {"node": "node", "protocol": "mqtt", "client_id": "c", "address": "192.0.2.1"}
    Connection.create(force_insert=True, id="1", integration=turing.id, connected_at=clock.now(), **row)
    integrations.delete(turing.id, actor)
    assert Connection.select().count() == 0


def test_a_deleted_name_can_be_used_again(turing, actor, sealer):
    integrations.delete(turing.id, actor)
    again = integrations.create(actor, sealer, "mqtt", username="turing")
    assert integrations.by_username("turing").id == again.id


def test_reveal_returns_the_password_and_records_who_asked(turing, actor, sealer):
    assert integrations.reveal(turing.id, actor, sealer) == "secret one"
    row = Activity.select().order_by(Activity.id.desc()).get()
    assert (row.kind, row.username, row.account) == (
        "integration.password-shown",
        "turing",
        "ada@example.com",
    )
    assert "secret" not in str(row.__data__)
    assert revision() == 1  # nothing has to be read anew because somebody looked


def test_every_verb_says_when_there_is_no_such_integration(database, actor, sealer):
    for verb in (
        lambda: integrations.by_username("nobody"),
        lambda: integrations.by_id(7),
        lambda: integrations.rename(7, "alan", actor),
        lambda: integrations.set_password(7, "secret", actor, sealer),
        lambda: integrations.set_note(7, "note", actor),
        lambda: integrations.set_active(7, True, actor),
        lambda: integrations.set_permissions(7, actor, publish=["a"]),
        lambda: integrations.disconnect(7, actor),
        lambda: integrations.delete(7, actor),
        lambda: integrations.reveal(7, actor, sealer),
    ):
        with pytest.raises(NotFound, match="no integration has the"):
            verb()
    assert revision() == 0
    assert kinds() == []


def test_of_two_that_take_one_name_at_once_one_is_refused(database, actor, sealer):
    first = integrations.create(actor, sealer, "mqtt", username="a")
    second = integrations.create(actor, sealer, "mqtt", username="b")
    results = in_threads(
        lambda: integrations.rename(first.id, "c", actor),
        lambda: integrations.rename(second.id, "c", actor),
        lambda: integrations.create(actor, sealer, "mqtt", username="c"),
    )
    refused = [result for result in results if isinstance(result, FieldError)]
    assert len(refused) == 2, results
    assert {error.message for error in refused} == {integrations.TAKEN}
    assert Integration.select().where(Integration.username == "c").count() == 1


def test_changes_of_one_integration_at_once_are_both_kept(turing, actor, sealer):
    results = in_threads(
        lambda: integrations.rename(turing.id, "alan", actor),
        lambda: integrations.set_password(turing.id, "secret two", actor, sealer),
        lambda: integrations.set_note(turing.id, "on the roof", actor),
        lambda: integrations.set_active(turing.id, False, actor),
    )
    assert not [result for result in results if isinstance(result, Exception)], results
    stored = integrations.by_id(turing.id)
    assert (stored.username, stored.note, stored.active) == ("alan", "on the roof", False)
    assert sealer.open(stored.sealed_password) == "secret two"
    assert stored.revision == revision() == 5


def test_a_change_that_fails_is_neither_saved_nor_recorded(turing, actor, monkeypatch):
    monkeypatch.setattr(integrations, "_record", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        integrations.rename(turing.id, "alan", actor)
    assert integrations.by_id(turing.id).username == "turing"
    assert revision() == 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_account_can_change_nothing_while_another_process_holds_the_database(
    turing, actor, tmp_path, database, monkeypatch
):
    """What is not saved raises; the one lock that SQLite has is held by somebody else."""
    import sqlite3

    db.database.execute_sql("PRAGMA busy_timeout=100")
    holder = sqlite3.connect(tmp_path / "gatehouse.db", isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(db.Unavailable, match="locked"):
            integrations.rename(turing.id, "alan", actor)
    finally:
        holder.close()
    assert integrations.by_id(turing.id).username == "turing"


def test_an_integration_of_vrpc_has_a_domain_and_a_role_from_the_first(database, actor, sealer):
    made = integrations.create(actor, sealer, "vrpc", domain="acme.default")
    assert (made.domain, made.role) == ("acme.default", "both")
    agent = integrations.create(actor, sealer, "vrpc", domain=" acme.press ", role="agent")
    assert (agent.domain, agent.role) == ("acme.press", "agent")


@pytest.mark.parametrize(
    ("type", "domain", "role", "field"),
    [
        ("vrpc", "", "", "domain"),
        ("vrpc", "a/b", "agent", "domain"),
        ("vrpc", "acme.default", "chief", "role"),
        ("http", "acme.default", "agent", "role"),
        ("http", "a+b", "", "domain"),
        ("mqtt", "acme.default", "", "domain"),
        ("opcua", "", "client", "role"),
        ("edge", "", "", "domain"),
        ("edge", "acme.default", "client", "role"),
        ("edge", "acme.default", "both", "role"),
    ],
)
def test_a_domain_or_a_role_that_does_not_fit_the_type_is_refused(database, actor, sealer, type, domain, role, field):
    with pytest.raises(FieldError) as refused:
        integrations.create(actor, sealer, type, domain=domain, role=role)
    assert refused.value.field == field
    assert not Integration.select().exists()


def test_a_change_of_domain_or_role_is_recorded_in_words(database, actor, sealer):
    made = integrations.create(actor, sealer, "vrpc", domain="acme.default")
    integrations.set_domain(made.id, actor, domain="acme.press", role="agent")
    integrations.set_domain(made.id, actor, domain="acme.press", role="agent")  # changes nothing
    details = [row.detail for row in activity.of_integration(made.id, 9) if row.kind == "integration.domain-changed"]
    assert details == ["an agent in acme.press; was agent and client in acme.default"]


def test_an_http_integration_may_be_granted_calls_and_lose_them_again(database, actor, sealer):
    script = integrations.create(actor, sealer, "http")
    assert (script.domain, script.role) == ("", "")
    granted = integrations.set_domain(script.id, actor, domain="acme.default")
    assert (granted.domain, granted.role) == ("acme.default", "client")
    taken = integrations.set_domain(script.id, actor, domain="")
    assert (taken.domain, taken.role) == ("", "")
    assert activity.of_integration(script.id, 1)[0].detail == "in no domain; was a client in acme.default"
