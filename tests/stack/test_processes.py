"""What each process has loaded, and a web worker that is killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.processes import wait_until
from tests.support.stack import Session, Stack

pytestmark = pytest.mark.stack


def web_worker(stack: Stack) -> int:
    """Return the pid of the web worker: gunicorn's only child without children."""
    (pid,) = [child for child in processes.living_children(stack.process.pid) if not processes.children(child)]
    return pid


def having(stack: Stack, library: str) -> set[int]:
    """Return the processes that have loaded a file with this in its path."""
    everything = [stack.process.pid, *processes.descendants(stack.process.pid)]
    return {pid for pid in everything if library in Path(f"/proc/{pid}/maps").read_text()}


def test_the_web_worker_alone_has_what_pages_are_made_of(stack):
    assert Session(stack).get("/login").status == 200
    assert having(stack, "/markupsafe/_speedups") == {web_worker(stack)}


def test_several_web_workers_share_what_pages_are_made_of(make_stack):
    stack = make_stack(WEB_CONCURRENCY="2").start()
    assert stack.process.pid in having(stack, "/markupsafe/_speedups")
    stack.stop()
    stack.clean_log()


@pytest.mark.postgres
def test_psycopg_is_loaded_for_postgresql_alone(stack, make_stack, postgresql):
    every = {stack.process.pid, *processes.descendants(stack.process.pid)}
    assert having(stack, "/_sqlite3.") == every  # this way a library is seen
    assert having(stack, "/psycopg_binary") == set()
    other = make_stack(DATABASE_URL=postgresql.url(postgresql.create())).start()
    assert having(other, "/psycopg_binary") == {other.process.pid, *processes.descendants(other.process.pid)}
    other.stop()


def test_a_killed_web_worker_is_made_again_and_nothing_else_notices(make_stack):
    stack = make_stack().start()
    session = Session(stack).log_in()
    killed, worker, part = web_worker(stack), stack.worker_pid(), stack.opcua_pid()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: killed not in processes.living_children(stack.process.pid), what="it to end")
    assert session.get("/integrations").status == 200  # the next one takes what has come meanwhile
    assert web_worker(stack) != killed
    assert (stack.worker_pid(), stack.opcua_pid()) == (worker, part)
    stack.stop()
    assert "Traceback" not in stack.log(), stack.log()
