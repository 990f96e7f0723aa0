"""Class infos that are alike, held once: agents that run the same software say the same of their classes."""

from __future__ import annotations

LARGEST = 65_536  # bytes; to compare larger ones would hold up the loop, and there are few


class Documents:
    """The bytes that somebody holds, with how many times they are held."""

    def __init__(self) -> None:
        self._held: dict[bytes, tuple[bytes, int]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, document: bytes) -> bytes:
        """Return a document, or the one that is held already and is like it."""
        if len(document) > LARGEST:
            return document
        held, times = self._held.get(document, (document, 0))
        self._held[held] = held, times + 1
        return held

    def release(self, document: bytes) -> None:
        """Note that a document which was held is held once less."""
        if len(document) > LARGEST:
            return
        held, times = self._held[document]
        if times > 1:
            self._held[held] = held, times - 1
        else:
            del self._held[held]
