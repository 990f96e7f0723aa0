"""The launcher: which release runs, and what becomes of one that fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_connector import launch
from edge_connector.releases import INSTALLED, Outcome, Record
from tests.edge_connector.releases import UP, Running, Site, until
from tests.support import processes

ROOT = Path(__file__).parents[2]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def launcher(site: Site, **options: Any) -> subprocess.Popen:
    """Start a launcher in a process of its own."""
    program = "import sys; from pathlib import Path; from edge_connector import launch\n"
    program += f"sys.exit(launch.main(Path({str(site.installed)!r})))"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, "--config", str(site.config)]
    return processes.start(command, env=environ, **{"stderr": subprocess.DEVNULL, **options})


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Running]]:
    """Start launchers, which end with the test."""
    monkeypatch.setattr(launch, "STEADY", 0.3)
    made: list[Running] = []

    def begin(site: Site, trial: float = 10) -> Running:
        made.append(Running(site, trial))
        return made[-1]

    yield begin
    for one in made:
        one.stop()


def test_it_runs_what_was_installed_and_has_it_end_in_order(site: Site, start: Callable[..., Running]) -> None:
    launcher = start(site)
    site.notes_are("installed starts")
    assert launcher.stop() == 0
    assert site.notes == ["installed starts", "installed ends"]


def test_a_new_release_that_connects_stays(site: Site, start: Callable[..., Running]) -> None:
    site.update("0.2.0", UP)
    launcher = start(site)
    until(lambda: site.releases.load().current == "0.2.0", "the release to be kept")
    assert site.releases.load().last == Outcome("done", "0.2.0")
    assert launcher.stop() == 0
    start(site)
    site.notes_are("0.2.0 starts", "0.2.0 ends", "0.2.0 starts")


@pytest.mark.parametrize(
    ("does", "trial", "why"),
    [
        ("sys.exit('no module named toast')", 10, "it ended with status 1: no module named toast"),
        ("sys.exit(78)", 10, "it ended with status 78"),
        ("sys.exit(0)", 10, "it ended with status 0"),
        ("sys.exit(75)", 10, "it ended with status 75"),
        ("os.kill(os.getpid(), 9)", 10, "it ended with status -9"),
        (f"{UP}; sys.exit('lost')", 10, "it ended with status 1: lost"),
        ("sys.stderr.write('cannot connect\\n'); sys.stderr.flush()", 1, "not connected within 1 s: cannot connect"),
    ],
)
def test_the_previous_one_comes_back(
    does: str, trial: float, why: str, site: Site, start: Callable[..., Running]
) -> None:
    site.update("0.2.0", does)
    start(site, trial)
    until(lambda: "installed starts" in site.notes, "the previous one to come back")
    record = site.releases.load()
    assert (record.current, record.trial) == (INSTALLED, "")
    assert (record.last.state, record.last.version) == ("failed", "0.2.0")
    assert why in record.last.error
    assert not site.releases.folder("0.2.0").exists()


def test_the_previous_one_may_have_been_an_update_as_well(site: Site, start: Callable[..., Running]) -> None:
    site.update("0.2.0", UP)
    site.releases.save(replace(site.releases.load(), current="0.2.0", trial=""))
    site.update("0.3.0", "sys.exit(1)")
    start(site)
    site.notes_are("0.3.0 starts", "0.2.0 starts")
    assert site.releases.load().current == "0.2.0"


def test_power_that_fails_in_a_trial_brings_the_previous_one_back(site: Site, start: Callable[..., Running]) -> None:
    site.update("0.2.0", UP)
    site.releases.save(replace(site.releases.load(), tried=True))
    start(site)
    site.notes_are("installed starts")
    assert "stopped before it had connected" in site.releases.load().last.error


def test_a_trial_that_is_stopped_ends_in_order_and_is_not_repeated(site: Site, start: Callable[..., Running]) -> None:
    site.update("0.2.0", "")
    launcher = start(site)
    site.notes_are("0.2.0 starts")
    assert launcher.stop() == 0
    start(site)
    site.notes_are("0.2.0 starts", "0.2.0 ends", "installed starts")


def test_what_is_installed_anew_is_what_runs(site: Site, start: Callable[..., Running]) -> None:
    site.update("0.2.0", UP)
    site.releases.save(replace(site.releases.load(), current="0.2.0", trial=""))
    (site.installed / "SHA256SUMS").write_text("of the second")
    start(site)
    site.notes_are("installed starts")
    assert not site.releases.folder("0.2.0").exists()


@pytest.mark.parametrize("record", [b"", b"\0" * 40, b"[]", b'{"current": "0.2.0"}', b'{"last": {"x": 1}}'])
def test_a_record_that_is_damaged_brings_back_what_was_installed(
    record: bytes, site: Site, start: Callable[..., Running]
) -> None:
    (site.folder / "state" / "release.json").write_bytes(record)
    start(site)
    site.notes_are("installed starts")


def test_a_release_whose_environment_or_folder_is_gone_is_left(site: Site, start: Callable[..., Running]) -> None:
    site.update("0.2.0", UP, requirements="toast==1.0\n")
    start(site)
    site.notes_are("installed starts")
    assert "not for this version of Python" in site.releases.load().last.error
    site.releases.save(replace(site.releases.load(), current="0.9.9"))
    start(site)
    site.notes_are("installed starts", "installed starts")


def test_a_release_with_requirements_of_its_own_has_an_environment(site: Site) -> None:
    site.update("0.2.0", UP, requirements="toast==1.0\n")
    own = site.releases.environment("toast==1.0\n")
    assert own is not None
    assert site.releases.python("0.2.0") is None
    for name in ("bin/python", "complete"):
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).touch()
    assert site.releases.python("0.2.0") == own / "bin" / "python"
    site.releases.prune()
    assert own.is_dir()
    site.releases.save(replace(site.releases.load(), trial=""))
    site.releases.prune()
    assert not own.exists()
    (site.installed / "requirements.txt").write_text("toast==1.0\nbread==2.0\n")
    assert site.releases.environment("toast==1.0\n") is None


def test_an_agent_that_wants_to_is_started_again_and_one_that_dies_after_a_pause(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    does = """
    import pathlib
    runs = pathlib.Path(sys.argv[2]).with_name("notes").read_text().count("starts")
    if runs < 3:
        sys.exit([75, 9][runs - 1])
    """
    site = Site(tmp_path, does)
    start(site)
    site.notes_are(*["installed starts"] * 3)


@pytest.mark.parametrize("status", [0, 78])
def test_an_agent_that_does_not_want_to_is_not_started_again(
    status: int, tmp_path: Path, start: Callable[..., Running]
) -> None:
    site = Site(tmp_path, f"sys.exit({status})")
    assert start(site).ended() == status
    assert site.notes == ["installed starts"]


def test_what_an_interrupted_update_left_is_removed(site: Site, start: Callable[..., Running]) -> None:
    left = [site.folder / "state" / "releases" / "9.0.0.new", site.folder / "state" / "environments" / "half"]
    for folder in left:
        folder.mkdir(parents=True)
        (folder / "file").touch()
    start(site)
    site.notes_are("installed starts")
    assert not any(folder.exists() for folder in left)


def test_a_full_disk_keeps_what_runs(
    site: Site, start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.update("0.2.0", UP)

    def fail(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge_connector.keeping.write", fail)
    start(site)
    site.notes_are("installed starts")


def test_the_state_is_where_the_configuration_says(site: Site) -> None:
    site.config.write_text('[agent]\nstate = "kept"\n')
    (site.folder / "kept").mkdir()
    launcher = launch.Launcher(site.config, site.installed)
    launcher._releases.save(Record())
    assert (site.folder / "kept" / "release.json").exists()


def test_a_second_launcher_of_the_same_agent_ends(site: Site) -> None:
    first = launcher(site)
    site.notes_are("installed starts")
    second = launcher(site, stderr=subprocess.PIPE, text=True)
    assert "another run.py runs the agent of" in second.communicate(timeout=10)[1]
    assert second.returncode == 78
    assert processes.stop(first, signal.SIGTERM, 10) == 0
    assert site.notes == ["installed starts", "installed ends"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_agent_outlives_its_launcher(number: int, site: Site) -> None:
    process = launcher(site)
    site.notes_are("installed starts")
    assert processes.stop(process, number, 10) == (-9 if number == signal.SIGKILL else 0)
    site.notes_are("installed starts", "installed ends")
