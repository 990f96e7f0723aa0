"""Real agents, of VRPC's packages on npm and PyPI, called by curl over the REST API of the running product."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from portal.api.schemas import LONGEST_CALL
from tests.stack.test_answers import dial, usage
from tests.stack.test_api import curl, try_made_up_requests
from tests.support.processes import wait_until
from tests.support.stack import HOST, Stack
from tests.support.vrpc import KINDS, Agent

pytestmark = pytest.mark.stack

DOMAIN = "http.default"
FAILED = "/api/v1/#CallProblem"


class Script:
    """An HTTP integration that is granted a domain, as curl."""

    def __init__(self, stack: Stack, username: str, domain: str = DOMAIN) -> None:
        self.stack = stack
        options = {"domain": domain} if domain else {}
        self.login = f"{username}:{stack.add('http', username=username, **options)['password']}"

    def get(self, path: str) -> tuple[int, Any]:
        return self._told(path)

    def command(self, agent: str, function: str, body: Any, of_class: str = "Press") -> list[str]:
        """Return what has curl call a function."""
        path = f"/agents/{quote(agent, safe='')}/{of_class}/{function}"
        options = ["-H", "Content-Type: application/json", "--data-binary", json.dumps(body)]
        return [path, "-u", self.login, *options]

    def call(self, agent: str, function: str, *arguments: Any, of_class: str = "Press", **more: Any) -> tuple[int, Any]:
        """Return status and body."""
        return self._told(*self.command(agent, function, {"arguments": arguments, **more}, of_class))

    def begin(self, agent: str, function: str, *arguments: Any) -> subprocess.Popen[str]:
        """Have curl call a function, and do not wait."""
        path, *options = self.command(agent, function, {"arguments": arguments})
        url = f"{self.stack.url}/api/v1{path}"
        command = ["curl", "-sS", "-w", "\n%{http_code}", *options, url]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def _told(self, path: str, *options: str) -> tuple[int, Any]:
        status, _, body = curl(self.stack, path, "-u", self.login, *options)
        return status, json.loads(body)


def start(stack: Stack, kind: str, name: str, folder: Path, domain: str = DOMAIN) -> Agent:
    """Run an agent with an integration of its own."""
    integration = stack.add("vrpc", username=f"of {name}", domain=domain, role="agent")
    return Agent(kind, f"mqtt://{HOST}:{stack.mqtt_port}", domain, name, folder, integration).ready()


def knows(script: Script, agent: str, status: str = "online") -> None:
    """Wait until the portal knows an agent in a state, and a class of it."""
    path = f"/agents/{quote(agent, safe='')}/Press"
    wait_until(lambda: script.get(path)[0] == 200, what=f"{agent} to have its class")
    wait_until(lambda: script.get(path.removesuffix("/Press"))[1]["status"] == status, what=f"{agent} to be {status}")


@pytest.fixture(scope="module")
def script(stack: Stack) -> Script:
    return Script(stack, "script")


@pytest.fixture(scope="module", params=KINDS)
def agent(
    request: pytest.FixtureRequest, stack: Stack, script: Script, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The name of a running agent."""
    name = f"press ü {request.param}"
    running = start(stack, request.param, name, tmp_path_factory.mktemp("agent"))
    try:
        knows(script, name)
        yield name
    finally:
        running.kill()


