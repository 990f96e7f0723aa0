"""Where a list of values goes on: a topic, sealed, since the caller may not be allowed to know of it."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken

from protocols.contract import Refused


class Cursors:
    """Seals topics with a key of its own: a cursor lasts as long as this process."""

    def __init__(self) -> None:
        self._cipher = Fernet(Fernet.generate_key())

    def seal(self, topic: str | None) -> str | None:
        """Return the cursor for a topic."""
        return self._cipher.encrypt(topic.encode()).decode("ascii") if topic is not None else None

    def open(self, cursor: str | None) -> str | None:
        """Return the topic of a cursor.  Raises Refused."""
        if not cursor:
            return None
        try:
            return self._cipher.decrypt(cursor.encode()).decode()
        except (InvalidToken, ValueError):
            raise Refused("this is no cursor, or one from before a restart: begin without one", "cursor") from None
