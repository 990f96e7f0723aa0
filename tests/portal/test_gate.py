"""The gate: who may come in, and who is cut when credentials change."""

from __future__ import annotations

import pytest

from portal import db, integrations
from portal.credentials import Sealer
from portal.gate import Gate
from portal.kinds import KINDS
from portal.models import Integration, Revision
from tests.support.databases import counted_queries


@pytest.fixture
def turing(database, actor, sealer) -> Integration:
    return integrations.create(actor, sealer, "mqtt", username="turing", password="secret")


@pytest.fixture
def gate(turing, sealer) -> Gate:
    made = Gate(sealer)
    made.refresh()
    return made


def reason(gate: Gate, username: str = "turing", password: bytes = b"secret", door: str = "mqtt"):
    return gate.decide(door, username, password)[1]


def test_the_right_credentials_come_in(gate, turing):
    entry, refused = gate.decide("mqtt", "turing", b"secret")
    assert refused is None
    assert (entry.id, entry.username) == (turing.id, "turing")


def test_nobody_comes_in_before_the_credentials_were_read(turing, sealer):
    assert reason(Gate(sealer)) == "unknown username"


@pytest.mark.parametrize("username", ["", "Turing", "turing ", "turin", "eve", "turing\0"])
def test_an_unknown_username_is_refused(gate, username):
    assert gate.decide("mqtt", username, b"secret") == (None, "unknown username")


@pytest.mark.parametrize("password", [b"", b"Secret", b"secret ", b"secre", b"\xff\xfe"])
def test_a_wrong_password_is_refused(gate, turing, password):
    entry, refused = gate.decide("mqtt", "turing", password)
    assert refused == "wrong password"
    assert entry.id == turing.id  # so that activity shows it at the integration


def test_an_inactive_integration_is_refused(gate, turing, actor):
    integrations.set_active(turing.id, False, actor)
    gate.refresh()
    assert reason(gate) == "integration is inactive"
    assert reason(gate, password=b"guess") == "wrong password"  # a guesser learns nothing
    integrations.set_active(turing.id, True, actor)
    gate.refresh()
    assert reason(gate) is None


@pytest.mark.parametrize("type", [type for type, kind in KINDS.items() if kind.door != "mqtt"])
def test_a_credential_of_another_type_does_not_open_the_mqtt_door(gate, actor, sealer, type):
    integrations.create(actor, sealer, type, username="other", password="secret")
    gate.refresh()
    assert reason(gate, "other") == "integration is of another type"
    assert reason(gate, "other", b"guess") == "wrong password"


def test_an_mqtt_credential_opens_no_other_door(gate):
    assert reason(gate, door="opcua") == "integration is of another type"


def test_a_password_sealed_with_another_key_lets_nobody_in_and_is_said(turing, caplog):
    gate = Gate(Sealer("another key for tests"))
    gate.refresh()
    assert reason(gate) == "wrong password"
    assert reason(gate, password=b"") == "wrong password"
    assert (
        "1 integrations, 'turing' among them, cannot log in: their passwords were sealed with another SECRET_KEY"
        in caplog.text
    )


def test_one_unreadable_password_does_not_keep_others_out(gate, turing, actor, sealer):
    Integration.update(sealed_password=b"rubbish").where(Integration.id == turing.id).execute()
    integrations.create(actor, sealer, "mqtt", username="hopper", password="secret")
    gate = Gate(sealer)
    gate.refresh()
    assert reason(gate, "hopper") is None


def test_the_first_refresh_cuts_nobody(turing, sealer):
    withdrawn = Gate(sealer).refresh()
    assert (withdrawn.cut, withdrawn.deleted) == ({}, [])


def test_a_refresh_without_a_change_is_one_query(gate):
    with counted_queries() as statements:
        withdrawn = gate.refresh()
    selects = [sql for sql in statements if sql.startswith("SELECT")]
    assert len(selects) == 1, statements
    assert (withdrawn.cut, withdrawn.deleted) == ({}, [])


def test_a_change_reads_only_what_changed(gate, actor, sealer, monkeypatch):
    for number in range(20):
        integrations.create(actor, sealer, "mqtt", username=f"u{number}")
    gate.refresh()
    opened = []
    monkeypatch.setattr(sealer, "open", lambda sealed: opened.append(sealed) or "secret")
    integrations.set_note(integrations.by_username("u7").id, "note", actor)
    gate.refresh()
    assert len(opened) == 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # PostgreSQL's driver takes all rows in one step
