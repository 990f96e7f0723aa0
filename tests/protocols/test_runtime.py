"""The contract as the protocol servers are handed it: who comes in, and what is written of them."""

from __future__ import annotations

import fcntl
import sqlite3

import pytest

from portal import activity, clock, config, db, integrations, presence
from portal.config import SettingError
from portal.gate import Gate
from portal.guard import Guard, Rules
from portal.models import Activity, Connection, Integration, Node
from protocols import recorder
from protocols.contract import Authenticate, Grant, Login, Presence, Refusal, Wait
from protocols.doorman import Doorman
from protocols.entrance import CUT_REASONS, DISCONNECTED, Book, Entrance
from protocols.joining import Joining
from protocols.onboarding import Bounds
from protocols.runtime import Runtime
from tests.support import databases
from tests.support.processes import wait_until

NODE = "node-a"


@pytest.fixture
def turing(database, actor, sealer) -> Integration:
    return integrations.create(actor, sealer, "mqtt", username="turing", password="secret")


@pytest.fixture
def gate(turing, sealer) -> Gate:
    made = Gate(sealer)
    made.refresh()
    return made


@pytest.fixture
def book(database, monkeypatch):
    monkeypatch.setattr(recorder, "RETRY", 0.05)
    presence.start_node(NODE, clock.now(), {"mqtt": 1883})
    made = Book(NODE)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def guard() -> Guard:
    return Guard(Rules(per_address=5, per_username=5))


@pytest.fixture
def entrance(gate, guard, book, sealer) -> Entrance:
    doorman = Doorman("mqtt", NODE, Bounds(requests=10, held=4, hold=20.0), sealer)
    return Entrance(gate, guard, book, doorman, Joining(sealer, lambda act: act()))


def answer(entrance: Entrance, attempt: Login) -> Grant | Refusal:
    """Ask until the answer is final, without waiting for real."""
    waited = 0.0
    while isinstance(said := entrance(attempt, waited), Wait):
        waited += said.seconds
        assert waited < 30
    return said


def login(username: str | None = "turing", password: bytes | None = b"secret", **more: str) -> Login:
    values = {"protocol": "mqtt", "client_id": "client-1", "address": "192.0.2.1", **more}
    return Login(username=username, password=password, **values)


def notes(kind: str) -> list[Activity]:
    return list(Activity.select().where(Activity.kind == kind).order_by(Activity.id))


def connections() -> dict[str, str]:
    return {row.id: row.client_id for row in Connection.select()}


def test_the_parts_fulfil_the_contract():
    authenticate: Authenticate = Entrance.__new__(Entrance)
    presences: Presence = Book.__new__(Book)
    assert callable(authenticate)
    assert callable(presences.connected) and callable(presences.disconnected)


def test_the_right_credentials_are_granted_every_topic(entrance, turing):
    assert entrance(login()) == Grant(turing.id, "turing", ("#",), ("#",))


@pytest.mark.parametrize(
    ("attempt", "refusal"),
    [
        (login(username=None), Refusal.NO_CREDENTIALS),
        (login(username=""), Refusal.NO_CREDENTIALS),
        (login(password=None), Refusal.NO_CREDENTIALS),
        (login(username="eve"), Refusal.UNKNOWN_USERNAME),
        (login(password=b"guess-7431"), Refusal.WRONG_PASSWORD),
        (login(password=b""), Refusal.WRONG_PASSWORD),
        (login(protocol="opcua"), Refusal.WRONG_TYPE),
    ],
)
def test_a_refused_login_is_recorded_without_the_password(entrance, turing, attempt, refusal):
    assert answer(entrance, attempt) is refusal
    (row,) = wait_until(lambda: notes(activity.REFUSED))
    assert (row.detail, row.username, row.address) == (refusal, attempt.username, "192.0.2.1")
    assert row.protocol == attempt.protocol
    known = refusal in {Refusal.WRONG_PASSWORD, Refusal.WRONG_TYPE}
    assert row.integration_id == (turing.id if known else None)
    assert "guess-7431" not in str(row.__data__)


def test_an_inactive_integration_is_refused(entrance, gate, turing, actor):
    integrations.set_active(turing.id, False, actor)
    gate.refresh()
    assert answer(entrance, login()) is Refusal.INACTIVE


def test_every_reason_of_the_gate_is_one_of_the_contract(gate, actor, sealer, entrance):
    """A reason that the contract does not know would raise where nothing may."""
    integrations.create(actor, sealer, "opcua", username="other", password="secret")
    gate.refresh()
    assert answer(entrance, login(username="other")) is Refusal.WRONG_TYPE


