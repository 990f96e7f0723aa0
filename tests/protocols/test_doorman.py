"""Logins that knock: what the entrance answers them, and what becomes of guessing meanwhile."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from portal import activity, clock, integrations
from portal.gate import Gate
from portal.guard import FIRST_WAIT, Guard, Rules
from portal.models import Integration, Revision
from portal.onboarding import decisions, ignored, window
from protocols import doorman
from protocols.contract import Given, Grant, Login, Refusal, Wait
from protocols.doorman import Doorman
from protocols.entrance import Entrance
from protocols.joining import Joining
from protocols.onboarding import LOOK, Bounds

SECRET = b"correct-horse-7431"
PER_ADDRESS = 6


class Book:
    """Notes who was refused."""

    def __init__(self) -> None:
        self.refusals: list[tuple[str | None, Refusal]] = []

    def refused(self, login: Login, refusal: Refusal, integration_id: int | None) -> None:
        self.refusals.append((login.username, refusal))


class House:
    """A part of the protocols worker, without its servers and threads; time passes as its clients wait."""

    def __init__(self, sealer, began: datetime) -> None:
        self.began = self.now = began
        self.gate = Gate(sealer)
        self.guard = Guard(Rules(per_address=5, per_username=5))
        self.book = Book()
        bounds = Bounds(requests=10, held=4, hold=20.0, per_address=PER_ADDRESS)
        self.doorman = Doorman("mqtt", "here", bounds, sealer, self.guard.knows)
        self.entrance = Entrance(self.gate, self.guard, self.book, self.doorman, Joining(sealer, lambda act: act()))
        self.follow()

    def follow(self) -> None:
        """Read what has changed in the database."""
        self.gate.refresh()
        self.doorman.follow(window.read())

    def ask(self, login: Login, waited: float = 0.0) -> Grant | Refusal | Wait:
        self.gate.read_at += 100  # as if it was read a moment ago
        if not waited:
            self.began += timedelta(seconds=0.4)
        self.now = self.began + timedelta(seconds=waited)
        return self.entrance(login, waited)

    def try_once(self, login: Login) -> Grant | Refusal | Wait:
        """Return the answer once it has waited as long as anybody has to."""
        first = self.ask(login)
        return self.ask(login, first.seconds) if isinstance(first, Wait) else first

    def listed(self) -> list[dict]:
        return self.doorman.listed()["requests"]

    def is_banned(self, login: Login) -> bool:
        return self.ask(login) is Refusal.TOO_MANY_FAILURES


@pytest.fixture
def house(database, sealer, monkeypatch) -> House:
    made = House(sealer, clock.now())
    monkeypatch.setattr(clock, "now", lambda: made.now)
    return made


@pytest.fixture
def opened(house, actor) -> House:
    """A house with its window open."""
    window.open_one(actor)
    house.follow()
    return house


@pytest.fixture
def turing(database, actor, sealer) -> Integration:
    return integrations.create(actor, sealer, "mqtt", username="turing", password="secret")


def decide(house: House, kind: str, **subject: object) -> None:
    """Have the doorman follow what an operator has decided, and nothing else."""
    decisions.record(kind, **subject)
    house.doorman.follow(window.read())


def login(username: str = "press", password: bytes = SECRET, **more: str) -> Login:
    values = {"protocol": "mqtt", "client_id": "client-1", "address": "192.0.2.1", **more}
    return Login(username=username, password=password, **values)


def test_with_the_window_closed_a_refused_login_is_what_it_was(house):
    assert house.ask(login()) == Wait(pytest.approx(0.126)), "a guess, which is counted"
    assert house.ask(login(), 0.2) is Refusal.UNKNOWN_USERNAME
    assert house.listed() == [] and house.book.refusals == [("press", Refusal.UNKNOWN_USERNAME)]


def test_an_unknown_username_knocks_and_waits(opened):
    assert opened.ask(login(will_topic="d/a/__agentInfo__")) == Wait(FIRST_WAIT)
    assert opened.listed() == [], "before the credentials were read anew it may be known"
    assert opened.ask(login(will_topic="d/a/__agentInfo__"), 0.1) == Wait(LOOK, knocks=True)
    (row,) = opened.listed()
    assert (row["username"], row["client_id"], row["address"]) == ("press", "client-1", "192.0.2.1")
    assert row["will_topic"] == "d/a/__agentInfo__" and row["is_held"] and row["tries"] == 1
    assert opened.book.refusals == [], "the answer is not final"


def test_it_is_refused_as_ever_when_it_has_waited_in_vain(opened):
    opened.try_once(login())
    assert opened.ask(login(), 14.0) is Refusal.UNKNOWN_USERNAME
    assert opened.book.refusals == [("press", Refusal.UNKNOWN_USERNAME)]
    assert len(opened.listed()) == 1, "and may be approved when it has left"


def test_who_is_approved_is_let_in_with_its_own_password(opened, actor, sealer):
    opened.try_once(login())
    (row,) = opened.doorman.sealed([opened.listed()[0]["id"]])
    integrations.create(actor, sealer, "mqtt", username="press", password=sealer.open(row["sealed"]))
    decide(opened, decisions.APPROVED, keys=[row["key"]])
    assert opened.ask(login(), 0.3) == Wait(LOOK, knocks=True), "until the credentials are read"
    opened.follow()
    assert isinstance(opened.ask(login(), 0.4), Grant)
    assert opened.try_once(login(password=b"another")) is Refusal.WRONG_PASSWORD


@pytest.mark.parametrize("end", [window.close, lambda actor: window.expire(clock.now() + timedelta(hours=1))])
def test_at_the_end_of_the_window_who_waits_is_refused_and_nothing_is_kept(opened, actor, end):
    assert opened.try_once(login()) == Wait(LOOK, knocks=True)
    end(actor)
    opened.follow()
    assert opened.ask(login(), 0.3) is Refusal.UNKNOWN_USERNAME
    assert opened.doorman.listed() == {"requests": [], "more": 0, "offers": [], "node": "here"}
    assert opened.doorman.sealed(["mqtt.1"]) == []


def test_its_time_ends_the_window_without_the_database(opened):
    opened.try_once(login())
    opened.now += timedelta(minutes=10)
    opened.doorman.sweep()
    assert not opened.doorman.is_open
    assert opened.listed() == []


def test_the_job_takes_a_window_away_whose_time_is_over(opened):
    opened.doorman.expire()
    assert window.read().window is not None
    opened.now += timedelta(minutes=10)
    opened.doorman.expire()
    assert window.read().window is None
    opened.doorman.look(Revision.values_now())
    assert not opened.doorman.is_open


@pytest.mark.parametrize("username", ["x" * 129, "x" * 65_535, " press", "a\tb", "a\u202eb", "a\0b", "\ud800"])
def test_a_username_that_no_integration_can_have_is_no_request(opened, username):
    assert opened.try_once(login(username)) is Refusal.UNKNOWN_USERNAME
    assert opened.listed() == []


@pytest.mark.parametrize("password", [b"", b"\xff\xfe", b"a\0b", b"x" * 257])
def test_a_password_that_no_integration_can_have_is_no_request(opened, password):
    assert opened.try_once(login(password=password)) is Refusal.UNKNOWN_USERNAME
    assert opened.listed() == []


def test_what_a_client_says_of_itself_is_cut_and_made_printable(opened):
    opened.try_once(login(client_id="<b>\u202e" + "x" * 70_000, will_topic="\x1b[2J" + "y" * 70_000))
    (row,) = opened.listed()
    assert row["client_id"].startswith("<b>\N{REPLACEMENT CHARACTER}x") and len(row["client_id"]) == 256
    assert row["will_topic"].startswith("\N{REPLACEMENT CHARACTER}[2J") and len(row["will_topic"]) == 256


def test_no_password_is_told_and_none_is_kept_in_the_clear(opened, sealer):
    opened.try_once(login())
    assert SECRET.decode() not in str(opened.doorman.listed())
    (row,) = opened.doorman.sealed([opened.listed()[0]["id"]])
    assert SECRET not in row["sealed"] and sealer.open(row["sealed"]) == SECRET.decode()
    held = vars(opened.doorman._requests)
    assert SECRET.decode() not in repr(held) and SECRET.hex() not in repr(held)


def test_a_client_that_is_ignored_for_good_is_refused_without_waiting(opened, actor):
    ignored.add(actor, "mqtt", "press", "client-1", "192.0.2.1")
    opened.follow()
    assert opened.try_once(login()) is Refusal.UNKNOWN_USERNAME
    assert opened.try_once(login(client_id="other")) == Wait(LOOK, knocks=True)


# --- without a username


def nameless(client_id: str = "sensor-1", **more: str) -> Login:
    return login(client_id=client_id, **more)._replace(username=None, password=None)


def give(house: House, one: Login) -> Given | None:
    house.began += timedelta(seconds=1)
    house.now = house.began
    return house.entrance.give(one)


def with_given(one: Login, given: Given) -> Login:
    return one._replace(username=given.username, password=given.password.encode())


def test_with_the_window_closed_nobody_is_given_credentials(house):
    assert give(house, nameless()) is None and house.book.refusals == []


def test_a_client_without_a_username_is_given_credentials_to_knock_with(opened, sealer):
    given = give(opened, nameless())
    (row,) = opened.listed()
    assert (row["username"], row["client_id"], row["tries"]) == (given.username, "sensor-1", 1)
    assert row["is_made_up"] and row["is_told"] and not row["is_held"]
    assert opened.book.refusals == [(given.username, Refusal.NO_CREDENTIALS)]
    assert opened.try_once(with_given(nameless(), given)) == Wait(LOOK, knocks=True)
    (again,) = opened.listed()
    assert again["id"] == row["id"] and again["is_made_up"] and again["is_held"] and not again["is_told"]
    assert sealer.open(opened.doorman.sealed([row["id"]])[0]["sealed"]) == given.password


def test_a_client_that_does_not_take_them_is_one_request_and_only_its_last_connection_knows_the_password(
    opened, sealer
):
    given = [give(opened, nameless()) for _ in range(5)]
    (row,) = opened.listed()
    assert {one.username for one in given} == {row["username"]} and len({one.password for one in given}) == 5
    assert row["tries"] == 5
    assert sealer.open(opened.doorman.sealed([row["id"]])[0]["sealed"]) == given[-1].password
    opened.try_once(with_given(nameless(), given[0]))
    assert len(opened.listed()) == 2, "an earlier one is a rival, of which the operator is warned"


def test_who_has_come_with_its_credentials_keeps_them_whoever_states_its_client_id(opened, sealer):
    given = give(opened, nameless())
    opened.try_once(with_given(nameless(), given))
    other = give(opened, nameless())
    assert other.username != given.username
    passwords = {
        row["username"]: sealer.open(row["sealed"])
        for row in opened.doorman.sealed([one["id"] for one in opened.listed()])
    }
    assert passwords == dict([given, other])


@pytest.mark.parametrize("other", [{"client_id": "sensor-2"}, {"address": "192.0.2.2"}])
def test_another_client_is_given_other_credentials(opened, other):
    assert give(opened, nameless()).username != give(opened, nameless(**other)).username
    assert len(opened.listed()) == 2


def test_over_http_where_nothing_tells_clients_apart_each_is_given_its_own(opened):
    assert len({give(opened, nameless(protocol="http")).username for _ in range(3)}) == 3


def test_who_was_let_in_under_given_credentials_is_not_told_them_again(opened):
    given = give(opened, nameless())
    decide(opened, decisions.APPROVED, keys=[opened.listed()[0]["key"]])
    assert give(opened, nameless()).username != given.username


def test_a_username_that_an_integration_has_is_not_given(opened, actor, sealer, monkeypatch):
    integrations.create(actor, sealer, "mqtt", username="vast_turing_2", password="secret")
    opened.follow()
    monkeypatch.setattr(doorman, "generate_username", lambda number: f"vast_turing_{number}")
    assert give(opened, nameless()).username == "vast_turing_3"


@pytest.mark.parametrize("why", ["ignored", "ignored for good", "its address banned", "banned for guessing"])
def test_nobody_is_given_credentials_who_is_not_wanted(opened, actor, why):
    give(opened, nameless())
    if why == "ignored":
        decide(opened, decisions.IGNORED, keys=[opened.listed()[0]["nameless"]])
    if why == "ignored for good":
        ignored.add(actor, "mqtt", "", "sensor-1", "192.0.2.1")
        opened.follow()
        assert give(opened, nameless("sensor-2")) is not None
    if why == "its address banned":
        decide(opened, decisions.BANNED, origin="192.0.2.1")
    if why == "banned for guessing":
        for number in range(PER_ADDRESS + 6):
            opened.try_once(login(f"press-{number}"))
    assert give(opened, nameless()) is None


def test_an_address_is_given_so_many_usernames(opened):
    given = [give(opened, nameless(f"sensor-{number}")) for number in range(50)]
    assert sum(one is not None for one in given) == len(opened.listed()) == PER_ADDRESS
    assert opened.doorman.listed()["more"] == 50 - PER_ADDRESS


# --- guessing


def test_clients_behind_one_router_that_knock_are_not_banned_for_it(opened):
    for number in range(PER_ADDRESS):
        assert opened.try_once(login(f"press-{number}")) in (Wait(LOOK, knocks=True), Refusal.UNKNOWN_USERNAME)
    assert not opened.is_banned(login("press-0"))
    assert len(opened.listed()) == PER_ADDRESS


def test_who_knocks_with_a_thousand_usernames_fills_no_list_and_is_banned(opened):
    answers = [opened.try_once(login(f"press-{number}")) for number in range(1_000)]
    assert len(opened.listed()) == PER_ADDRESS
    assert answers[-1] is Refusal.TOO_MANY_FAILURES
    assert answers.count(Refusal.UNKNOWN_USERNAME) <= PER_ADDRESS + 5
    assert opened.try_once(login("other", address="192.0.2.2")) == Wait(LOOK, knocks=True)


def test_tries_at_once_beyond_what_is_kept_are_guesses_too(opened):
    logins = [login(f"press-{number}") for number in range(PER_ADDRESS + 20)]
    for one in logins:
        assert opened.ask(one) == Wait(FIRST_WAIT), "there is room as far as anybody knows"
    for one in logins:
        opened.gate.read_at += 100
        opened.entrance(one, 0.1)
    assert len(opened.listed()) == PER_ADDRESS and opened.is_banned(login("late"))


def test_clients_that_leave_at_once_do_not_keep_others_from_knocking(opened, monkeypatch):
    monkeypatch.setattr(doorman, "MOST_PROMISED", 20)
    for number in range(50):
        opened.entrance(login(f"press-{number}", address=f"192.0.2.{number}"))
    opened.began += timedelta(seconds=doorman.PROMISE)
    assert opened.try_once(login("patient", address="198.51.100.1")) == Wait(LOOK, knocks=True)


def test_guessing_at_a_known_username_is_stopped_while_the_window_is_open(opened, turing):
    opened.follow()
    answers = [opened.try_once(login("turing", b"guess-%d" % number)) for number in range(8)]
    assert answers == [Refusal.WRONG_PASSWORD] * 5 + [Refusal.TOO_MANY_FAILURES] * 3
    assert opened.listed() == []


def test_a_banned_address_does_not_knock(opened):
    for number in range(PER_ADDRESS + 6):
        opened.try_once(login(f"press-{number}"))
    decide(opened, decisions.BANNED, origin="192.0.2.1")
    assert opened.try_once(login("late")) is Refusal.TOO_MANY_FAILURES
    assert opened.listed() == []


@pytest.mark.parametrize("address", ["192.168.1.7", "11.0.0.7"])
def test_where_clients_are_known_or_no_internet_is_a_full_list_has_room(opened, turing, address):
    opened.follow()
    assert isinstance(opened.ask(login("turing", b"secret", address="11.0.0.7")), Grant)
    for number in range(10):
        opened.try_once(login(f"far-{number}", address=f"12.0.0.{number}"))
    assert opened.try_once(login("far", address="12.0.1.1")) is Refusal.UNKNOWN_USERNAME
    assert opened.try_once(login("near", address=address)) == Wait(LOOK, knocks=True)
    assert "near" in [row["username"] for row in opened.listed()]


# --- a password that has changed


def test_a_known_client_with_another_password_is_refused_and_its_password_offered(opened, turing, sealer):
    opened.follow()
    for _ in range(3):
        assert opened.try_once(login("turing")) is Refusal.WRONG_PASSWORD
    (offer,) = opened.doorman.listed()["offers"]
    assert (offer["integration_id"], offer["tries"], offer["is_clear"]) == (turing.id, 3, True)
    assert sealer.open(opened.doorman.offered(turing.id, offer["id"])["sealed"]) == SECRET.decode()
    assert opened.doorman.offered(turing.id, "mqtt.other") is None
    assert isinstance(opened.ask(login("turing", b"secret")), Grant)
    assert opened.doorman.listed()["offers"] == [], "its own password still works"


def test_of_several_passwords_nobody_can_accept_one(opened, turing):
    opened.follow()
    opened.try_once(login("turing"))
    opened.try_once(login("turing", b"guess", address="192.0.2.2"))
    (offer,) = opened.doorman.listed()["offers"]
    assert not offer["is_clear"]
    assert opened.doorman.offered(turing.id, offer["id"])["sealed"] == b""


@pytest.mark.parametrize("why", ["inactive", "another door", "closed"])
def test_nothing_is_offered_where_it_would_not_let_the_client_in(opened, turing, actor, why):
    if why == "inactive":
        integrations.set_active(turing.id, False, actor)
    if why == "closed":
        window.close(actor)
    opened.follow()
    opened.try_once(login("turing", protocol="http" if why == "another door" else "mqtt"))
    window.open_one(actor)
    opened.follow()
    assert opened.doorman.listed()["offers"] == []


def test_refused_logins_are_told_of_as_ever(opened, turing):
    opened.follow()
    opened.try_once(login("turing"))
    assert opened.book.refusals == [("turing", Refusal.WRONG_PASSWORD)]
    assert activity.REFUSED == "login.refused"