@pytest.fixture(scope="module")
def npm_agent(stack: Stack, script: Script, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    running = start(stack, "npm", "press-1", tmp_path_factory.mktemp("agent"))
    try:
        knows(script, "press-1")
        yield "press-1"
    finally:
        running.kill()


def test_an_agent_is_listed_with_its_documented_functions(script: Script, agent: str) -> None:
    status, found = script.get("/agents")
    assert status == 200
    (one,) = [one for one in found["agents"] if one["agent"] == agent]
    assert (one["status"], one["host"], one["class_count"]) == ("online", socket.gethostname(), 2) and one["since"]
    classes = script.get(f"/agents/{quote(agent)}")[1]["classes"]
    assert {one["class"] for one in classes} == {"Press", "Lamp"} and all(one["fault"] is None for one in classes)
    found = script.get(f"/agents/{quote(agent)}/Press")[1]
    named = {(one["function"], one["static"]): one for one in found["functions"]}
    add = named["add", True]
    assert add["description"] == "Adds two numbers"
    assert [(one["name"], one["optional"]) for one in add["parameters"]] == [("a", False), ("b", False)]
    assert named["strike", False]["description"].startswith("Makes strokes")


def test_a_function_is_called_and_its_result_is_any_json(script: Script, agent: str) -> None:
    status, told = script.call(agent, "add", 1, 2.5)
    assert (status, told["result"]) == (200, 3.5) and 0 < told["seconds"] < 60
    for value in (None, "ü\n", [1, {"a": None}], {"b": [True, 1e300]}):
        assert script.call(agent, "echo", value)[1]["result"] == value


def test_a_function_that_fails_says_why_in_a_problem_of_its_own_type(script: Script, agent: str) -> None:
    status, told = script.call(agent, "fail", "it is <too> hot")
    assert (status, told["type"], told["detail"]) == (502, FAILED, "it is <too> hot")
    assert "Traceback" not in json.dumps(told)


def test_what_does_not_fit_is_refused_before_it_is_called(script: Script, agent: str) -> None:
    for arguments, place in (((1, "2"), "#/arguments/1"), ((1,), "#/arguments"), ((1, 2, 3), "#/arguments")):
        status, told = script.call(agent, "add", *arguments)
        assert (status, told["errors"][0]["pointer"]) == (422, place)
    assert script.call(agent, "no_such")[0] == 404
    assert script.call(agent, "add", 1, 2, of_class="No")[0] == 404
    assert script.call("no such", "add", 1, 2)[0] == 404


def test_an_instance_is_made_called_and_deleted(script: Script, agent: str) -> None:
    assert script.call(agent, "__createShared__", "p1", 20)[1]["result"] == "p1"
    page = f"/agents/{quote(agent)}/Press"
    wait_until(lambda: script.get(page)[1]["instances"] == ["p1"], what="the instance to be known")
    assert script.call(agent, "strike", instance="p1")[1]["result"] == 1
    assert script.call(agent, "strike", 2, instance="p1")[1]["result"] == 2
    status, told = script.call(agent, "adjust", 500, instance="p1")
    assert (status, told["type"]) == (502, FAILED) and "500 bar is too much" in told["detail"]
    every = script.call(agent, "__callAll__", "strokes")[1]["result"]
    assert [(one["id"], one["val"]) for one in every] == [("p1", 2)]
    assert script.call(agent, "strike", instance="p2")[0] == 404
    if agent.endswith("npm"):  # PyPI's agent takes all functions for static ones, too, and fails when one is called so
        assert script.call(agent, "strike")[1]["errors"][0]["pointer"] == "#/instance"
    assert script.call(agent, "__delete__", "p1")[1]["result"] is True
    wait_until(lambda: script.get(page)[1]["instances"] == [], what="the instance to be gone")


def test_a_result_of_a_megabyte_comes_whole_and_a_larger_one_is_refused(script: Script, agent: str) -> None:
    status, told = script.call(agent, "text", 1_000_000)
    assert (status, told["result"]) == (200, "x" * 1_000_000)
    status, told = script.call(agent, "text", 3_000_000)
    assert (status, told["type"]) == (502, "about:blank") and "VRPC_REPLY_BYTES" in told["detail"]


def test_ten_at_once_get_their_own_results(script: Script, agent: str) -> None:
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda number: script.call(agent, "add", number, 1), range(50)))
    assert [(status, told["result"]) for status, told in found] == [(200, number + 1) for number in range(50)]


def test_a_promise_is_waited_for_and_one_that_is_broken_or_never_kept_is_told(script: Script, npm_agent: str) -> None:
    """Of npm only: the agent of PyPI never settles a promise, which is a fault of that package."""
    status, told = script.call(npm_agent, "later", {"a": 1}, 300)
    assert (status, told["result"]) == (200, {"a": 1}) and told["seconds"] >= 0.3
    status, told = script.call(npm_agent, "refuse", "no")
    assert (status, told["type"], told["detail"]) == (502, FAILED, "no")
    began = time.monotonic()
    status, told = script.call(npm_agent, "never", timeout=1)
    assert (status, told["type"]) == (504, "about:blank") and time.monotonic() - began >= 1


def test_who_is_granted_nothing_or_another_domain_sees_nothing(stack: Stack, npm_agent: str) -> None:
    nobody, stranger = Script(stack, "not granted", ""), Script(stack, "stranger", "elsewhere")
    for path in ("/agents", f"/agents/{npm_agent}", f"/agents/{npm_agent}/Press"):
        assert nobody.get(path)[0] == 403
    assert nobody.call(npm_agent, "add", 1, 2)[0] == 403
    assert stranger.get("/agents") == (200, {"agents": [], "cursor": None})
    assert stranger.get(f"/agents/{npm_agent}") == stranger.get(f"/agents/{npm_agent}/Press")
    assert stranger.call(npm_agent, "add", 1, 2)[0] == 404
    stack.flask("integrations", "place", "not granted", "--domain", DOMAIN)
    wait_until(lambda: nobody.call(npm_agent, "add", 1, 2)[0] == 200, what="the grant to hold")


def test_an_agent_that_goes_offline_is_offline_and_ends_what_waits(
    stack: Stack, script: Script, tmp_path: Path
) -> None:
    agent = start(stack, "npm", "leaving", tmp_path)
    knows(script, "leaving")
    with script.begin("leaving", "never") as waiting:
        wait_until(lambda: calls(stack) > 0, what="the call to be under way")
        agent.kill()
        body, _, status = waiting.communicate(timeout=10)[0].rpartition("\n")
    assert (status, json.loads(body)["detail"]) == ("503", "the agent has left before it answered")
    knows(script, "leaving", "offline")
    status, told = script.call("leaving", "add", 1, 2)
    assert (status, told["errors"][0]["parameter"]) == (503, "agent")


