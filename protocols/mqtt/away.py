"""Sessions whose clients are away, as pages list and end them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from hashlib import blake2b

from protocols.contract import Refused, StoredInfo
from protocols.mqtt.session import Session
from protocols.mqtt.sessions import Sessions

_LISTED = 500  # characters of a client identifier
_SHOWN = 120  # of one in a message


class Away:
    """Answers pages; `now` also lets the broker know the time, and that of the day is so far ahead of it."""

    def __init__(self, sessions: Sessions, now: Callable[[], float], ahead: Callable[[], float]) -> None:
        self._sessions = sessions
        self._now = now
        self._ahead = ahead

    def newest(self, integration_id: int, limit: int) -> dict[str, object]:
        """Return how many an integration has, and those whose clients left last."""
        found = self._sessions.stored_of(integration_id)
        ahead = self._ahead()
        return {"count": len(found), "shown": [asdict(_describe(session, ahead)) for session in found[:limit]]}

    def forget(self, integration_id: int, key: str) -> str:
        """End one; return its client identifier.  Raises `Refused`."""
        self._now()
        for session in self._sessions.stored_of(integration_id):
            if _key(session) == key:
                self._sessions.drop(session)
                return session.client_id[:_SHOWN]
        raise Refused("Its client is back, or the session has ended.")


def _describe(session: Session, ahead: float) -> StoredInfo:
    messages, size = session.kept
    left, ends = session.left_at, session.ends_at
    return StoredInfo(
        _key(session),
        session.client_id[:_LISTED],
        since=None if left is None else round(left + ahead),
        ends_at=None if ends is None else round(ends + ahead),
        subscription_count=len(session.subscriptions),
        messages=messages,
        bytes=size,
        dropped=session.dropped,
    )


def _key(session: Session) -> str:
    """Return a short word for a client identifier, which may be long, and of any characters."""
    return blake2b(session.client_id.encode(), digest_size=12).hexdigest()
