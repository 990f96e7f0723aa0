"""Agents over the API: what is shown of them, what a call may say, and what comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.portal.api.api_bed import Bed, problem, received
from tests.protocols.http.http_agents import DOMAIN, Outcome
from tests.support.processes import wait_until

ADD = "/agents/press/Press/add"


def post(bed: Bed, path: str = ADD, body: Any = None, **options: Any) -> Any:
    """Ask for a call of which nothing comes."""
    data = body if isinstance(body, bytes) else json.dumps(body or {})
    with bed.with_socket() as of_server:
        return bed.ask("POST", path, data=data, **{"content_type": "application/json", **of_server, **options})


def called(bed: Bed, outcome: Outcome, path: str = ADD, body: Any = None) -> tuple[int, Any]:
    """Have a function called that ends so; return status and body of the answer."""
    before = len(bed.agents.calls)
    options = {"data": json.dumps(body), "content_type": "application/json"} if body is not None else {}
    with bed.handing_over(path, method="POST", **options) as client:
        wait_until(lambda: len(bed.agents.calls) > before)
        bed.on_loop(lambda: bed.agents.answer(before + 1, outcome))
        head, _, rest = received(client, b"}").partition(b"\r\n\r\n")
        assert b"\r\nX-Content-Type-Options: nosniff\r\n" in head
        return int(head.split()[1]), json.loads(rest)


def test_agents_are_listed_with_what_is_known_of_them(bed: Bed) -> None:
    found = bed.get("/agents").get_json()
    assert [one["agent"] for one in found["agents"]] == ["gone", "müller 1", "press"] and found["cursor"] is None
    assert found["agents"][2] == {
        "agent": "press",
        "status": "online",
        "host": "host",
        "version": "1.0",
        "since": "2025-11-24T16:00:00.000+00:00",
        "class_count": 2,
    }
    page = bed.get("/agents?limit=2").get_json()
    assert len(page["agents"]) == 2
    rest = bed.get(f"/agents?limit=2&cursor={page['cursor']}").get_json()
    assert [one["agent"] for one in rest["agents"]] == ["press"] and rest["cursor"] is None
    problem(bed.get("/agents?cursor=x"), 422, parameter="cursor")
    problem(bed.get("/agents?limit=0"), 422, parameter="limit")


def test_an_agent_has_its_classes_and_a_class_its_functions(bed: Bed) -> None:
    found = bed.get("/agents/m%C3%BCller%201").get_json()
    assert found["agent"] == "müller 1"
    assert found["classes"] == [
        {"class": "Press", "function_count": 3, "instance_count": 1, "fault": None},
        {"class": "Broken", "function_count": 0, "instance_count": 0, "fault": "it is no JSON"},
    ]
    found = bed.get("/agents/press/Press").get_json()
    assert (found["class"], found["instances"], found["constructors"]) == ("Press", ["press-4"], [])
    assert found["functions"][0] == {
        "function": "add",
        "static": True,
        "description": "",
        "parameters": [
            {"name": name, "type": "number", "description": "", "optional": False, "default": None} for name in "ab"
        ],
        "returns": None,
    }
    assert [one["static"] for one in found["functions"]] == [True, True, False]


def test_what_is_not_there_and_what_is_not_granted(bed: Bed) -> None:
    problem(bed.get("/agents/never"), 404, parameter="agent")
    problem(bed.get("/agents/theirs"), 404, parameter="agent")
    problem(bed.get("/agents/press/Never"), 404, parameter="class_name")
    problem(post(bed, "/agents/press/Press/never"), 404, parameter="function")
    for answer in (bed.get("/agents", user="bob"), bed.get("/agents/press", user="bob"), post(bed, user="bob")):
        assert "granted no domain" in problem(answer, 403)
    for answer in (bed.get("/agents", user=None), post(bed, user=None), post(bed, body=b"{", user="nobody")):
        problem(answer, 401)
    for path, name in (("\xff", "agent"), ("press/\xff", "class_name")):
        answer = bed.get("/agents/x", environ_overrides={"PATH_INFO": f"/api/v1/agents/{path}"})
        problem(answer, 400, parameter=name)
    problem(bed.get("/agents", headers={"Accept": "text/html"}), 406, header="Accept")
    for path in ("/agents/", "/agents/press/", "/agents//Press", "/agents/press/Press/add/more"):
        problem(bed.get(path), 404)


def test_a_result_is_answered_on_the_clients_socket(bed: Bed) -> None:
    status, told = called(bed, Outcome(result="3"), body={"arguments": [1, 2.50], "timeout": 5})
    assert (status, told) == (200, {"result": 3, "seconds": 0.25})
    assert bed.agents.calls == [(DOMAIN, "press", "Press", "", "add", "[1,2.5]", 5)]


def test_names_are_percent_encoded_and_the_instance_is_in_the_body(bed: Bed) -> None:
    called(bed, Outcome(), "/agents/m%c3%bcller%201/Press/status", {"instance": "press-4", "arguments": []})
    assert bed.agents.calls == [(DOMAIN, "müller 1", "Press", "press-4", "status", "[]", None)]


def test_an_empty_body_is_a_call_without_arguments(bed: Bed) -> None:
    assert called(bed, Outcome(), "/agents/press/Press/anything")[0] == 200
    assert called(bed, Outcome(), "/agents/press/Press/anything", {})[0] == 200
    assert [call[5] for call in bed.agents.calls] == ["[]", "[]"]


def test_what_the_function_says_when_it_fails_is_a_problem_with_a_type_that_the_page_explains(bed: Bed) -> None:
    status, told = called(bed, Outcome("failed", error="too hot"), body={"arguments": [1, 2]})
    assert (status, told["detail"], told["type"]) == (502, "too hot", "/api/v1/#CallProblem")
    path, _, anchor = told["type"].partition("#")
    assert f'id="{anchor}"' in bed.client.get(path).text
    status, told = called(bed, Outcome("late", seconds=1.0), body={"arguments": [1, 2]})
    assert (status, told["type"]) == (504, "about:blank")


@pytest.mark.parametrize(
    ("body", "status", "place"),
    [
        (b"{", 400, "#"),
        (b"[1, 2]", 422, "#"),
        (b'{"args": []}', 422, "#/args"),
        (b'{"arguments": {}}', 422, "#/arguments"),
        (b'{"arguments": null}', 422, "#/arguments"),
        (b'{"arguments": [1, 2], "arguments": []}', 400, "#"),
        (b'{"arguments": [1, "2"]}', 422, "#/arguments/1"),
        (b'{"arguments": [1]}', 422, "#/arguments"),
        (b'{"arguments": [1, 1e999]}', 422, "#/arguments/1"),
        (b'{"arguments": [1, {"a": ["\\ud800"]}]}', 422, "#/arguments/1"),
        (b'{"arguments": [1, 2], "instance": ""}', 422, "#/instance"),
        (b'{"arguments": [1, 2], "instance": null}', 422, "#/instance"),
        (b'{"arguments": [1, 2], "instance": 7}', 422, "#/instance"),
        (b'{"arguments": [1, 2], "timeout": 0}', 422, "#/timeout"),
        (b'{"arguments": [1, 2], "timeout": true}', 422, "#/timeout"),
        (b'{"arguments": [1, 2], "timeout": "5"}', 422, "#/timeout"),
        (b'{"arguments": [1, 2], "timeout": 1e400}', 422, "#/timeout"),
        (b'{"arguments": [1, 2], "timeout": 31}', 422, "#/timeout"),
    ],
)
def test_a_body_with_a_fault_calls_nothing(bed: Bed, body: bytes, status: int, place: str) -> None:
    problem(post(bed, body=body), status, pointer=place)
    assert bed.agents.calls == []


def test_the_body_has_to_be_json(bed: Bed) -> None:
    problem(post(bed, body=b"{}", content_type="text/plain"), 415, header="Content-Type")
    problem(post(bed, body=b"{}", headers={"Content-Encoding": "gzip"}), 415, header="Content-Encoding")
    problem(post(bed, body={"arguments": ["x" * 300_000, 1]}), 413)


def test_an_agent_that_is_offline_is_worth_another_try(bed: Bed) -> None:
    answer = post(bed, "/agents/gone/Press/add", {"arguments": [1, 2]})
    assert "offline" in problem(answer, 503, parameter="agent") and int(answer.headers["Retry-After"]) > 0


def test_calls_under_way_are_bounded(bed: Bed) -> None:
    bed.on_loop(lambda: setattr(bed.server._calls, "_of", type(bed.server._calls._of)({1: 100})))
    answer = post(bed, body={"arguments": [1, 2]})
    problem(answer, 429)
    assert answer.headers["Retry-After"] == "1"


def test_a_web_server_that_gives_no_socket_away_calls_nothing(bed: Bed) -> None:
    answer = bed.ask("POST", ADD, json={"arguments": [1, 2]})
    problem(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
    assert bed.agents.calls == [] and len(bed.server._calls) == 0


def test_only_the_right_methods_are_there(bed: Bed) -> None:
    assert bed.get(ADD).status_code == 405
    assert bed.ask("POST", "/agents").status_code == 405
