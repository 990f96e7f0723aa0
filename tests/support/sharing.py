"""How the tests are shared out among processes: whole files at a time, and those with a browser to one process.

Those take the longest, as a whole, and are begun first; then come those that start products, and at last what is
done in no time, so that no process is left behind with a long one.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

FIRST = ("browser", "stack", "fuzz", "edge_connector")  # folders
TESTS = Path(__file__).parents[1]


class Sharing(LoadFileScheduling):
    """Files are handed out in the order of the tests."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        browser = "tests/browser/"
        return browser if nodeid.startswith(browser) else super()._split_scope(nodeid)


def rank(item: pytest.Item) -> int:
    """Return when the tests of a folder come."""
    folder = item.path.relative_to(TESTS).parts[0]
    return FIRST.index(folder) if folder in FIRST else len(FIRST)


def processes() -> int:
    """Return how many processes there should be: half of the time tests wait, for what they have started."""
    return (len(os.sched_getaffinity(0)) * 3 + 1) // 2
