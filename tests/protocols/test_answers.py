"""Answers to other processes over a Unix socket: questions, and frames that are none."""

from __future__ import annotations

import logging
from contextlib import suppress

import msgpack
import pytest

from protocols import answers, frames
from tests.protocols.answers_bed import LONG, question
from tests.support.processes import wait_until

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
    wait_until(lambda: server.open_links() == 3, what="the two to be closed that are beyond the bound")
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
