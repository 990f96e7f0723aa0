"""A certificate for tests, made once as the product makes its own."""

from __future__ import annotations

import ssl
import tempfile
from functools import cache
from pathlib import Path

from portal import certificate, clock, config
from portal.config import Settings


@cache
def settings() -> Settings:
    """Return settings whose data folder has a certificate."""
    folder = _folder()
    found = config.load({"DATA_DIR": folder.name, "HOST": "127.0.0.1"})
    certificate.prepare(found, clock.now())
    return found


def pem() -> str:
    """Return the path of the certificate."""
    return str(settings().data_dir / certificate.FILE)


@cache
def server() -> ssl.SSLContext:
    """Return the context of a server."""
    return certificate.context(settings())


@cache
def client() -> ssl.SSLContext:
    """Return the context of a client that trusts the certificate, and nothing else."""
    return ssl.create_default_context(cafile=pem())


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="tls-", ignore_cleanup_errors=True)


def folder() -> Path:
    return settings().data_dir
