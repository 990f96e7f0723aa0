"""Follows what others write to the database, threads, processes or nodes; costs next to nothing while none does."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping

from portal.db import connected, database, is_sqlite
from portal.models import Revision


class Changes:
    """Shows a follower the counters when one may have moved; for one thread, which looks many times a second.

    SQLite tells a connection whether another one has written since: a tenth of what reading the counters costs, all of
    which is time that the protocol servers' threads do not have the interpreter.
    """

    def __init__(self) -> None:
        self._connection: sqlite3.Connection | None = None
        self._seen: int | None = None  # the state of the database that was followed

    def tell(self, follow: Callable[[Mapping[str, int]], object]) -> None:
        """Call `follow` with the counters, unless nothing was written since it last returned.

        It may ask the database.  Raises what it raises, and `db.Unavailable`.
        """
        state = self._state()
        if state is None or state != self._seen:
            with connected():
                follow(Revision.values_now())
            self._seen = state

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection, self._seen = self._connection, None, None
        if connection is not None:
            connection.close()

    def _state(self) -> int | None:
        """Return a number that another connection's commit changes; None where the database cannot say."""
        if not is_sqlite():
            return None
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(
                    database.database, timeout=0, isolation_level=None, check_same_thread=False
                )
                self._seen = None  # the number is this connection's own
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:
            self.close()  # reading the counters tells what is wrong
            return None
