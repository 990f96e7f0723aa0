"""Publishing over the API, all or nothing; following what is published; and who comes in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from portal.patient import WAITED, Later
from protocols.contract import Grant, Refusal, Wait
from tests.portal.api.api_bed import Bed, basic, problem, received

ROOM = 256 * 1024


def test_a_message_is_published(bed: Bed) -> None:
    answer = bed.post({"topic": "a", "value": {"b": [1.0, None, "ä"]}, "qos": 1, "retain": True})
    assert answer.status_code == 200 and len(answer.get_json()["numbers"]) == 1
    assert bed.published == [("a", '{"b":[1.0,null,"ä"]}'.encode(), 1, True)]


def test_a_batch_is_published_in_its_order(bed: Bed) -> None:
    batch = [{"topic": "a", "value": 1}, {"topic": "b", "text": "ä\n"}, {"topic": "a", "base64": "/w=="}]
    numbers = bed.post(batch).get_json()["numbers"]
    assert len(numbers) == 3 and numbers == sorted(set(numbers))
    assert bed.published == [("a", b"1", 0, False), ("b", "ä\n".encode(), 0, False), ("a", b"\xff", 0, False)]
    assert bed.get("/values/a").headers["ETag"] == f'"{numbers[2]}"'


def test_a_thousand_messages_are_a_batch_and_one_more_is_not(bed: Bed) -> None:
    batch = [{"topic": f"t/{number}", "value": number} for number in range(1001)]
    assert "1,001" in problem(bed.post(batch), 422, pointer="#")
    assert not bed.published
    assert len(bed.post(batch[:1000]).get_json()["numbers"]) == 1000
    assert len(bed.published) == 1000


def test_where_one_cannot_be_kept_none_is_published_and_the_answer_says_which(bed: Bed) -> None:
    bed.full.add("b")
    batch = [{"topic": "a", "value": 1}, {"topic": "b", "value": 2}, {"topic": "c", "value": 3}]
    assert "no room" in problem(bed.post(batch), 507, pointer="#/1")
    assert "no room" in problem(bed.post(batch[1]), 507, pointer="#")
    assert "no room" in problem(bed.put("/values/b", b"2"), 507)
    assert not bed.published


GOOD: dict[str, Any] = {"topic": "good", "value": 1}
FAULTS: list[tuple[Any, str]] = [
    ([], ""),
    ("a", ""),
    (None, ""),
    (7, "/"),
    ({}, "/topic"),
    ({"topic": 1, "value": 1}, "/topic"),
    ({"topic": "", "value": 1}, "/topic"),
    ({"topic": "a/+", "value": 1}, "/topic"),
    ({"topic": "a#", "value": 1}, "/topic"),
    ({"topic": "a\0", "value": 1}, "/topic"),
    ({"topic": "\ud800", "value": 1}, "/topic"),
    ({"topic": "x" * 65_536, "value": 1}, "/topic"),
    ({"topic": "a"}, "/"),
    ({"topic": "a", "value": 1, "text": "b"}, "/text"),
    ({"topic": "a", "value": 1, "qos": 3}, "/qos"),
    ({"topic": "a", "value": 1, "qos": True}, "/qos"),
    ({"topic": "a", "value": 1, "qos": 1.0}, "/qos"),
    ({"topic": "a", "value": 1, "retain": 1}, "/retain"),
    ({"topic": "a", "value": 1, "retain": None}, "/retain"),
    ({"topic": "a", "value": 1, "x/y~z": 1}, "/x~1y~0z"),
    ({"topic": "a", "text": 1}, "/text"),
    ({"topic": "a", "text": "\ud800"}, "/text"),
    ({"topic": "a", "value": ["\udc00"]}, "/value"),
    ({"topic": "a", "base64": "/w="}, "/base64"),
    ({"topic": "a", "base64": "/w\n=="}, "/base64"),
    ({"topic": "a", "base64": "ä"}, "/base64"),
    ({"topic": "a", "base64": 7}, "/base64"),
]


@pytest.mark.parametrize(
    ("fault", "place"), FAULTS, ids=[f"{place or 'body'}-{n}" for n, (_, place) in enumerate(FAULTS)]
)
def test_a_fault_is_named_and_nothing_is_published(bed: Bed, fault: Any, place: str) -> None:
    inside = place.rstrip("/")
    if isinstance(fault, dict) or not place:
        problem(bed.post(fault), 422, pointer=f"#{inside}")
    if place:
        problem(bed.post([GOOD, fault, GOOD]), 422, pointer=f"#/1{inside}")
    assert not bed.published


RAW: list[tuple[bytes, str]] = [
    (b'{"topic": "a", "value": 1', "delimiter"),
    (b'[{"topic": "a", "value": 1},]', "value"),
    (b'{"topic": "a", "topic": "b", "value": 1}', "'topic' twice"),
    (b'{"topic": "a", "value": {"b": 1, "b": 2}}', "'b' twice"),
    (b'{"topic": "a", "value": NaN}', "NaN"),
    (b'{"topic": "a", "value": ' + b"[" * 100 + b"]" * 100 + b"}", "deeper"),
    (b'{"topic": "a", "value": ' + b"9" * 5000 + b"}", "digits"),
    (b'{"topic": "\xff", "value": 1}', "UTF-8"),
    (b"[" * 200_000, "deeper"),
    (b"", "expecting value"),
]


@pytest.mark.parametrize(("body", "words"), RAW, ids=[words for _, words in RAW])
def test_a_body_that_is_no_json_is_refused(bed: Bed, body: bytes, words: str) -> None:
    assert words in problem(bed.post(body), 400, pointer="#")
    assert not bed.published


def test_a_number_beyond_a_double_is_no_value(bed: Bed) -> None:
    assert "Double" in problem(bed.post(b'[{"topic": "a", "value": [1e999]}]'), 422, pointer="#/0/value")
    assert not bed.published


def test_a_large_integer_stays_exact(bed: Bed) -> None:
    assert bed.post(b'{"topic": "a", "value": 123456789012345678901234567890}').status_code == 200
    assert bed.stored("a") == b"123456789012345678901234567890"


def test_messages_come_as_json_within_a_bound(bed: Bed) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data; boundary=x"):
        problem(bed.post(GOOD, content_type=kind), 415, header="Content-Type")
    problem(bed.post({"topic": "a", "text": "x" * ROOM}), 413)
    assert not bed.published


def test_permissions_hold_for_each_message_of_a_batch(bed: Bed) -> None:
    batch = [{"topic": "bob/a", "value": 1}, {"topic": "ada/a", "value": 1}]
    problem(bed.post(batch, user="bob"), 403, pointer="#/1/topic")
    problem(bed.post(batch[1], user="bob"), 403, pointer="#/topic")
    problem(bed.post({"topic": "$SYS/a", "value": 1}), 403, pointer="#/topic")
    assert not bed.published


# --- streams


def test_a_stream_has_messages_of_its_filters(bed: Bed) -> None:
    with bed.handing_over("/messages?filter=a/%23&filter=%2B/b", headers={"Accept": "text/event-stream"}) as client:
        head = received(client, b"\n\n")
        bed.say("c", b"0")
        bed.say("c/b", b"1")
        number = bed.say("a/x", b"[1]")
        data = received(client, b"[1]")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n") and b"\r\nContent-Type: text/event-stream; charset=utf-8\r\n" in head
    assert b"\r\nContent-Security-Policy: default-src 'none'" in head
    assert b'"topic": "c"' not in data and b'"topic": "c/b"' in data
    assert b"id: %d\nevent: message\n" % number in data


def test_a_stream_goes_on_after_the_last_event(bed: Bed) -> None:
    first = bed.say("a", b"1")
    bed.say("a", b"2")
    with bed.handing_over("/messages?filter=a", headers={"Last-Event-ID": str(first)}) as client:
        data = received(client, b'"value": 2')
    assert b'"value": 1' not in data


@pytest.mark.parametrize("stated", ["x", "-1", "1.5", "9" * 17, "1,2", "\u0661".encode().decode("latin-1")])
def test_a_last_event_id_that_is_none_is_named(bed: Bed, stated: str) -> None:
    problem(bed.get("/messages?filter=a", headers={"Last-Event-ID": stated}), 422, header="Last-Event-ID")


def test_a_stream_needs_permission_for_all_that_it_may_hear(bed: Bed) -> None:
    with bed.with_socket() as options:
        problem(bed.get("/messages?filter=%23", user="bob", **options), 403, parameter="filter")
        problem(bed.get("/messages?filter=a", headers={"Accept": "application/json"}, **options), 406, header="Accept")


def test_head_of_a_stream_opens_none(bed: Bed) -> None:
    answer = bed.ask("HEAD", "/messages?filter=a")
    assert (answer.status_code, answer.data, answer.mimetype) == (200, b"", "text/event-stream")


def test_a_web_server_without_sockets_to_give_away_says_so(bed: Bed) -> None:
    answer = bed.get("/messages?filter=a")
    problem(answer, 503)
    assert answer.headers["Retry-After"]


# --- who comes in


def test_me_says_who_it_is_and_what_it_may_do(bed: Bed) -> None:
    assert bed.get("/me").get_json() == {"username": "ada", "publish": ["#"], "subscribe": ["#"]}
    assert bed.get("/me", user="bob").get_json() == {
        "username": "bob",
        "publish": ["bob/#", "all"],
        "subscribe": ["bob/#"],
    }


REFUSED = [
    None,
    "",
    "Basic",
    "Basic !!!",
    "Basic YWRh",
    "Basic /////w==",
    basic("ada", "wrong"),
    basic("nobody"),
    basic("", "right"),
    basic("ada", "right", "Digest"),
    "Bearer right",
    "Bearer " + "A" * 10_000,
]


@pytest.mark.parametrize("stated", REFUSED)
def test_a_refusal_is_the_same_for_every_reason(bed: Bed, stated: str | None) -> None:
    bed.door.answers["idle"] = Refusal.INACTIVE
    headers = {} if stated is None else {"Authorization": stated}
    answer = bed.get("/me", user=None, headers=headers)
    told = problem(answer, 401)
    other = bed.get("/me", user="idle")
    assert told == problem(other, 401)
    challenges = ['Basic realm="Gatehouse", charset="UTF-8"', 'Bearer realm="Gatehouse"']
    assert answer.headers.getlist("WWW-Authenticate") == other.headers.getlist("WWW-Authenticate") == challenges
    assert answer.data == other.data


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "HEAD"])
def test_every_operation_needs_credentials(bed: Bed, method: str) -> None:
    bed.say("a", b"1")
    for path in ("/values/a", "/values", "/history/a", "/messages?filter=a", "/me"):
        with bed.with_socket() as options:
            answer = bed.ask(
                method, path, user=None, data=b'{"topic":"a","value":2}', content_type="application/json", **options
            )
        assert answer.status_code in (401, 405), path
    assert bed.stored("a") == b"1"


@pytest.mark.parametrize("scheme", ["Basic", "basic", "Bearer", "BEARER"])
def test_basic_and_bearer_bring_the_same(bed: Bed, scheme: str) -> None:
    stated = basic("ada lövelace", scheme=scheme)
    for variant in (stated, stated.rstrip("="), stated.replace("+", "-").replace("/", "_")):
        assert bed.get("/me", headers={"Authorization": variant}).status_code == 200
    login = bed.door.logins[-1]
    assert (login.protocol, login.username, login.password) == ("http", "ada lövelace", b"right")


def test_a_password_may_have_colons_and_any_bytes_and_a_username_may_not(bed: Bed) -> None:
    bed.get("/me", headers={"Authorization": "Basic YTpiOsOkOv8="})
    login = bed.door.logins[-1]
    assert (login.username, login.password) == ("a", b"b:\xc3\xa4:\xff")


def test_the_login_says_where_from_and_by_what(bed: Bed) -> None:
    bed.get("/me", headers={"User-Agent": "curl/8"}, environ_overrides={"REMOTE_ADDR": "192.0.2.9"})
    assert (bed.door.logins[-1].address, bed.door.logins[-1].client_id) == ("192.0.2.9", "curl/8")


def test_a_login_that_has_to_wait_frees_its_thread(bed: Bed) -> None:
    bed.door.waits = [Wait(0.5)]
    with pytest.raises(Later) as raised:
        bed.get("/me")
    assert raised.value.seconds == 0.5
    assert bed.get("/me", environ_overrides={WAITED: 0.6}).status_code == 200
    assert bed.door.waited == [0.0, 0.6]


# --- what the pages have, and the API has not


def test_no_cookie_is_read_or_set_and_no_token_wanted(bed: Bed) -> None:
    bed.client.set_cookie("gatehouse", "anything")
    assert bed.get("/me", user=None).status_code == 401
    for answer in (bed.put("/values/a", b"1"), bed.post(GOOD), bed.ask("DELETE", "/values/a"), bed.get("/me")):
        assert answer.status_code < 300
        assert "Set-Cookie" not in answer.headers and "Cookie" not in answer.headers.get("Vary", "")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("PATCH", "/values/a", 405),
        ("POST", "/values", 405),
        ("PUT", "/messages", 405),
        ("DELETE", "/me", 405),
        ("TRACE", "/me", 405),
    ],
)
def test_what_is_not_there_is_a_problem_too(bed: Bed, method: str, path: str, status: int) -> None:
    answer = bed.ask(method, path)
    problem(answer, status)
    assert status != 405 or answer.headers["Allow"]


def test_options_say_what_may_be_asked(bed: Bed) -> None:
    answer = bed.ask("OPTIONS", "/values/a/b", user=None)
    assert answer.status_code == 200
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}


def test_while_the_protocol_servers_are_away_clients_are_told_to_come_back(
    bed: Bed, caplog: pytest.LogCaptureFixture
) -> None:
    bed.looper.run(bed.answers.stop(), 5)
    for answer in (bed.get("/values/a"), bed.put("/values/a", b"1"), bed.post(GOOD), bed.get("/messages?filter=a")):
        problem(answer, 503)
        assert answer.headers["Retry-After"] == "3"


def test_a_fault_of_ours_is_a_problem_and_logged(
    bed: Bed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("portal.hub.me", lambda caller: 1 // 0)
    problem(bed.get("/me"), 500)
    assert "ZeroDivisionError" in caplog.text


def test_the_grant_is_asked_for_at_each_request(bed: Bed) -> None:
    bed.say("a", b"1")
    assert bed.get("/values/a").status_code == 200
    bed.door.answers["ada"] = Grant(1, "ada", subscribe=("b",))
    assert bed.get("/values/a").status_code == 403
    assert json.loads(bed.get("/me").data)["subscribe"] == ["b"]
