"""The standard address space, kept in a file so that it need not be built at each start.

Building its 6,000 nodes takes asyncua seconds and 50 MB; from the file a node is read when it is first asked for.
asyncua's own cache (`shelve`) does the same where Python has a real dbm, and never finds its file where it has not.
The file is written by a process of its own, which gives back the memory that this takes.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import importlib.metadata
import logging
import mmap
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, MutableMapping
from pathlib import Path

from asyncua import ua
from asyncua.server.address_space import AddressSpace, NodeData, NodeManagementService

_log = logging.getLogger("protocols.opcua")

_PATIENCE = 120.0  # seconds; a small board takes long
_PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>
_HEAD = 8  # bytes: where the index begins

Index = dict[int, tuple[int, int]]  # by identifier: where the node begins, and its size


class StandardNodes(MutableMapping[ua.NodeId, NodeData]):
    """The nodes that were added or used, and behind them those of the file.

    Iterating yields the former only: nothing refers to what was added from a node that was never used.
    """

    def __init__(self, path: Path) -> None:
        """Open the file.  Raises OSError or ValueError where it cannot be used."""
        with path.open("rb") as file:
            self._file = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        start = int.from_bytes(self._file[:_HEAD], "little")
        if not _HEAD <= start < len(self._file):
            raise ValueError("no index")
        self._index: Index = pickle.loads(self._file[start:])  # noqa: S301 - of our own folder
        self._nodes: dict[ua.NodeId, NodeData] = {}

    def __getitem__(self, key: ua.NodeId) -> NodeData:
        node = self._nodes.get(key)
        if node is None:
            start, size = self._index[self._number(key)]
            node = self._nodes[key] = pickle.loads(self._file[start : start + size])  # noqa: S301
        return node

    def __setitem__(self, key: ua.NodeId, node: NodeData) -> None:
        self._nodes[key] = node

    def __delitem__(self, key: ua.NodeId) -> None:
        known = self._index.pop(self._number(key), None) if key in self else None
        if self._nodes.pop(key, None) is None and known is None:
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return key in self._nodes or (isinstance(key, ua.NodeId) and self._number(key) in self._index)

    def __iter__(self) -> Iterator[ua.NodeId]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    @staticmethod
    def _number(key: ua.NodeId) -> int:
        """Return the identifier of a standard node; all of them are numbers in namespace 0."""
        if key.NamespaceIndex == 0 and isinstance(key.Identifier, int):
            return int(key.Identifier)
        return -1


def path_in(folder: Path) -> Path:
    """Return the file's path; another version of asyncua or of Python needs another file."""
    version = importlib.metadata.version("asyncua")
    return folder / f"address-space-{version}-{sys.implementation.cache_tag}.cache"


async def load(path: Path) -> StandardNodes | dict[ua.NodeId, NodeData]:
    """Return the standard nodes: from the file, which is written first where it is missing or broken."""
    for _ in range(2):
        try:
            return StandardNodes(path)
        except (OSError, ValueError, pickle.UnpicklingError, EOFError):
            await asyncio.to_thread(_write_apart, path)
    _log.warning("the address space cannot be kept in %s, and is built at each start", path)
    return await asyncio.to_thread(build)


def build() -> dict[ua.NodeId, NodeData]:
    """Build the standard nodes."""
    # Megabytes of generated code, which a start with the file does without.
    from asyncua.server.standard_address_space import standard_address_space

    space = AddressSpace()
    standard_address_space.fill_address_space(NodeManagementService(space))
    nodes: dict[ua.NodeId, NodeData] = space._nodes
    return nodes


def write(path: Path) -> None:
    """Build the standard nodes, and write the file."""
    unfinished = path.with_suffix(f".{os.getpid()}.new")
    index: Index = {}
    with unfinished.open("wb") as file:
        file.write(bytes(_HEAD))
        for key, node in build().items():
            start = file.tell()
            pickle.dump(node, file, pickle.HIGHEST_PROTOCOL)
            index[key.Identifier] = start, file.tell() - start
        start = file.tell()
        pickle.dump(index, file, pickle.HIGHEST_PROTOCOL)
        file.seek(0)
        file.write(start.to_bytes(_HEAD, "little"))
    unfinished.replace(path)


def _write_apart(path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", __name__, str(path), str(os.getpid())]
    try:
        subprocess.run(command, env=environment, timeout=_PATIENCE, check=True, capture_output=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        _log.warning("the cache of the address space was not written: %s", error)


def _end_with(parent: int) -> None:
    """End this process with its parent: nobody waits for it any more."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("nobody waits for the address space any more")


if __name__ == "__main__":
    gc.disable()  # nothing of what is built can go, and looking for it takes as long as building
    _end_with(int(sys.argv[2]))
    write(Path(sys.argv[1]))
