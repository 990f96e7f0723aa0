"""Smart onboarding with real clients that nobody adapted: they knock, are let in by a click, and come back."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from html import unescape

import paho.mqtt.client as paho
import pytest

from tests.edge_connector.edge import DOMAIN, Edge
from tests.support import npm
from tests.support.clients import Subscriber, connack, logged_in, publish
from tests.support.opcua import Fault
from tests.support.processes import wait_until
from tests.support.stack import HOST, Session, Stack
from tests.support.vrpc import Agent

pytestmark = pytest.mark.stack

SECRET = "made-up-by-the-client-7431"
REQUEST = re.compile(r'id="request-([\w.-]+)".*?<bdi class="mono">(.*?)</bdi>', re.S)


class Operator:
    """Somebody at the page *Integrations*, without a browser."""

    def __init__(self, stack: Stack) -> None:
        self.session = Session(stack).log_in()

    def post(self, path: str, **form: str) -> str:
        """Click; return the page that this leads to."""
        assert self.session.post(f"/onboarding/{path}", **form).status == 303
        return self.session.get("/integrations").text

    def requests(self) -> dict[str, str]:
        """Return the id of each request that is shown, by username."""
        found = REQUEST.findall(self.session.get("/onboarding/box").text)
        return {unescape(username): id for id, username in found}

    def sees(self, username: str) -> str:
        """Wait until a client is shown; return the id of its request."""
        return wait_until(lambda: self.requests().get(username), what=f"{username} to be shown")

    def approve(self, username: str) -> None:
        assert f"{username} is let in." in self.post(f"requests/{self.sees(username)}/approve")


@pytest.fixture
def operator(stack: Stack) -> Iterator[Operator]:
    """An operator who has opened the window."""
    made = Operator(stack)
    made.post("open")
    yield made
    made.post("close")


@pytest.fixture
def aside() -> Iterator[ThreadPoolExecutor]:
    """What waits for a client while the operator clicks."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


def credentials(username: str, password: str = SECRET) -> dict[str, str]:
    return {"username": username, "password": password}


def test_mosquitto_sub_with_made_up_credentials_gets_in_on_its_one_try(stack, operator):
    with Subscriber(stack.mqtt_port, credentials("sub"), "plant/#") as subscriber:
        operator.approve("sub")
        subscriber.subscribed()
        assert subscriber.running
    assert publish(stack.mqtt_port, credentials("sub"), "a", "b", "-q", "1").returncode == 0
    made = stack.shown("sub")
    assert (made["type"], made["active"]) == ("mqtt", True)


def test_paho_is_let_in(stack, operator):
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="paho-1", protocol=paho.MQTTv5)
    client.username_pw_set("paho", SECRET)
    codes: list[str] = []
    client.on_connect = lambda *event: codes.append(str(event[3]))
    client.connect(HOST, stack.mqtt_port)
    client.loop_start()
    try:
        operator.approve("paho")
        wait_until(lambda: codes == ["Success"], what="paho to be in")
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.parametrize("way", ["ws", "web"])
def test_mqtt_js_over_a_websocket_is_let_in(stack, operator, aside, way):
    port = stack.ws_port if way == "ws" else stack.port
    name = f"mqtt-js-{way}"
    words = ("roundtrip.mjs", f"ws://{HOST}:{port}/mqtt", "5")
    done = aside.submit(npm.node, *words, USERNAME=name, PASSWORD=SECRET)
    operator.approve(name)
    assert done.result(30)["missing"] == []


def test_an_agent_of_vrpc_without_credentials_makes_them_up_retries_and_is_let_in(stack, operator, tmp_path):
    agent = Agent("npm", f"mqtt://{HOST}:{stack.mqtt_port}", "acme.default", "press", tmp_path)
    try:
        id = operator.sees("acme.default/press")
        page = operator.session.get("/onboarding/box").text
        assert "comes as an agent of" in page and "acme.default/press/__agentInfo__" in page
        assert operator.requests()["acme.default/press"] == id
        operator.approve("acme.default/press")
        agent.ready()
        wait_until(lambda: stack.is_online("acme.default/press"))
        shown = stack.shown("acme.default/press")
        assert (shown["type"], shown["domain"], shown["role"]) == ("vrpc", "acme.default", "agent")
    finally:
        agent.kill()


def test_an_edge_connector_is_known_and_let_in_as_one(stack, operator, tmp_path):
    edge = Edge(tmp_path, {"port": stack.mqtt_port, **credentials("hall-1")}, "hall1").start()
    try:
        operator.sees("hall-1")
        assert "<span>Edge Connector</span>" in operator.session.get("/onboarding/box").text
        operator.approve("hall-1")
        edge.ready()
        shown = stack.shown("hall-1")
        assert (shown["type"], shown["domain"], shown["role"]) == ("edge", DOMAIN, "agent")
    finally:
        edge.kill()


