"""The machine that the agent runs on."""

from __future__ import annotations

import platform
import time
from typing import Any

import psutil

from edge_connector.connectors.base import Connector
from edge_connector.described import offered
from edge_connector.settings import Table


class System(Connector):
    """Figures of this machine.  Its disks are those that the configuration names."""

    workers = 1

    def __init__(self, name: str, table: Table) -> None:
        super().__init__(name, table)
        self._disks = table.texts("disks", ["/"])
        psutil.cpu_percent()  # the first call has nothing to compare with

    @offered(reads=True)
    def cpu(self) -> dict[str, Any]:
        """Tells how busy the processors are

        :returns: percent since the last call, cores, and the load of the last 1, 5 and 15 minutes
        """
        return {
            "percent": psutil.cpu_percent(),
            "cores": psutil.cpu_count() or 1,
            "load": [round(one, 2) for one in psutil.getloadavg()],
        }

    @offered(reads=True)
    def memory(self) -> dict[str, Any]:
        """Tells how much memory there is

        :returns: total, available and used bytes, percent, and the bytes that the agent has
        """
        found = psutil.virtual_memory()
        return {
            "total": found.total,
            "available": found.available,
            "used": found.used,
            "percent": found.percent,
            "agent": psutil.Process().memory_info().rss,
        }

    @offered(reads=True)
    def disks(self) -> dict[str, Any]:
        """Tells how full the configured disks are

        :returns: By path: total, free and used bytes, and percent
        """
        found = {path: psutil.disk_usage(path) for path in self._disks}
        return {
            path: {"total": one.total, "free": one.free, "used": one.used, "percent": one.percent}
            for path, one in found.items()
        }

    @offered(reads=True)
    def uptime(self) -> float:
        """Tells for how long the machine has been running

        :returns: Seconds
        """
        return round(time.time() - float(psutil.boot_time()), 1)

    @offered(reads=True)
    def versions(self) -> dict[str, str]:
        """Tells what the machine runs

        :returns: system, release, machine, python
        """
        return {
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
            "python": platform.python_version(),
        }
