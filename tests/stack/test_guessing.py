"""Guessing passwords at the running product: slowed down, banned, shown, lifted; and who gets in all the same."""

from __future__ import annotations

import re
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from portal import guard
from tests.support import clients
from tests.support.clients import connect_packet, publish
from tests.support.processes import wait_until
from tests.support.stack import HOST, Session, Stack

pytestmark = pytest.mark.stack

GUESSES = 8
BANNED, ELSEWHERE = "127.0.0.2", "127.0.0.3"  # all of 127/8 is this machine


@pytest.fixture
def guarded(make_stack) -> Stack:
    return make_stack(GUESSES_PER_ADDRESS=str(GUESSES), GUESSES_PER_USERNAME=str(GUESSES)).start()


def attempt(stack: Stack, username: str, password: str, source: str = BANNED) -> tuple[int, float]:
    """Try to log in from an address; return the code of the CONNACK, and the seconds until it came."""
    start = time.monotonic()
    with socket.create_connection((HOST, stack.mqtt_port), timeout=20, source_address=(source, 0)) as client:
        client.sendall(connect_packet("raw", username, password))
        answer = clients.receive(client, 4)
    assert answer[:3] == b"\x20\x02\x00", answer
    return answer[3], time.monotonic() - start


def gets_in(stack: Stack, credentials: dict, source: str) -> bool:
    return attempt(stack, credentials["username"], credentials["password"], source)[0] == 0


def guess(stack: Stack, username: str, count: int = GUESSES, source: str = BANNED) -> list[float]:
    """Guess passwords one after the other; return how long each answer took."""
    answers = [attempt(stack, username, f"guess-{source}-{number}", source) for number in range(count)]
    assert all(code != 0 for code, _ in answers)
    return [seconds for _, seconds in answers]


def bans(stack: Stack) -> list[tuple[str, str]]:
    return stack.query(f"SELECT kind, name FROM ban WHERE until > {time.time() * 1000:.0f} ORDER BY id")  # noqa: S608


def test_a_guesser_is_slowed_and_banned_and_a_known_client_beside_it_gets_in(guarded):
    turing, hopper = guarded.add(), guarded.add()
    assert gets_in(guarded, turing, BANNED)
    took = guess(guarded, turing["username"])
    assert all(seconds > guard.FIRST_WAIT * guard.WAIT_GROWTH**number for number, seconds in enumerate(took)), took
    wait_until(lambda: bans(guarded) == [("address", BANNED)])

    assert not gets_in(guarded, hopper, BANNED), "who was never here is refused, whatever the password"
    sent = publish(guarded.mqtt_port, turing, "a", "b", "-q", "1", "-A", BANNED)
    assert sent.returncode == 0, sent.stderr
    assert gets_in(guarded, turing, ELSEWHERE)
    assert gets_in(guarded, hopper, ELSEWHERE)

    took = [attempt(guarded, f"mallory{number}", "guess")[1] for number in range(30)]
    assert sum(took) < 30 * guard.LONGEST_WAIT / 3, "now it costs the server next to nothing"
    refused = "kind = 'login.refused' AND detail = 'too many failed logins' AND username IS NULL"
    wait_until(lambda: [row["count"] for row in guarded.activity(refused)] == [30])
    (begun,) = guarded.activity("kind = 'ban.begun'")
    assert begun["detail"] == f"address {BANNED} banned for 10 minutes after {GUESSES} wrong passwords"
    assert guarded.json("bans", "list")[0]["last_username"] == turing["username"]
    guarded.stop()
    guarded.clean_log()


def test_a_ban_survives_restarts_and_lifting_it_takes_effect(guarded):
    turing, hopper = guarded.add(), guarded.add()
    assert gets_in(guarded, turing, BANNED)
    guess(guarded, "admin")
    wait_until(lambda: bans(guarded) == [("address", BANNED)])
    wait_until(lambda: guarded.query("SELECT 1 FROM known_login"))
    for end in (lambda: guarded.stop(signal.SIGTERM), guarded.kill):
        end()
        guarded.start()
        assert not gets_in(guarded, hopper, BANNED)
        assert gets_in(guarded, turing, BANNED), "and so does what is known of good clients"

    visitor = Session(guarded).log_in()
    page = visitor.get("/server").text
    assert BANNED in page
    lifted = visitor.post(re.search(r'formaction="(/bans/\d+/lift)"', page)[1])
    assert lifted.status == 303
    wait_until(lambda: gets_in(guarded, hopper, BANNED))
    assert BANNED not in re.sub("The ban of .* is lifted", "", visitor.get("/server").text)
    (row,) = guarded.activity("kind = 'ban.lifted'")
    assert row["account"] == "ada@example.com"


def test_guessing_from_many_addresses_bans_the_username_but_not_its_own_client(guarded):
    turing, hopper = guarded.add(), guarded.add()
    assert gets_in(guarded, turing, ELSEWHERE)
    for number in range(GUESSES):
        guess(guarded, turing["username"], 1 + number % 2, f"127.0.1.{number}")
    wait_until(lambda: bans(guarded) == [("username", turing["username"])])
    assert not gets_in(guarded, turing, "127.0.0.9")
    assert gets_in(guarded, turing, ELSEWHERE)
    assert gets_in(guarded, hopper, "127.0.0.9")
    (panel,) = guarded.query(f"SELECT id FROM integration WHERE username = '{turing['username']}'")  # noqa: S608
    assert "Lift the ban" in Session(guarded).log_in().get(f"/integrations/{panel[0]}").text
    guarded.flask("bans", "lift", turing["username"])
    wait_until(lambda: gets_in(guarded, turing, "127.0.0.9"))


def test_guesses_on_many_connections_at_once_are_not_looked_at_more_often(guarded):
    turing = guarded.add()
    with ThreadPoolExecutor(40) as pool:
        codes = list(pool.map(lambda n: attempt(guarded, turing["username"], f"guess-{n}")[0], range(120)))
    assert 0 not in codes

    def refused(reason: str) -> int:
        return sum(row["count"] for row in guarded.activity(f"kind = 'login.refused' AND detail = '{reason}'"))

    wait_until(lambda: refused("wrong password") + refused("too many failed logins") == 120)
    assert refused("wrong password") == GUESSES


def test_a_device_that_retries_one_wrong_password_for_ever_is_not_banned(guarded):
    turing = guarded.add()
    for _ in range(GUESSES + 4):
        assert attempt(guarded, turing["username"], "an old password")[0] != 0
    assert gets_in(guarded, turing, BANNED)
    assert bans(guarded) == []


@pytest.mark.postgres
def test_nodes_that_share_a_database_share_bans(make_stack, postgresql):
    url = postgresql.url(postgresql.create())
    settings = {"DATABASE_URL": url, "SECRET_KEY": "one key for all nodes", "GUESSES_PER_ADDRESS": str(GUESSES)}
    one, other = make_stack(**settings).start(), make_stack(**settings).start()
    turing, hopper = one.add(), one.add()
    assert gets_in(one, turing, BANNED)
    guess(one, "admin")
    refused = "kind = 'login.refused' AND detail = 'too many failed logins'"
    # A stranger tries: whoever gets in once is known from then on.
    wait_until(lambda: attempt(other, "nobody", "guess") and other.activity(refused))
    assert not gets_in(other, hopper, BANNED)
    assert gets_in(other, turing, BANNED)
    one.flask("bans", "lift", BANNED)
    wait_until(lambda: gets_in(one, hopper, BANNED) and gets_in(other, hopper, BANNED))
