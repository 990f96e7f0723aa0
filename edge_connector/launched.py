"""The agent's end of what joins it to its launcher: two pipes, which every system has.

The launcher holds the agent's standard input open; when it ends, however it ends, the agent ends as well.  The agent
writes `up` to its standard output each time that it has connected.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable

UP = b"up\n"


def end_with_launcher(end: Callable[[], None]) -> None:
    """Have something called when the launcher says so, or is gone."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(sys.stdin.fileno(), 4096):
                pass
        end()

    threading.Thread(target=wait, name="launched", daemon=True).start()


def tell_up() -> None:
    """Tell the launcher that there is a connection."""
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), UP)
