"""Requests to HTTP servers, which may do anything."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from edge_connector.connectors.http import HTTP
from edge_connector.errors import ConfigFault, Refused, TimedOut
from edge_connector.settings import Table
from tests.edge_connector.maker import Maker

LOOPBACK = ["127.0.0.0/8"]


class Handler(BaseHTTPRequestHandler):
    """Answers as the path asks."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        self.server.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        what, _, argument = self.path[1:].partition("/")
        getattr(self, f"_{what}")(argument)

    do_POST = do_GET

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _json(self, argument: str) -> None:
        self._answer(200, b'{"temperature": 21.5}', **{"Content-Type": "application/json; charset=utf-8"})

    def _bytes(self, argument: str) -> None:
        self._answer(200, bytes(range(256)))

    def _broken(self, argument: str) -> None:
        self._answer(200, b"{", **{"Content-Type": "application/json"})

    def _status(self, argument: str) -> None:
        self._answer(int(argument))

    def _to(self, argument: str) -> None:
        status, _, place = argument.partition("/")
        self._answer(int(status), Location=place)

    def _large(self, argument: str) -> None:
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(b"x" * 65_536)

    def _slow(self, argument: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(1000):
            self.wfile.write(f"X-{number}: y\r\n".encode())
            time.sleep(0.05)

    def _garbage(self, argument: str) -> None:
        self.wfile.write(b"\x00\xff garbage\r\n\r\n")
        self.close_connection = True

    def log_message(self, *words: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    """A server that remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.bodies: list[bytes] = []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *words: Any) -> None:
        """Say nothing of clients that go."""


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    found = Server(), Server()
    yield found
    for one in found:
        one.shutdown()
        one.server_close()


@pytest.fixture
def server(servers: tuple[Server, Server]) -> Server:
    return servers[0]


@pytest.fixture
def make(server: Server) -> Iterator[Callable[..., HTTP]]:
    with Maker(HTTP, "web", seconds=1) as making:
        yield lambda *more, **values: making(servers=[{"url": server.url, "networks": LOOPBACK}, *more], **values)


def test_what_is_there_is_got_as_what_it_is(make: Callable[..., HTTP], server: Server) -> None:
    web = make()
    assert web.get(f"{server.url}/json/a?b=c") == {"temperature": 21.5}
    assert web.get(f"{server.url}/bytes").startswith("AAECAw")
    assert server.seen[0][1] == "/json/a?b=c"
    with pytest.raises(Refused, match="status 404"):
        web.get(f"{server.url}/status/404")
    with pytest.raises(Refused, match="calls JSON"):
        web.get(f"{server.url}/broken")


def test_a_request_has_a_body_and_headers_and_those_of_the_configuration(
    make: Callable[..., HTTP], servers: tuple[Server, Server]
) -> None:
    server, other = servers
    headers = {"Authorization": "Bearer configured"}
    web = make({"url": other.url, "networks": LOOPBACK, "headers": headers}, methods=["GET", "POST"])
    found = web.request("post", f"{other.url}/json", {"X-Mine": "1", "Authorization": "mine"}, {"a": [1]})
    assert (found["status"], json.loads(found["body"])) == (200, {"temperature": 21.5})
    command, _, given = other.seen[0]
    assert (command, given["Authorization"], given["X-Mine"]) == ("POST", "Bearer configured", "1")
    assert given["Content-Type"] == "application/json"
    assert other.bodies == [b'{"a": [1]}']


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com/", "http://example.com is not among the servers"),
        ("https://127.0.0.1/", "not among"),
        ("http://127.0.0.1:1/", "not among"),
        ("file:///etc/passwd", "no address of http"),
        ("http://allowed@127.0.0.1/", "no username"),
        ("http://127.0.0.1\\@example.com/", "ASCII"),
        ("http://127.0.0.1/a b", "no spaces"),
        ("http://127.0.0.1/a\r\nX: y", "no spaces"),
        ("http://127.0.0.1:99999/", "no address"),
        ("", "no address"),
    ],
)
def test_no_other_address_is_asked(make: Callable[..., HTTP], server: Server, url: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        make().get(url)
    assert server.seen == []


def test_methods_and_headers_are_held_to_what_is_allowed(make: Callable[..., HTTP], server: Server) -> None:
    web = make()
    with pytest.raises(Refused, match="POST is not allowed"):
        web.request("POST", server.url)
    for headers in ({"Host": "x"}, {"a b": "c"}, {"A": "b\r\nC: d"}, {"A": 1}, {"Transfer-Encoding": "chunked"}):
        with pytest.raises(Refused, match="header"):
            web.get(server.url, headers)
    assert server.seen == []


def test_redirects_are_held_to_the_same_and_take_no_secrets_along(
    make: Callable[..., HTTP], servers: tuple[Server, Server]
) -> None:
    server, other = servers
    web = make(methods=["GET", "POST"])
    assert web.get(f"{server.url}/to/302//json") == {"temperature": 21.5}
    with pytest.raises(Refused, match="not among the servers"):
        web.get(f"{server.url}/to/302/{other.url}/json")
    with pytest.raises(Refused, match="not among the servers|no address"):
        web.get(f"{server.url}/to/307/http://169.254.169.254/latest")
    assert other.seen == []
    both = make({"url": other.url, "networks": LOOPBACK})
    both.get(f"{server.url}/to/302/{other.url}/json", {"Authorization": "secret", "X-Plain": "1"})
    ((_, _, given),) = other.seen
    assert "Authorization" not in given
    assert given["X-Plain"] == "1"
    with pytest.raises(Refused, match="more than 5 times"):
        web.get(f"{server.url}/to/302/{server.url}/to/302/" + f"{server.url}/to/302/" * 8)


def test_a_name_that_leads_to_this_machine_is_not_followed(make: Callable[..., HTTP], server: Server) -> None:
    rebound = {"url": f"http://localhost:{server.server_port}"}
    with pytest.raises(Refused, match=r"localhost leads to .*, a local address"):
        make(rebound).get(f"{rebound['url']}/json")
    elsewhere = rebound | {"networks": ["10.0.0.0/8"]}
    with pytest.raises(Refused, match="which the agent's configuration does not allow"):
        make(elsewhere).get(f"{rebound['url']}/json")
    assert server.seen == []
    assert make(rebound | {"networks": [*LOOPBACK, "::1/128"]}).get(f"{rebound['url']}/json")


def test_a_server_that_does_not_end_is_ended(make: Callable[..., HTTP], server: Server) -> None:
    with pytest.raises(Refused, match="more than 1000 bytes"):
        make(bytes=1000).get(f"{server.url}/large")
    with pytest.raises(TimedOut, match="took too long"):
        make(seconds=0.3).get(f"{server.url}/slow")


def test_a_server_that_talks_nonsense_or_is_away_is_said_to_be_so(make: Callable[..., HTTP], server: Server) -> None:
    with pytest.raises(Refused, match=server.url):
        make().get(f"{server.url}/garbage")
    gone = {"url": "http://127.0.0.1:9", "networks": LOOPBACK}
    with pytest.raises(Refused, match="cannot be reached"):
        make(gone).get(gone["url"])


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"url": "ftp://x"}, "cannot be used"),
        ({"url": "http://x/path"}, "has no path"),
        ({"url": "http://x", "networks": ["10.0.0.1/8"]}, "host bits"),
        ({"url": "http://x", "network": []}, "network is unknown"),
    ],
)
def test_a_wrong_configuration_is_named(row: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigFault, match=why):
        HTTP("web", Table("web", {"servers": [row]}))
