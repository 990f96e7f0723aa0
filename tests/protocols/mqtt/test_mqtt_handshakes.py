"""Handshakes that are begun and not finished: their bound, and that whoever finishes gets in all the same."""

from __future__ import annotations

import gc
import socket
from collections import Counter
from random import Random

import mqtt_wire as wire
import pytest
from test_mqtt_server import eventually
from test_mqtt_transports import hello, joined, plain, with_end

from protocols.hits import Hits
from protocols.mqtt.handshakes import Handshakes
from tests.support.websocket import handshake

HERE, THERE = "192.0.2.7", "198.51.100.1"
PARTS = {"tls": hello, "wss": hello, "ws": lambda: handshake()[:-3]}


class One:
    """A handshake that can be told to give way."""

    def __init__(self, number: int, address: str) -> None:
        self.number = number
        self.address = address
        self.open = True

    def give_way(self) -> None:
        assert self.open, "it gave way twice"
        self.open = False


def under_way(handshakes: Handshakes, *addresses: str) -> list[One]:
    found = [One(number, address) for number, address in enumerate(addresses)]
    for one in found:
        handshakes.begin(one, one.address)
    return found


def test_up_to_the_bound_all_of_them_stay() -> None:
    hits = Hits()
    handshakes = Handshakes(3, hits)
    first, *others = under_way(handshakes, HERE, HERE, THERE)
    handshakes.begin(first, HERE)  # more of it has arrived
    assert len(handshakes) == 3 and first.open and all(one.open for one in others)
    handshakes.end(first)
    handshakes.end(first)
    assert len(handshakes) == 2 and not hits.counts


def test_beyond_it_the_oldest_of_the_address_with_the_most_gives_way() -> None:
    hits = Hits()
    handshakes = Handshakes(4, hits)
    all_of_them = under_way(handshakes, THERE, HERE, HERE, THERE, HERE, THERE)
    assert [one.open for one in all_of_them] == [False, False, True, True, True, True]
    assert len(handshakes) == 4 and hits.counts == {"max_handshakes": 2}


def test_an_address_that_begins_ever_more_ends_none_of_others() -> None:
    handshakes = Handshakes(100, Hits())
    good = under_way(handshakes, THERE, "203.0.113.5", "2001:db8::1")
    flood = under_way(handshakes, *[HERE] * 5_000)
    assert all(one.open for one in good)
    assert [one.open for one in flood] == [False] * 4_903 + [True] * 97, "the newest stay"


def test_addresses_of_one_ipv6_network_are_one() -> None:
    handshakes = Handshakes(10, Hits())
    [good] = under_way(handshakes, THERE)
    under_way(handshakes, *[f"2001:db8:1:2::{number:x}" for number in range(1_000)])
    assert good.open


def test_among_many_addresses_with_as_many_the_oldest_gives_way() -> None:
    handshakes = Handshakes(50, Hits())
    found = under_way(handshakes, *[f"192.0.2.{number}" for number in range(60)])
    assert [one.open for one in found] == [False] * 10 + [True] * 50


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_and_goes_it_is_one_of_the_address_with_the_most(seed: int) -> None:
    random, hits = Random(seed), Hits()
    handshakes = Handshakes(20, hits)
    known: list[One] = []
    gave_way = 0
    for number in range(2_000):
        if known and random.random() < 0.4:
            handshakes.end(known.pop(random.randrange(len(known))))
        else:
            [one] = under_way(handshakes, f"192.0.2.{int(random.expovariate(0.2))}")
            known.append(one)
            counts = Counter(each.address for each in known)
            for other in [each for each in known if not each.open]:
                assert counts[other.address] == max(counts.values()), f"step {number}"
                assert other is next(each for each in known if each.address == other.address), f"step {number}"
                known.remove(other)
                gave_way += 1
        assert len(handshakes) == len(known) <= 20
    assert gave_way == hits.counts["max_handshakes"] > 0
    for one in known:
        handshakes.end(one)
    assert (handshakes._networks, handshakes._by_network, handshakes._by_count) == ({}, {}, {})


