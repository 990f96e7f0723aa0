"""Answers to the portal's pages over a Unix socket, whatever is asked."""

from __future__ import annotations

import errno
import json
import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portal import unix
from protocols import answers
from protocols.answers import Answers
from protocols.contract import Refused
from tests.support.processes import wait_until


def refuse() -> None:
    raise Refused("the last one stays")


def refuse_a_name() -> None:
    raise Refused("there is one already", "name")


def late() -> None:
    raise TimeoutError


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


ACTIONS: dict[str, Callable[..., object]] = {
    "add": lambda one, other: one + other,
    "refuse": refuse,
    "refuse a name": refuse_a_name,
    "late": late,
    "full": full,
    "odd": lambda: {1, 2},  # no JSON
}


@pytest.fixture
def ask(tmp_path: Path):
    """Send bytes as a question, and return the bytes of the answer; answers are given until the test's end."""
    listener = unix.listen(tmp_path, "test.sock", socket.SOCK_STREAM)
    running = Answers(listener, ACTIONS)
    running.start()

    def send(question: bytes, *, whole: bool = True) -> bytes:
        with connected(tmp_path) as client:
            client.sendall(question)
            if whole:
                client.shutdown(socket.SHUT_WR)
            return received(client)

    yield send
    running.stop(5)
    assert not running._thread.is_alive()


def connected(folder: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(str(folder / "test.sock"))
    return client


def received(client: socket.socket) -> bytes:
    found = b""
    while data := client.recv(65_536):
        found += data
    return found


def question(action: str, *arguments: Any) -> bytes:
    return json.dumps({"action": action, "arguments": arguments}).encode()


def test_an_action_is_done_and_answered(ask):
    assert json.loads(ask(question("add", 1, 2))) == {"answer": 3}
    assert json.loads(ask(question("add", "x" * 500_000, "y"))) == {"answer": "x" * 500_000 + "y"}


def test_a_refusal_is_answered_with_its_reason_and_the_input_that_it_is_about(ask):
    assert json.loads(ask(question("refuse"))) == {"refused": "the last one stays", "field": ""}
    assert json.loads(ask(question("refuse a name"))) == {"refused": "there is one already", "field": "name"}


@pytest.mark.parametrize(
    ("asked", "logged"),
    [
        pytest.param(b"", "JSONDecodeError", id="nothing"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "JSONDecodeError", id="no JSON"),
        pytest.param(b"\xff\xfe\x00", "UnicodeDecodeError", id="no text"),
        pytest.param(b"[" * 200_000, "RecursionError", id="deep JSON"),
        pytest.param(b"[1]", "TypeError", id="no question"),
        pytest.param(b'{"action": "add"}', "KeyError", id="no arguments"),
        pytest.param(question("add", 1), "TypeError", id="too few arguments"),
        pytest.param(question("drop"), "KeyError", id="no such action"),
        pytest.param(question("full"), "No space left on device", id="an action that fails"),
        pytest.param(question("odd"), "TypeError", id="an answer that is no JSON"),
    ],
)
def test_what_cannot_be_answered_is_logged_with_its_reason_and_answered_empty(ask, caplog, asked, logged):
    assert json.loads(ask(asked)) == {}
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert logged in caplog.text
    assert json.loads(ask(question("add", 1, 2))) == {"answer": 3}


def test_an_action_that_takes_too_long_costs_one_line(ask, caplog):
    assert json.loads(ask(question("late"))) == {}
    assert [record.getMessage() for record in caplog.records] == ["a page was not answered in time"]
    assert "Traceback" not in caplog.text


def test_a_question_that_is_too_long_is_not_answered(ask):
    try:
        assert ask(b" " * (answers.LONGEST + 65_537)) == b""
    except (BrokenPipeError, ConnectionResetError):
        pass  # it is closed before all was sent
    assert json.loads(ask(question("add", 1, 2))) == {"answer": 3}


def test_silent_clients_are_given_up_and_others_answered(ask, tmp_path, monkeypatch):
    monkeypatch.setattr(answers, "PATIENCE", 0.1)
    silent = [connected(tmp_path) for _ in range(3 * answers.THREADS)]
    assert json.loads(ask(question("add", 1, 2))) == {"answer": 3}
    assert ask(question("add", 1, 2), whole=False) == b"", "a question has an end"
    for client in silent:
        assert client.recv(1) == b""
        client.close()


def test_a_client_that_does_not_wait_for_its_answer_disturbs_nobody(ask, tmp_path, caplog):
    for _ in range(3 * answers.THREADS):
        client = connected(tmp_path)
        client.sendall(question("add", "x" * 900_000, "y"))
        client.close()
    assert json.loads(ask(question("add", 1, 2))) == {"answer": 3}
    assert caplog.records == []


def test_questions_are_answered_again_when_there_are_free_files_again(monkeypatch, caplog):
    monkeypatch.setattr(answers, "RETRY", 0.01)
    ours, theirs = socket.socketpair()
    stopped = threading.Event()

    class Listener:
        taken: list[object] = [OSError(errno.EMFILE, "Too many open files"), ours]

        def accept(self) -> tuple[socket.socket, str]:
            if not self.taken:
                stopped.wait(10)
                raise OSError(errno.EINVAL, "Invalid argument")
            found = self.taken.pop(0)
            if isinstance(found, OSError):
                raise found
            return found, ""

        def shutdown(self, how: int) -> None:
            stopped.set()

        def close(self) -> None:
            pass

    running = Answers(Listener(), ACTIONS)
    running.start()
    with theirs:
        theirs.settimeout(10)
        theirs.sendall(question("add", 1, 2))
        theirs.shutdown(socket.SHUT_WR)
        assert json.loads(received(theirs)) == {"answer": 3}
    assert [record.getMessage() for record in caplog.records] == [
        "a page cannot be answered: [Errno 24] Too many open files"
    ]
    running.stop(5)
    wait_until(lambda: not running._thread.is_alive())
