"""Questions to the protocol servers: to a part that answers, refuses, is away, is made anew, or says nothing at all."""

from __future__ import annotations

import os
import socket
import threading
from functools import partial

import msgpack
import pytest
from flask import current_app

from portal import unix, worker_client
from portal.worker_client import MQTT, OPCUA, Refused, Silent
from protocols import contract
from protocols.answers import Answers
from protocols.looper import Looper
from tests.support.processes import wait_until

ask, have = (partial(one, timeout=20) for one in (worker_client.ask, worker_client.have))  # on a slow machine, too


@pytest.fixture(autouse=True)
def talkative(monkeypatch, flask_app):
    monkeypatch.setattr(worker_client, "_silent_until", {})
    monkeypatch.setattr(worker_client, "_quiet_until", {})
    monkeypatch.setattr(worker_client, "PAUSE", 60.0)
    with flask_app.app_context():
        yield
    worker_client._forget()


@pytest.fixture
def folder(flask_app):
    return flask_app.extensions["gatehouse_settings"].data_dir


class Part:
    """The MQTT part, which answers some actions and notes what was asked."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.asked: list[tuple] = []
        self.hanging = threading.Event()

    def start(self) -> None:
        self.looper = Looper("part")
        self.looper.start()
        actions = {"usage": self.usage, "echo": lambda value: value, "refuse": self.refuse, "hang": self.hang}
        self.answers = Answers(actions, {})
        self.looper.run(self.answers.start(unix.listen_as(self.folder, MQTT)), 20)

    def stop(self) -> None:
        self.hanging.set()
        self.looper.run(self.answers.stop(), 20)
        self.looper.stop(5)

    def usage(self, *arguments: object) -> list[dict]:
        self.asked.append(arguments)
        return [{"used": 1}]

    def refuse(self) -> None:
        raise contract.Refused("There is no such node.", "name")

    def hang(self) -> None:
        self.hanging.wait(20)

    def connections(self) -> int:
        return len(self.answers._links)


@pytest.fixture
def part(folder):
    made = Part(folder)
    made.start()
    yield made
    made.stop()


def test_an_action_is_asked_and_its_answer_returned(part):
    assert ask(MQTT, "usage", 7, ["a"]) == [{"used": 1}]
    assert part.asked == [(7, ["a"])]


def test_long_questions_and_answers_and_bytes_and_odd_text_arrive_whole(part):
    for value in ("\N{SNOWMAN}" * 1_000_000, b"\x00\xff" * 5_000_000, "\ud800", {"a": [None, True, 1.5, -(2**63)]}):
        assert ask(MQTT, "echo", value) == value


def test_one_connection_does_for_one_question_after_the_other(part):
    for _ in range(100):
        assert ask(MQTT, "usage") == [{"used": 1}]
    assert part.connections() == 1


def test_a_part_that_is_away_is_no_answer_said_once_in_the_log_and_keeps_nobody_from_the_other(part, caplog):
    assert [ask(OPCUA, "usage") for _ in range(10)] == [None] * 10
    (line,) = [record.getMessage() for record in caplog.records]
    assert "the opcua part of the protocols worker did not answer 'usage'" in line
    assert ask(MQTT, "usage") == [{"used": 1}]


def test_what_is_refused_is_said_with_the_input_that_it_is_about(part):
    with pytest.raises(Refused, match="There is no such node") as caught:
        ask(MQTT, "refuse")
    assert caught.value.field == "name"
    assert ask(MQTT, "usage") == [{"used": 1}]
    assert part.connections() == 1


def test_an_action_that_cannot_be_done_is_no_answer(part):
    assert ask(MQTT, "no such action") is None
    assert ask(MQTT, "usage") == [{"used": 1}]
    assert part.connections() == 1


def test_silence_is_waited_for_once_and_then_nobody_asks_for_a_while(part, monkeypatch):
    assert ask(MQTT, "hang", timeout=0.2) is None
    assert [ask(MQTT, "usage") for _ in range(100)] == [None] * 100
    part.hanging.set()
    monkeypatch.setattr(worker_client, "_silent_until", {})
    assert ask(MQTT, "usage", "after the pause") == [{"used": 1}]
    assert part.asked == [("after the pause",)], "nothing was sent before"


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one(part, monkeypatch):
    assert ask(MQTT, "usage") == [{"used": 1}]
    assert ask(MQTT, "hang", timeout=0.1) is None
    part.hanging.set()
    monkeypatch.setattr(worker_client, "_silent_until", {})
    assert ask(MQTT, "echo", 1) == 1
    wait_until(lambda: part.connections() == 1)


def test_a_part_that_was_made_anew_is_asked_at_once(part):
    run_in_threads(lambda: have(MQTT, "echo", "x" * 100_000), 8)
    part.stop()
    assert ask(MQTT, "usage") is None
    part.start()
    assert have(MQTT, "usage") == [{"used": 1}]
    assert part.asked == [()]
    assert part.connections() == 1


def test_a_part_that_went_away_between_two_questions_is_found_again(part):
    assert have(MQTT, "usage") == [{"used": 1}]
    part.stop()
    part.start()
    assert have(MQTT, "usage") == [{"used": 1}]
    assert part.connections() == 1


def test_a_question_that_may_have_been_acted_on_is_not_asked_again(folder, caplog):
    """The part takes the question, and ends before it answers."""
    listener = unix.listen_as(folder, MQTT)
    taken = []

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            taken.append(client.recv(65_536))
            client.close()

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(Silent):
        have(MQTT, "publish", b"once")
    assert [msgpack.unpackb(one) for one in taken] == [[1, "publish", [b"once"]]]
    assert "the connection was closed" in caplog.text
    listener.shutdown(socket.SHUT_RDWR)
    thread.join(20)
    listener.close()


def test_an_answer_without_an_end_is_given_up(folder):
    listener = unix.listen_as(folder, MQTT)

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            client.recv(65_536)
            try:
                client.sendall(b"\x92\x01\x81\xa6answer\xc6\x7f\xff\xff\xff")
                while True:
                    client.sendall(b"x" * 1_000_000)
            except ConnectionError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(Silent):
        have(MQTT, "usage", timeout=20)
    thread.join(20)
    assert not thread.is_alive()
    listener.close()


def run_in_threads(work, count: int) -> list:
    app = current_app._get_current_object()
    results: list = []

    def run() -> None:
        with app.app_context():
            results.append(work())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return results


def test_threads_do_not_wait_for_each_other_and_never_get_another_ones_answer(part):
    def work() -> bool:
        mine = os.urandom(8)
        return all(have(MQTT, "echo", [mine, number], timeout=10) == [mine, number] for number in range(200))

    assert run_in_threads(work, 20) == [True] * 20
    assert part.connections() <= 20


def test_no_more_connections_are_kept_than_there_should_be(part, monkeypatch):
    monkeypatch.setattr(worker_client, "MOST_KEPT", 2)
    run_in_threads(lambda: [have(MQTT, "echo", "x" * 100_000, timeout=10) for _ in range(20)], 8)
    wait_until(lambda: part.connections() <= 2)
    assert ask(MQTT, "echo", 1) == 1


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_asks_over_connections_of_its_own(part):
    assert have(MQTT, "echo", "before") == "before"
    child = os.fork()
    if not child:  # the loop of the part has no thread here
        status = 1
        try:
            kept = sum(len(kept) for kept in worker_client._kept.values())
            asked = [have(MQTT, "echo", number) for number in range(100)]
            status = 0 if kept == 0 and asked == list(range(100)) else 2
        finally:
            os._exit(status)
    assert [have(MQTT, "echo", number) for number in range(100)] == list(range(100))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
