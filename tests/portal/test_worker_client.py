"""Questions to the protocol servers: with a part that answers, refuses, is away, or says nothing at all."""

from __future__ import annotations

import threading
import time

import pytest

from portal import unix, worker_client
from portal.worker_client import MQTT, OPCUA, Refused, ask, socket_name
from protocols import contract
from protocols.answers import Answers


@pytest.fixture(autouse=True)
def talkative(monkeypatch, flask_app):
    monkeypatch.setattr(worker_client, "_silent_until", {})
    with flask_app.app_context():
        yield


@pytest.fixture
def folder(flask_app):
    return flask_app.extensions["gatehouse_settings"].data_dir


@pytest.fixture
def asked(folder):
    """What was asked of the MQTT part, which answers some actions."""
    seen: list[tuple] = []
    hanging = threading.Event()

    def usage(*arguments: object) -> list[dict]:
        seen.append(arguments)
        return [{"used": 1}]

    def refuse() -> None:
        raise contract.Refused("There is no such node.", "name")

    def late() -> None:
        raise TimeoutError

    actions = {"usage": usage, "refuse": refuse, "late": late, "hang": lambda: hanging.wait(5)}
    answers = Answers(unix.listen(folder, socket_name(MQTT), worker_client.KIND), actions)
    answers.start()
    yield seen
    hanging.set()
    answers.stop(5)


def test_an_action_is_asked_and_its_answer_returned(asked):
    assert ask(MQTT, "usage", 7, ["a"]) == [{"used": 1}]
    assert asked == [(7, ["a"])]


def test_a_long_question_and_answer_arrive_whole(asked):
    assert ask(MQTT, "usage", "\N{SNOWMAN}" * 100_000) == [{"used": 1}]
    assert asked == [("\N{SNOWMAN}" * 100_000,)]


def test_a_part_that_is_away_is_no_answer_said_in_the_log_and_keeps_nobody_from_the_other(asked, caplog):
    assert ask(OPCUA, "usage") is None
    assert "the opcua part of the protocols worker did not answer 'usage'" in caplog.text
    assert ask(MQTT, "usage") == [{"used": 1}]


def test_what_is_refused_is_said_with_the_input_that_it_is_about(asked):
    with pytest.raises(Refused, match="There is no such node") as caught:
        ask(MQTT, "refuse")
    assert caught.value.field == "name"
    assert ask(MQTT, "usage") == [{"used": 1}]


@pytest.mark.parametrize("action", ["late", "no such action"])
def test_an_action_that_cannot_be_done_is_no_answer(asked, action):
    assert ask(MQTT, action) is None


def test_silence_is_waited_for_once_and_then_nobody_asks_for_a_while(asked, monkeypatch):
    start = time.monotonic()
    assert ask(MQTT, "hang", timeout=0.2) is None
    assert 0.15 < time.monotonic() - start < 0.6
    start = time.monotonic()
    assert [ask(MQTT, "usage") for _ in range(100)] == [None] * 100
    assert time.monotonic() - start < 0.05
    assert asked == []
    monkeypatch.setattr(worker_client, "_silent_until", {})
    assert ask(MQTT, "usage") == [{"used": 1}]


def test_threads_do_not_wait_for_each_other(asked, flask_app):
    results = []

    def run() -> None:
        with flask_app.app_context():
            results.append(ask(MQTT, "usage"))

    threads = [threading.Thread(target=run) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert results == [[{"used": 1}]] * 20
