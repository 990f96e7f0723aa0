"""Who may come in: the decision on a login, and what must be cut when credentials change in another process."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import peewee as pw

from portal.credentials import Entry, Sealer, SealError, Snapshot
from portal.db import database
from portal.kinds import KINDS
from portal.models import Integration, Revision, in_one_row, tuples

log = logging.getLogger(__name__)

NOTHING = -1  # the revision of whom nothing was read
UNSEALED = b""  # the digest of a password that could not be opened: it equals no password's


@dataclass(slots=True)
class Withdrawn:
    """What a refresh took away: the ids to cut by the reason to give, and those that are gone for good.

    And the new entries of those that may use other topics now, which is no reason to cut them.
    """

    cut: dict[str, list[int]] = field(default_factory=dict)
    deleted: list[int] = field(default_factory=list)
    permitted: list[Entry] = field(default_factory=list)

    def add(self, reason: str, integration_id: int) -> None:
        self.cut.setdefault(reason, []).append(integration_id)


class Gate:
    """Decides on logins from memory; `refresh` follows the database."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._snapshot = Snapshot()
        self._revision = NOTHING
        self.domains: frozenset[str] = frozenset()  # that integrations of VRPC and Edge Connectors are in
        self.read_at = 0.0  # when the last reading that the snapshot is as new as began, in monotonic seconds

    def named(self, username: str) -> Entry | None:
        """Return the entry of this username, whatever its password."""
        return self._snapshot.named(username)

    def has(self, username: str, type: str) -> bool:
        """Tell whether there is an integration of this username and type."""
        entry = self._snapshot.named(username)
        return entry is not None and entry.type == type

    def username(self, integration_id: int) -> str:
        """Return the username of an integration; "" of one that is no more."""
        entry = self._snapshot.get(integration_id)
        return entry.username if entry is not None else ""

    def decide(self, door: str, username: str, password: bytes) -> tuple[Entry | None, str | None]:
        """Return the entry of this username, and why it is refused at this door (None: it may come in).

        Reasons are "unknown username", "wrong password", "integration is inactive", "integration is of another type";
        what is true of the integration is said only to who knows its password.
        """
        entry, matches = self._snapshot.check(username, password)
        if entry is None:
            return None, "unknown username"
        if not matches:
            return entry, "wrong password"
        if KINDS[entry.type].door != door:
            return entry, "integration is of another type"
        if not entry.active:
            return entry, "integration is inactive"
        return entry, None

    def is_current(self, revisions: Mapping[str, int]) -> bool:
        """Tell whether the snapshot is as new as these counters."""
        return revisions["integrations"] == self._revision

    def entries(self) -> list[Entry]:
        """Return every integration."""
        return self._snapshot.entries()

    def refresh(self) -> Withdrawn:
        """Bring the snapshot up to date with the database; costs one small query when nothing changed."""
        withdrawn = Withdrawn()
        began = time.monotonic()
        with database.atomic():
            query = Revision.select(Revision.value).where(Revision.name == "integrations")
            revision = int(query.scalar())
            if revision == self._revision:
                self.read_at = began
                return withdrawn
            # A counter that went back is that of another database, of which nothing is known.
            fresh = list(self._read(self._revision if revision > self._revision else NOTHING))
            withdrawn.deleted = self._deleted(fresh)
        self._report_unsealed(fresh)
        for entry in fresh:
            self._compare(entry, withdrawn)
        # Only now may anybody be cut: from here on the new snapshot refuses whoever comes back.
        self._snapshot.remove(withdrawn.deleted)
        self._snapshot.put(fresh)
        self._follow_domains(withdrawn)
        self._revision = revision
        self.read_at = began
        return withdrawn

    def _deleted(self, fresh: list[Entry]) -> list[int]:
        """Return who is not in the database any more: all are looked at only if some are missing."""
        known = self._snapshot.ids()
        added = sum(entry.id not in known for entry in fresh)
        if Integration.select(pw.fn.COUNT(Integration.id)).scalar() == len(known) + added:
            return []
        there = set(in_one_row("json_group_array(id)", "json_agg(id)", "integration") or ())
        return [integration_id for integration_id in known if integration_id not in there]

    def _report_unsealed(self, entries: list[Entry]) -> None:
        names = [entry.username for entry in entries if entry.digest == UNSEALED]
        if names:
            log.error(
                "%d integrations, %r among them, cannot log in: their passwords were sealed with another SECRET_KEY",
                len(names),
                names[0],
            )

    def _compare(self, entry: Entry, withdrawn: Withdrawn) -> None:
        """Note what the new entry takes away from the integration's open connections."""
        before = self._snapshot.get(entry.id)
        if before is None:
            return
        if before.active and (not entry.active or entry.deactivation > before.revision):
            withdrawn.add("integration deactivated", entry.id)
        elif before.username != entry.username:
            withdrawn.add("username changed", entry.id)
        elif before.digest != entry.digest:
            withdrawn.add("password changed", entry.id)
        if _topics(entry) != _topics(before):
            withdrawn.permitted.append(entry)

    def _follow_domains(self, withdrawn: Withdrawn) -> None:
        """Note which domains there are; to whom they are closed is a matter of every integration."""
        domains = frozenset(entry.domain for entry in self._snapshot.entries() if KINDS[entry.type].is_placed)
        if domains != self.domains:
            self.domains = domains
            withdrawn.permitted = self._snapshot.entries()

    def _read(self, since: int) -> Iterator[Entry]:
        """Yield the entries that have changed since a revision."""
        columns = (
            Integration.id,
            Integration.username,
            Integration.type,
            Integration.active,
            Integration.sealed_password,
            Integration.revision,
            Integration.publish_filters,
            Integration.subscribe_filters,
            Integration.deactivation,
            Integration.domain,
            Integration.role,
        )
        for row in tuples(Integration.select(*columns).where(Integration.revision > since)):
            yield self._entry(*row)

    def _entry(
        self, id: int, username: str, type: str, active: bool, sealed: bytes, revision: int, *others: Any
    ) -> Entry:
        try:
            digest = self._snapshot.digest(self._sealer.open(sealed).encode())
        except SealError:
            digest = UNSEALED
        return Entry(id, username, type, bool(active), digest, revision, *others)


def _topics(entry: Entry) -> tuple[object, ...]:
    """Return what decides on the topics of an integration; %u in a filter is the username."""
    return entry.username, entry.publish, entry.subscribe, entry.domain, entry.role
