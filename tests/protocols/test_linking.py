"""Two parts over a real socket, of which one comes and goes, is slow, or speaks nonsense."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from portal import unix
from protocols import linking
from protocols.answers import Answers
from protocols.contract import Refused
from protocols.linking import Away, OtherPart
from protocols.looper import Looper
from tests.support.processes import wait_until

NAME = "main.sock"


class Main:
    """The part that answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.heard: list[Any] = []
        self.links: list[Any] = []
        self.start()

    def start(self) -> None:
        self.looper = Looper("main")
        self.looper.start()
        actions = {"write": self.heard.append, "double": self.double, "refuse": self.refuse, "sleep": time.sleep}
        self.answers = Answers(actions, {"subscribe": self.subscribe})
        self.looper.run(self.answers.start(unix.listen(self.folder, NAME, socket.SOCK_STREAM)), 20)

    def stop(self) -> None:
        self.looper.run(self.answers.stop(), 20)
        self.looper.stop(5)

    def push(self, *pushed: object) -> None:
        self.looper.call(lambda: [link.push(*pushed) for link in self.links])

    def double(self, number: int) -> int:
        return 2 * number

    def refuse(self) -> None:
        raise Refused("there is one already", "name")

    def subscribe(self, link: Any, topic: str) -> None:
        self.heard.append(("subscribe", topic))
        self.links.append(link)
        link.on_close(lambda: self.links.remove(link))


class Other:
    """The part that is connected with it, on a loop of its own."""

    def __init__(self, folder: Path) -> None:
        self.pushed: list[Any] = []
        self.looper = Looper("other")
        self.looper.start()
        dial = partial(unix.connect, folder, NAME, socket.SOCK_STREAM, 0)
        self.ends = 0
        changed = lambda *what: self.pushed.append(what)  # noqa: E731
        self.part = OtherPart(dial, {"changed": changed}, self.connected, self.disconnected)

    def connected(self) -> None:
        self.part.tell("subscribe", "plant/#")

    def disconnected(self) -> None:
        assert not self.part.is_connected
        self.ends += 1

    def start(self) -> None:
        self.looper.run(self.on_loop(self.part.start), 20)

    def stop(self) -> None:
        self.looper.run(self.part.stop(), 20)
        self.looper.stop(5)

    async def on_loop(self, act: Any) -> None:
        act()

    def tell(self, *what: object) -> None:
        self.looper.run(self.on_loop(lambda: self.part.tell(*what)), 20)

    def ask(self, *what: object) -> Any:
        return self.looper.run(self.part.ask(*what), 20)


