"""A part of the protocols worker in a process of its own, made again when it ends.

A keeper process is forked while this one has a single thread, and forks the part, again and again if need be: a
process with threads can not be forked safely, and what was loaded before the fork is shared by all of them.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from protocols import process

log = logging.getLogger(__name__)

LOOK = 0.5  # seconds between two looks at the parent, should its end not be told
PATIENCE = 4.0  # seconds for the part to end
PAUSE, LONGEST_PAUSE = 0.5, 10.0  # seconds before it is made again; longer if it never lasts
LASTS = 30.0  # seconds after which it has lasted

ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}


class Companion:
    """One part; `work` runs in its process, and returns when a signal in `ENDING` has come."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self.name = name
        self._work = work
        self._keeper = 0
        self._stopping = False
        self._ending_until = 0.0

    def start(self) -> None:
        """Fork the keeper.  This process must have one thread."""
        parent = os.getpid()
        self._keeper = os.fork()
        if not self._keeper:
            _leave(lambda: self._keep(parent))

    def watch(self) -> None:
        """Follow the keeper from a thread; to be called when every keeper is forked."""
        thread = threading.Thread(target=self._watch, name=f"keeper of {self.name}", daemon=True)
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # signals are for other threads
        try:
            thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def _watch(self) -> None:
        """End this process when the keeper was killed: no other can be forked, so a whole one has to come."""
        try:
            found = os.waitid(os.P_PID, self._keeper, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:  # it was waited for
            return
        if found is not None and found.si_status != os.EX_OK and not self._stopping:
            log.critical("the keeper of the %s part ended (%d); ending this worker", self.name, found.si_status)
            os._exit(os.EX_SOFTWARE)

    def end(self) -> None:
        """Have the part end; it does while this process ends what it has itself."""
        self._stopping = True
        self._ending_until = time.monotonic() + PATIENCE + 1
        with suppress(ProcessLookupError):  # somebody has ended it
            os.kill(self._keeper, signal.SIGTERM)

    def wait(self) -> None:
        """Wait for a part that was told to end."""
        with suppress(ChildProcessError):
            while os.waitpid(self._keeper, os.WNOHANG) == (0, 0) and time.monotonic() < self._ending_until:
                time.sleep(0.02)

    def _keep(self, parent: int) -> None:
        _take_signals()
        process.end_with_parent()
        failures = 0
        while True:
            began = time.monotonic()
            part = os.fork()
            if not part:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
                _leave(self._work)
            status = _wait(part, parent)
            if status is None:
                return
            log.error("the %s part of the protocols worker ended (%d), and is started again", self.name, status)
            failures = 0 if time.monotonic() - began > LASTS else failures + 1
            if not _rest(pause(failures), parent):
                return


def pause(failures: int) -> float:
    """Return the seconds before a part is made again that has failed so often in a row."""
    return min(PAUSE * 2.0 ** min(failures - 1, 16), LONGEST_PAUSE)


def _rest(seconds: float, parent: int) -> bool:
    """Wait; return False once there is nothing more to wait for."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if _is_ending(signal.sigtimedwait(ENDING, min(left, LOOK))) or os.getppid() != parent:
            return False
    return True


def _is_ending(found: signal.struct_siginfo | None) -> bool:
    """Tell whether a signal to end has come: after a SIGSTOP that outlasts the wait, Python returns one of no kind."""
    return found is not None and found.si_signo in ENDING


def _take_signals() -> None:
    """Wait for signals instead of being interrupted; forget what the process that was forked did with them."""
    signal.set_wakeup_fd(-1)
    for one in (*ENDING, signal.SIGABRT, signal.SIGUSR1, signal.SIGCHLD):
        signal.signal(one, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, {*ENDING, signal.SIGCHLD})


def _wait(part: int, parent: int) -> int | None:
    """Return the exit status of a part that ended by itself; None once it was ended, or has to go with the parent."""
    while True:
        found = signal.sigtimedwait({*ENDING, signal.SIGCHLD}, LOOK)
        pid, status = os.waitpid(part, os.WNOHANG)
        if _is_ending(found) or os.getppid() != parent:
            if not pid:
                _end(part)
            return None
        if pid:
            return os.waitstatus_to_exitcode(status)


def _end(part: int) -> None:
    os.kill(part, signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    while os.waitpid(part, os.WNOHANG) == (0, 0):
        if time.monotonic() > until:
            os.kill(part, signal.SIGKILL)
        time.sleep(0.02)


def _leave(work: Callable[[], None]) -> None:
    """Do the work of a forked process, and end it without what its parent had planned for its own end."""
    status = os.EX_SOFTWARE
    try:
        work()
        status = os.EX_OK
    except Exception:
        log.exception("a part of the protocols worker failed")
    finally:
        logging.shutdown()
        sys.stdout.flush()
        os._exit(status)
