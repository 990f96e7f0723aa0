"""What is done from time to time beside the clients, most of it in the database."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from portal import activity, bans, clock, db, presence, traffic
from protocols.ledger import Ledger, OnlineTimes
from protocols.servers import Servers

SWEEP = 30  # seconds
PRUNE = 300  # seconds
ACCOUNT = 60  # seconds between two times that traffic is written


class Housekeeping:
    """Does one thing at a time, on a thread of its own."""

    def __init__(self, servers: Servers, online: OnlineTimes) -> None:
        self._servers = servers
        self._online = online
        self._ledger = Ledger()
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._jobs = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )

    def soon(self, act: Callable[[], object]) -> None:
        """Do something once, when the thread is free."""
        self._jobs.add_job(act)

    def every(self, seconds: float, act: Callable[[], object], *, at_once: bool = False) -> None:
        """Do something again and again; the first time so many seconds from now, or at once."""
        first = {"next_run_time": clock.now()} if at_once else {}
        self._jobs.add_job(act, "interval", seconds=seconds, **first)

    def start(self, *, is_main: bool) -> None:
        """Start the thread; what there is for all parts is done by the main one."""
        if is_main:
            self.every(SWEEP, _sweep)
            self.every(PRUNE, _prune)
        self.every(ACCOUNT, self.account)
        self._jobs.start()

    def stop(self) -> None:
        """End the thread."""
        self._jobs.shutdown(wait=False)

    def account(self) -> None:
        """Write what was sent, got and how long who was online; while the database is away, it adds up."""
        with suppress(TimeoutError):
            for counted in self._servers.ask(lambda server: server.traffic()):
                self._ledger.add(counted, {})
        self._ledger.add({}, self._online.take())
        with suppress(*db.Unavailable), db.connected():  # the presence thread says so
            traffic.add(self._ledger.rows(), clock.now() - timedelta(seconds=ACCOUNT / 2))
            self._ledger.clear()


def _sweep() -> None:
    with db.connected():
        presence.sweep(clock.now())


def _prune() -> None:
    with db.connected():
        with db.writing():
            activity.prune(clock.now())
            bans.prune(clock.now())
        traffic.prune(clock.now())