# --- real sockets


def count(running) -> int:
    return running.do(lambda: len(running.server._broker.handshakes))


def from_address(running, transport: str, address: str) -> socket.socket:
    to = ("127.0.0.1", running.ports[transport])
    return socket.create_connection(to, timeout=10, source_address=(address, 0))


@pytest.mark.parametrize("transport", PARTS)
def test_only_what_is_under_way_counts(start, transport) -> None:
    running = start()
    joined(running, transport)
    silent, begun = plain(running, transport), plain(running, transport)
    begun.sendall(PARTS[transport]())
    eventually(lambda: count(running) == 1)
    eventually(lambda: len(running.server._clients) == 3)
    used = {one.name: (one.used, one.exceeded) for one in running.do(running.server.usage)}
    assert used["MQTT_MAX_HANDSHAKES"] == (1, 0)
    begun.close()
    eventually(lambda: count(running) == 0)
    silent.close()


@pytest.mark.parametrize("transport", PARTS)
def test_a_handshake_that_fails_or_times_out_counts_no_more(start, transport) -> None:
    running = start(connect_timeout=0.2)
    part = PARTS[transport]()
    stalled, wrong = plain(running, transport), plain(running, transport)
    stalled.sendall(part)
    wrong.sendall(part[:20] + bytes(70_000))
    for client in (stalled, wrong):
        with_end(client)
        client.close()
    eventually(lambda: count(running) == 0)
    eventually(lambda: not running.server._clients)


@pytest.mark.parametrize("transport", PARTS)
def test_abandoned_handshakes_by_the_thousand_keep_nobody_out(start, transport, caplog) -> None:
    running = start(max_handshakes=100, connect_timeout=600)  # nobody would wait for so long
    bystander = running.client("bystander", "bob")
    good = from_address(running, transport, "127.0.0.9")
    part = PARTS[transport]()
    good.sendall(part)  # begins before the attack, and is still at it
    eventually(lambda: count(running) == 1)
    abandoned = []
    for number in range(1_200):
        one = plain(running, transport)
        one.sendall(part if number % 3 else part[:-5])
        abandoned.append(one)
        if number % 200 == 150:
            joined(running, transport, f"good {number}")  # from the attacker's own address
    eventually(lambda: running.do(lambda: running.server._broker.hits.counts["max_handshakes"]) == 1_101)
    assert count(running) == 100
    assert bystander.send(wire.PINGREQ).receive() == wire.PINGRESP
    eventually(lambda: len(running.server._clients) == 100 + 7)
    good.setblocking(False)
    if transport == "ws":
        with pytest.raises(BlockingIOError):
            good.recv(1)
    else:
        assert good.recv(1) == b"\x16", "the server's part of the handshake"
    assert len([record for record in caplog.records if "unfinished" in record.getMessage()]) <= 10
    for one in (*abandoned, good):
        one.close()
    eventually(lambda: count(running) == 0)


@pytest.mark.parametrize("transport", PARTS)
def test_a_closed_connection_is_free_at_once(start, transport) -> None:
    """Nothing waits for the garbage collector, which looks through all connections rarely."""
    running = start()
    gc.collect()
    before = alive()
    gc.disable()
    try:
        for number in range(20):
            if number % 2:
                joined(running, transport, f"c{number}").close()
            else:
                with plain(running, transport) as client:
                    client.sendall(PARTS[transport]())
                    client.recv(1) if transport != "ws" else None
        eventually(lambda: not running.server._clients)
        eventually(lambda: alive() <= before)
    finally:
        gc.enable()


def alive() -> int:
    names = {"Shell", "Connection", "TlsLayer", "WebSocketLayer", "SSLObject"}
    return sum(type(one).__name__ in names for one in gc.get_objects())