@pytest.mark.parametrize("delete", [False, True])
def test_a_change_takes_as_many_rows_however_many_integrations_there_are(gate, actor, sealer, delete):
    with db.writing():
        made = [integrations.create(actor, sealer, "mqtt", username=f"u{number}") for number in range(100)]
    gate.refresh()
    if delete:
        integrations.delete(made[7].id, actor)
    else:
        integrations.set_active(made[7].id, False, actor)
    rows = []
    connection = db.database.connection()
    connection.row_factory = lambda cursor, row: rows.append(row) or row
    try:
        withdrawn = gate.refresh()
    finally:
        connection.row_factory = None
    assert (withdrawn.deleted or withdrawn.cut["integration deactivated"]) == [made[7].id]
    assert 2 <= len(rows) <= 4, "each row gives the interpreter to whoever is busy"


def test_another_database_with_fewer_changes_is_read_anew(gate, turing, actor, sealer):
    for _ in range(5):
        integrations.set_note(turing.id, "note", actor)
    gate.refresh()
    Revision.update(value=3).where(Revision.name == "integrations").execute()
    Integration.update(revision=3, active=False).where(Integration.id == turing.id).execute()
    assert gate.refresh().cut == {"integration deactivated": [turing.id]}


@pytest.mark.parametrize(
    ("change", "cut"),
    [
        (lambda id, actor, s: integrations.set_active(id, False, actor), "integration deactivated"),
        (lambda id, actor, s: integrations.rename(id, "alan", actor), "username changed"),
        (lambda id, actor, s: integrations.set_password(id, "new", actor, s), "password changed"),
    ],
)
def test_a_withdrawn_credential_cuts_its_integration(gate, turing, actor, sealer, change, cut):
    change(turing.id, actor, sealer)
    withdrawn = gate.refresh()
    assert withdrawn.cut == {cut: [turing.id]}
    assert withdrawn.deleted == []
    assert reason(gate) is not None  # and the old credential is worth nothing already
    assert gate.refresh().cut == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda id, actor, s: integrations.set_note(id, "note", actor),
        lambda id, actor, s: integrations.set_password(id, "secret", actor, s),
        lambda id, actor, s: integrations.set_active(id, True, actor),
        lambda id, actor, s: integrations.reveal(id, actor, s),
    ],
)
def test_a_change_that_withdraws_nothing_cuts_nobody(gate, turing, actor, sealer, change):
    change(turing.id, actor, sealer)
    withdrawn = gate.refresh()
    assert (withdrawn.cut, withdrawn.deleted) == ({}, [])
    assert reason(gate) is None


def test_activation_cuts_nobody(gate, turing, actor):
    integrations.set_active(turing.id, False, actor)
    gate.refresh()
    integrations.set_active(turing.id, True, actor)
    assert gate.refresh().cut == {}


def test_deactivated_and_activated_between_two_looks_cuts_and_leaves_the_credential_valid(gate, turing, actor):
    for active in (False, True, False, True):
        integrations.set_active(turing.id, active, actor)
    integrations.set_note(turing.id, "note", actor)
    assert gate.refresh().cut == {"integration deactivated": [turing.id]}
    assert reason(gate) is None
    integrations.set_note(turing.id, "another note", actor)
    assert gate.refresh().cut == {}


def test_a_deleted_integration_is_cut_for_good(gate, turing, actor):
    integrations.delete(turing.id, actor)
    withdrawn = gate.refresh()
    assert (withdrawn.cut, withdrawn.deleted) == ({}, [turing.id])
    assert reason(gate) == "unknown username"


def test_a_deleted_and_recreated_name_is_another_integration(gate, turing, actor, sealer):
    integrations.delete(turing.id, actor)
    again = integrations.create(actor, sealer, "mqtt", username="turing", password="new")
    assert again.id != turing.id, "an id must never be used twice: connections are cut by it"
    withdrawn = gate.refresh()
    assert withdrawn.deleted == [turing.id]
    assert reason(gate, password=b"secret") == "wrong password"
    assert gate.decide("mqtt", "turing", b"new")[0].id == again.id


def test_swapped_names_cut_both_and_each_keeps_its_password(gate, turing, actor, sealer):
    hopper = integrations.create(actor, sealer, "mqtt", username="hopper", password="other")
    gate.refresh()
    for id, name in ((turing.id, "spare"), (hopper.id, "turing"), (turing.id, "hopper")):
        integrations.rename(id, name, actor)
    assert sorted(gate.refresh().cut["username changed"]) == sorted([turing.id, hopper.id])
    assert gate.decide("mqtt", "turing", b"other")[0].id == hopper.id
    assert gate.decide("mqtt", "hopper", b"secret")[0].id == turing.id
    assert reason(gate, "turing", b"secret") == "wrong password"


def test_many_integrations_are_read(gate, actor, sealer):
    with db.writing():
        for number in range(1200):
            integrations.create(actor, sealer, "mqtt", username=f"u{number}", password="secret")
    gate.refresh()
    assert all(reason(gate, f"u{number}") is None for number in range(1200))


