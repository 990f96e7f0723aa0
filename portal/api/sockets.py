"""Streams, long polls and calls: the protocols worker goes on with the client's own socket; no thread waits here."""

from __future__ import annotations

import socket
from typing import NoReturn

from flask import current_app, request

from portal import agents, handover, hub, security
from portal.agents import Target
from portal.handover import Away
from portal.hub import Caller
from portal.patient import SOCKET, HandedOver


def follow(asking: Caller, filters: list[str], after: int | None) -> NoReturn:
    """Have messages on these topics written to the client, after the one of a number if there is one."""
    client, settings = _client(), current_app.extensions["gatehouse_settings"]
    handover.stream(settings, client, hub.enter(asking, filters), security.headers(), after=after)
    raise HandedOver


def poll(asking: Caller, topic: str, number: int, seconds: int, *, raw: bool) -> NoReturn:
    """Have the client answered once a topic's value has another number; see `handover.poll`."""
    client, settings = _client(), current_app.extensions["gatehouse_settings"]
    ticket = hub.enter(asking, [topic])
    handover.poll(settings, client, ticket, security.headers(), topic=topic, number=number, seconds=seconds, raw=raw)
    raise HandedOver


def call(asking: Caller, target: Target, arguments: str, timeout: float | None) -> NoReturn:
    """Have a function called, and the client answered once it has replied; see `agents.prepare`."""
    client, settings = _client(), current_app.extensions["gatehouse_settings"]
    ticket = agents.prepare(asking, target, arguments, timeout)
    is_new = request.environ["SERVER_PROTOCOL"] != "HTTP/1.0"
    handover.call(settings, client, ticket, security.headers(), interim=is_new)
    raise HandedOver


def _client() -> socket.socket:
    found = request.environ.get(SOCKET)
    if not isinstance(found, socket.socket):  # this web server gives none away
        raise Away
    return found
