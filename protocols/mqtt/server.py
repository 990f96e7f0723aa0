"""MQTT over any transport: sockets on one side, connections without sockets on the other.

The shell feeds what arrives to a Connection, and writes what its outbox holds once in a turn of the
loop, joined.  One periodic sweep takes care of everything that has to do with time.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial

from protocols.contract import Authenticate, ConnectionInfo, Give, Grant, Presence, Traffic, Usage, give_nobody
from protocols.hub.hub import Hub
from protocols.hub.runs import Source
from protocols.journal import Journal
from protocols.listening import most_connections
from protocols.mqtt import figures
from protocols.mqtt.awake import BusyPoll, has_another
from protocols.mqtt.away import Away
from protocols.mqtt.broker import Broker
from protocols.mqtt.connection import Connection
from protocols.mqtt.doors import Door, Tls, dress, open_door
from protocols.mqtt.following import Listening, follow
from protocols.mqtt.hurry import Hurry
from protocols.mqtt.keeping import Keeper
from protocols.mqtt.limits import Limits
from protocols.mqtt.outbox import share_out
from protocols.mqtt.packets import ADMINISTRATIVE_ACTION
from protocols.mqtt.shell import Shell
from protocols.mqtt.strangers import Strangers
from protocols.mqtt.sys_topics import SysPublisher

_log = logging.getLogger("protocols.mqtt")

DELETED = "integration deleted"

_STOP_PATIENCE = 1.5  # seconds for the transports to close


class MqttServer:
    """Lets MQTT clients in; see `protocols.contract.Server`."""

    def __init__(
        self,
        *,
        authenticate: Authenticate,
        presence: Presence,
        hub: Hub,
        limits: Limits | None = None,
        keeper: Keeper | None = None,
        tls: Tls | None = None,
        invites: Callable[[], bool] = lambda: False,
        give: Give = give_nobody,
        follower: Listening | None = None,
        busy_poll: float = 0,
    ) -> None:
        """`invites` says whether clients that nobody knows may ask to come in; for `busy_poll` see `BusyPoll`."""
        self._follower = follower
        self._limits = limits or Limits()
        self._hub = hub
        self._broker = Broker(
            authenticate,
            presence,
            self._limits,
            keeper,
            hub=hub,
            new_client_id=_new_client_id,
            invites=invites,
            give=give,
        )
        self._away = Away(self._broker.sessions, self.now, lambda: time.time() - self._loop.time())
        self._clients: dict[Shell, None] = {}  # oldest first
        self._strangers = Strangers(self._connections)
        self._dirty: list[Shell] = []
        self._ends_turn = False  # `_flush` will be called
        self._tls = tls
        self._doors: list[Door] = []
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._all_closed = asyncio.Event()
        self.stopping = False
        self.hurry = Hurry(self.later, self.now)
        self.busy_poll = BusyPoll(busy_poll if has_another() else 0, lambda act: self._loop.call_soon(act))

    async def start(self, listeners: Mapping[str, Sequence[socket.socket]], grants: Mapping[int, Grant]) -> None:
        """Take back what was stored for these integrations, and accept clients, by transport."""
        self._loop = asyncio.get_running_loop()
        self._journal = Journal("mqtt", self._limits.log_lines, self.now())
        self._broker.crowd.most = most_connections(self._limits.max_connections, _log)
        self._broker.waiting.start(self.now, self._loop.call_soon, self._loop.call_later)
        self._hub.connect(self._publish_for_hub, self._broker.hold_for_hub, self._end_turn)
        self._hub.start(self._loop.call_soon_threadsafe, grants.keys())
        if self._follower is not None:
            follow(self._broker, self._follower, self.now, self._loop.call_soon)
        stored = self._broker.keeper.start(self._loop.call_soon_threadsafe, self.now())
        closed = next((grant.closed for grant in grants.values()), frozenset[str]())
        self._broker.restore(stored, self.now(), closed)
        gone = stored.integration_ids() - grants.keys()
        self._broker.sessions.disconnect(gone, DELETED, forget=True)
        self._broker.forget(gone)
        self._broker.permit(grants)
        if self._follower is not None:
            self._follower.restored()
        self._sys_topics = SysPublisher(self._broker, self._limits.sys_interval, self.now())
        for transport, sockets in listeners.items():
            for listener in sockets:
                self._doors.append(await open_door(transport, listener, partial(self._meet, transport)))
        self._sweep_later()

    def disconnect(self, integration_ids: Collection[int], reason: str, *, forget: bool) -> None:
        """Close every connection of these integrations now; `forget` also drops their sessions."""
        self.now()
        self._broker.sessions.disconnect(integration_ids, reason, forget=forget)
        if forget:
            self._broker.forget(integration_ids)
            self._hub.forget(set(integration_ids))

    def kick(self, connection_ids: Collection[str], reason: str) -> None:
        """Close these connections now, where they are still open."""
        self.now()
        wanted = set(connection_ids)
        for connection in self._connections():
            if connection.client is not None and connection.client.presence_id in wanted:
                connection.close(reason, code=ADMINISTRATIVE_ACTION)

    def permit(self, grants: Mapping[int, Grant]) -> None:
        """Hold open connections and stored sessions of these integrations to other topics from now on."""
        self._broker.permit(grants)

    def connections(self, integration_id: int) -> list[ConnectionInfo]:
        """Return what is known of the open connections of an integration."""
        return [
            figures.describe(connection.client, connection)
            for connection in self._connections()
            if connection.client is not None and connection.client.session.integration_id == integration_id
        ]

    def traffic(self) -> dict[int, Traffic]:
        """Return the traffic of each integration that had any since the last call."""
        self._report()
        return self._broker.tally.take()

    def usage(self) -> list[Usage]:
        """Return the limits."""
        return figures.usage(self._broker) + self._hub.usage()

    def switch(self, switches: Mapping[str, bool]) -> None:
        """There is nothing to switch."""

    def actions(self) -> Mapping[str, Callable[..., object]]:
        """Return what pages ask: sessions without a connection, and what cannot be written."""
        return {
            "stored_sessions": self._away.newest,
            "forget_session": self._away.forget,
            "troubles": self._troubles,
        }

    def link_actions(self) -> Mapping[str, Callable[..., object]]:
        """Nobody else asks anything."""
        return {}

    def _troubles(self) -> list[dict[str, object]]:
        """Return what keeps the broker and the hub from writing."""
        found = (self._broker.keeper.trouble, self._hub.trouble)
        return [asdict(trouble) for trouble in found if trouble is not None]

    async def stop(self) -> None:
        """Stop accepting and close every connection; their Wills are published."""
        self.stopping = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        while self._doors:
            self._doors.pop().close()
        for client in list(self._clients):
            client.stop()
        if self._clients:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_closed.wait(), _STOP_PATIENCE)
        self._broker.keeper.stop()
        self._hub.stop()

    def _report(self) -> None:
        for connection in self._connections():
            if connection.client is not None:
                connection.client.report(connection.bytes_in)

    def _connections(self) -> list[Connection]:
        return [client.connection for client in self._clients if not client.connection.closed]

    # --- what the clients need

    def open(self, client: Shell, address: str, transport: str) -> Connection:
        """Begin a connection."""
        self._clients[client] = None
        self._all_closed.clear()
        connection = Connection(self._broker, address, self.now(), client.wake, client.close_socket, transport)
        self._broker.crowd.opened(address)
        return connection

    def turn_away(self, connection: Connection) -> None:
        """Where that makes one connection too many, close one: the oldest that nobody has logged in on, or this one."""
        if exceeded := self._broker.crowd.exceeded(connection.address):
            self._broker.hits.add(exceeded)
            address = None if exceeded == "max_connections" else connection.address
            one = self._strangers.oldest(self.now(), address) or connection
            self.note(one.address, f"turned away, {exceeded.replace('_', ' ')} reached")
            one.close(exceeded)

    def lost(self, client: Shell) -> None:
        """Forget a connection whose socket is closed."""
        self._broker.crowd.closed(client.connection.address)
        del self._clients[client]
        if not self._clients:
            self._all_closed.set()

    def now(self) -> float:
        """Return the time, and let the broker know it."""
        now = self._broker.common.now = self._loop.time()
        return now

    def note(self, address: str, fact: str) -> None:
        """Log what is wrong with a client."""
        self._journal.note(address, fact)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Call `act` after so many seconds."""
        self._loop.call_later(seconds, act)

    def ask_later(self, seconds: float, ask: Callable[[], None]) -> None:
        """Call `ask` after so many seconds, as soon as its turn has come among all that wait."""
        self._broker.waiting.add(seconds, ask)

    def wake(self, client: Shell) -> None:
        """Let a client write, and read on, at the end of this turn of the loop."""
        if not self._ends_turn:
            self._end_turn()
        self._dirty.append(client)

    def _publish_for_hub(self, topic: str, payload: bytes, qos: int, source: Source) -> None:
        self.now()
        self._broker.publish_for_hub(topic, payload, qos, source)

    def _meet(self, transport: str, address: str | None, sent: bytes) -> asyncio.Protocol:
        """Return what takes in a client that comes by this transport."""
        return dress(Shell(self, transport), transport, self._broker.handshakes, self._tls, address, sent)

    def _end_turn(self) -> None:
        """Do what is done once in a turn of the loop, at its end."""
        if not self._ends_turn:
            self._ends_turn = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._ends_turn = False
        self._hub.settle()
        dirty, self._dirty = self._dirty, []
        for client in dirty:
            client.flush()

    def _share_out(self) -> None:
        flow, total = self._broker.flow, self._limits.outbound_total_bytes
        before = flow.held
        flow.held = share_out(
            [client.connection.outbox for client in self._clients], self._limits.outbound_bytes, total
        )
        if before <= total < flow.held:
            self._broker.hits.add("outbound_total_bytes")

    def _sweep_later(self) -> None:
        self._sweep_timer = self._loop.call_later(self._limits.sweep_interval, self._sweep)

    def _sweep(self) -> None:
        now = self.now()
        for client in list(self._clients):
            client.check(now)
        self._share_out()
        self._broker.sweep(now)
        self._hub.sweep()
        self._strangers.forget()
        if self._sys_topics.is_due(now):
            self._report()
            self._sys_topics.publish(now)
        self._journal.sweep(now)
        self._sweep_later()


def _new_client_id() -> str:
    return secrets.token_urlsafe(15)
