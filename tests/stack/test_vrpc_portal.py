"""The portal knows and calls real agents of both packages: what they say, what they answer, what becomes of them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

from portal import unix
from portal.worker_client import MQTT
from tests.support.processes import wait_until
from tests.support.stack import HOST, Stack
from tests.support.vrpc import KINDS, Agent

pytestmark = pytest.mark.stack

D = "acme.default"


class Portal:
    """Asks as web workers do."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def ask(self, action: str, *arguments: Any) -> Any:
        """Return an answer.  Raises `ValueError` where it is refused."""
        with unix.connect_to(Path(self.stack.environ["DATA_DIR"]), MQTT, 10) as client:
            client.sendall(msgpack.packb([1, action, arguments]))
            _, answer = next(iter(msgpack.Unpacker(client.makefile("rb", 0))))
        if "refused" in answer:
            raise ValueError(answer["refused"])
        return answer["answer"]

    def agent(self, name: str) -> dict[str, Any]:
        return next(iter(one for one in self.ask("vrpc_agents") if one["agent"] == name), {"status": "none"})

    def becomes(self, name: str, status: str, classes: int | None = None) -> dict[str, Any]:
        """Wait until an agent is known as that."""

        def is_so() -> bool:
            found = self.agent(name)
            return found["status"] == status and classes in (None, found.get("classes"))

        wait_until(is_so, what=f"{name} to be {status}")
        return self.agent(name)

    def ended(self, action: str, *arguments: Any) -> dict[str, Any]:
        """Call something, and return how that ended."""
        call = self.ask(action, D, *arguments)["call"]
        wait_until(lambda: self.ask("vrpc_result", call)["state"] not in ("waiting", "promised"), 40, action)
        return self.ask("vrpc_result", call)

    def result(self, action: str, *arguments: Any) -> Any:
        """Call something that has to succeed, and return its result."""
        found = self.ended(action, *arguments)
        assert found["state"] == "done", found
        return json.loads(found["result"])


@pytest.fixture
def portal(stack: Stack) -> Portal:
    return Portal(stack)


@pytest.fixture
def start(stack: Stack, tmp_path: Path) -> Iterator[Any]:
    agents: list[Agent] = []

    def begin(kind: str, name: str) -> Agent:
        integration = stack.add("vrpc", domain=D, role="agent")
        agents.append(Agent(kind, f"mqtt://{HOST}:{stack.mqtt_port}", D, name, tmp_path / name, integration))
        agents[-1].integration = integration  # type: ignore[attr-defined]
        return agents[-1].ready()

    yield begin
    for agent in agents:
        agent.kill()


@pytest.mark.parametrize("kind", KINDS)
def test_an_agent_is_known_called_watched_and_removed(portal: Portal, start: Any, kind: str) -> None:
    name = f"press-{kind}"
    agent = start(kind, name)
    shown = portal.becomes(name, "online", classes=2)
    assert (shown["domain"], shown["integration"], shown["v"]) == (D, agent.integration["username"], 3)
    assert shown["functions"] > 10 and not shown["fault"]

    (opened,) = [one for one in portal.ask("vrpc_agent", D, name, "Press")["info"] if one["name"] == "Press"]
    functions = {(one["name"], one["is_static"]): one for one in opened["functions"]}
    assert {("add", True), ("strike", False)} <= functions.keys()
    assert [one["name"] for one in functions["add", True]["params"]] == ["a", "b"]
    assert [(one["name"], one["default"]) for one in opened["constructors"][0]["params"]] == [("pressure", "10")]

    assert portal.result("vrpc_call", name, "Press", "", "add", "[1, 2]", 10) == 3
    assert portal.result("vrpc_call", name, "Press", "", "echo", '["é <b>"]', 10) == "é <b>"
    failed = portal.ended("vrpc_call", name, "Press", "", "fail", '["no"]', 10)
    assert (failed["state"], failed["error"]) == ("failed", "no")

    assert portal.result("vrpc_create", name, "Press", "p1", "[50]", 10) == "p1"
    assert portal.result("vrpc_call", name, "Press", "p1", "pressure", "[]", 10) == 50
    wait_until(lambda: portal.agent(name)["instances"] == 1, what="the instance to be known")
    watch_strokes(portal, name)
    assert portal.result("vrpc_delete", name, "Press", "p1", 10) is True
    wait_until(lambda: portal.agent(name)["instances"] == 0, what="the instance to be gone")

    with pytest.raises(ValueError, match="connected"):
        portal.ask("vrpc_remove", D, name)
    agent.end()
    portal.becomes(name, "offline")
    portal.ask("vrpc_remove", D, name)
    assert portal.agent(name)["status"] == "none"