def test_a_login_that_would_be_refused_waits_first_and_is_recorded_once(entrance, gate):
    attempt = login(password=b"guess")
    assert entrance(attempt) == Wait(pytest.approx(0.126))
    gate.refresh()
    gate.read_at -= 0.1  # the last reading began before the attempt
    assert entrance(attempt, 0.05) == Wait(0.1)
    gate.refresh()
    assert entrance(attempt, 0.15) is Refusal.WRONG_PASSWORD
    wait_until(lambda: notes(activity.REFUSED))
    assert [row.count for row in notes(activity.REFUSED)] == [1]


def test_credentials_that_are_made_while_a_login_waits_are_accepted(entrance, gate, guard, actor, sealer):
    attempt = login(username="new", password=b"password")
    assert isinstance(entrance(attempt), Wait)
    made = integrations.create(actor, sealer, "mqtt", username="new", password="password")
    gate.refresh()
    assert entrance(attempt, 0.13) == Grant(made.id, "new")
    assert len(guard._tallies["address"]["192.0.2.1"]) == 0, "and it was no guess"


def test_when_the_database_cannot_be_read_a_login_is_decided_after_two_seconds(entrance, gate):
    gate.read_at -= 10
    attempt = login(password=b"guess")
    assert isinstance(entrance(attempt, 1.9), Wait)
    assert entrance(attempt, 2.0) is Refusal.WRONG_PASSWORD


def test_too_many_guesses_are_refused_without_a_look_at_the_password(entrance, turing):
    for number in range(5):
        assert answer(entrance, login(password=b"guess%d" % number)) is Refusal.WRONG_PASSWORD
    assert entrance(login()) is Refusal.TOO_MANY_FAILURES
    assert entrance(login(address="192.0.2.99")) == Grant(turing.id, "turing")
    last = wait_until(lambda: [row for row in notes(activity.REFUSED) if row.detail == Refusal.TOO_MANY_FAILURES])
    assert [(row.username, row.integration_id) for row in last] == [("turing", turing.id)]


def test_a_known_client_gets_in_from_a_banned_address_on_the_first_try(entrance, turing):
    assert entrance(login()) == Grant(turing.id, "turing")
    for number in range(9):
        answer(entrance, login(username="eve", password=b"guess%d" % number))
    assert entrance(login(username="eve")) is Refusal.TOO_MANY_FAILURES
    assert entrance(login()) == Grant(turing.id, "turing")


def test_made_up_usernames_under_a_ban_are_one_entry(entrance):
    for number in range(5):
        answer(entrance, login(username=f"eve{number}"))
    for number in range(50):
        assert entrance(login(username=f"mallory{number}")) is Refusal.TOO_MANY_FAILURES
    (row,) = wait_until(lambda: [row for row in notes(activity.REFUSED) if row.detail == Refusal.TOO_MANY_FAILURES])
    wait_until(lambda: Activity.get_by_id(row.id).count == 50)
    assert row.username is None


@pytest.mark.parametrize("kind", ["inactive", "of another type"])
def test_the_right_password_where_it_does_not_open_is_no_guess(entrance, gate, turing, actor, sealer, kind):
    if kind == "inactive":
        integrations.set_active(turing.id, False, actor)
        gate.refresh()
        attempt = login()
    else:
        attempt = login(protocol="opcua")
    for number in range(20):
        assert answer(entrance, attempt._replace(client_id=f"c{number}")) in {Refusal.INACTIVE, Refusal.WRONG_TYPE}
    assert entrance._guard.unsaved(0)[0] == []


def test_a_username_that_cannot_be_shown_is_counted_as_it_is_shown(entrance):
    for number in range(5):
        answer(entrance, login(username="a\x07b" + "c" * 60_000, password=b"%d" % number))
    (ban,) = entrance._guard.unsaved(0)[0]
    assert ban.last_username.isprintable() and len(ban.last_username) == 256


@pytest.mark.parametrize("text", ["a\0b", "\x1b[31m", "\ud800", "x" * 65535])
def test_hostile_text_is_recorded_harmlessly(entrance, book, turing, text):
    assert answer(entrance, login(username=text)) is Refusal.UNKNOWN_USERNAME
    (row,) = wait_until(lambda: notes(activity.REFUSED))
    assert row.username.isprintable() and len(row.username) <= activity.MAX_TEXT


