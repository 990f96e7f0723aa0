"""The command line: the shapes it prints, its exit statuses, and the page's own messages."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from click.testing import CliRunner, Result
from flask.cli import FlaskGroup

import app as application
from portal import clock, db, fields, integrations, presence
from portal.kinds import KINDS
from portal.models import Account, Activity, Ban, Integration
from portal.presence import Connected, Writer

SHAPE = {
    "username": str,
    "type": str,
    "active": bool,
    "online": bool,
    "last_login": (str, type(None)),
    "connections": int,
    "note": str,
    "created_at": str,
    "publish": list,
    "subscribe": list,
}


@pytest.fixture
def run(database):
    """Run a command line in this process, the way the `flask` program does."""
    db.database.close_all()  # the application makes a pool of its own
    made = application.create_app(database.settings)
    program = FlaskGroup(create_app=lambda: made, add_default_commands=False)

    def invoke(*words: str, **options) -> Result:
        return CliRunner().invoke(program, words, **options)

    with db.connected():
        yield invoke


@pytest.fixture
def added(run) -> dict:
    return done(run("integrations", "add", "--type", "mqtt", "--username", "turing", "--json"))


def done(result: Result):
    """Return the JSON of a command that has to succeed."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(result: Result, status: int = 1) -> str:
    """Return what a command that has to be refused says, and require that it printed nothing else."""
    assert result.exit_code == status, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr.strip()


def shape(row: dict, *more: str) -> None:
    assert set(SHAPE) | set(more) <= set(row)
    for name, kind in SHAPE.items():
        assert isinstance(row[name], kind), name
    assert datetime.fromisoformat(row["created_at"]).utcoffset() == timedelta(0)


def test_add_prints_the_integration_with_its_password(added):
    shape(added, "password")
    assert (added["username"], added["type"], added["active"]) == ("turing", "mqtt", True)
    assert (added["online"], added["connections"], added["last_login"]) == (False, 0, None)
    assert len(added["password"]) == 24


def test_add_takes_a_username_a_password_and_a_note(run, sealer):
    words = ("--username", "plant/line 1", "--password", "secret", "--note", "on the roof")
    row = done(run("integrations", "add", "--type", "mqtt", *words, "--json"))
    assert (row["username"], row["password"], row["note"]) == ("plant/line 1", "secret", "on the roof")
    stored = Integration.get(Integration.username == "plant/line 1")
    assert sealer.open(stored.sealed_password) == "secret"
    assert stored.created_by == "command line"


def test_add_without_json_prints_both_credentials_on_one_line(run):
    result = run("integrations", "add", "--type", "mqtt")
    username, password = result.stdout.rstrip("\n").split("\t")
    assert integrations.by_username(username) and len(password) == 24


@pytest.mark.parametrize("type", list(KINDS))
def test_every_type_can_be_added(run, type):
    row = done(run("integrations", "add", "--type", type, "--json"))
    assert row["type"] == type
    assert bool(row["domain"]) is KINDS[type].is_placed


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("--username", ""), fields.username),
        (("--username", " a"), fields.username),
        (("--username", "a\nb"), fields.username),
        (("--username", "x" * 129), fields.username),
        (("--password", ""), fields.password),
        (("--password", "a\tb"), fields.password),
        (("--note", "x" * 501), fields.note),
    ],
)
def test_an_unusable_value_gets_the_pages_message_and_status_1(run, words, field):
    with pytest.raises(fields.FieldError) as at_the_page:
        field(words[1])
    message = refused(run("integrations", "add", "--type", "mqtt", *words, "--json"))
    assert message == f"Error: {at_the_page.value.message}"
    assert Integration.select().count() == 0


def test_a_taken_username_gets_the_pages_message_and_status_1(run, added):
    message = refused(run("integrations", "add", "--type", "mqtt", "--username", "turing", "--json"))
    assert message == f"Error: {integrations.TAKEN}"


@pytest.mark.parametrize(
    "words",
    [
        ("integrations", "add"),
        ("integrations", "add", "--type", "pigeon"),
        ("integrations", "activate"),
        ("integrations", "list", "--no-such-option"),
        ("integrations", "no-such-command"),
        ("accounts", "add"),
    ],
)
def test_a_wrong_call_gets_status_2(run, words):
    refused(run(*words), 2)


def test_list_prints_an_array(run, added):
    assert done(run("integrations", "delete", "turing", "--json"))["deleted"] is True
    assert done(run("integrations", "list", "--json")) == []
    for name in ("b", "a"):
        run("integrations", "add", "--type", "mqtt", "--username", name)
    rows = done(run("integrations", "list", "--json"))
    assert [row["username"] for row in rows] == ["a", "b"]
    for row in rows:
        shape(row)
        assert "password" not in row


