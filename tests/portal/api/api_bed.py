"""The API on the Flask test client, with a real hub behind it, on a thread, at the socket that web workers ask."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import app as application
from portal import config, handover, unix
from portal.patient import SOCKET, HandedOver
from protocols.answers import Answers
from protocols.contract import Grant, Refused
from protocols.http.server import HttpServer
from protocols.hub.hub import Hub
from protocols.hub.limits import HubLimits
from protocols.hub.messages import Publication
from protocols.hub.runs import Source
from protocols.looper import Looper
from tests.protocols.http.http_agents import DOMAIN, Agents
from tests.protocols.http.http_wire import Door, Recorder

V1 = "/api/v1"
TIME = 1_764_000_000.0


class Bed:
    """ada may use every topic and call agents, bob few and none; the password of both is right."""

    def __init__(self, folder: Path) -> None:
        self.settings = config.load({"DATA_DIR": str(folder)})
        self.door = Door()
        self.door.answers["ada"] = Grant(1, "ada", domain=DOMAIN)
        self.door.answers["ada lövelace"] = Grant(3, "ada lövelace")
        self.hub = Hub(HubLimits(), lambda: TIME)
        self.published: list[tuple[str, bytes, int, bool]] = []
        self.full: set[str] = set()  # topics on which nothing can be kept
        self.hub.connect(self._route, self._hold, lambda: self.looper.call(self.hub.settle))
        self.agents = Agents()
        names = {1: "ada", 2: "bob"}
        self.server = HttpServer(
            authenticate=self.door,
            presence=Recorder(),
            hub=self.hub,
            names=lambda number: names.get(number, ""),
            vrpc=self.agents,
        )
        self.looper = Looper("api")
        self.looper.start()
        self.answers = Answers(self.server.actions(), {})
        self.looper.run(self.server.start({"http": [handover.listen(folder, handover.STREAMS)]}, {}), 5)
        self.looper.run(self.answers.start(unix.listen_as(folder, "mqtt")), 5)
        self.app = application.create_app(self.settings)
        self.client = self.app.test_client()

    def _hold(self, wanted: Sequence[Publication]) -> None:
        for place, (topic, *_) in enumerate(wanted):
            if topic in self.full:
                raise Refused("there is no room", f"messages/{place}/room")

    def _route(self, topic: str, payload: bytes, qos: int, source: Source) -> None:
        """Be the broker."""
        self.published.append((topic, payload, qos, source.retain))
        self.hub.hear(self.hub.entry(topic), payload, source)

    def ask(self, method: str, path: str, *, user: str | None = "ada", headers: Any = None, **options: Any) -> Any:
        """Call the API."""
        stated = dict(headers or {})
        if user is not None:
            stated.setdefault("Authorization", basic(user))
        return self.client.open(V1 + path, method=method, headers=stated, **options)

    def get(self, path: str, **options: Any) -> Any:
        return self.ask("GET", path, **options)

    def put(self, path: str, data: bytes, content_type: str = "application/json", **options: Any) -> Any:
        return self.ask("PUT", path, data=data, content_type=content_type, **options)

    def post(self, body: Any, **options: Any) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body)
        return self.ask("POST", "/messages", data=data, **{"content_type": "application/json", **options})

    def on_loop(self, act: Callable[[], Any]) -> Any:
        async def run() -> Any:
            return act()

        return self.looper.run(run(), 5)

    def say(self, topic: str, payload: bytes, *, retain: bool = False, by: int = 2) -> int:
        """Have another client publish."""
        return int(self.on_loop(lambda: self.hub.publish(topic, payload, retain=retain, integration_id=by).number))

    def stored(self, topic: str) -> bytes | None:
        found = self.on_loop(lambda: self.hub.get(topic))
        return None if found is None else bytes(found.payload)

    @contextlib.contextmanager
    def handing_over(self, path: str, method: str = "GET", **options: Any) -> Any:
        """Ask for what ends in the client's socket changing hands; give the client's end of it."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.create_connection(listener.getsockname(), timeout=20)
            server, _ = listener.accept()
        with client:
            with server, contextlib.suppress(HandedOver):
                answer = self.ask(method, path, environ_overrides={SOCKET: server}, **options)
                raise AssertionError(f"the worker has answered itself: {answer.status} {answer.text}")
            yield client

    @contextlib.contextmanager
    def with_socket(self) -> Any:
        """Give the options of a request whose web server has a socket to give away."""
        with socket.socket() as server:
            yield {"environ_overrides": {SOCKET: server}}

    def stop(self) -> None:
        self.looper.run(self.answers.stop(), 5)
        self.looper.run(self.server.stop(), 5)
        self.looper.stop(5)


def basic(username: str, password: str = "right", scheme: str = "Basic") -> str:  # noqa: S107 - a test's
    return f"{scheme} {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


def received(client: socket.socket, until: bytes) -> bytes:
    """Read until something has come."""
    data = b""
    while until not in data:
        more = client.recv(65536)
        assert more, data
        data += more
    return data


def problem(answer: Any, status: int, **place: str) -> str:
    """Hold an answer to being a problem about a place; return what it says."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    told = answer.get_json()
    assert told["status"] == status and told["title"] and told["type"] == "about:blank"
    if place:
        (stated,) = told["errors"]
        assert {name: text for name, text in stated.items() if name != "detail"} == place, told
    return str(told["detail"])