def calls(stack: Stack) -> int:
    """Return how many calls of HTTP clients are under way."""
    with dial(stack, "mqtt") as client:
        (found,) = [row for row in usage(client) if row["name"] == "HTTP_CALLS"]
        return found["used"]


def test_a_deactivated_integration_is_cut_while_its_call_waits(stack: Stack, npm_agent: str) -> None:
    leaving = Script(stack, "leaving script")
    with leaving.begin(npm_agent, "never") as waiting:
        wait_until(lambda: calls(stack) > 0, what="the call to be under way")
        wait_until(lambda: stack.is_online("leaving script"))
        stack.flask("integrations", "deactivate", "leaving script")
        assert waiting.wait(20) == 52  # an empty reply from the server
    wait_until(lambda: calls(stack) == 0)


def test_a_client_that_leaves_leaves_nothing_behind(stack: Stack, script: Script, npm_agent: str) -> None:
    with script.begin(npm_agent, "never") as waiting:
        wait_until(lambda: calls(stack) > 0, what="the call to be under way")
        waiting.kill()
    wait_until(lambda: calls(stack) == 0, what="the call to be given up")


def test_a_client_that_ends_its_half_gets_its_result(stack: Stack, script: Script, npm_agent: str) -> None:
    body = b'{"arguments": [7, 1500]}'
    with socket.create_connection((HOST, stack.port), timeout=10) as client:
        client.sendall(request(script, npm_agent, "later", body))
        client.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: client.recv(65_536), b""))
    assert received.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert received.endswith(b"}") and b'{"result": 7, ' in received


def test_a_kept_connection_is_used_for_a_call_and_ends_with_it(stack: Stack, script: Script, npm_agent: str) -> None:
    connection = HTTPConnection(HOST, stack.port, timeout=10)
    headers = {"Authorization": f"Basic {b64encode(script.login.encode()).decode()}"}
    connection.request("GET", "/api/v1/me", headers=headers)
    answer = connection.getresponse()
    assert answer.read() and not answer.will_close
    kept = connection.sock
    for _ in range(2):  # the second one by a connection that the client makes anew
        body = json.dumps({"arguments": [1, 2]})
        connection.request(
            "POST", f"/api/v1/agents/{npm_agent}/Press/add", body, headers | {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        assert json.load(answer)["result"] == 3 and answer.will_close
    assert kept is not connection.sock
    connection.close()


def request(script: Script, agent: str, function: str, body: bytes) -> bytes:
    head = f"POST /api/v1/agents/{agent}/Press/{function} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    token = b64encode(script.login.encode()).decode()
    return f"{head}Authorization: Basic {token}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def test_made_up_calls_are_answered_as_the_document_says(make_stack: Callable[..., Stack], tmp_path: Path) -> None:
    """Of a function that takes anything."""
    target = {"agent": "press-1", "class_name": "Lamp", "function": "colours"}
    names = ", ".join(f'"path.{name}" = "{value}"' for name, value in target.items())
    stack = make_stack(VRPC_CALL_TIMEOUT=str(LONGEST_CALL)).start()
    agent = start(stack, "npm", "press-1", tmp_path / "agent", "made.up")
    try:
        knows(Script(stack, "script", "made.up"), "press-1")
        operations = f'[[operations]]\ninclude-operation-id = "call"\nparameters = {{ {names} }}\n'
        told = try_made_up_requests(stack, "made-up", tmp_path, operations, "--include-operation-id", "call")
        assert "1 selected / 13 total" in told and "mostly" not in told and "Missing test data" not in told, told
        assert agent.count("close") == 0
    finally:
        agent.kill()


def test_calls_of_clients_are_no_activity(stack: Stack, script: Script, npm_agent: str) -> None:
    before = len(stack.activity())
    for _ in range(10):
        assert script.call(npm_agent, "add", 1, 2)[0] == 200
    assert len(stack.activity()) - before <= 1  # that it has come online again, at most


def test_calls_under_way_are_bounded_and_the_end_of_the_part_ends_them(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    stack = make_stack(HTTP_CALLS_PER_INTEGRATION="2", VRPC_CALL_TIMEOUT="20").start()
    script = Script(stack, "script")
    agent = start(stack, "npm", "press-1", tmp_path / "agent")
    try:
        knows(script, "press-1")
        with script.begin("press-1", "never") as first, script.begin("press-1", "never") as second:
            wait_until(lambda: calls(stack) == 2, what="two calls to be under way")
            status, told = script.call("press-1", "add", 1, 2)
            assert status == 429 and "2 calls" in told["detail"]
            assert script.call("press-1", "add", 1, 2, timeout=21)[1]["errors"][0]["pointer"] == "#/timeout"
            os.kill(stack.worker_pid(), signal.SIGKILL)
            assert {first.wait(10), second.wait(10)} <= {52, 56}  # cut, by the words of curl
        wait_until(stack.beats, what="the protocol servers to be back")
        wait_until(lambda: script.call("press-1", "add", 1, 2)[0] == 200, what="the agent to be back")
    finally:
        agent.kill()
        stack.stop()
