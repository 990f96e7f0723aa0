"""Web clients that send slowly, or nothing, or more than one request, beside others that want an answer."""

from __future__ import annotations

import contextlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest

from portal import patient
from tests.support.stack import HOST, Session

pytestmark = pytest.mark.stack

HALF_A_HEAD = b"GET /login HTTP/1.1\r\nHost: a\r\nX-Slow: "
POST = b"""POST /login HTTP/1.1\r
Host: a\r
Content-Type: application/x-www-form-urlencoded\r
Content-Length: %d\r
%s\r
"""
GET = b"GET /login HTTP/1.1\r\nHost: a\r\n%s\r\n"
HALF_A_BODY = POST % (100, b"") + b"email="
CHUNKED = b"POST /login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"
SLOW = {
    "half a head": (HALF_A_HEAD, 40),
    "half a body": (HALF_A_BODY, 40),
    "half a body that wants a go-ahead": (POST % (100, b"Expect: 100-continue\r\n") + b"a", 40),
    "half a body, too long": (POST % (10**9, b"") + b"a", 40),
    "half a chunk": (CHUNKED, 40),
    "half a second request": (GET % b"" + HALF_A_HEAD, 40),
    "an answer not closed": (GET % b"Connection: close\r\n", 40),
    "nothing": (b"", 200),
}


@pytest.fixture(scope="module", autouse=True)
def closings(stack):
    """Return when two slow clients, which hang while the other tests run, are closed: seconds from their start."""
    start = time.monotonic()

    def closed(client):
        client.settimeout(patient.PATIENCE + 30)
        assert client.recv(1) == b""
        return time.monotonic() - start

    with hanging(stack, HALF_A_HEAD, 1) as (head,), hanging(stack, HALF_A_BODY, 1) as (body,):
        with ThreadPoolExecutor(2) as pool:
            yield [pool.submit(closed, client) for client in (head, body)]


@contextlib.contextmanager
def hanging(stack, sent, count):
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(connect(stack)) for _ in range(count)]
        for client in clients:
            client.sendall(sent)
        yield clients


def connect(stack):
    return socket.create_connection((HOST, stack.port), timeout=20)


def answer(client):
    """Read until the end."""
    received = b""
    while data := client.recv(65536):
        received += data
    return received


def assert_answers_at_once(stack):
    connection = HTTPConnection(HOST, stack.port, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", "/login")
        assert connection.getresponse().status == 200


@pytest.mark.parametrize("kind", SLOW)
def test_slow_clients_do_not_keep_others_waiting(stack, kind):
    with hanging(stack, *SLOW[kind]):
        assert_answers_at_once(stack)  # they were all accepted before it


def test_all_of_them_together_neither_keep_others_waiting_nor_hinder_a_stop(make_stack):
    stack = make_stack().start()
    with contextlib.ExitStack() as opened:
        for sent, count in SLOW.values():
            opened.enter_context(hanging(stack, sent, count))
        assert_answers_at_once(stack)
        assert Session(stack).log_in().get("/integrations").status == 200
        stack.stop()
    stack.clean_log()


def test_a_client_that_goes_away_halfway_is_forgotten(stack):
    for sent in (b"", HALF_A_HEAD, HALF_A_BODY):
        with connect(stack) as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            assert answer(client) == b""


def test_a_client_that_has_no_more_to_send_is_answered(stack):
    with connect(stack) as client:
        client.sendall(GET % b"")
        client.shutdown(socket.SHUT_WR)
        assert answer(client).startswith(b"HTTP/1.1 200")


def test_requests_follow_each_other_on_one_connection(stack):
    connection = HTTPConnection(HOST, stack.port, timeout=20)
    with contextlib.closing(connection):
        sockets = set()
        for _ in range(3):
            connection.request("GET", "/login")
            response = connection.getresponse()
            assert response.status == 200
            assert response.read()
            sockets.add(connection.sock)
        assert len(sockets) == 1
        assert None not in sockets


def test_requests_sent_together_are_all_answered(stack):
    with connect(stack) as client:
        client.sendall(GET % b"" + GET % b"" + GET % b"Connection: close\r\n")
        assert answer(client).count(b"HTTP/1.1 200 OK") == 3


def test_a_request_that_comes_byte_by_byte_is_answered(stack):
    with connect(stack) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in GET % b"Connection: close\r\n":
            client.sendall(bytes([byte]))
        assert answer(client).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("header", [b"", b"Expect: 100-continue\r\n"])
def test_a_body_in_two_parts_is_accepted(stack, header):
    with connect(stack) as client:
        client.sendall(POST % (7, header + b"Connection: close\r\n"))
        if header:
            assert client.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"ema")
        time.sleep(0.5)
        client.sendall(b"il=a")
        assert b"HTTP/1.1 400" in answer(client)  # the portal's own word: no CSRF token


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (POST % (300_000, b"") + b"email=" + b"x" * 299_994, b"413"),
        (POST % (3_000_000, b"") + b"email=" + b"x" * 2_999_994, b"413"),
        (b"GET /" + b"x" * 100_000, b"431"),
        (CHUNKED, b"411"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
        (b"GET\r\n\r\n", b"400"),
        (POST % (0, b"Content-Length: 5\r\n"), b"400"),
    ],
)
def test_what_is_too_much_or_unusable_is_refused_in_words(stack, sent, status):
    with connect(stack) as client:
        client.sendall(sent)
        assert answer(client).startswith(b"HTTP/1.1 " + status)
    assert_answers_at_once(stack)


def test_a_slow_client_is_closed_after_a_while(closings):
    assert all(one.result() > patient.PATIENCE - 1 for one in closings)
