"""python -m edge_connector --config FILE: runs an agent until it gets SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from edge_connector import VERSION, config, launched
from edge_connector.errors import EdgeError
from edge_connector.logtail import Tail
from edge_connector.releases import AGAIN, UNUSABLE
from edge_connector.runtime import Runtime

log = logging.getLogger("edge_connector")


def main() -> int:
    """Run it; return the status that the process ends with."""
    parser = argparse.ArgumentParser(prog="edge_connector", description="Runs an Edge Connector.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the configuration, in TOML")
    parser.add_argument(
        "--check", action="store_true", help="read the configuration, say whether it can be used, and end"
    )
    parser.add_argument("--installed", type=Path, metavar="FOLDER", help="what run.py says when it starts an agent")
    parser.add_argument("--version", action="version", version=VERSION)
    asked = parser.parse_args()
    tail = Tail()
    try:
        found = config.load(asked.config)
        _log_to(tail, found.log_level)
        if os.name == "posix" and asked.config.stat().st_mode & 0o077:
            log.warning("%s holds a password, and others than its owner may use it (chmod 600)", asked.config)
        runtime = Runtime(found, tail, asked.installed)
        if asked.check:
            runtime.discard()
            return 0
        again = _run(runtime, has_launcher=asked.installed is not None)
    except EdgeError as error:
        sys.stderr.write(f"edge_connector: {error}\n")
        return UNUSABLE
    if again and asked.installed is not None:
        return AGAIN
    if again:
        os.execv(sys.executable, [sys.executable, "-m", "edge_connector", *sys.argv[1:]])  # noqa: S606 - the same again
    return 0


def _run(runtime: Runtime, *, has_launcher: bool) -> bool:
    """Serve until told to end; say whether to start anew."""
    over = threading.Event()
    restart = threading.Event()

    def end(*_: Any) -> None:
        over.set()

    def start_anew() -> None:
        restart.set()
        over.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    runtime.management.restart_requested = runtime.updater.restart_requested = start_anew
    if has_launcher:
        runtime.on_connected = launched.tell_up
        launched.end_with_launcher(end)
    runtime.start()
    while not over.wait(3600):
        pass
    if restart.is_set():
        over.clear()
        over.wait(0.2)  # for the answer to whoever asked for it
    runtime.stop()
    return restart.is_set()


def _log_to(tail: Tail, level: str) -> None:
    tail.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    shown = logging.StreamHandler()
    shown.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    root.handlers = [tail, shown]
    log.setLevel(level)


if __name__ == "__main__":
    sys.exit(main())
