"""Figures of the machine, held against what its kernel says."""

from __future__ import annotations

import os
import platform
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_connector.connectors.system import System
from tests.edge_connector.maker import Maker

PROC = Path("/proc")


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with Maker(System, "box", disks=["/", str(tmp_path)]) as make:
        yield make()


def told(file: str, name: str) -> int:
    """Return the number that the kernel tells in a file of its own, behind a name."""
    found = re.search(rf"^{name}:?\s+(\d+)", (PROC / file).read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def test_processors_are_counted_and_their_load_is_told(system: System) -> None:
    found = system.invoke("cpu", [])
    assert found["cores"] == os.cpu_count()
    assert 0 <= found["percent"] <= 100
    assert len(found["load"]) == 3 and all(one >= 0 for one in found["load"])


def test_memory_is_that_of_the_machine_and_of_the_agent(system: System) -> None:
    found = system.invoke("memory", [])
    assert found["total"] == told("meminfo", "MemTotal") * 1024
    assert 0 < found["available"] <= found["total"] and 0 < found["used"] <= found["total"]
    assert 0 < found["percent"] <= 100
    assert 1 << 20 < found["agent"] < found["total"]


def test_disks_are_those_of_the_configuration(system: System, tmp_path: Path) -> None:
    found = system.invoke("disks", [])
    assert list(found) == ["/", str(tmp_path)]
    for path, one in found.items():
        # Not quite the same a moment later: some file systems share what there is with others.
        assert one["total"] == pytest.approx(shutil.disk_usage(path).total, rel=0.1)
        assert 0 < one["used"] + one["free"] <= one["total"] and 0 <= one["percent"] <= 100


def test_time_runs_on_since_the_machine_was_started(system: System) -> None:
    before = time.time()
    found = system.invoke("uptime", [])
    started = told("stat", "btime")  # whole seconds; it follows the clock that is set
    assert before - started - 2 <= found <= time.time() - started + 2


def test_versions_are_those_of_what_runs(system: System) -> None:
    assert system.invoke("versions", []) == {
        "system": os.uname().sysname,
        "release": os.uname().release,
        "machine": os.uname().machine,
        "python": platform.python_version(),
    }
