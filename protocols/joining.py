"""New members of fleets of Edge Connectors: whether they may join, in memory, and their integrations, by a thread.

A member is `<prefix>-<id>`; while it has no integration its password is `join:<token>:<own password>`.
"""

from __future__ import annotations

import hmac
import logging
import re
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple

import peewee as pw

from portal import activity, db
from portal.credentials import Sealer, SealError
from portal.edge import fleets
from portal.edge.fleets import FLEETS
from portal.fields import FieldError
from portal.kinds import KINDS
from protocols.contract import Login, Refusal

log = logging.getLogger(__name__)

AGAIN = 0.1  # seconds until a login is asked about again whose integration is being made
MOST_WANTED = 1_000  # integrations that are to be made; who is beyond that asks again
_PASSWORD = re.compile(rb"join:([\w-]{32}):([\w-]{32})")
_USERNAME = re.compile(r"([\w.-]{1,32})-[a-z0-9]{8}", re.ASCII)


class Join(NamedTuple):
    """What a new member of a fleet comes with."""

    prefix: str  # "" if its username is none of a member
    username: str
    token: str
    password: str


class _Fleet(NamedTuple):
    digest: bytes  # of the token
    is_open: bool


def read(login: Login) -> Join | None:
    """Return what a login asks to join with, if it does."""
    found = _PASSWORD.fullmatch(login.password or b"") if login.protocol == KINDS["edge"].door else None
    if found is None:
        return None
    username = login.username or ""
    member = _USERNAME.fullmatch(username)
    return Join(member[1] if member else "", username, found[1].decode(), found[2].decode())


class Joining:
    """Knows the fleets; `judge` and `want` may be called from any thread, and never wait."""

    def __init__(self, sealer: Sealer, aside: Callable[[Callable[[], None]], object]) -> None:
        """`aside` has something done by a thread that may wait for the database."""
        self._sealer = sealer
        self._aside = aside
        self._fleets: dict[str, _Fleet] = {}
        self._revision = -1
        self._lock = threading.Lock()
        self._wanted: dict[str, tuple[Join, str]] = {}
        self._is_making = False

    def look(self, revisions: Mapping[str, int]) -> None:
        """Follow what these counters say has changed in the database."""
        if revisions[FLEETS] == self._revision:
            return
        found = {}
        for fleet in fleets.everything():
            try:
                token = fleets.token(fleet, self._sealer)
            except SealError:
                log.error("nobody can join the fleet %s: its token was sealed with another SECRET_KEY", fleet.prefix)
                continue
            found[fleet.prefix] = _Fleet(self._sealer.digest(token.encode()), fleet.is_open)
        self._fleets, self._revision = found, revisions[FLEETS]

    def judge(self, join: Join) -> Refusal | None:
        """Say why nobody joins like that; that a fleet is closed only to who knows its token."""
        fleet = self._fleets.get(join.prefix)
        if fleet is None or not hmac.compare_digest(fleet.digest, self._sealer.digest(join.token.encode())):
            return Refusal.NO_FLEET
        return None if fleet.is_open else Refusal.FLEET_CLOSED

    def want(self, join: Join, address: str) -> None:
        """Have the integration of a new member made."""
        with self._lock:
            if len(self._wanted) < MOST_WANTED:
                self._wanted.setdefault(join.username, (join, activity.printable(address)))
            if self._is_making:
                return
            self._is_making = True
        self._aside(self._make_all)

    def _make_all(self) -> None:
        while (wanted := self._next()) is not None:
            try:
                with db.connected():
                    self._make(*wanted)
            except db.Unavailable as error:
                log.error("%s cannot join its fleet until the database can be used: %s", wanted[0].username, error)
            except (pw.PeeweeException, SealError):  # of this one; others join all the same
                log.exception("%s cannot join its fleet", wanted[0].username)

    def _next(self) -> tuple[Join, str] | None:
        with self._lock:
            if not self._wanted:
                self._is_making = False
                return None
            return self._wanted.pop(next(iter(self._wanted)))

    def _make(self, join: Join, address: str) -> None:
        try:
            fleets.admit(
                self._sealer,
                prefix=join.prefix,
                shown=join.token,
                username=join.username,
                password=join.password,
                address=address,
            )
        except FieldError as error:  # another node was first
            log.debug("%s has an integration already: %s", join.username, error)
