"""Brings integrations' nodes up to what was published while nobody told: at start, and when the hub is back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from protocols.linking import Away
from protocols.opcua.topics.hub import HubLink, Told
from protocols.opcua.values import naming
from protocols.opcua.values.nodes import Nodes
from protocols.opcua.values.tree import Folder

TakeOver = Callable[[str, Told, float], object]

_PAUSE = 0.2  # seconds before something is tried again
_STEP = 20  # values that are taken over in one turn of the loop


class CatchingUp:
    """Goes through the folders that are behind, one after the other, with one question at a time."""

    def __init__(self, nodes: Nodes, hub: HubLink, clock: Callable[[], datetime]) -> None:
        self._nodes = nodes
        self._hub = hub
        self._clock = clock
        self._behind: dict[str, float | None] = {}  # usernames, and since when, if that is known
        self._left = 0.0  # when the hub was last there
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, take_over: TakeOver) -> None:
        """Begin; `take_over` is called with a folder's username, each value, and the time from which on it is news."""
        self._task = asyncio.get_running_loop().create_task(self._run(take_over))

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def opened(self, username: str) -> None:
        """Look through a folder that is new here."""
        self._behind.setdefault(username, None)
        self._wanted.set()

    def heard(self, told: Told) -> None:
        """What is told is no matter of catching up."""

    def connected(self) -> None:
        """Look through all folders again."""
        since = self._left or None
        for folder in self._nodes.folders.values():
            self._behind.setdefault(folder.username, since)
        self._wanted.set()

    def disconnected(self) -> None:
        """Remember since when nobody tells."""
        self._left = self._clock().timestamp()

    async def _run(self, take_over: TakeOver) -> None:
        while True:
            await self._wanted.wait()
            if not self._behind or not self._hub.is_connected:
                self._wanted.clear()
                continue
            username = next(iter(self._behind))
            try:
                await self._catch_up(username, self._behind[username], take_over)
            except Away:
                await asyncio.sleep(_PAUSE)
                continue
            self._behind.pop(username, None)

    async def _catch_up(self, username: str, since: float | None, take_over: TakeOver) -> None:
        folder = self._nodes.by_username.get(naming.escape(username))
        if folder is None:
            return
        begin = since if since is not None else _newest(folder)
        cursor: str | None = None
        while True:
            values, cursor = await self._hub.values(f"{username}/", cursor)
            for count, told in enumerate(values):
                if count % _STEP == 0:
                    await asyncio.sleep(0)
                take_over(username, told, begin)
            if cursor is None:
                return


def _newest(folder: Folder) -> float:
    """Return when a node of a folder was last written; 0 if none was."""
    times = (node.value.ServerTimestamp.timestamp() for node in folder.nodes.values() if node.value is not None)
    return max(times, default=0.0)
