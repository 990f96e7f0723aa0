"""The contract fulfilled from the portal: who may come in, and who is connected."""

from __future__ import annotations

import itertools
import secrets
import time

import peewee as pw

from portal import activity, clock, db, presence
from portal.activity import LoginNote
from portal.attempt import Attempt
from portal.credentials import Entry
from portal.gate import Gate
from portal.guard import FIRST_WAIT, Guard
from portal.kinds import KINDS
from portal.renewal import Renewed
from protocols import joining
from protocols.contract import Given, Grant, Login, Refusal, Wait
from protocols.doorman import Doorman
from protocols.joining import AGAIN, Join, Joining
from protocols.ledger import OnlineTimes
from protocols.recorder import Recorder

STOP = 2.0  # seconds that the presence thread has to write what is queued
PATIENCE = 2.0  # seconds after which a login is decided on credentials that could not be read anew

GUESSES = frozenset({Refusal.UNKNOWN_USERNAME, Refusal.WRONG_PASSWORD, Refusal.NO_FLEET})

DISCONNECTED = "disconnected in the portal"
CUT_REASONS = frozenset(
    {"integration deactivated", "integration deleted", "username changed", "password changed", DISCONNECTED}
)


class Book:
    """`contract.Presence`: keeps the open connections, and queues what is to be written of them."""

    def __init__(self, node_id: str) -> None:
        self._writer = presence.Writer(node_id)
        self._prefix = secrets.token_hex(6)
        self._numbers = itertools.count(1)
        self._live: dict[str, presence.Connected] = {}
        self._recorder: Recorder[presence.Event] = Recorder(
            self._write,
            self._repair,
            unavailable=db.Unavailable,
            rejected=(pw.PeeweeException, presence.NodeGone),
        )
        self.listeners: dict[str, int] = {}
        self.online = OnlineTimes()
        self._node_id = node_id

    def start(self) -> None:
        """Start the presence thread."""
        self._recorder.start()

    def stop(self) -> None:
        """Write what is queued and end the presence thread."""
        self._recorder.stop(STOP)

    def connected(self, grant: Grant, login: Login) -> str:
        """Record an accepted login with its open connection; return the connection's id."""
        connection_id = f"{self._prefix}{next(self._numbers):x}"
        opened = presence.Connected(
            connection_id,
            grant.integration_id,
            login.protocol,
            activity.printable(login.client_id),
            login.address,
            clock.now(),
            login.version,
            login.transport,
            activity.printable(grant.username),
        )
        self._live[connection_id] = opened
        self.online.opened(grant.integration_id)
        self._recorder.put(opened)
        return connection_id

    def disconnected(self, connection_id: str, reason: str) -> None:
        """Record that a connection is closed."""
        opened = self._live.pop(connection_id)
        self.online.closed(opened.integration_id)
        closed = presence.Disconnected(connection_id)
        if reason not in CUT_REASONS:
            self._recorder.put(closed)
        else:
            note = LoginNote(
                activity.CUT,
                clock.now(),
                opened.protocol,
                opened.username,
                opened.address,
                reason,
                opened.integration_id,
            )
            self._recorder.put(closed, note)

    def refused(self, login: Login, refusal: Refusal, integration_id: int | None) -> None:
        """Record a refused login."""
        username = activity.printable(login.username) if login.username is not None else None
        now = clock.now()
        note = LoginNote(activity.REFUSED, now, login.protocol, username, login.address, refusal.value, integration_id)
        self._recorder.put(note)

    def renewed(self, part: str, renewed: Renewed) -> None:
        """Record that the certificate of a part was renewed."""
        self._recorder.put(LoginNote(activity.RENEWED, clock.now(), part, None, "", renewed.told(part)))

    def is_alive(self) -> bool:
        """Tell whether the presence thread runs."""
        return self._recorder.is_alive()

    def beat(self) -> None:
        """Record that the node lives."""
        self._recorder.put(presence.Heartbeat(clock.now()))

    def _write(self, events: list[presence.Event]) -> None:
        # A connection of the pool's for each batch: one that the database server has ended is not used again.
        with db.connected():
            self._writer.write(events)

    def _repair(self) -> None:
        with db.connected():
            presence.start_node(self._node_id, clock.now(), self.listeners)
            self._writer.replace(list(self._live.values()))


def grant(entry: Entry, domains: frozenset[str]) -> Grant:
    """Return what an integration is granted, where these are all domains of VRPC."""
    kind = KINDS[entry.type]
    filters = (entry.publish, entry.subscribe) if kind.has_filters else ((), ())
    return Grant(entry.id, entry.username, *filters, entry.domain, entry.role, kind.is_single, domains)


