"""Answers to other processes over a Unix socket, whatever they send and however they behave."""

from __future__ import annotations

import errno
import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgpack
import pytest

from portal import unix
from protocols import answers, frames, peers
from protocols.answers import Answers
from protocols.contract import Refused
from protocols.looper import Looper
from tests.support.processes import wait_until

LONG = "x" * 900_000


def refuse() -> None:
    raise Refused("the last one stays")


def refuse_name() -> None:
    raise Refused("there is one already", "name")


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


class Server:
    """Answers on a loop of its own, with actions that note what became of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.links: list[Any] = []
        self.ended: list[Any] = []
        self.noted: list[object] = []
        self.looper = Looper("test")
        self.answers = Answers(self.actions(), {"follow": self.follow})

    def actions(self) -> dict[str, Callable[..., object]]:
        return {
            "add": lambda one, other: one + other,
            "echo": lambda value: value,
            "note": self.noted.append,
            "refuse": refuse,
            "refuse name": refuse_name,
            "full": full,
            "odd": lambda: {1, 2},  # not for msgpack
            "far": lambda: 2**80,
            "long": lambda: b"x" * (frames.LONGEST + 1),
            "sleep": time.sleep,
        }

    def follow(self, link: Any, *names: str) -> int:
        self.links.append(link)
        link.on_close(lambda: self.ended.append(link))
        return len(self.links)

    def start(self) -> None:
        self.looper.start()
        self.looper.run(self.answers.start(unix.listen(self.folder, "test.sock", socket.SOCK_STREAM)), 20)

    def stop(self) -> None:
        self.looper.run(self.answers.stop(), 20)
        self.looper.stop(5)

    def push(self, link: Any, *pushed: object) -> None:
        self.looper.call(lambda: link.push(*pushed))

    def open_links(self) -> int:
        return len(self.answers._links)


@pytest.fixture
def server(tmp_path: Path):
    made = Server(tmp_path)
    made.start()
    yield made
    made.stop()


class Client:
    """Another process, which says what it likes."""

    def __init__(self, server: Server) -> None:
        self.socket = unix.connect(server.folder, "test.sock", socket.SOCK_STREAM, 10)
        self.unpacker = msgpack.Unpacker(max_buffer_size=0)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def next(self) -> list[Any] | None:
        """Return the next frame, None if the connection ends."""
        while True:
            for frame in self.unpacker:
                return frame
            try:
                data = self.socket.recv(65_536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.unpacker.feed(data)

    def ask(self, action: str, *arguments: Any, number: int | None = 7) -> Any:
        self.send(question(action, *arguments, number=number))
        frame = self.next()
        assert frame is not None, "the connection was closed"
        assert frame[0] == number
        return frame[1]


@pytest.fixture
def connect(server):
    made: list[Client] = []

    def connect() -> Client:
        made.append(Client(server))
        return made[-1]

    yield connect
    for client in made:
        client.socket.close()


def question(action: str, *arguments: Any, number: int | None = 7) -> bytes:
    return msgpack.packb([number, action, arguments])


# --- questions


def test_many_questions_are_answered_over_one_connection(connect):
    client = connect()
    assert client.ask("add", 1, 2) == {"answer": 3}
    assert client.ask("add", b"\x00\xff", b"\x01") == {"answer": b"\x00\xff\x01"}
    assert client.ask("add", LONG, "y") == {"answer": LONG + "y"}


def test_questions_that_come_at_once_or_in_pieces_are_answered_in_order(connect):
    client = connect()
    client.send(b"".join(question("echo", number, number=number) for number in range(1, 501)))
    assert [client.next() for _ in range(500)] == [[number, {"answer": number}] for number in range(1, 501)]
    for byte in question("add", 300, 4_000):
        client.send(bytes([byte]))
    assert client.next() == [7, {"answer": 4_300}]


def test_a_question_without_an_id_is_acted_on_and_not_answered(server, connect):
    client = connect()
    client.send(question("note", "done", number=None) + question("refuse", number=None))
    assert client.ask("add", 1, 2) == {"answer": 3}
    assert server.noted == ["done"]


def test_text_that_is_no_unicode_is_carried_both_ways(connect):
    client = connect()
    data = msgpack.packb([7, "echo", ["\ud800"]], unicode_errors="surrogatepass")
    client.send(data)
    client.unpacker = msgpack.Unpacker(unicode_errors="surrogatepass")
    assert client.next() == [7, {"answer": "\ud800"}]


def test_a_refusal_is_answered_with_its_reason_and_the_input_that_it_is_about(connect):
    assert connect().ask("refuse") == {"refused": "the last one stays", "field": ""}
    assert connect().ask("refuse name") == {"refused": "there is one already", "field": "name"}


@pytest.mark.parametrize(
    ("asked", "logged"),
    [
        pytest.param(("add", 1), "TypeError", id="too few arguments"),
        pytest.param(("drop",), "KeyError", id="no such action"),
        pytest.param(("full",), "No space left on device", id="an action that fails"),
        pytest.param(("odd",), "TypeError", id="an answer that is not for msgpack"),
        pytest.param(("far",), "OverflowError", id="an answer with a number that is too large"),
        pytest.param(("long",), "a frame of 16777", id="an answer that is too long"),
    ],
)
def test_what_cannot_be_answered_is_logged_with_its_reason_and_answered_empty(connect, caplog, asked, logged):
    client = connect()
    assert client.ask(*asked) == {}
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert logged in caplog.text
    assert client.ask("add", 1, 2) == {"answer": 3}


# --- frames that are none


def nested(levels: int) -> bytes:
    return b"\x91" * levels


WRONG = {
    "nothing of msgpack": (b"\xc1", "FormatError"),
    "HTTP": (b"GET / HTTP/1.1\r\n\r\n", "a frame is a list, not int"),
    "JSON": (b'{"action": "add"}', "a frame is a list, not int"),
    "no UTF-8": (b"\xa1\xff", ""),
    "too deep": (nested(5_000), ""),
    "a list that announces too much": (b"\xdd\x7f\xff\xff\xff", "max_array_len"),
    "a mapping that announces too much": (b"\xdf\x7f\xff\xff\xff", "max_map_len"),
    "a mapping with a key that is none": (b"\x81\x91\x01\x02", ""),
    "an extension": (msgpack.packb(msgpack.ExtType(5, b"abc")), "max_ext_len"),
    "a time": (msgpack.packb(msgpack.Timestamp(1, 2)), "max_ext_len"),
    "a mapping": (msgpack.packb({"action": "add"}), "a frame is a list, not dict"),
    "too short": (msgpack.packb([7, "add"]), "a frame is no question"),
    "too long": (msgpack.packb([7, "add", [], 4]), "a frame is no question"),
    "an action that is no text": (msgpack.packb([7, b"add", []]), "a frame is no question"),
    "arguments that are no list": (msgpack.packb([7, "add", {}]), "a frame is no question"),
    "an id that is none": (msgpack.packb(["7", "add", []]), "a frame is no question"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_peer_that_sends_no_question_is_closed_with_one_line_and_disturbs_nobody(server, connect, caplog, wrong):
    data, logged = WRONG[wrong]
    client, other = connect(), connect()
    assert other.ask("add", 1, 2) == {"answer": 3}
    client.send(question("add", 1, 1) + data + question("note", "after it"))
    found = client.next()
    assert found in ([7, {"answer": 2}], None)
    assert found is None or client.next() is None
    assert other.ask("add", 1, 2) == {"answer": 3}
    assert server.noted == []
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("a connection to another process is closed: ")
    assert logged in line


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(b"x" * 65_536, id="bytes"),
        pytest.param(b"\xdd\x00\x00\xff\xff" + b"\x01" * 65_531, id="lists in lists"),
    ],
)
def test_a_frame_without_an_end_is_cut_off_and_costs_no_more_than_the_longest_one(server, connect, caplog, piece):
    client, other = connect(), connect()
    client.send(b"\xc6\x00\xff\xff\xff" if piece.startswith(b"x") else b"\x93\x07\xa4note")
    sent = 0
    with suppress(ConnectionError):
        while sent < 4 * frames.LONGEST:
            client.send(piece)
            sent += len(piece)
    assert frames.LONGEST / 2 < sent < 2 * frames.LONGEST
    assert client.next() is None
    assert other.ask("add", 1, 2) == {"answer": 3}
    assert len(caplog.records) == 1


def test_many_unfinished_frames_together_are_bounded(server, connect, monkeypatch, caplog):
    monkeypatch.setattr(answers, "MOST_HELD", 8 * 1024 * 1024)
    patient, *others = [connect() for _ in range(5)]
    start = b"\x93\x07\xa4echo\x91\xc6\x00\x30\x00\x00"  # of a frame of 3 MiB
    for client in others:
        with suppress(ConnectionError):
            client.send(start + b"x" * 0x2F0000)
    wait_until(lambda: server.open_links() < 5)
    assert sum(link.held for link in list(server.answers._links)) <= 8 * 1024 * 1024
    assert patient.ask("add", 1, 2) == {"answer": 3}
    assert "bytes of unfinished frames" in caplog.text


def test_the_room_of_a_long_frame_is_given_back(server, connect):
    client = connect()
    for _ in range(2):
        assert client.ask("echo", b"x" * 12_000_000) == {"answer": b"x" * 12_000_000}
    (link,) = server.answers._links
    wait_until(lambda: link._frames._arrived == 0)
    assert client.ask("add", 1, 2) == {"answer": 3}


# --- peers that do not behave


def test_silent_and_departing_peers_cost_nothing(server, connect, caplog):
    silent = [connect() for _ in range(50)]
    for client in silent[:25]:
        client.send(question("sleep", 0.001) + question("echo", LONG))
        client.socket.close()
    assert connect().ask("add", 1, 2) == {"answer": 3}
    wait_until(lambda: server.open_links() == 26)
    assert caplog.records == []


def test_a_thousand_connections_are_served_and_of_more_the_quietest_gives_way(server, connect, monkeypatch, caplog):
    clients = [connect() for _ in range(answers.MOST_LINKS)]
    for client in clients:
        client.send(question("echo", "here"))
    assert [client.next() for client in clients] == [[7, {"answer": "here"}]] * len(clients)
    clients[0].ask("add", 1, 2)
    newest = connect()
    assert newest.ask("add", 1, 2) == {"answer": 3}
    assert clients[1].next() is None
    assert clients[0].ask("add", 1, 2) == {"answer": 3}
    assert server.open_links() == answers.MOST_LINKS
    assert len(caplog.records) == 1


def test_a_peer_that_asks_and_never_reads_is_closed_and_its_answers_are_bounded(server, connect, monkeypatch, caplog):
    monkeypatch.setattr(answers, "PATIENCE", 0.2)
    client, other = connect(), connect()
    client.socket.settimeout(0.5)
    with suppress(OSError):
        for _ in range(1_000):
            client.send(question("echo", LONG))
    wait_until(lambda: server.open_links() == 1)
    assert other.ask("add", 1, 2) == {"answer": 3}
    assert "it does not read" in caplog.text


def test_a_peer_that_reads_late_gets_every_answer(server, connect, monkeypatch):
    monkeypatch.setattr(answers, "PATIENCE", 60)
    client = connect()
    asking = threading.Thread(target=lambda: [client.send(question("echo", LONG, number=n)) for n in range(1, 21)])
    asking.start()
    wait_until(lambda: any(link._slow is not None for link in list(server.answers._links)))
    time.sleep(0.1)
    assert [client.next() for _ in range(20)] == [[number, {"answer": LONG}] for number in range(1, 21)]
    asking.join(20)
    assert client.ask("add", 1, 2) == {"answer": 3}


def test_what_one_peer_asks_does_not_hold_up_another_nor_the_loop(server, connect):
    flood, other = connect(), connect()
    turns: list[float] = []

    def tick() -> None:
        turns.append(time.perf_counter())
        server.looper._loop.call_soon(tick)

    flood.send(b"".join(question("sleep", 0.001, number=None) for _ in range(300)))
    server.looper.call(tick)
    assert other.ask("add", 1, 2) == {"answer": 3}
    asked_at = time.perf_counter()
    server.looper.call(lambda: server.noted.append("turn"))
    flood.send(question("note", "end", number=None))
    wait_until(lambda: "end" in server.noted)
    assert server.noted.index("turn") < server.noted.index("end")
    assert len([turn for turn in turns if turn > asked_at]) > 100, "a turn of the loop for a few questions"


def test_a_turn_of_the_loop_is_bounded_however_many_ask(server, connect, monkeypatch):
    """With no time at all in a turn each question has one for itself."""
    monkeypatch.setattr(peers, "TURN", 0.0)
    turns, steps = [0], []

    def tick() -> None:
        turns[0] += 1
        server.looper._loop.call_soon(tick)

    server.answers._actions["step"] = lambda: steps.append(turns[0])
    server.looper.call(tick)
    for client in [connect() for _ in range(3)]:
        client.send(question("step", number=None) * 4)
    wait_until(lambda: len(steps) == 12)
    assert len(set(steps)) == 12


# --- links


def test_a_link_is_pushed_to_beside_its_answers_until_it_ends(server, connect):
    client, other = connect(), connect()
    assert client.ask("follow", "a") == {"answer": 1}
    (link,) = server.links
    server.push(link, "changed", 7, b"\x00")
    assert client.next() == [0, "changed", [7, b"\x00"]]
    assert client.ask("add", 1, 2) == {"answer": 3}
    assert server.ended == []
    client.socket.close()
    wait_until(lambda: server.ended == [link])
    server.push(link, "changed", 8)
    assert other.ask("add", 1, 2) == {"answer": 3}


def test_a_link_that_does_not_take_what_is_pushed_is_ended(server, connect, monkeypatch, caplog):
    monkeypatch.setattr(answers, "MOST_WAITING", 4 * 1024 * 1024)
    client = connect()
    assert client.ask("follow") == {"answer": 1}
    (link,) = server.links
    for _ in range(100):
        server.push(link, "changed", LONG)
    wait_until(lambda: server.ended == [link])
    assert [record.getMessage() for record in caplog.records] == [
        "a connection to another process is closed: it does not read"
    ]


def test_a_callback_that_fails_keeps_no_other_from_its_turn(server, connect, caplog):
    client = connect()
    assert client.ask("follow") == {"answer": 1}
    (link,) = server.links
    link._closings.insert(0, lambda: 1 / 0)
    client.socket.close()
    wait_until(lambda: server.ended == [link])
    assert "ZeroDivisionError" in caplog.text


def test_when_it_stops_links_end_and_what_was_answered_arrives(tmp_path):
    server = Server(tmp_path)
    server.start()
    client = Client(server)
    assert client.ask("follow") == {"answer": 1}
    client.send(question("echo", LONG))
    wait_until(lambda: next(iter(server.answers._links)).transport.get_write_buffer_size() > 0)
    stopping = threading.Thread(target=server.looper.run, args=(server.answers.stop(), 20))
    stopping.start()
    assert client.next() == [7, {"answer": LONG}]
    assert client.next() is None
    stopping.join(20)
    wait_until(lambda: len(server.ended) == 1)
    with pytest.raises(OSError):
        Client(server)
    server.looper.stop(5)
    client.socket.close()
