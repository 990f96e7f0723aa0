"""The OPC UA load logs in, asks, and counts what a real server answers."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.generator.clients import LoadError
from benchmarks.generator.opcua import askers, doors, jobs, sessions, wire
from protocols.opcua.values.space import ValueSpace
from tests.protocols.opcua.conftest import Running, folder, new_loop, prepared, start

__all__ = ["folder", "new_loop", "prepared", "start"]  # fixtures

Start = Callable[..., Running]


@pytest.fixture
def running(start: Start) -> Running:
    return start(values=ValueSpace(None))


def job(running: Running, **options: Any) -> dict[str, Any]:
    address = {"port": running.port, "username": "ada", "password": "right", "namespace": 2, "variables": 5}
    return {**address, "pids": [os.getpid()], **options}


def run(name: str, options: dict[str, Any]) -> Any:
    return asyncio.run(jobs.jobs(print)[name](options))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["read", "write"])
def test_requests_are_counted_as_the_server_counts_them(running: Running, kind: str) -> None:
    run("opcua_prepare", job(running))
    before = running.do(running.server.traffic)
    assert before[1].messages_in > 0
    answer = run("opcua_requests", job(running, kind=kind, clients=3, seconds=0.3))
    running.presence.wait_for(8)
    seen = running.do(running.server.traffic)[1].messages_in
    assert 0 < answer["rate"] * 0.3 <= seen
    assert answer["rate"] * 0.25 <= seen
    assert running.loop_errors == []


@pytest.mark.parametrize("secured", [False, True])
def test_clients_connect_with_their_password(running: Running, secured: bool) -> None:
    answer = run("opcua_connects", job(running, clients=4, secured=secured))
    assert answer["rate"] > 0
    logins = running.door.logins
    assert len(logins) == 7
    assert {(login.username, login.password) for login in logins} == {("ada", b"right")}


def test_a_wrong_password_is_a_fault_of_the_load(running: Running) -> None:
    with pytest.raises(LoadError, match="BadUserAccessDenied"):
        run("opcua_connects", job(running, clients=1, password="wrong"))


def test_each_notification_is_timed(running: Running) -> None:
    run("opcua_prepare", job(running))
    options = job(running, clients=2, interval=50.0, pause=(0.06, 0.08), writes=6)
    seconds = run("opcua_latency", options)["seconds"]
    assert len(seconds) == 6
    assert all(0 < one < 1 for one in seconds)


def test_held_sessions_are_kept_until_the_end(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    run("opcua_prepare", job(running))
    read, write = os.pipe()
    said: list[Any] = []

    def say(answer: Any) -> None:
        said.append(answer)
        os.write(write, b"\n")

    with open(read) as told:
        monkeypatch.setattr("sys.stdin", told)
        answer = asyncio.run(jobs.hold(job(running, clients=3, every=0.1, subscribe=True), say))
    os.close(write)
    assert said == [{"sessions": 3}]
    assert answer == {"lost": 0}


def test_who_waits_to_be_cut_off_says_when_and_others_stay(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    run("opcua_prepare", job(running))
    read, write = os.pipe()
    cut_at: list[float] = []

    def say(answer: Any) -> None:
        cut_at.append(time.monotonic())
        running.do(lambda: running.server.disconnect([2], "integration deactivated", forget=False))
        threading.Timer(0.2, os.write, (write, b"\n")).start()

    with open(read) as told:
        monkeypatch.setattr("sys.stdin", told)
        held = [("bob", "right"), ("slow", "right")]
        answer = asyncio.run(jobs.leave(job(running, held=held, listeners=2), jobs.node, say))
    os.close(write)
    gone, stays = answer["closed"]
    assert cut_at[0] < gone < time.monotonic()
    assert stays is None


@pytest.mark.parametrize("part", [1, 7, 60, 1_000])
def test_an_answer_in_parts_is_counted_once_and_a_wrong_one_is_noticed(running: Running, part: int) -> None:
    run("opcua_prepare", job(running))
    with sessions.entered(asyncio.run(doors.find(job(running))), 1) as (session,):
        asker = askers.Asker(session, "read", jobs.node(job(running), 0))
        asker.ask()
        data = asker.receive(4_096)
    parts = [data[start : start + part] for start in range(0, len(data), part)]
    assert [asker.is_answered(one) for one in parts] == [False] * (len(parts) - 1) + [True]
    wrong = bytearray(data)
    wrong[wire.HEADER + wire.RESULT_AT + 3] = 0x80
    with pytest.raises(LoadError):
        asker.is_answered(bytes(wrong))
