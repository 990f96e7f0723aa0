"""Class infos that are alike, held once: agents that run the same software say the same of their classes."""

from __future__ import annotations

LARGEST = 65_536  # bytes; to compare larger ones would hold up the loop, and there are few


class Documents:
    """The bytes that somebody holds, and by how many more than one."""

    def __init__(self) -> None:
        self._held: dict[bytes, bytes] = {}
        self._more: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, document: bytes) -> bytes:
        """Return a document, or the one that is held already and is like it."""
        if len(document) > LARGEST:
            return document
        held = self._held.get(document)
        if held is None:
            self._held[document] = document
            return document
        self._more[held] = self._more.get(held, 0) + 1
        return held

    def release(self, document: bytes) -> None:
        """Note that one less holds a document."""
        if len(document) > LARGEST:
            return
        more = self._more.pop(document, 0)
        if not more:
            del self._held[document]
        elif more > 1:
            self._more[document] = more - 1
