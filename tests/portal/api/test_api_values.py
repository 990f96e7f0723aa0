"""Values over the API: what is written is what is read, in the form that is asked for."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.portal.api.api_bed import Bed, problem, received

TEXT, BYTES, JSON = "text/plain; charset=utf-8", "application/octet-stream", "application/json"


def test_a_value_that_is_put_is_published_and_can_be_read(bed: Bed) -> None:
    written = bed.put("/values/demo/hello", b"21.50")
    assert written.status_code == 204 and not written.data
    assert bed.published == [("demo/hello", b"21.50", 0, False)]
    read = bed.get("/values/demo/hello")
    assert (read.status_code, read.data, read.content_type) == (200, b"21.50", JSON)
    assert read.headers["ETag"] == written.headers["ETag"]
    assert read.headers["Cache-Control"] == "no-store"


def test_qos_and_retain_go_along(bed: Bed) -> None:
    assert bed.put("/values/a?qos=2&retain=true", b"1").status_code == 204
    assert bed.put("/values/a?retain=false&qos=1", b"1").status_code == 204
    assert bed.published == [("a", b"1", 2, True), ("a", b"1", 1, False)]


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (b'{"a": [1, null]}', JSON),
        (b'"text"', JSON),
        (b"NaN", TEXT),
        ("grüße".encode(), TEXT),
        (b"", TEXT),
        (b"\xff\x00", BYTES),
        (b"[" * 101 + b"]" * 101, TEXT),
        (b'{"a": 1, "a": 2}', JSON),
        (b"1e999", JSON),
    ],
)
def test_a_value_comes_back_as_what_it_is(bed: Bed, payload: bytes, kind: str) -> None:
    assert bed.put("/values/a", payload, "application/x-www-form-urlencoded").status_code == 204
    answer = bed.get("/values/a")
    assert (answer.data, answer.content_type) == (payload, kind)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/octet-stream", BYTES),
        ("application/json;q=0.2, application/octet-stream;q=0.3", BYTES),
        ("text/html, */*;q=0.1", JSON),
    ],
)
def test_a_client_chooses_how_it_gets_a_value(bed: Bed, accept: str, kind: str) -> None:
    bed.say("a", b"[1]")
    assert bed.get("/values/a", headers={"Accept": accept}).content_type == kind


def test_what_a_client_does_not_accept_is_not_sent(bed: Bed) -> None:
    bed.say("a", b"hello")
    problem(bed.get("/values/a", headers={"Accept": "application/json"}), 406, header="Accept")
    for path in ("/values", "/me", "/history/a"):
        problem(bed.get(path, headers={"Accept": "text/html"}), 406, header="Accept")


TOPICS = [
    "a",
    "a/b",
    "/a",
    "a/",
    "//",
    "/",
    "a//b",
    "a b",
    "ä/\N{SNOWMAN}",
    "a?b",
    "a%2Fb",
    "100%",
    "a;b=c&d",
    ".",
]


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("safe", ["/", ""])
def test_a_topic_is_what_stands_behind_the_first_slash(bed: Bed, topic: str, safe: str) -> None:
    path = f"/values/{quote(topic, safe=safe)}"
    assert bed.put(path, b"1").status_code == 204
    assert [row[0] for row in bed.published] == [topic]
    assert bed.get(path).data == b"1"
    assert bed.get(f"/history/{quote(topic, safe=safe)}").get_json()["values"][0]["topic"] == topic
    assert bed.ask("DELETE", path).status_code == 204
    assert bed.stored(topic) is None


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("", 422),
        ("a/+/b", 422),
        ("a/%23", 422),
        ("a%00b", 422),
        ("a%0Ab", 422),
        ("a%C2%85", 422),
        ("a%EF%BF%BE", 422),
        ("x" * 65_536, 422),
        ("$SYS/a", 403),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_topic_that_is_none_is_named(bed: Bed, path: str, status: int, method: str) -> None:
    answer = bed.ask(method, f"/values/{path}", data=b"1" if method == "PUT" else None)
    problem(answer, status, parameter="topic")
    assert not bed.published


@pytest.mark.parametrize("path", ["values/\xff", "values/a/\xed\xa0\x80", "history/\xc3"])
def test_a_topic_that_is_not_utf_8_is_named(bed: Bed, path: str) -> None:
    options = {"environ_overrides": {"PATH_INFO": f"/api/v1/{path}"}}
    problem(bed.get("/values/a", **options), 400, parameter="topic")
    if path.startswith("values"):
        problem(bed.put("/values/a", b"1", **options), 400, parameter="topic")
        problem(bed.ask("DELETE", "/values/a", **options), 400, parameter="topic")


@pytest.mark.parametrize("query", ["limit=1&prefix=%FF", "prefix=%ED%A0%80", "pref\xff=", "prefix=\xff"])
def test_a_query_that_is_not_utf_8_is_named(bed: Bed, query: str) -> None:
    answer = bed.get("/values", environ_overrides={"QUERY_STRING": query})
    problem(answer, 400, parameter="pref\ufffd" if "pref\xff" in query else "prefix")


def test_a_replacement_character_is_a_character(bed: Bed) -> None:
    assert bed.put("/values/%EF%BF%BD", b"1").status_code == 204
    assert bed.stored("\ufffd") == b"1"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "expecting value"),
        (b'{"a": 1', "expecting ',' delimiter"),
        (b"NaN", "NaN is no JSON"),
        (b"-Infinity", "-Infinity is no JSON"),
        (b'{"a": 1, "a": 2}', "names 'a' twice"),
        (b"\xff", "UTF-8"),
        (b"\xef\xbb\xbf1", "byte order mark"),
        (b"[" * 101 + b"]" * 101, "deeper than 100"),
        (b"[" * 100_000, "deeper than 100"),
        (b"1 2", "extra data"),
    ],
)
def test_what_says_that_it_is_json_has_to_be(bed: Bed, body: bytes, words: str) -> None:
    assert words in problem(bed.put("/values/a", body), 400, pointer="#")
    assert words in problem(bed.put("/values/a", body, "application/senml+json; charset=utf-8"), 400, pointer="#")
    assert bed.stored("a") is None


def test_brackets_in_strings_do_not_nest(bed: Bed) -> None:
    assert bed.put("/values/a", json.dumps("[" * 1000).encode()).status_code == 204


def test_a_body_has_a_bound_and_no_encoding(bed: Bed) -> None:
    problem(bed.put("/values/a", b"x" * (256 * 1024 + 1), BYTES), 413)
    problem(bed.put("/values/a", b"1", headers={"Content-Encoding": "gzip"}), 415, header="Content-Encoding")
    assert bed.stored("a") is None
    assert bed.put("/values/a", b"x" * 256 * 1024, BYTES).status_code == 204


def test_a_deleted_value_is_gone(bed: Bed) -> None:
    bed.say("a", b"1", retain=True)
    assert bed.ask("DELETE", "/values/a").status_code == 204
    problem(bed.get("/values/a"), 404, parameter="topic")
    problem(bed.ask("DELETE", "/values/a"), 404, parameter="topic")
    assert bed.put("/values/a?retain=true", b"", BYTES).status_code == 204
    problem(bed.get("/values/a"), 404)


def test_head_is_get_without_the_body(bed: Bed) -> None:
    bed.say("a", b"12345")
    answer = bed.ask("HEAD", "/values/a?wait=300", headers={"If-None-Match": '"0"'})
    assert (answer.status_code, answer.data, answer.content_length) == (200, b"", 5)
    assert bed.ask("HEAD", "/values/b?wait=300").status_code == 404


def test_a_value_that_the_client_has_is_not_sent_again(bed: Bed) -> None:
    number = bed.say("a", b"1")
    for stated in (f'"{number}"', f'W/"{number}"', f'"0", "{number}"', "*"):
        answer = bed.get("/values/a", headers={"If-None-Match": stated})
        assert (answer.status_code, answer.data) == (304, b""), stated
        assert answer.headers["ETag"] == f'"{number}"'
    assert bed.get("/values/a", headers={"If-None-Match": f'"{number - 1}"'}).status_code == 200
    assert bed.get("/values/a", headers={"If-None-Match": "rubbish"}).status_code == 200


# --- long polls


def test_a_poll_answers_at_once_what_the_client_does_not_have(bed: Bed) -> None:
    bed.say("a", b"1")
    assert bed.get("/values/a?wait=300").data == b"1"
    assert bed.get("/values/a?wait=300", headers={"If-None-Match": '"0"'}).data == b"1"


@pytest.mark.parametrize("is_there", [True, False])
def test_a_poll_waits_for_another_value(bed: Bed, is_there: bool) -> None:
    headers = {"If-None-Match": f'"{bed.say("a", b"1")}"'} if is_there else {}
    with bed.handing_over("/values/a?wait=300", headers=headers) as client:
        number = bed.say("a", b"two")
        answer = received(client, b"two")
    head = answer.partition(b"\r\n\r\n")[0].decode()
    assert head.startswith("HTTP/1.1 200 ")
    assert f'\r\nEtag: "{number}"' in head and f"\r\nContent-Type: {TEXT}" in head
    assert "\r\nX-Content-Type-Options: nosniff" in head


def test_a_poll_says_when_its_time_is_over(bed: Bed) -> None:
    number = bed.say("a", b"1")
    with bed.handing_over("/values/a?wait=1", headers={"If-None-Match": f'"{number}"'}) as client:
        assert received(client, b"\r\n\r\n").startswith(b"HTTP/1.1 304 ")
    with bed.handing_over("/values/b?wait=1") as client:
        assert received(client, b"\r\n\r\n").startswith(b"HTTP/1.1 404 ")


def test_a_poll_for_bytes_gets_bytes(bed: Bed) -> None:
    with bed.handing_over("/values/a?wait=300", headers={"Accept": BYTES}) as client:
        bed.say("a", b"1")
        assert b"\r\nContent-Type: application/octet-stream\r\n" in received(client, b"\r\n\r\n1")
    problem(bed.get("/values/b?wait=300", headers={"Accept": "image/png"}), 406, header="Accept")


# --- pages and histories


def pages(bed: Bed, query: str) -> tuple[list[str], int]:
    found: list[str] = []
    cursor, count = "", 0
    while cursor is not None:
        page = bed.get(f"/values?{query}" + (f"&cursor={quote(cursor)}" if cursor else "")).get_json()
        found += [value["topic"] for value in page["values"]]
        cursor, count = page["cursor"], count + 1
    return found, count


def test_values_are_listed_by_topic_in_pages(bed: Bed) -> None:
    for number in range(25):
        bed.say(f"demo/{number:02}", b"1")
    bed.say("other", b"1")
    expected = [f"demo/{number:02}" for number in range(25)]
    assert pages(bed, "prefix=demo/&limit=10") == (expected, 3)
    assert pages(bed, "limit=1000")[0] == [*expected, "other"]


def test_a_page_of_large_values_ends_earlier(bed: Bed) -> None:
    for number in range(16):
        bed.say(f"{number:02}", b'"%s"' % (b"x" * 600_000))
    found, count = pages(bed, "limit=1000")
    assert found == [f"{number:02}" for number in range(16)] and count > 1


def test_a_listed_value_has_everything_that_is_known_of_it(bed: Bed) -> None:
    number = bed.say("a", b"1.50\n", retain=True)
    bed.say("b", b"\xff")
    bed.say("c", b"hello", by=0)
    first, second, third = bed.get("/values").get_json()["values"]
    time = "2025-11-24T16:00:00.000+00:00"
    assert first == {"topic": "a", "number": number, "time": time, "integration": "bob", "retain": True, "value": 1.5}
    assert second["base64"] == "/w==" and "value" not in second
    assert third["text"] == "hello" and third["integration"] is None


def test_json_is_listed_as_it_was_published(bed: Bed) -> None:
    bed.say("a", b'{"a":1.0e2}')
    assert b'"value": {"a":1.0e2}' in bed.get("/values").data


def test_a_history_has_the_newest_last_and_deletions(bed: Bed) -> None:
    for payload in (b"1", b"2"):
        bed.say("a", payload)
    bed.say("a", b"", retain=True)
    bed.say("a", b"3")
    values = bed.get("/history/a").get_json()["values"]
    assert [value.get("value", value.get("deleted")) for value in values] == [1, 2, True, 3]
    assert [value["value"] for value in bed.get("/history/a?limit=1").get_json()["values"]] == [3]
    assert bed.get("/history/nothing").get_json() == {"values": []}


QUERIES: list[tuple[str, str, int, str]] = [
    ("/values", "limit=0", 422, "limit"),
    ("/values", "limit=1001", 422, "limit"),
    ("/values", "limit=1_0", 422, "limit"),
    ("/values", "limit=%D9%A1", 422, "limit"),
    ("/values", "limit=1&limit=2", 422, "limit"),
    ("/values", "limit=", 422, "limit"),
    ("/values", "colour=red", 422, "colour"),
    ("/values", "prefix=a/%23", 422, "prefix"),
    ("/values", "prefix=%00", 422, "prefix"),
    ("/values/a", "wait=301", 422, "wait"),
    ("/values/a", "wait=-1", 422, "wait"),
    ("/values/a", "wait=1.5", 422, "wait"),
    ("/history/a", "limit=x", 422, "limit"),
    ("/messages", "", 422, "filter"),
    ("/messages", "filter=a%23", 422, "filter"),
    ("/messages", "filter=a%00", 422, "filter"),
    ("/messages", "filter=" + "&filter=".join(map(str, range(101))), 422, "filter"),
]


@pytest.mark.parametrize(("path", "query", "status", "name"), QUERIES)
def test_a_parameter_that_cannot_be_used_is_named(bed: Bed, path: str, query: str, status: int, name: str) -> None:
    with bed.with_socket() as options:
        problem(bed.get(f"{path}?{query}", **options), status, parameter=name)


@pytest.mark.parametrize(
    ("query", "name"), [("qos=3", "qos"), ("retain=1", "retain"), ("retain=yes", "retain"), ("x=", "x")]
)
def test_a_parameter_of_a_write_that_cannot_be_used_stores_nothing(bed: Bed, query: str, name: str) -> None:
    problem(bed.put(f"/values/a?{query}", b"1"), 422, parameter=name)
    assert bed.stored("a") is None


def test_permissions_hold(bed: Bed) -> None:
    bed.say("ada/secret", b"1")
    bed.say("all", b"1")
    who: dict[str, Any] = {"user": "bob"}
    problem(bed.get("/values/ada/secret", **who), 403, parameter="topic")
    problem(bed.get("/history/ada/secret", **who), 403, parameter="topic")
    problem(bed.put("/values/ada/secret", b"2", **who), 403, parameter="topic")
    problem(bed.ask("DELETE", "/values/ada/secret", **who), 403, parameter="topic")
    assert bed.put("/values/bob/x", b"2", **who).status_code == 204
    assert bed.put("/values/all", b"2", **who).status_code == 204
    assert [value["topic"] for value in bed.get("/values", **who).get_json()["values"]] == ["bob/x"]
    assert bed.stored("ada/secret") == b"1"


def test_an_answer_without_a_body_has_no_type(bed: Bed) -> None:
    zipped = {"Accept-Encoding": "gzip"}
    written = bed.put("/values/a", b"1", headers=zipped)
    same = bed.get("/values/a", headers={**zipped, "If-None-Match": written.headers["ETag"]})
    for answer, status in ((written, 204), (same, 304), (bed.ask("DELETE", "/values/a", headers=zipped), 204)):
        assert answer.status_code == status
        assert "Content-Type" not in answer.headers


# --- changes that are meant for one value


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_change_that_is_meant_for_another_value_is_not_made(bed: Bed, method: str) -> None:
    number = bed.say("a", b"1")
    for stated in (
        '"0"',
        f'"{number - 1}", "x"',
        f'W/"{number}"',
        "rubbish",
        ",",
        '"\u0661"'.encode().decode("latin-1"),
    ):
        answer = bed.ask(method, "/values/a", data=b"2", headers={"If-Match": stated})
        problem(answer, 412, header="If-Match")
    for stated in ("*", '"0"', '"1"'):
        problem(bed.ask(method, "/values/b", data=b"2", headers={"If-Match": stated}), 412, header="If-Match")
    assert bed.stored("a") == b"1" and bed.stored("b") is None


@pytest.mark.parametrize("stated", ['"{}"', '"0", "{}"', "*"])
def test_a_change_that_is_meant_for_this_value_is_made(bed: Bed, stated: str) -> None:
    number = bed.say("a", b"1")
    written = bed.put("/values/a", b"2", headers={"If-Match": stated.format(number)})
    assert written.status_code == 204 and bed.stored("a") == b"2"
    gone = bed.ask("DELETE", "/values/a", headers={"If-Match": stated.format(written.headers["ETag"].strip('"'))})
    assert gone.status_code == 204 and bed.stored("a") is None


def test_a_value_can_be_written_only_if_there_is_none(bed: Bed) -> None:
    headers = {"If-None-Match": "*"}
    assert bed.put("/values/a", b"1", headers=headers).status_code == 204
    problem(bed.put("/values/a", b"2", headers=headers), 412, header="If-None-Match")
    assert bed.stored("a") == b"1"


def test_who_may_not_read_a_value_learns_nothing_of_it_by_a_condition(bed: Bed) -> None:
    bed.say("all", b"1")
    problem(bed.put("/values/all", b"2", headers={"If-Match": "*"}, user="bob"), 403, parameter="topic")
    assert bed.stored("all") == b"1"
