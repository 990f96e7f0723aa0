"""The REST API of the running product, used by foreign clients: curl, and Schemathesis, which makes up requests."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import wait_until
from tests.support.stack import HOST, Session, Stack

pytestmark = pytest.mark.stack

PASSWORD = "s3cret: with a colon"
EXAMPLES = 60  # that are made up for each operation, besides those that its schema asks for


@pytest.fixture(scope="module")
def login(stack: Stack) -> str:
    """The credentials of an HTTP integration, as curl takes them."""
    stack.add("http", username="rest client", password=PASSWORD)
    return f"rest client:{PASSWORD}"


def curl(stack: Stack, path: str, *options: str) -> tuple[int, str, str]:
    """Return status, content type and body."""
    command = ["curl", "-sS", "--max-time", "20", "-w", "\n%{http_code} %{content_type}", *options]
    done = subprocess.run([*command, f"{stack.url}/api/v1{path}"], capture_output=True, text=True, check=True)
    body, _, told = done.stdout.rpartition("\n")
    status, _, kind = told.partition(" ")
    return int(status), kind, body


@contextmanager
def following(stack: Stack, login: str, topic_filter: str) -> Iterator[subprocess.Popen[str]]:
    """Have curl follow a filter; it has got the head when this begins."""
    command = ["curl", "-sSN", "-i", "-u", login, "-G", "--data-urlencode", f"filter={topic_filter}"]
    with subprocess.Popen([*command, f"{stack.url}/api/v1/messages"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "200 OK" in process.stdout.readline()
            while process.stdout.readline().strip():
                pass
            yield process
        finally:
            process.kill()


def event(process: subprocess.Popen[str]) -> Any:
    """Return the data of the next event."""
    assert process.stdout is not None
    while not (line := process.stdout.readline()).startswith("data: "):
        assert line, "the stream has ended"
    return json.loads(line.removeprefix("data: "))


def test_curl_writes_reads_lists_and_deletes(stack: Stack, login: str) -> None:
    as_json = ("-X", "PUT", "-H", "Content-Type: application/json", "-d")
    assert curl(stack, "/values/curl/a", "-u", login, *as_json, "21.50") == (204, "", "")
    assert curl(stack, "/values/curl/a", "-u", login) == (200, "application/json", "21.50")
    status, kind, body = curl(stack, "/values?prefix=curl/", "-u", login)
    (value,) = json.loads(body)["values"]
    assert (status, kind, value["topic"], value["integration"]) == (200, "application/json", "curl/a", "rest client")
    assert '"value": 21.50' in body
    assert len(json.loads(curl(stack, "/history/curl%2Fa", "-u", login)[2])["values"]) == 1
    assert curl(stack, "/values/curl/a", "-u", login, "-X", "DELETE")[0] == 204
    status, kind, body = curl(stack, "/values/curl/a", "-u", login)
    assert (status, kind, json.loads(body)["errors"][0]["parameter"]) == (404, "application/problem+json", "topic")


def test_curl_follows_what_another_publishes(stack: Stack, login: str) -> None:
    with following(stack, login, "follow/#") as process:
        body = json.dumps([{"topic": "follow/a", "value": 1}, {"topic": "follow/b", "text": "two"}])
        assert curl(stack, "/messages", "-u", login, "-H", "Content-Type: application/json", "-d", body)[0] == 200
        first, second = event(process), event(process)
    assert (first["topic"], first["value"]) == ("follow/a", 1)
    assert (second["topic"], second["text"]) == ("follow/b", "two")


def test_curl_waits_for_a_value(stack: Stack, login: str) -> None:
    command = ["curl", "-sS", "-u", login, f"{stack.url}/api/v1/values/late?wait=20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        time.sleep(0.5)
        assert process.poll() is None
        assert curl(stack, "/values/late", "-u", login, "-X", "PUT", "-d", "here")[0] == 204
        assert process.communicate(timeout=10)[0] == "here"


def test_the_integration_is_online_and_refused_once_deactivated(stack: Stack, login: str) -> None:
    made = stack.add("http", username="leaving")
    own = f"leaving:{made['password']}"
    with following(stack, own, "leaving/#") as process:
        wait_until(lambda: stack.is_online("leaving"))
        stack.flask("integrations", "deactivate", "leaving")
        process.wait(20)  # the stream is cut
    status, kind, refused = curl(stack, "/me", "-u", own)
    assert (status, kind) == (401, "application/problem+json")
    assert refused == curl(stack, "/me", "-u", "nobody:x")[2] == curl(stack, "/me")[2]
    wait_until(lambda: stack.activity("username = 'leaving' AND detail = 'integration is inactive'"))


def test_credentials_of_another_type_open_nothing(stack: Stack) -> None:
    made = stack.add("mqtt", username="no http client")
    assert curl(stack, "/me", "-u", f"no http client:{made['password']}")[0] == 401
    wait_until(lambda: stack.activity("username = 'no http client' AND detail = 'integration is of another type'"))


def test_a_log_in_at_the_pages_opens_nothing(stack: Stack) -> None:
    session = Session(stack).log_in()
    assert session.get("/integrations").status == 200
    assert session.get("/api/v1/me").status == 401


def raw(stack: Stack, login: str, request: bytes, body: bytes = b"", *, half_closes: bool = True) -> bytes:
    """Send what no library would; return the answer."""
    token = base64.b64encode(login.encode())
    with socket.create_connection((HOST, stack.port), timeout=10) as client:
        client.sendall(
            request + b"\r\nHost: a\r\nConnection: close\r\nAuthorization: Basic " + token + b"\r\n\r\n" + body
        )
        if half_closes:
            client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65_536), b""))


def test_a_long_poll_of_a_client_that_says_no_more_is_answered(stack: Stack, login: str) -> None:
    assert raw(stack, login, b"GET /api/v1/values/half/closed?wait=60 HTTP/1.1").startswith(b"HTTP/1.1 404 ")


def test_bytes_that_are_no_utf8_are_refused_wherever_they_stand(stack: Stack, login: str) -> None:
    for path in (b"/api/v1/values?prefix=\xff", b"/api/v1/values/\xff", b"/login?next=\xff", b"/login/\xff"):
        assert raw(stack, login, b"GET " + path + b" HTTP/1.1", half_closes=False).startswith(b"HTTP/1.1 400 "), path


def test_of_a_body_that_is_cut_short_nothing_is_stored(stack: Stack, login: str) -> None:
    message = b'[{"topic": "cut/short", "value": 1}, {"topic": "cut/'
    head = b"POST /api/v1/messages HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: %d" % (
        len(message) + 9
    )
    assert not raw(stack, login, head, message).startswith(b"HTTP/1.1 2")
    assert curl(stack, "/values/cut/short", "-u", login)[0] == 404


def test_topics_as_long_as_they_may_be_are_listed_page_by_page(stack: Stack, login: str) -> None:
    topics = [f"long/{character * 65_530}" for character in "abc"]
    for topic in topics:
        body = json.dumps({"topic": topic, "value": 1}).encode()
        head = b"POST /api/v1/messages HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: %d" % len(body)
        assert raw(stack, login, head, body, half_closes=False).startswith(b"HTTP/1.1 200 ")
    seen, cursor = [], ""
    while cursor is not None:
        page = json.loads(curl(stack, f"/values?prefix=long/&limit=1&cursor={cursor}", "-u", login)[2])
        seen += [value["topic"] for value in page["values"]]
        cursor = page["cursor"]
    assert seen == topics


def test_of_a_batch_for_which_there_is_no_room_nothing_is_stored(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack(MQTT_RETAINED_MESSAGES="1").start()
    own = f"batch:{stack.add('http', username='batch')['password']}"
    batch = [{"topic": f"batch/{number}", "value": 1, "retain": True} for number in range(2)]
    options = ("-u", own, "-H", "Content-Type: application/json", "-d")
    status, _, answer = curl(stack, "/messages", *options, json.dumps(batch))
    assert (status, json.loads(answer)["errors"][0]["pointer"]) == (507, "#/1")
    assert json.loads(curl(stack, "/values", "-u", own)[2])["values"] == []
    assert curl(stack, "/messages", *options, json.dumps(batch[:1]))[0] == 200
    stack.stop()


def test_values_of_an_integration_that_is_deleted_while_nothing_runs_are_gone(make_stack: Callable[[], Stack]) -> None:
    stack = make_stack().start()
    logins = {name: f"{name}:{stack.add('http', username=name)['password']}" for name in ("goes", "stays")}
    for name, own in logins.items():
        assert curl(stack, f"/values/of/{name}", "-u", own, "-X", "PUT", "-d", "x")[0] == 204
    stack.stop()
    stack.flask("integrations", "delete", "goes")
    stack.start()
    found = json.loads(curl(stack, "/values", "-u", logins["stays"])[2])["values"]
    assert [value["topic"] for value in found] == ["of/stays"]
    stack.stop()


def try_made_up_requests(stack: Stack, username: str, folder: Path, operations: str, *options: str) -> str:
    """Have Schemathesis make up requests of a new integration in the domain `made.up`; return what it says.

    `operations` has its settings of single operations.
    """
    settings = folder / "schemathesis.toml"
    settings.write_text(
        "[checks.positive_data_acceptance]\n"
        'expected-statuses = ["2xx", "3xx", 401, 403, 404, 412]\n'
        "[checks.negative_data_rejection]\n"
        "expected-statuses = [400, 401, 403, 404, 405, 406, 412, 413, 414, 415, 422, 503]\n" + operations
    )
    made = stack.add("http", username=username, domain="made.up")
    login = ["--auth", f"{username}:{made['password']}", "--request-timeout", "10", "--no-color"]
    how = ["--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--generation-database", "none"]
    done = subprocess.run(
        [Path(sys.executable).with_name("schemathesis"), "--config-file", settings, "run"]
        + [f"{stack.url}/api/v1/openapi.json", *login, *how, *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_made_up_requests_are_answered_as_the_document_says(make_stack: Callable[[], Stack], tmp_path: Path) -> None:
    """Long polls do not wait here, no cursor is made up, and streams, which do not end, are left out.

    It is a product of its own: what is made up would be among the topics of other tests.
    """
    operations = (
        '[[operations]]\ninclude-operation-id = "value"\nparameters = { "query.wait" = 0 }\n'
        '[[operations]]\ninclude-operation-id = ["values", "agent_list"]\nparameters = { "query.cursor" = "" }\n'
    )
    stack = make_stack().start()
    told = try_made_up_requests(stack, "made-up", tmp_path, operations, "--exclude-operation-id", "follow")
    assert "12 selected / 13 total" in told, told
