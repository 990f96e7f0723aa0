"""What the protocols worker asks of its own process."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import resource
import signal
import threading
import time

log = logging.getLogger(__name__)

GC_THRESHOLDS = (10_000, 10, 1_000)  # allocations, then collections of the younger generation

PARENT_CHECK = 0.5  # seconds
PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>
LARGE_BLOCK = 8 * 1024 * 1024  # bytes
KEPT = 2 * LARGE_BLOCK  # bytes free at the end of a heap, where a few messages of 1 MB come and go all the time


def give_back_memory() -> None:
    """Return large blocks to the system when they are freed, such as argon2's 19 MiB: glibc would keep one a thread.

    Less is kept for the next time: a page that comes from the system anew costs more than all the copying of a payload.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none, and needs none
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
        mallopt(M_TRIM_THRESHOLD, KEPT)


def give_back_what_is_free() -> None:
    """Return what the start has freed between what stays, such as the records that retained messages were read from."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def end_with_any_thread() -> None:
    """End this process when one of its threads dies of a fault, so that a whole one is started in its place."""
    threading.excepthook = _end


def _end(failed: threading.ExceptHookArgs) -> None:
    name = failed.thread.name if failed.thread is not None else "unknown"
    fault = failed.exc_value
    log.critical("thread %s failed; ending this worker", name, exc_info=fault)
    os._exit(os.EX_SOFTWARE)


def end_with_parent() -> None:
    """Have SIGTERM come to this process as soon as its parent ends."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def follow_parent() -> None:
    """End this process when its parent is gone: who comes in its place needs the ports and the data folder."""
    threading.Thread(target=_follow, args=(os.getppid(),), name="parent", daemon=True).start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK)
    os.kill(os.getpid(), signal.SIGTERM)


def raise_file_limit() -> None:
    """Allow as many open sockets as the system lets this process have; the soft limit is often 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def set_aside_what_is_loaded() -> None:
    """Keep what is there now out of garbage collections, which would copy every page that was there before a fork."""
    gc.freeze()


def collect_rarely() -> None:
    """Keep full garbage collections off the logins: with 10,000 connections one stops every thread for 0.2 s."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
