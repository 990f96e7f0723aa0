"""OPC UA over TCP: asyncua's address space and services behind a door of our own.

Each connection is a Shell (its socket) with a Processor (its channel, its session).  One periodic sweep takes care of
everything that has to do with time.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path

from asyncua import Server

from protocols.contract import Authenticate, ConnectionInfo, Grant, Presence, Traffic, Usage
from protocols.hits import Hits
from protocols.journal import Journal
from protocols.listening import Doors, listen, most_connections
from protocols.opcua import certificate, certificates, door, figures
from protocols.opcua.aside import Aside
from protocols.opcua.common import Common, Switches
from protocols.opcua.core import Core
from protocols.opcua.crowd import Crowd
from protocols.opcua.decoding import tighten
from protocols.opcua.doors import url
from protocols.opcua.endpoints import NAME, PRODUCT_URI, endpoints
from protocols.opcua.held import Held
from protocols.opcua.limits import Limits
from protocols.opcua.processor import Processor
from protocols.opcua.room import Rooms
from protocols.opcua.session import Session
from protocols.opcua.shelf import fingerprint
from protocols.opcua.shell import STOPPING, Shell
from protocols.opcua.sightings import Sightings
from protocols.opcua.space import Space, StandardSpace
from protocols.opcua.trust import TrustFolder
from protocols.tally import Tally

_log = logging.getLogger("protocols.opcua")

NOT_TRUSTED = "the client's certificate is not trusted any more"

_STOP_PATIENCE = 1.0  # seconds for the sockets to close


class OpcUaServer:
    """Lets OPC UA clients in; see `protocols.contract.Server`.

    `folder` keeps the certificates and the cache of the address space.  `hosts` are the names and addresses that
    clients may call this machine.  `clock` tells the time of day, in UTC.
    """

    def __init__(
        self,
        *,
        authenticate: Authenticate,
        presence: Presence,
        folder: Path,
        clock: Callable[[], datetime],
        limits: Limits | None = None,
        values: Space | None = None,
        hosts: Sequence[str] = ("localhost",),
        switches: Switches | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._authenticate = authenticate
        self._presence = presence
        self._folder = folder
        self._hosts = tuple(hosts)
        self._clock = clock
        self._space = values or StandardSpace()
        self._switches = switches or Switches()
        self._doors: list[Doors] = []
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._all_closed = asyncio.Event()
        self._stopping = False
        self._trusted: frozenset[str] | None = None  # as it was when all connections were held to it

    async def start(self, listeners: Mapping[str, Sequence[socket.socket]], grants: Mapping[int, Grant]) -> None:
        """Build the address space, and accept clients.  Raises CertificateError."""
        self._loop = asyncio.get_running_loop()
        logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # it tells at length what any peer makes it tell
        tighten()
        self.own = certificate.prepare(self._folder, self._hosts, self._clock())
        self.common = self._make_common()
        self._crowd: Crowd[Shell] = Crowd(self._limits, most_connections(self._limits.max_connections, _log))
        self._core = Core(self._limits, self._folder)
        self._url = url(listeners)
        await self._start_core()
        await self._space.start(self._server, grants)
        for listener in listeners.get("tcp", ()):
            self._doors.append(await listen(listener, lambda: Shell(self)))
        self._sweep_later()

    # --- what the contract asks for

    def disconnect(self, integration_ids: Collection[int], reason: str, *, forget: bool) -> None:
        """Close every connection of these integrations now; `forget` also drops their nodes."""
        wanted = set(integration_ids)
        for shell, session in self._sessions():
            if session.caller.grant.integration_id in wanted:
                shell.close(reason)
        if forget:
            self._space.forget(wanted)

    def kick(self, connection_ids: Collection[str], reason: str) -> None:
        """Close these connections now, where they are still open."""
        wanted = set(connection_ids)
        for shell, session in self._sessions():
            if session.presence_id in wanted:
                shell.close(reason)

    def permit(self, grants: Mapping[int, Grant]) -> None:
        """Hold open connections of these integrations to other permissions from now on."""
        changed = [session for _, session in self._sessions() if session.caller.grant.integration_id in grants]
        for session in changed:
            session.caller.grant = grants[session.caller.grant.integration_id]
        self._space.permit(grants)
        for session in changed:
            session.revoke()

    def connections(self, integration_id: int) -> list[ConnectionInfo]:
        """Return what is known of the open connections of an integration."""
        return [
            figures.describe(session, shell.processor)
            for shell, session in self._sessions()
            if session.caller.grant.integration_id == integration_id
        ]

    def traffic(self) -> dict[int, Traffic]:
        """Return the traffic of each integration that had any since the last call."""
        for shell, _ in self._sessions():
            shell.processor.report()
        return self.common.tally.take()

    def usage(self) -> list[Usage]:
        """Return the limits."""
        return figures.usage(self.common, len(self._crowd.all), self._space.usage())

    def actions(self) -> Mapping[str, Callable[..., object]]:
        """Return what pages may ask."""
        own = certificates.actions(self.common.trust, lambda: self.own, self._renew)
        return {**own, **self._space.actions()}

    def link_actions(self) -> Mapping[str, Callable[..., object]]:
        """Nobody else asks anything."""
        return {}

    async def stop(self) -> None:
        """Stop accepting, and close every connection."""
        self._stopping = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        while self._doors:
            self._doors.pop().close()
        for shell in list(self._crowd.all):
            shell.close(STOPPING)
        if self._crowd.all:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_closed.wait(), _STOP_PATIENCE)
        await self.common.sightings.stop()
        await self._core.subscription_service.stop()
        await self._space.stop()
        await self._server.stop()
        self.common.aside.stop()

    # --- what an operator may change

    @property
    def switches(self) -> Switches:
        return self._switches

    def switch(self, switches: Mapping[str, bool]) -> None:
        """Allow security policy None and passwords that nothing encrypts, ask for trusted certificates; or not.

        Who may have no session any more has to go, however far its login is.  None, not allowed, is for discovery.
        """
        self._switches.follow(switches)
        self._offer()
        self._trusted = None
        self._check_trust()
        for shell in list(self._crowd.all):
            processor = shell.processor
            if processor.session is not None:
                refused = door.refusal(self.common, processor.channel, processor.session.application_uri)
                if refused is not None:
                    shell.close(str(refused))

    # --- what the sockets need

    def open(self, shell: Shell, transport: asyncio.Transport, address: str) -> Processor:
        """Begin a connection; another one may have to go for it, or itself."""
        self._crowd.add(shell, address)
        self._all_closed.clear()
        self._loop.call_soon(self._make_room, shell)
        return Processor(self._core, self.common, self.own, transport, address)

    def lost(self, shell: Shell) -> None:
        """Forget a connection whose socket is closed."""
        self._crowd.remove(shell)
        if not self._crowd.all:
            self._all_closed.set()

    def settled(self, shell: Shell, *, logged_in: bool) -> None:
        """Note that a connection has logged in, or has no session any more."""
        if logged_in:
            self._crowd.settle(shell)
        else:
            self._crowd.unsettle(shell)

    # --- inside

    def _make_common(self) -> Common:
        trust = TrustFolder(self._folder, self._limits.rejected_certificates, self._limits.rejected_per_address)
        trust.prepare()
        hits = Hits()
        journal = Journal("opcua", self._limits.log_lines, self._loop.time())
        return Common(
            self._authenticate,
            self._presence,
            self._limits,
            self._space,
            self._switches,
            trust,
            Sightings(trust, self._limits, journal),
            self._clock,
            self._loop,
            journal,
            Tally(),
            Held(self._limits),
            Aside(self._loop),
            Rooms(self._limits, hits),
            hits,
        )

    async def _start_core(self) -> None:
        self._server = Server(iserver=self._core)
        self._server.name = NAME
        self._server.product_uri = PRODUCT_URI
        self._server.manufacturer_name = NAME
        self._server._application_uri = self.own.application_uri
        await self._server.init()
        self._offer()
        await self._core.start()
        fail = partial(self.common.journal.fail, "some address", what="publishing to")
        self._core.subscription_service.start(fail)

    def _offer(self) -> None:
        self._core.certificate, self._core.private_key = self.own.certificate, self.own.key
        self._core.endpoints = endpoints(self.own, self._url, self._switches)

    def _sessions(self) -> Iterator[tuple[Shell, Session]]:
        """Yield the connections that are logged in; each may be closed meanwhile."""
        for shell in list(self._crowd.all):
            session = shell.processor.session
            if not shell.closed and session is not None and session.is_activated():
                yield shell, session

    def _make_room(self, newest: Shell) -> None:
        if self._stopping:
            newest.close(STOPPING)
        while not newest.closed and (found := self._crowd.excess(newest)) is not None:
            limit, shell = found
            self.common.hits.add(limit)
            self.common.journal.note(shell.address, f"turned away, {limit.replace('_', ' ')} reached")
            self._crowd.remove(shell)
            shell.close(limit)

    def _sweep_later(self) -> None:
        self._sweep_timer = self._loop.call_later(self._limits.sweep_interval, self._sweep)

    def _sweep(self) -> None:
        now = self._loop.time()
        for shell in list(self._crowd.all):
            shell.check(now)
        self._check_trust()
        self.common.journal.sweep(now)
        self._sweep_later()

    def _renew(self) -> None:
        """Have a new certificate for connections from now on.  Raises CertificateError."""
        self.own = certificate.renew(self._folder, self.own, self._hosts, self._clock())
        self._offer()

    def _check_trust(self) -> None:
        """Close connections whose certificate is not trusted any more, when others are trusted than before."""
        if not self._switches.require_trust or (trusted := self.common.trust.trusted()) is self._trusted:
            return
        self._trusted = trusted
        for shell in list(self._crowd.all):
            used = shell.processor.channel.certificate
            if used is not None and fingerprint(used) not in trusted:
                shell.close(NOT_TRUSTED)