def permitted(gate: Gate) -> dict[int, tuple]:
    return {entry.id: (entry.publish, entry.subscribe) for entry in gate.refresh().permitted}


def test_permissions_come_with_the_entry(gate, turing, actor):
    entry, _ = gate.decide("mqtt", "turing", b"secret")
    assert (entry.publish, entry.subscribe) == (("#",), ("#",))
    integrations.set_permissions(turing.id, actor, publish=["plant/%u/#"], subscribe=[])
    gate.refresh()
    entry, _ = gate.decide("mqtt", "turing", b"secret")
    assert (entry.publish, entry.subscribe) == (("plant/%u/#",), ())


def test_changed_permissions_are_reported_and_cut_nobody(gate, turing, actor):
    integrations.set_permissions(turing.id, actor, subscribe=["plant/#"])
    withdrawn = gate.refresh()
    assert (withdrawn.cut, withdrawn.deleted) == ({}, [])
    assert [entry.subscribe for entry in withdrawn.permitted] == [("plant/#",)]
    integrations.set_permissions(turing.id, actor, publish=["#"], subscribe=["plant/#"])
    integrations.set_note(turing.id, "on the roof", actor)
    assert permitted(gate) == {}


def test_a_renamed_integration_is_permitted_anew_for_what_its_filters_say_of_its_name(gate, turing, actor):
    integrations.rename(turing.id, "alan", actor)
    assert permitted(gate) == {turing.id: (("#",), ("#",))}


def test_permissions_of_an_inactive_integration_are_reported_for_its_stored_sessions(gate, turing, actor):
    integrations.set_permissions(turing.id, actor, subscribe=[])
    integrations.set_active(turing.id, False, actor)
    withdrawn = gate.refresh()
    assert withdrawn.cut == {"integration deactivated": [turing.id]}
    assert [entry.id for entry in withdrawn.permitted] == [turing.id]


def test_the_gate_is_current_until_something_changes(gate, turing, actor):
    assert gate.is_current(Revision.values_now())
    integrations.set_note(turing.id, "on the roof", actor)
    assert not gate.is_current(Revision.values_now())
    gate.refresh()
    assert gate.is_current(Revision.values_now())


def test_integrations_with_the_same_permissions_share_them(gate, actor, sealer):
    others = [integrations.create(actor, sealer, "mqtt", username=f"u{n}", password="secret") for n in range(2)]
    for other in others:
        integrations.set_permissions(other.id, actor, publish=["a/#", "b"])
    gate.refresh()
    first, second = (gate.decide("mqtt", other.username, b"secret")[0] for other in others)
    assert first.publish == ("a/#", "b") and first.publish is second.publish


def test_a_credential_of_vrpc_opens_the_mqtt_door(gate, actor, sealer):
    integrations.create(actor, sealer, "vrpc", username="press", password="secret", domain="acme.default", role="agent")
    gate.refresh()
    assert reason(gate, "press") is None
    entry = gate.named("press")
    assert (entry.domain, entry.role) == ("acme.default", "agent")


def test_a_changed_domain_or_role_is_a_changed_permission(gate, actor, sealer):
    press = integrations.create(actor, sealer, "vrpc", username="press", domain="acme.default")
    gate.refresh()
    integrations.set_domain(press.id, actor, domain="acme.default", role="agent")
    assert [entry.role for entry in gate.refresh().permitted] == ["agent"]
    integrations.create(actor, sealer, "vrpc", username="saw", domain="acme.other")
    gate.refresh()
    integrations.set_domain(press.id, actor, domain="acme.other", role="agent")
    assert "acme.other" in [entry.domain for entry in gate.refresh().permitted]
    integrations.set_note(press.id, "by the door", actor)
    assert gate.refresh().permitted == []


def test_a_domain_that_is_new_or_gone_is_a_matter_of_every_integration(gate, turing, actor, sealer):
    assert gate.domains == frozenset()
    integrations.create(actor, sealer, "http", username="script", domain="acme.calls")
    assert gate.refresh().permitted == [] and gate.domains == frozenset(), "who may only call is in no domain"
    press = integrations.create(actor, sealer, "edge", username="press", domain="acme.default")
    assert {entry.username for entry in gate.refresh().permitted} == {"turing", "script", "press"}
    assert gate.domains == {"acme.default"}
    second = integrations.create(actor, sealer, "vrpc", username="saw", domain="acme.default")
    assert gate.refresh().permitted == []
    integrations.delete(press.id, actor)
    assert gate.refresh().permitted == [] and gate.domains == {"acme.default"}
    integrations.delete(second.id, actor)
    assert {entry.username for entry in gate.refresh().permitted} == {"turing", "script"}
    assert gate.domains == frozenset()