def watch_strokes(portal: Portal, name: str) -> None:
    watch = portal.ask("vrpc_watch", D, name, "Press", "p1", "stroke")["watch"]
    wait_until(lambda: portal.ask("vrpc_events", watch, 0)["state"] != "starting", what="the watch to begin")
    assert portal.ask("vrpc_events", watch, 0)["state"] == "live"
    for number in (1, 2):
        assert portal.result("vrpc_call", name, "Press", "p1", "strike", "[7]", 10) == number
    wait_until(lambda: len(portal.ask("vrpc_events", watch, 0)["events"]) == 2, what="two strokes")
    assert [json.loads(one["arguments"]) for one in portal.ask("vrpc_events", watch, 1)["events"]] == [[2, 7]]
    portal.ask("vrpc_unwatch", watch)
    assert portal.ask("vrpc_events", watch, 0) is None


def test_promises_of_an_agent_are_waited_for(portal: Portal, start: Any) -> None:
    """Of npm: the agent of PyPI does not say what its promises are called."""
    start("npm", "promising")
    portal.becomes("promising", "online", classes=2)
    found = portal.ended("vrpc_call", "promising", "Press", "", "later", '["value", 300]', 10)
    assert (found["state"], found["result"], found["promise"]) == ("done", '"value"', True)
    assert found["seconds"] >= 0.3
    broken = portal.ended("vrpc_call", "promising", "Press", "", "refuse", '["no"]', 10)
    assert (broken["state"], broken["error"]) == ("failed", "no")
    late = portal.ended("vrpc_call", "promising", "Press", "", "never", "[]", 0.5)
    assert (late["state"], late["promise"]) == ("late", True)


def test_a_call_fails_at_once_when_its_integration_is_deactivated(stack: Stack, portal: Portal, start: Any) -> None:
    agent = start("npm", "stopped")
    portal.becomes("stopped", "online", classes=2)
    call = portal.ask("vrpc_call", D, "stopped", "Press", "", "never", "[]", 30)["call"]
    wait_until(lambda: portal.ask("vrpc_result", call)["state"] == "promised", what="a promise")
    stack.flask("integrations", "deactivate", agent.integration["username"])
    wait_until(lambda: portal.ask("vrpc_result", call)["state"] == "failed", what="the call to fail")
    assert portal.ask("vrpc_result", call)["error"] == "the agent went offline"
    assert portal.agent("stopped")["status"] == "offline"


def test_after_a_kill_agents_are_offline_until_they_come_back(make_stack: Any, tmp_path: Path) -> None:
    stack = make_stack().start()
    integration = stack.add("vrpc", domain=D, role="agent")
    agent = Agent("npm", f"mqtt://{HOST}:{stack.mqtt_port}", D, "killed", tmp_path / "killed", integration).ready()
    portal = Portal(stack)
    portal.becomes("killed", "online", classes=2)
    watch = portal.ask("vrpc_watch", D, "killed", "Press", "", "x")
    assert watch
    agent.freeze()  # it cannot come back for now
    stack.wait_written("mqtt.db", f"{D}/killed/__agentInfo__", b'"online"')
    os.kill(stack.worker_pid(), signal.SIGKILL)
    wait_until(lambda: _is_offline(portal), what="the agent to be offline")
    agent.thaw()
    portal.becomes("killed", "online", classes=2)
    assert portal.result("vrpc_call", "killed", "Press", "", "add", "[1, 2]", 10) == 3
    agent.kill()


def _is_offline(portal: Portal) -> bool:
    try:
        return portal.agent("killed")["status"] == "offline"
    except (OSError, StopIteration):
        return False