@pytest.mark.parametrize("kind", ["node-opcua", "asyncua"])
def test_an_opcua_client_is_let_in(stack, operator, aside, opcua_programs, kind):
    program = opcua_programs(kind)
    trying = aside.submit(program.connect, stack.opcua_port, credentials(kind))
    operator.approve(kind)
    try:
        client = trying.result(20)
    except Fault:  # it was approved a moment too late, which a busy machine may be
        client = program.connect(stack.opcua_port, credentials(kind))
    client.write(f"ns=2;s={kind}/speed", 20.5)
    assert client.read(f"ns=2;s={kind}/speed") == 20.5
    client.close()
    assert stack.shown(kind)["type"] == "opcua"


def curl(stack: Stack, path: str, *options: str) -> tuple[int, dict]:
    done = subprocess.run(
        ["curl", "-s", "-w", "\n%{http_code}", *options, f"{stack.url}/api/v1{path}"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)


def test_a_request_of_curl_waits_and_is_answered(stack, operator, aside):
    waiting = aside.submit(curl, stack, "/me", "-u", f"curl:{SECRET}")
    operator.approve("curl")
    status, body = waiting.result(20)
    assert (status, body["username"]) == (200, "curl")


def test_an_http_client_without_credentials_is_given_some_and_asks_again(stack, operator):
    named = ("-X", "POST", "-H", "Content-Type: application/json", "-d", '{"name": "Logger 3"}')
    time.sleep(0.2)  # the protocol servers know of the window within 100 ms
    status, told = curl(stack, "/onboarding", *named)
    assert status == 202 and told["state"] == "waiting"
    own = ("-u", f"{told['username']}:{told['password']}")
    assert curl(stack, "/onboarding", "-X", "POST", *own) == (202, {"state": "waiting", "username": told["username"]})
    assert "Logger 3" in operator.session.get("/onboarding/box").text
    operator.approve(told["username"])
    wait_until(lambda: curl(stack, "/onboarding", "-X", "POST", *own)[0] == 200, what="the answer to change")
    assert curl(stack, "/me", *own)[0] == 200
    assert stack.shown(told["username"])["note"] == "Logger 3"


@pytest.mark.parametrize("password", [None, "its own"])
def test_a_client_of_5_without_a_username_is_told_one_comes_back_with_it_and_is_let_in(stack, operator, password):
    told: dict[str, str] = {}
    codes: list[str] = []

    def connected(client, _, __, reason, properties) -> None:
        codes.append(str(reason))
        told.update(getattr(properties, "UserProperty", []))
        if "username" in told:
            client.username_pw_set(told["username"], told["password"])

    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=f"sensor {password}", protocol=paho.MQTTv5)
    if password is not None:
        client.username_pw_set("", password)
    client.reconnect_delay_set(1, 1)
    client.on_connect = connected
    time.sleep(0.2)  # the protocol servers know of the window within 100 ms
    client.connect(HOST, stack.mqtt_port)
    client.loop_start()
    try:
        wait_until(lambda: told, what="the client to be told")
        assert codes == ["Not authorized"] and told["username"] in operator.requests()
        assert "made up by Gatehouse" in operator.session.get("/onboarding/box").text
        operator.approve(told["username"])
        wait_until(lambda: codes[-1] == "Success", what="it to be in")
        assert stack.json("integrations", "reveal", told["username"])["password"] == told["password"]
        wait_until(lambda: stack.is_online(told["username"]))
        assert told["password"] not in stack.log()
    finally:
        client.disconnect()
        client.loop_stop()


def test_who_waits_when_the_window_closes_is_refused_cleanly(stack, operator, aside):
    trying = [aside.submit(connack, stack.mqtt_port, f"late-{number}", SECRET, "raw") for number in range(3)]
    for number in range(3):
        operator.sees(f"late-{number}")
    operator.post("close")
    began = time.monotonic()
    assert [one.result(30) for one in trying] == [4] * 3
    assert time.monotonic() - began < 10, "long before they would have had to go"
    assert operator.requests() == {}
    refused = "kind = 'login.refused' AND username LIKE 'late-%' AND detail = 'unknown username'"
    wait_until(lambda: len(stack.activity(refused)) == 3)


def test_with_the_window_closed_nothing_of_a_refused_login_is_kept(stack, operator):
    operator.post("close")
    assert connack(stack.mqtt_port, "stranger", SECRET) == 4
    operator.post("open")
    assert operator.requests() == {}


def test_who_left_before_it_was_approved_gets_in_when_it_comes_back(stack, operator):
    with Subscriber(stack.mqtt_port, credentials("gone")):
        operator.sees("gone")
    operator.approve("gone")
    wait_until(lambda: _is_in(stack, "gone"))


def _is_in(stack: Stack, username: str) -> bool:
    with suppress(AssertionError), logged_in(stack.mqtt_port, credentials(username), "back"):
        return True
    return False


