"""Who has not come in learns nothing but that, whatever the request is, and has nothing large looked at."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import payloads
from portal.patient import Later
from protocols.contract import Wait
from tests.portal.api.api_bed import Bed, basic, problem

JSON, BYTES = "application/json", "application/octet-stream"
LARGE = b"[" + b"{}," * 20_000 + b"{}]"
OPERATIONS = [
    ("GET", "/me"),
    ("GET", "/messages"),
    ("HEAD", "/messages"),
    ("POST", "/messages"),
    ("GET", "/values"),
    ("GET", "/values/a"),
    ("PUT", "/values/a"),
    ("DELETE", "/values/a"),
    ("GET", "/history/a"),
]
STRANGERS = {"nobody": None, "rubbish": "Basic !", "wrong": basic("ada", "wrong"), "unknown": basic("eve")}
REQUESTS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "unknown parameter": {"query_string": "colour=red"},
    "parameters out of bounds": {"query_string": "limit=0&wait=-1&qos=3"},
    "query that is no UTF-8": {"environ_overrides": {"QUERY_STRING": "prefix=%FF"}},
    "query of bytes that are no UTF-8": {"environ_overrides": {"QUERY_STRING": "prefix=\xff"}},
    "body that is no JSON": {"data": b"{", "content_type": JSON},
    "message with a fault": {"data": b'{"topic": "+"}', "content_type": JSON},
    "body of another type": {"data": b"1", "content_type": "text/plain"},
    "body that is encoded": {"data": b"1", "content_type": JSON, "headers": {"Content-Encoding": "gzip"}},
    "large body": {"data": LARGE, "content_type": JSON},
    "body that is too large": {"data": b" " * (256 * 1024 + 1), "content_type": JSON},
    "answer that there is not": {"headers": {"Accept": "image/png"}},
    "header with a fault": {"headers": {"Last-Event-ID": "x", "If-Match": "x"}},
}


def ask(bed: Bed, method: str, path: str, stated: str | None, request: dict[str, Any]) -> Any:
    headers = {**request.get("headers", {}), **({} if stated is None else {"Authorization": stated})}
    with bed.with_socket() as options:
        options["environ_overrides"].update(request.get("environ_overrides", {}))
        return bed.ask(method, path, user=None, **{**request, **options, "headers": headers})


@pytest.mark.parametrize("stated", STRANGERS.values(), ids=STRANGERS.keys())
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_a_stranger_gets_the_same_answer_whatever_the_request_is(
    bed: Bed, method: str, path: str, stated: str | None
) -> None:
    bed.say("a", b"1")
    refusal = bed.get("/me", user=None)
    for name, request in REQUESTS.items():
        if name == "nothing" and (method, path) == ("GET", "/messages"):
            request = {"query_string": "filter=a"}  # what a stream cannot be asked for without
        asked = len(bed.door.logins)
        answer = ask(bed, method, path, stated, request)
        assert answer.status_code == 401, name
        assert method == "HEAD" or answer.data == refusal.data, name
        assert answer.headers.getlist("WWW-Authenticate") == refusal.headers.getlist("WWW-Authenticate")
        assert len(bed.door.logins) == asked + 1, name  # it counts as one guess
    assert bed.stored("a") == b"1"


@pytest.mark.parametrize(("method", "path"), [("GET", "/values/%FF"), ("PUT", "/values/%2B"), ("DELETE", "/values/")])
def test_a_stranger_does_not_learn_that_a_topic_is_none(bed: Bed, method: str, path: str) -> None:
    problem(bed.ask(method, path, user=None), 401)


@pytest.mark.parametrize(("method", "path"), [("POST", "/messages"), ("PUT", "/values/a")])
def test_a_large_body_is_read_for_those_who_came_in(
    bed: Bed, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    read: list[int] = []

    def noting(act: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
        return lambda data: (read.append(len(data)), act(data))[1]

    for name in ("parse", "check"):
        monkeypatch.setattr(payloads, name, noting(getattr(payloads, name)))
    body = json.dumps({"topic": "a", "value": json.loads(LARGE)}).encode()
    request = {"data": body, "content_type": JSON}
    assert ask(bed, method, path, basic("ada", "wrong"), request).status_code == 401
    assert not read
    assert ask(bed, method, path, basic("ada"), request).status_code in (200, 204)
    assert read == [len(body)]


def test_a_fault_of_someone_whose_login_has_to_wait_is_not_told_yet(bed: Bed) -> None:
    for request in ({"query_string": "x=1"}, {"data": LARGE, "content_type": JSON}):
        bed.door.waits = [Wait(0.5)]
        with pytest.raises(Later):
            ask(bed, "PUT", "/values/a", basic("ada"), request)
    assert bed.stored("a") is None


def test_reading_and_writing_a_value_take_one_question(bed: Bed) -> None:
    def questions(method: str, path: str, **options: Any) -> int:
        before = len(bed.door.logins)
        bed.ask(method, path, **options)
        return len(bed.door.logins) - before

    assert questions("GET", "/values/a") == 1  # there is none
    assert questions("PUT", "/values/a?qos=1", data=b'{"a": 1}', content_type=JSON) == 1
    assert questions("PUT", "/values/a", data=LARGE, content_type=BYTES) == 1  # nothing to look at
    assert questions("GET", "/values/a") == 1
    assert questions("POST", "/messages", data=b'{"topic": "a", "value": 1}', content_type=JSON) == 1
    assert questions("GET", "/values/secret", user="bob") == 1