def test_list_shows_who_is_online_and_how_often(run, added):
    now = clock.now()
    presence.start_node("node", now, {})
    integration_id = integrations.by_username("turing").id
    Writer("node").write([Connected(str(n), integration_id, "mqtt", "c", "192.0.2.1", now) for n in range(2)])
    (row,) = done(run("integrations", "list", "--json"))
    assert (row["online"], row["connections"]) == (True, 2)
    assert datetime.fromisoformat(row["last_login"]) == now
    table = run("integrations", "list").stdout
    columns = ["username", "type", "domain", "role", "active", "online", "last_login", "note"]
    assert table.splitlines()[0].split() == columns
    assert table.splitlines()[1].split()[:4] == ["turing", "mqtt", "yes", "yes"]


def test_deactivate_and_activate_print_the_new_state(run, added):
    for word, active in (("deactivate", False), ("activate", True)):
        row = done(run("integrations", word, "turing", "--json"))
        shape(row)
        assert row["active"] is active
        assert integrations.by_username("turing").active is active
    assert run("integrations", "deactivate", "turing").stdout == "turing is inactive\n"


def test_reveal_prints_the_password_and_records_it(run, added):
    assert done(run("integrations", "reveal", "turing", "--json"))["password"] == added["password"]
    assert run("integrations", "reveal", "turing").stdout == added["password"] + "\n"
    shown = Activity.select().where(Activity.kind == "integration.password-shown")
    assert {row.account for row in shown} == {"command line"}


def test_permit_sets_what_is_given_and_prints_it(run, added):
    row = done(run("integrations", "permit", "turing", "--publish", "plant/%u/#", "--publish", "shared/x", "--json"))
    shape(row)
    assert (row["publish"], row["subscribe"]) == (["plant/%u/#", "shared/x"], ["#"])
    printed = run("integrations", "permit", "turing", "--subscribe", "").stdout
    assert printed == "turing may publish to plant/%u/#, shared/x\nturing may subscribe to nothing\n"
    (row,) = done(run("integrations", "list", "--json"))
    assert (row["publish"], row["subscribe"]) == (["plant/%u/#", "shared/x"], [])


def test_permit_says_what_is_left_to_an_opcua_integration(run, added):
    done(run("integrations", "add", "--type", "opcua", "--username", "press", "--json"))
    printed = run("integrations", "permit", "press", "--publish", "turing/#").stdout
    assert printed.endswith("\npress may subscribe to nothing beyond its own folder\n")


def test_permit_refuses_a_wrong_filter_with_the_pages_message(run, added):
    message = refused(run("integrations", "permit", "turing", "--publish", "a", "--publish", "a/#/b", "--json"))
    assert message.startswith("Error: Line 2 (a/#/b): # stands alone")


def test_disconnect_says_how_many_connections_it_closes(run, added):
    presence.start_node("node", clock.now(), {})
    opened = [Connected(str(n), added["id"], "mqtt", "c", "192.0.2.1", clock.now()) for n in range(2)]
    Writer("node").write(opened)
    assert done(run("integrations", "disconnect", "turing", "--json")) == {"username": "turing", "disconnected": 2}
    assert run("integrations", "disconnect", "turing").stdout == "0 connections closed\n"


@pytest.mark.parametrize("word", ["activate", "deactivate", "delete", "reveal", "permit", "disconnect"])
def test_an_unknown_username_gets_status_1_and_is_named(run, word):
    assert refused(run("integrations", word, "nobody", "--json")) == ("Error: no integration has the username 'nobody'")


def test_a_password_that_cannot_be_opened_gets_status_1(run, added):
    Integration.update(sealed_password=b"\x01" + b"x" * 40).execute()
    assert "sealed with another SECRET_KEY" in refused(run("integrations", "reveal", "turing"))


def test_accounts_can_be_added_and_listed(run):
    words = ("accounts", "add", "Ada@example.com", "--password", "correct horse")
    row = done(run(*words, "--json"))
    assert row["email"] == "ada@example.com"
    assert row["last_login"] is None
    assert done(run("accounts", "list", "--json")) == [row]
    assert run("accounts", "list").stdout.split() == ["email", "last_login", "ada@example.com"]
    assert "password_hash" not in row and "correct horse" not in str(row)


def test_a_password_is_asked_for_when_it_is_left_out(run):
    answer = "correct horse\ncorrect horse\n"
    result = run("accounts", "add", "ada@example.com", input=answer)
    assert result.exit_code == 0, result.output
    assert "correct horse" not in result.output
    assert Account.select().count() == 1