@pytest.fixture
def main(tmp_path):
    made = Main(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def other(tmp_path, monkeypatch):
    monkeypatch.setattr(linking, "LONGEST_PAUSE", 0.1)
    made = Other(tmp_path)
    made.start()
    yield made
    made.stop()


def test_what_is_told_is_done_in_order_and_what_is_pushed_is_heard(main, other):
    wait_until(lambda: main.links)
    for number in range(100):
        other.tell("write", number)
    wait_until(lambda: len(main.heard) == 101)
    assert main.heard == [("subscribe", "plant/#"), *range(100)]
    main.push("changed", "plant/line1", b"\x00\xff")
    wait_until(lambda: other.pushed == [("plant/line1", b"\x00\xff")])
    assert other.part.dropped == 0


def test_questions_are_answered_and_refused_each_by_its_own_answer(main, other):
    wait_until(lambda: other.part.is_connected)

    async def ask_all() -> list[Any]:
        asked = [other.part.ask("double", number) for number in range(50)]
        return await asyncio.gather(*asked, other.part.ask("refuse"), return_exceptions=True)

    *doubled, refused = other.looper.run(ask_all(), 10)
    assert doubled == [2 * number for number in range(50)]
    assert isinstance(refused, Refused)
    assert (str(refused), refused.field) == ("there is one already", "name")
    with pytest.raises(Away):
        other.ask("no such action")
    assert other.ask("double", 4) == 8


def test_what_is_told_while_the_other_part_is_away_arrives_after_the_subscriptions(main, other, caplog):
    wait_until(lambda: main.links)
    main.stop()
    wait_until(lambda: not other.part.is_connected)
    for number in range(10):
        other.tell("write", number)
    with pytest.raises(Away):
        other.ask("double", 1)
    main.heard.clear()
    time.sleep(0.3)
    main.start()
    wait_until(lambda: len(main.heard) == 11)
    assert main.heard == [("subscribe", "plant/#"), *range(10)]
    assert other.ask("double", 4) == 8
    assert other.part.dropped == 0
    assert len([one for one in caplog.messages if "cannot be reached" in one]) <= 1


def test_a_part_that_is_not_there_yet_is_found_when_it_comes(tmp_path, other, caplog):
    other.tell("write", "early")
    time.sleep(0.3)
    (line,) = [record.getMessage() for record in (*caplog.get_records("setup"), *caplog.records)]
    assert "cannot be reached" in line
    main = Main(tmp_path)
    wait_until(lambda: main.heard == [("subscribe", "plant/#"), "early"])
    main.stop()


def test_what_waits_is_bounded_and_the_oldest_is_dropped_and_counted(tmp_path, other, monkeypatch):
    monkeypatch.setattr(linking, "MOST_WAITING", 1_000_000)
    for number in range(30):
        other.tell("write", [number, b"x" * 100_000])
    assert other.part.dropped == 21
    main = Main(tmp_path)
    wait_until(lambda: len(main.heard) == 10)
    assert [one[0] for one in main.heard[1:]] == list(range(21, 30))
    main.stop()


def test_small_things_that_wait_are_bounded_too(other, monkeypatch):
    monkeypatch.setattr(linking, "MOST_WAITING", 10_000)

    def flood() -> None:
        for _ in range(1_000):
            other.part.tell("write", 1)

    other.looper.run(other.on_loop(flood), 20)
    assert len(other.part._waiting) <= 10_000 / linking.FRAME_COST
    assert other.part.dropped == 1_000 - len(other.part._waiting)


def test_a_part_that_reads_late_gets_everything_that_was_not_dropped(main, other):
    wait_until(lambda: main.links)
    held = threading.Event()
    main.looper.call(lambda: held.wait(20))
    for number in range(20):
        other.tell("write", [number, b"x" * 500_000])
    assert other.part._waiting, "they wait here, not in the transport"
    held.set()
    wait_until(lambda: len(main.heard) == 21)
    assert [one[0] for one in main.heard[1:]] == list(range(20))
    assert other.part.dropped == 0 and other.part._size == 0


def test_a_question_whose_part_goes_away_or_takes_too_long_is_given_up(main, other, monkeypatch):
    wait_until(lambda: other.part.is_connected)
    monkeypatch.setattr(linking, "ANSWER", 0.1)
    with pytest.raises(Away):
        other.ask("sleep", 0.5)
    monkeypatch.setattr(linking, "ANSWER", 30)
    wait_until(lambda: other.ask("double", 1) == 2)
    main.looper.call(lambda: [link.transport.abort() for link in list(main.answers._links)])
    main.looper.call(lambda: time.sleep(0.3))
    with pytest.raises(Away):
        while True:
            other.ask("double", 1)
    assert not other.part._asked
    wait_until(lambda: other.part.is_connected)
    assert other.ends == 1
    assert other.ask("double", 4) == 8


def test_what_is_pushed_and_cannot_be_used_is_logged_and_the_connection_goes_on(main, other, caplog):
    wait_until(lambda: main.links)
    main.push("no such name")
    main.push("changed", 1)
    wait_until(lambda: other.pushed == [(1,)])
    assert "KeyError" in caplog.text


def test_a_part_that_speaks_nonsense_is_left_and_tried_again_with_pauses(tmp_path, other, caplog):
    listener = unix.listen(tmp_path, NAME, socket.SOCK_STREAM)
    listener.settimeout(10)
    began = time.monotonic()
    for nonsense in (b"\xc1", b"\x93\x00\x01\x02", b"\x01", b"\xdd\x7f\xff\xff\xff", b"HTTP/1.1 400 Bad Request\r\n"):
        client, _ = listener.accept()
        client.sendall(nonsense)
        client.settimeout(10)
        try:
            while client.recv(65_536):
                pass
        except ConnectionResetError:
            pass
        client.close()
    assert time.monotonic() - began > 4 * linking.PAUSE, "there are pauses"
    listener.close()
    assert len([one for one in caplog.messages if "is closed" in one]) == 5
    main = Main(tmp_path)
    wait_until(lambda: main.links)
    main.stop()
