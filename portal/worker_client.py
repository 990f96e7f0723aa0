"""Questions to the protocols worker that a page needs answered now; without an answer it shows what the database knows.

The way is gunicorn's dirty client.  Without gunicorn, while the worker is away, and of other nodes, there is no answer.
"""

from __future__ import annotations

import logging
import os
import time
from typing import Any

from gunicorn.dirty.client import DirtyClient
from gunicorn.dirty.errors import DirtyError

log = logging.getLogger(__name__)

APP = "protocols.worker:ProtocolsWorker"
SOCKET = "GUNICORN_DIRTY_SOCKET"  # the environment variable in which gunicorn names the arbiter's socket
TIMEOUT = 1.0  # seconds; the worker itself gives up a little earlier
PAUSE = 3.0  # seconds in which nobody asks again after there was no answer, so that no web thread waits for nothing

_silent_until = 0.0


def ask(action: str, *args: Any, timeout: float = TIMEOUT) -> Any:
    """Return what an action of the worker answers, or None."""
    global _silent_until
    path = os.environ.get(SOCKET)
    if path is None or time.monotonic() < _silent_until:
        return None
    client = DirtyClient(path, timeout)  # one for each question: a kept one may lead to an arbiter that is no more
    try:
        return client.execute(APP, action, *args)
    except DirtyError as error:
        _silent_until = time.monotonic() + PAUSE
        log.warning("the protocols worker did not answer %r: %s", action, error)
        return None
    finally:
        client.close()
