"""A part in a process of its own: made again whenever it ends, ended with its parent."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from protocols import companion
from tests.support import processes
from tests.support.processes import wait_until

ROOT = Path(__file__).parents[2]


class Running:
    """A process with a companion (tests/support/companion_program.py)."""

    def __init__(self, case: str, log: Path, *patches: str) -> None:
        self.log = log
        with log.open("wb") as stderr:
            self.process = processes.start(
                [sys.executable, "-m", "tests.support.companion_program", case, *patches],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self._parts: queue.Queue[list[str]] = queue.Queue()
        self._ready, self.told = threading.Event(), threading.Event()
        self._seen: set[int] = set()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._ready.wait(20)

    def part(self) -> tuple[int, int, float]:
        """Return the next part: its pid, its keeper's, and when it began."""
        pid, keeper, began = self._parts.get(timeout=20)
        self._seen |= {int(pid), int(keeper)}
        return int(pid), int(keeper), float(began)

    def all_end(self) -> None:
        wait_until(lambda: not any(map(processes.alive, self._seen)), what="every process to end")

    def end(self) -> None:
        processes.stop(self.process)
        self._reader.join(20)

    def _read(self) -> None:
        for line in self.process.stdout:
            kind, *words = line.split()
            if kind == "part":
                self._parts.put(words)
            elif kind == "told":
                self.told.set()
            else:
                self._ready.set()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    made: list[Running] = []

    def start(case: str, *patches: str) -> Running:
        made.append(Running(case, tmp_path / "log", *patches))
        return made[-1]

    yield start
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()
        one.all_end()
        one.process.stdout.close()


def test_a_killed_part_is_made_again_by_the_same_keeper(run):
    running = run("stays", "PAUSE=0.05")
    first, keeper, _ = running.part()
    os.kill(first, signal.SIGKILL)
    second, same, _ = running.part()
    assert same == keeper and second != first
    running.end()
    running.all_end()
    assert "the test part of the protocols worker ended (-9), and is started again" in running.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_it_ends_with_its_process(run, number):
    running = run("stays")
    running.part()
    running.process.send_signal(number)
    assert running.process.wait(20) == 0
    running.all_end()
    assert running.log.read_text() == ""


def test_it_ends_when_every_process_is_told_to_as_by_a_terminal(run):
    running = run("stays")
    part, keeper, _ = running.part()
    for pid in (part, keeper):
        os.kill(pid, signal.SIGINT)
    running.all_end()
    os.kill(running.process.pid, signal.SIGINT)
    assert running.process.wait(20) == 0
    running.all_end()


def test_a_part_that_does_not_end_is_killed(run):
    running = run("deaf", "PATIENCE=0.2")
    running.part()
    running.end()
    running.all_end()


def test_stops_do_not_add_up(run):
    running = run("two deaf", "PATIENCE=60")
    deaf = [running.part()[0] for _ in range(2)]
    running.process.send_signal(signal.SIGTERM)
    assert running.told.wait(20)
    assert all(map(processes.alive, deaf)), "both are told to end before either has"
    for pid in deaf:
        os.kill(pid, signal.SIGKILL)
    running.all_end()


def test_it_ends_when_its_process_is_killed(run):
    running = run("stays")
    running.part()
    running.process.kill()
    running.process.wait()
    running.all_end()


def test_a_killed_keeper_takes_all_along_and_says_so(run):
    running = run("stays")
    _, keeper, _ = running.part()
    os.kill(keeper, signal.SIGKILL)
    assert running.process.wait(20) == os.EX_SOFTWARE
    assert "the keeper of the test part ended (9); ending this worker" in running.log.read_text()


def test_a_part_that_fails_says_why_and_is_made_again_after_longer_and_longer_pauses(run):
    running = run("fails", "PAUSE=0.05")
    began = [running.part()[2] for _ in range(4)]
    for number, (one, other) in enumerate(zip(began, began[1:], strict=False)):
        assert other - one >= 0.05 * 2**number
    running.end()
    running.all_end()
    assert "RuntimeError: no luck" in running.log.read_text()
    assert "ended (70), and is started again" in running.log.read_text()


def test_a_keeper_that_is_stopped_for_a_while_during_a_pause_goes_on(run):
    running = run("fails", "PAUSE=0.5")
    _, keeper, _ = running.part()
    wait_until(lambda: "is started again" in running.log.read_text())
    os.kill(keeper, signal.SIGSTOP)
    time.sleep(0.6)
    os.kill(keeper, signal.SIGCONT)
    assert running.part()[1] == keeper


@pytest.fixture
def pausing(run) -> Running:
    """A companion whose part has failed, and is made again in half a minute."""
    running = run("fails", "PAUSE=30", "LONGEST_PAUSE=30")
    running.part()
    wait_until(lambda: "is started again" in running.log.read_text())
    time.sleep(0.1)
    return running


def test_it_ends_during_a_pause(pausing):
    pausing.end()
    pausing.all_end()


def test_it_ends_during_a_pause_when_its_process_is_killed(pausing):
    pausing.process.kill()
    pausing.process.wait()
    pausing.all_end()


def test_pauses_double_up_to_the_longest_however_often_it_has_failed():
    assert [companion.pause(failures) for failures in range(8)] == [0.25, 0.5, 1, 2, 4, 8, 10, 10]
    assert companion.pause(100_000) == companion.LONGEST_PAUSE
