"""The last lines of the log, for those who look from afar."""

from __future__ import annotations

import logging
from collections import deque

LINES = 1000
_LENGTH = 1000  # characters of a line


class Tail(logging.Handler):
    """Keeps lines in memory."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=LINES)

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record)[:_LENGTH])

    def lines(self, count: int) -> list[str]:
        """Return the newest lines, oldest first."""
        return list(self._lines)[-count:] if count > 0 else []
