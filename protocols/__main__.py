"""The protocols worker alone, without gunicorn: `python -m protocols`."""

from __future__ import annotations

import logging
import os
import signal
import sys

from portal import clock, config, drivers, ports
from portal.config import SettingError
from protocols import process


def main() -> int:
    """Run until SIGTERM or SIGINT; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    os.umask(0o077)
    try:
        settings = config.load()
        drivers.choose(settings)
        from portal import certificate, db
        from protocols import parts
        from protocols.runtime import Runtime

        db.init(settings)
        db.migrate(settings)
        db.database.close_all()
        if settings.needs_certificate:
            certificate.prepare(settings, clock.now())
        listeners = ports.bind(settings.host, settings.ports)
        companions = parts.companions(settings, listeners, Runtime)
        process.end_with_any_thread()
        runtime = Runtime(settings, listeners)
    except SettingError as error:
        sys.stderr.write(f"gatehouse: {error}\n")
        return 1
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    runtime.start()
    signal.sigwait(signals)
    for companion in companions:
        companion.end()
    runtime.stop()
    for companion in companions:
        companion.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