def test_a_connection_is_written_and_closed(entrance, book, turing):
    attempt = login()
    connection_id = book.connected(entrance(attempt), attempt)
    wait_until(lambda: connections() == {connection_id: "client-1"})
    (row,) = wait_until(lambda: notes(activity.LOGIN))
    assert (row.username, row.integration_id, row.address) == ("turing", turing.id, "192.0.2.1")
    assert Integration.get_by_id(turing.id).last_login is not None
    book.disconnected(connection_id, "client said so")
    wait_until(lambda: connections() == {})
    assert notes(activity.CUT) == []


def test_connections_have_ids_of_their_own(entrance, book):
    attempt = login()
    ids = {book.connected(entrance(attempt), attempt) for _ in range(100)}
    assert len(ids) == 100
    wait_until(lambda: set(connections()) == ids)


@pytest.mark.parametrize("reason", sorted(CUT_REASONS))
def test_a_cut_connection_is_recorded_with_the_reason(entrance, book, turing, reason):
    attempt = login()
    connection_id = book.connected(entrance(attempt), attempt)
    book.disconnected(connection_id, reason)
    (row,) = wait_until(lambda: notes(activity.CUT))
    assert (row.detail, row.username, row.integration_id) == (reason, "turing", turing.id)


def test_the_reasons_that_are_recorded_are_those_that_the_gate_gives(gate, turing, actor, sealer):
    given = set()
    for change in (
        lambda: integrations.rename(turing.id, "alan", actor),
        lambda: integrations.set_password(turing.id, "new", actor, sealer),
        lambda: integrations.set_active(turing.id, False, actor),
    ):
        change()
        given |= set(gate.refresh().cut)
    assert given == CUT_REASONS - {"integration deleted", DISCONNECTED}


def test_a_heartbeat_is_written(book):
    Node.update(heartbeat_at=clock.now() - presence.FRESH * 2).execute()
    assert presence.nodes_up(clock.now()) == []
    book.beat()
    wait_until(lambda: [node.id for node in presence.nodes_up(clock.now())] == [NODE])


def test_a_node_that_was_taken_for_dead_comes_back_with_its_connections(entrance, book):
    attempt = login()
    connection_id = book.connected(entrance(attempt), attempt)
    wait_until(connections)
    presence.stop_node(NODE)
    assert connections() == {}
    book.beat()
    wait_until(lambda: connections() == {connection_id: "client-1"})
    assert [node.id for node in presence.nodes_up(clock.now())] == [NODE]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_presence_catches_up_after_the_database_was_locked(entrance, book, database, tmp_path):
    stays, leaves = login(client_id="stays"), login(client_id="leaves")
    gone = book.connected(entrance(leaves), leaves)
    wait_until(lambda: gone in connections())
    holder = sqlite3.connect(tmp_path / "gatehouse.db", isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        kept = book.connected(entrance(stays), stays)
        book.disconnected(gone, "client said so")
        assert answer(entrance, login(password=b"guess")) is Refusal.WRONG_PASSWORD
    finally:
        holder.close()
    wait_until(lambda: connections() == {kept: "stays"})
    wait_until(lambda: len(notes(activity.REFUSED)) == 1)


@pytest.mark.parametrize("database", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
def test_presence_catches_up_after_the_server_ended_its_connections(entrance, book, database):
    attempt = login()
    first = book.connected(entrance(attempt), attempt)
    wait_until(lambda: first in connections())
    db.database.close()
    database.disconnect()
    second = book.connected(entrance(attempt), attempt)
    book.disconnected(first, "client said so")

    def caught_up() -> bool:
        with db.connected():
            return set(connections()) == {second}

    wait_until(caught_up)
    db.database.connect(reuse_if_open=True)


def test_what_is_queued_is_written_when_it_stops(entrance, book):
    attempt = login()
    for _ in range(3000):
        book.disconnected(book.connected(entrance(attempt), attempt), "server is stopping")
    last = book.connected(entrance(attempt), attempt)
    book.stop()
    assert set(connections()) == {last}
    assert sum(row.count for row in notes(activity.LOGIN)) == 3001


def test_two_runtimes_on_one_data_folder_are_refused(tmp_path):
    settings = config.load(databases.settings_for(tmp_path))
    with (tmp_path / "protocols.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(SettingError, match="^DATA_DIR: another protocols worker"):
            Runtime(settings, {})