@pytest.mark.parametrize(
    ("email", "password", "field"),
    [("nobody", "correct horse", fields.email), ("a@b", "short", fields.account_password)],
)
def test_an_unusable_account_gets_the_pages_message_and_status_1(run, email, password, field):
    with pytest.raises(fields.FieldError) as at_the_page:
        field(email if field is fields.email else password)
    message = refused(run("accounts", "add", email, "--password", password, "--json"))
    assert message == f"Error: {at_the_page.value.message}"


def test_set_password_changes_it(run):
    run("accounts", "add", "ada@example.com", "--password", "correct horse")
    before = Account.get().password_hash
    words = ("accounts", "set-password", "ada@example.com", "--password", "battery staple")
    assert done(run(*words, "--json")) == {"email": "ada@example.com", "changed": True}
    assert Account.get().password_hash != before


def test_set_password_of_nobody_gets_status_1(run):
    words = ("accounts", "set-password", "eve@example.com", "--password", "battery staple")
    assert "eve@example.com" in refused(run(*words, "--json"))


def test_a_minus_reads_the_password_from_standard_input(run):
    words = ("integrations", "add", "--type", "mqtt", "--username", "quiet", "--password", "-", "--json")
    assert done(run(*words, input="from a pipe\n"))["password"] == "from a pipe"
    assert "A password is required." in refused(run(*words[:5], "other", *words[6:], input=""))


# --- bans


@pytest.fixture
def banned(run) -> Ban:
    now = clock.now()
    return Ban.create(
        kind="address",
        name="2001:db8::/64",
        since=now,
        until=now + timedelta(minutes=10),
        times=1,
        failures=20,
        protocol="mqtt",
        last_username="turing",
        last_address="2001:db8::7",
    )


def test_bans_are_listed(run, banned):
    (shown,) = done(run("bans", "list", "--json"))
    assert (shown["kind"], shown["name"], shown["failures"]) == ("address", "2001:db8::/64", 20)
    assert datetime.fromisoformat(shown["until"]) == banned.until
    table = run("bans", "list").stdout.splitlines()
    assert table[0].split()[:3] == ["kind", "name", "protocol"]
    assert "2001:db8::/64" in table[1]


def test_without_a_ban_the_list_is_empty(run):
    assert done(run("bans", "list", "--json")) == []


@pytest.mark.parametrize("name", ["2001:db8::/64", "2001:db8::7"])
def test_a_ban_is_lifted_by_name(run, banned, name):
    (shown,) = done(run("bans", "lift", name, "--json"))
    assert shown["lifted"] is True
    assert done(run("bans", "list", "--json")) == []
    row = Activity.get(Activity.kind == "ban.lifted")
    assert (row.account, row.detail) == ("command line", "address 2001:db8::/64")


def test_lifting_what_is_not_banned_is_refused(run):
    assert refused(run("bans", "lift", "192.0.2.7")) == "Error: no ban holds for '192.0.2.7'"


def test_an_integration_of_vrpc_is_added_to_a_domain_in_a_role(run):
    words = ("integrations", "add", "--type", "vrpc", "--username", "press")
    row = done(run(*words, "--domain", "acme.default", "--role", "agent", "--json"))
    assert (row["domain"], row["role"]) == ("acme.default", "agent")
    row = done(run("integrations", "add", "--type", "vrpc", "--json"))
    assert (row["domain"], row["role"]) == ("gatehouse.default", "both"), "there is no account to name it after"
    row = done(run("integrations", "add", "--type", "mqtt", "--json"))
    assert (row["domain"], row["role"]) == (None, None)


def test_domain_and_role_are_changed_and_what_is_not_given_stays(run):
    run("integrations", "add", "--type", "vrpc", "--username", "press", "--domain", "acme.default")
    row = done(run("integrations", "place", "press", "--role", "agent", "--json"))
    assert (row["domain"], row["role"]) == ("acme.default", "agent")
    result = run("integrations", "place", "press", "--domain", "acme.hall2")
    assert result.stdout == "press is an agent in acme.hall2\n"
    assert "one level" in refused(run("integrations", "place", "press", "--domain", "a/b"))
    assert "follow from its domain" in refused(run("integrations", "permit", "press", "--publish", "#"))


def test_an_http_integration_is_granted_a_domain_and_loses_it(run):
    run("integrations", "add", "--type", "http", "--username", "script", "--domain", "acme.default")
    row = done(run("integrations", "place", "script", "--domain", "", "--json"))
    assert (row["domain"], row["role"]) == (None, None)
    assert run("integrations", "place", "script").stdout == "script is in no domain\n"
    assert "no domain and no role" in refused(run("integrations", "add", "--type", "opcua", "--domain", "a"))
