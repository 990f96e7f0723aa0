"""An agent that logs in as a VRPC integration, called over the REST API of the portal."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.edge_connector.edge import DOMAIN, Edge
from tests.support.processes import wait_until
from tests.support.stack import Stack

pytestmark = pytest.mark.stack


def test_a_vrpc_integration_is_all_that_calls_need(make_edge: Callable[..., Edge], stack: Stack) -> None:
    agent = stack.add("vrpc", domain=DOMAIN, role="agent")
    caller = stack.add("http")
    stack.flask("integrations", "place", caller["username"], "--domain", DOMAIN)
    credentials = {"username": agent["username"], "password": agent["password"]}
    edge = make_edge("by-vrpc", credentials, connectors={"box": {"kind": "system"}}).start().ready()
    token = base64.b64encode(f"{caller['username']}:{caller['password']}".encode()).decode()

    def ask(path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"{stack.url}/api/v1/{path}", data, headers), timeout=10) as answer:  # noqa: S310
            return json.loads(answer.read() or b"null")

    def known() -> bool:
        return any(one["agent"] == edge.name for one in ask("agents")["agents"])

    wait_until(known, what="the portal to know the agent")
    found = ask(f"agents/{edge.name}/System/versions", {"instance": "box"})["result"]
    assert found["system"]
    with pytest.raises(HTTPError) as failed:
        ask(f"agents/{edge.name}/EdgeConnector/set_feed", {"arguments": ["x", {}]})
    with failed.value as answer:
        assert (answer.code, json.loads(answer.read())["detail"]) == (502, "connector has to be a text")
    with pytest.raises(HTTPError) as refused:
        ask(f"agents/{edge.name}/EdgeConnector/log", {"arguments": ["many"]})
    with refused.value as answer:
        assert answer.code == 422
        assert "#/arguments/0" in answer.read().decode()
    assert stack.is_online(agent["username"])
    assert edge.stop() == 0
    assert "refuses" not in edge.log()