class Entrance:
    """`contract.Authenticate` and `Give`: asks guard, gate and doorman, and records who was refused."""

    def __init__(self, gate: Gate, guard: Guard, book: Book, doorman: Doorman, joining: Joining) -> None:
        self._gate = gate
        self._guard = guard
        self._book = book
        self._doorman = doorman
        self._joining = joining

    def __call__(self, login: Login, waited: float = 0.0) -> Grant | Refusal | Wait:
        """Return what the login is granted, why it is refused, or that it has to wait to be told."""
        if not login.username or login.password is None:
            return self._refuse(login, Refusal.NO_CREDENTIALS, None)
        join = joining.read(login)
        if join is None or self._gate.named(join.username) is None:
            return self._decide(login, login.username, login.password, join, waited)
        own = join.password.encode()  # it has joined, and did not hear of it
        return self._decide(login._replace(password=own), join.username, own, None, waited)

    def _decide(
        self, login: Login, username: str, password: bytes, join: Join | None, waited: float
    ) -> Grant | Refusal | Wait:
        now = clock.now().timestamp()
        attempt = Attempt(login.protocol, activity.printable(username), password, activity.printable(login.address))
        if not waited:
            pause = self._guard.approach(attempt, now)
            if pause is None:
                return self._turn_away(login, username)
            if pause:
                return Wait(pause)
        if join is not None:
            refusal = self._joining.judge(join)
            return self._join(join, login, waited) if refusal is None else self._deny(login, attempt, refusal, waited)
        entry, reason = self._gate.decide(login.protocol, username, password)
        if entry is None or reason is not None:
            return self._deny(login, attempt, Refusal(str(reason)), waited, entry)
        self._guard.passed(attempt, now, guessed=waited > 0)
        self._doorman.let_in(entry.id)
        return grant(entry, self._gate.domains)

    def _deny(
        self, login: Login, attempt: Attempt, refusal: Refusal, waited: float, entry: Entry | None = None
    ) -> Refusal | Wait:
        """Refuse a login once it has waited, and could not have been right meanwhile."""
        now = clock.now().timestamp()
        if not waited:
            return Wait(self._first_wait(login, attempt, refusal, now))
        if not self._is_up_to_date(waited):
            return Wait(FIRST_WAIT)
        if refusal is Refusal.UNKNOWN_USERNAME:
            held = self._doorman.knock(login, attempt, now, waited)
            if held is not None:
                return Wait(held, knocks=True) if held else self._refuse(login, refusal, None)
        self._count(login, attempt, refusal, entry, now)
        return self._refuse(login, refusal, entry)

    def _join(self, join: Join, login: Login, waited: float) -> Wait:
        """Have the integration of a new member of a fleet made, and the login decided on it."""
        if not waited or not self._is_up_to_date(waited):
            return Wait(FIRST_WAIT)
        self._joining.want(join, login.address)
        return Wait(AGAIN)

    def give(self, login: Login) -> Given | None:
        """Make up credentials for a client without a username, and have an operator asked about it."""
        now = clock.now().timestamp()
        if self._guard.approach(Attempt(login.protocol, "", b"", activity.printable(login.address)), now) is None:
            return None
        given = self._doorman.give(login, lambda username: self._gate.named(username) is not None, now)
        if given is not None:
            self._refuse(login._replace(username=given.username), Refusal.NO_CREDENTIALS, None)
        return given

    def _first_wait(self, login: Login, attempt: Attempt, refusal: Refusal, now: float) -> float:
        """Count a guess, and return how long it has to wait; whoever may knock does not guess."""
        if refusal not in GUESSES:
            return FIRST_WAIT
        if refusal is Refusal.UNKNOWN_USERNAME and self._doorman.takes(login, attempt, now):
            return FIRST_WAIT
        return self._guard.guessed(attempt, now)

    def _count(self, login: Login, attempt: Attempt, refusal: Refusal, entry: Entry | None, now: float) -> None:
        """Hold a wrong password or username against who guessed it, and show an operator what a client has now."""
        if refusal not in GUESSES:
            return
        if self._doorman.disappoints(attempt):
            self._guard.guessed(attempt, now)
        if entry is not None and entry.active and KINDS[entry.type].door == login.protocol:
            self._doorman.offer(entry.id, login, attempt, now)
        self._guard.refused(attempt, now)

    def _is_up_to_date(self, waited: float) -> bool:
        """Tell whether the credentials were read after the attempt began, or cannot be read."""
        return waited >= PATIENCE or self._gate.read_at >= time.monotonic() - waited

    def _turn_away(self, login: Login, username: str) -> Refusal:
        """Refuse under a ban; what made-up usernames would be recorded as is one entry."""
        entry = self._gate.named(username)
        noted = login if entry is not None else login._replace(username=None)
        return self._refuse(noted, Refusal.TOO_MANY_FAILURES, entry)

    def _refuse(self, login: Login, refusal: Refusal, entry: Entry | None) -> Refusal:
        self._book.refused(login, refusal, entry.id if entry is not None else None)
        return refusal