def test_a_client_whose_password_has_changed_gets_in_again_by_a_click(stack, operator):
    turing = stack.add(username="turing")
    assert connack(stack.mqtt_port, "turing", "a new one") == 4
    row = "/integrations?q=turing"  # of so many, the list may have it on another page
    path = re.search(r'href="(/integrations/\d+/accept/[\w.-]+)"', operator.session.get(row).text)[1]
    assert connack(stack.mqtt_port, "turing", turing["password"]) == 0, "until then its own still works"
    assert connack(stack.mqtt_port, "turing", "a new one") == 4
    path = re.search(r'href="(/integrations/\d+/accept/[\w.-]+)"', operator.session.get(row).text)[1]
    assert operator.session.get(path).status == 200, "it asks first"
    assert operator.session.post(path).status == 303
    wait_until(lambda: connack(stack.mqtt_port, "turing", "a new one") == 0)


def test_a_password_is_nowhere_in_the_clear(stack, operator):
    with Subscriber(stack.mqtt_port, credentials("secretive", "never-seen-by-anybody-4711")) as subscriber:
        operator.sees("secretive")
        shown = [operator.session.get(path).text for path in ("/onboarding/box", "/integrations", "/activity")]
        operator.approve("secretive")
        subscriber.subscribed()
    shown += [operator.session.get(path).text for path in ("/integrations", "/activity?show=changes")]
    shown.append(stack.log())
    assert not [text for text in shown if "never-seen-by-anybody-4711" in text]
    for path in stack.folder.rglob("*"):
        if path.is_file():
            assert b"never-seen-by-anybody-4711" not in path.read_bytes(), path


def test_a_worker_that_is_killed_comes_back_with_the_window_open_and_without_requests(make_stack):
    stack = make_stack().start()
    operator = Operator(stack)
    operator.post("open")
    with Subscriber(stack.mqtt_port, credentials("before")):
        operator.sees("before")
    os.kill(stack.worker_pid(), signal.SIGKILL)
    wait_until(lambda: not operator.requests() and stack.beats(), what="the worker to be back")
    with Subscriber(stack.mqtt_port, credentials("after")) as subscriber:
        operator.approve("after")
        subscriber.subscribed()
    stack.stop()
    stack.start()
    assert "Smart onboarding is open" in operator.session.get("/activity").text


def test_a_machine_that_fails_has_its_window_again_until_its_time_and_clients_knock_anew(make_stack):
    stack = make_stack().start()
    operator = Operator(stack)
    operator.post("open")
    opened = stack.json("onboarding", "status")
    with Subscriber(stack.mqtt_port, credentials("press")):
        before = operator.sees("press")
    stack.kill()
    stack.start()
    assert stack.json("onboarding", "status") == opened
    operator = Operator(stack)
    assert operator.requests() == {}
    with Subscriber(stack.mqtt_port, credentials("press")) as subscriber:
        assert operator.sees("press") != before
        operator.approve("press")
        subscriber.subscribed()
    _have_time_over(stack)
    wait_until(lambda: not stack.json("onboarding", "status")["open"])
    stack.stop()


@pytest.mark.postgres
def test_the_portal_of_any_machine_lets_in_what_knocks_at_another(make_stack, postgresql, aside):
    url = postgresql.url(postgresql.create())
    one, other = (make_stack(DATABASE_URL=url, SECRET_KEY="one key for all nodes").start() for _ in range(2))
    operator, elsewhere = Operator(one), Operator(other)
    operator.post("open")
    with Subscriber(other.mqtt_port, credentials("press"), "plant/#") as subscriber:
        wait_until(lambda: "press" in operator.requests(), what="it to be shown where it does not knock")
        assert operator.requests() == elsewhere.requests()
        operator.approve("press")
        subscriber.subscribed()
        assert elsewhere.requests() == {}
    rival = aside.submit(connack, one.mqtt_port, "pump", SECRET)
    trying = aside.submit(connack, other.mqtt_port, "pump", "another password")
    wait_until(lambda: operator.session.get("/onboarding/box").text.count("The same username") == 2)
    operator.post("close")
    assert [rival.result(10), trying.result(10)] == [4, 4]
    assert one.json("onboarding", "list") == []


def test_its_time_ends_the_window_for_everybody_and_who_waits_is_refused(stack, operator, aside):
    trying = aside.submit(connack, stack.mqtt_port, "late", SECRET, "raw")
    operator.sees("late")
    _have_time_over(stack)
    assert trying.result(10) == 4, "long before it would have had to go"
    wait_until(lambda: not stack.query("SELECT id FROM onboarding_window"), what="the jobs thread to take it away")
    (closed,) = stack.activity("kind = 'onboarding.closed' AND detail = 'its time was over'")
    assert closed["account"] is None
    assert connack(stack.mqtt_port, "later", SECRET) == 4
    operator.post("open")
    assert operator.requests() == {}


def _have_time_over(stack: Stack) -> None:
    with closing(sqlite3.connect(stack.folder / "data" / "gatehouse.db", timeout=10)) as database, database:
        database.execute("UPDATE onboarding_window SET closes_at = ?", (int(time.time() * 1000),))
