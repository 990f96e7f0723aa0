"""Answers to other processes however these behave: silent, slow, many, greedy; and links that they follow."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import pytest

from protocols import answers, peers
from tests.protocols.answers_bed import LONG, Client, Server, question
from tests.support.processes import wait_until

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
