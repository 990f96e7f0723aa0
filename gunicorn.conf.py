"""gunicorn's configuration: the web workers, and beside them the one protocols worker."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from typing import Any

from portal import clock, drivers, ports
from portal.config import SettingError, load
from protocols import process

os.umask(0o077)  # what is made from here on is for this user alone: database, key, locks
try:
    settings = load()
except SettingError as error:
    sys.exit(f"gatehouse: {error}")
drivers.choose(settings)  # what imports peewee is imported by the functions below

logging.basicConfig(
    level=logging.INFO,
    format="[%(asctime)s] [%(process)d] [%(levelname)s] %(name)s: %(message)s",
    datefmt="%Y-%m-%d %H:%M:%S %z",
)

bind = [f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"]
worker_class = "portal.patient.PatientWorker"
workers = settings.web_workers
threads = 8
timeout = 60
graceful_timeout = 4
keepalive = 15
worker_connections = 4000
preload_app = workers > 1  # several share Flask and the pages; a single one has no use for what the first process loads
control_socket_disable = True
forwarded_allow_ips = ""  # proxies are believed by TRUSTED_PROXIES alone
umask = 0o077

dirty_apps = ["protocols.worker:ProtocolsWorker"]
dirty_workers = 1
dirty_threads = 4
dirty_timeout = 30
dirty_graceful_timeout = 3  # shorter than graceful_timeout, which ends the arbiter that has to end a hung worker

# The dirty arbiter takes another one of its name for an orphan and ends it: each installation has a name of its own.
_installation = hashlib.blake2b(f"{settings.data_dir} {settings.port}".encode(), digest_size=6)
proc_name = f"gatehouse-{_installation.hexdigest()}"


def on_starting(server: Any) -> None:
    """Prepare the database and the ports before any process is made; on a fault say what it is, and stop."""
    from portal import accounts, certificate, db
    from protocols import runtime, worker

    try:
        runtime.lock_data_dir(settings).close()
        ports.listen("PORT", settings.host, settings.port).close()
        worker.listeners.update(ports.bind(settings.host, settings.ports))
        if settings.needs_certificate:
            certificate.prepare(settings, clock.now())
        db.init(settings)
        db.migrate(settings)
        accounts.create_from_settings(settings)
        with db.connected():
            token = accounts.setup_token(settings)
    except SettingError as error:
        sys.exit(f"gatehouse: {error}")
    finally:
        if db.database.obj is not None:
            db.database.close_all()
    _greet(server, token)


def _greet(server: Any, token: str | None) -> None:
    host = "localhost" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104
    address = f"http://{host}:{settings.port}"
    server.log.info("Gatehouse is at %s", address)
    if token is not None:
        server.log.info("To create the first account, open %s/setup?token=%s", address, token)


def post_fork(server: Any, worker: Any) -> None:
    """Leave the protocols' ports to the protocols worker."""
    from protocols.worker import listeners

    process.give_back_memory()
    process.set_aside_what_is_loaded()
    for listener in listeners.values():
        listener.close()


def post_worker_init(worker: Any) -> None:
    """Have collections look at what requests leave, and not at the application."""
    process.set_aside_what_is_loaded()
