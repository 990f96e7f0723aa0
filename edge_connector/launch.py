"""Runs the agent as its child, in the release that the record names, and goes back if a new one fails.

It needs Python and nothing else, and stays the one that was installed while releases of the agent come and go.  So what
it and the agent say to each other must not change: the arguments `--config FILE --installed FOLDER`, what `launched.py`
tells, and the statuses 0 (told to end), 75 (start again) and 78 (the configuration cannot be used).
"""

from __future__ import annotations

import argparse
import logging
import queue
import random
import signal
import subprocess
import sys
import threading
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_connector import keeping, launched
from edge_connector.pauses import Pauses
from edge_connector.releases import AGAIN, INSTALLED, UNUSABLE, Outcome, Record, Releases

log = logging.getLogger("edge_connector.launch")

TRIAL = 60.0  # seconds in which a new release has to connect
STEADY = 3.0  # seconds for which it must run on then
GRACE = 20.0  # seconds that an agent has to end
LASTED = 60.0  # seconds after which an agent that ends counts as good

UP, ENDED, STOP = "up", "ended", "stop"


class Child:
    """A running agent; what happens to it goes to a queue."""

    def __init__(self, command: list[str], folder: Path, events: queue.SimpleQueue[Any]) -> None:
        self.started = time.monotonic()
        self.last_line = ""
        self._process = subprocess.Popen(  # noqa: S603 - an agent that was installed
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr  # noqa: S101 - they are pipes
        self._to, self._from, self._log = self._process.stdin, self._process.stdout, self._process.stderr
        self._events = events
        self._errors = threading.Thread(target=self._pass_on, daemon=True)
        for thread in (self._errors, *(threading.Thread(target=one, daemon=True) for one in (self._hear, self._wait))):
            thread.start()

    def end(self) -> int:
        """Have it end, and wait; kill it if it does not.  Return its status."""
        self._to.close()
        try:
            return self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _hear(self) -> None:
        with self._from:
            for line in self._from:
                if line.strip() == launched.UP.strip():
                    self._events.put((UP, self, 0))

    def _pass_on(self) -> None:
        """Write its log where the launcher's goes, and remember the last line: it may say why a release fails."""
        with self._log:
            for line in self._log:
                self.last_line = line.decode("utf-8", "replace").strip()
                sys.stderr.buffer.write(line)
                sys.stderr.buffer.flush()

    def _wait(self) -> None:
        status = self._process.wait()
        self._to.close()
        self._errors.join(1)
        self._events.put((ENDED, self, status))


class Launcher:
    """Starts agents one after the other, until it is told to end."""

    def __init__(self, config: Path, installed: Path, trial: float = TRIAL) -> None:
        self._config = config
        self._installed = installed
        self._trial = trial
        self._releases = Releases(state(config), installed)
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._pauses = Pauses(random.random)
        self._stopping = False

    def stop(self, *_: Any) -> None:
        """Have it end; a signal may call this."""
        self._events.put((STOP, None, 0))

    def run(self) -> int:
        """Run agents; return the status to end with."""
        while True:
            name = self._choose()
            self._releases.prune()  # while no agent runs that could add one
            child = self._start(name)
            if name != INSTALLED and name == self._releases.load().trial:
                status = self._try(child)
            else:
                status = self._next(child, None)[1]
            if self._stopping:
                child.end()
                return 0
            if status in (0, UNUSABLE):
                return status
            if status != AGAIN:
                self._pause(child, status)
                if self._stopping:
                    return 0

    def _choose(self) -> str:
        """Return the release to start."""
        record = self._releases.load()
        if record.trial and record.tried:
            record = self._failed(record, "it was stopped before it had connected")
        for name in (record.trial, record.current):
            if name and self._releases.python(name) is None:
                record = self._failed(record, "it is not there, or not for this version of Python")
        if record.trial:
            try:
                self._releases.save(replace(record, tried=True))
                return record.trial
            except OSError as error:
                log.error("the new release is not tried, because that cannot be written down: %s", error)
        return record.current

    def _start(self, name: str) -> Child:
        command = [str(self._releases.python(name)), "-m", "edge_connector"]
        command += ["--config", str(self._config), "--installed", str(self._installed)]
        log.info("starting %s", name or "the release that was installed")
        return Child(command, self._releases.folder(name), self._events)

    def _try(self, child: Child) -> int:
        """See whether a new release connects and runs on; return the status that its agent ends with."""
        event, status = self._next(child, self._trial, UP)
        if event == UP:
            event, status = self._next(child, STEADY)
            if event is None:
                self._passed()
                return self._next(child, None)[1]
        if event == STOP:
            return status
        why = f"it ended with status {status}: {child.last_line}"
        if event is None:
            child.end()
            why = f"it has not connected within {self._trial:g} s: {child.last_line}"
        self._failed(self._releases.load(), why)
        return AGAIN

    def _next(self, child: Child, seconds: float | None, *wanted: str) -> tuple[str | None, int]:
        """Wait for the end, the word to stop, or what is wanted; return which came, None after so many seconds."""
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            try:
                event, whose, status = self._events.get(timeout=until and max(0, until - time.monotonic()))
            except queue.Empty:
                return None, 0
            self._stopping = self._stopping or event == STOP
            if event == STOP or (whose is child and event in (ENDED, *wanted)):
                return event, status

    def _passed(self) -> None:
        record = self._releases.load()
        done = replace(record, current=record.trial, trial="", tried=False, last=replace(record.last, state="done"))
        self._save(done)
        log.info("%s has connected, and stays", record.last.version)

    def _failed(self, record: Record, why: str) -> Record:
        """Go back to the release before; that of an update which had been good is what was installed."""
        version = record.last.version
        log.error("%s is not kept: %s", version or "the release", why)
        back = record.current if record.trial else INSTALLED
        found = replace(record, current=back, trial="", tried=False, last=Outcome("failed", version, why))
        self._save(found)
        return found

    def _save(self, record: Record) -> None:
        try:
            self._releases.save(record)
        except OSError as error:
            log.error("the record of releases cannot be written: %s", error)

    def _pause(self, child: Child, status: int) -> None:
        """Wait before an agent that ended by itself is started again."""
        if time.monotonic() - child.started > LASTED:
            self._pauses.reset()
        pause = self._pauses.next()
        log.error("the agent ended with status %d; it is started again in %.1f s", status, pause)
        self._next(child, pause)


def state(config: Path) -> Path:
    """Return the folder for what is kept; the agent says what is wrong with a configuration."""
    try:
        found = tomllib.loads(config.read_text("utf-8")).get("agent", {}).get("state", "state")
        return config.parent / str(found)
    except (OSError, ValueError, AttributeError):
        return config.parent / "state"


def main(installed: Path) -> int:
    """Run until SIGTERM or SIGINT; return the status that the process ends with."""
    parser = argparse.ArgumentParser(prog="run.py", description="Runs an Edge Connector, and updates of it.")
    parser.add_argument("--config", type=Path, default=Path("edge.toml"), metavar="FILE", help="edge.toml")
    parser.add_argument("--trial", type=float, default=TRIAL, metavar="S", help="seconds for an update to connect (60)")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    config = asked.config.absolute()
    launcher = Launcher(config, installed.absolute(), asked.trial)
    signal.signal(signal.SIGTERM, launcher.stop)
    signal.signal(signal.SIGINT, launcher.stop)
    try:
        state(config).mkdir(mode=0o700, parents=True, exist_ok=True)
        with keeping.locked(state(config) / "launcher.lock"):
            return launcher.run()
    except keeping.Locked:
        log.error("another run.py runs the agent of %s", config)
    except OSError as error:
        log.error("%s cannot be used: %s", state(config), error)
    return UNUSABLE
