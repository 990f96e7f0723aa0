"""Updates: who may send one, and that one which fails changes nothing."""

from __future__ import annotations

import base64
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_connector import VERSION, config, environments, unpacking
from edge_connector.errors import Refused
from edge_connector.releases import Outcome, Record, Releases
from edge_connector.updating import Updater
from portal.edge import archive
from tests.edge_connector.edge import toml
from tests.edge_connector.releases import until
from tests.edge_connector.test_edge_unpacking import packed

PASSWORD = "the integration's"
RELEASE = archive.release()[1]


class Site:
    """An agent's updater, beside what is installed."""

    def __init__(self, folder: Path, kind: str = "system", **agent: Any) -> None:
        self.folder = folder
        self.installed = folder / "app"
        self.installed.mkdir()
        (self.installed / "SHA256SUMS").write_text("installed")
        (self.installed / "requirements.txt").write_text(archive.requirements(["system"]))
        server = {"host": "h", "username": "u", "password": PASSWORD}
        tables = {"server": server, "agent": {"domain": "d", "name": "n", **agent}, "connectors": {"x": {"kind": kind}}}
        (folder / "edge.toml").write_text(toml(tables))
        self.config = config.load(folder / "edge.toml")
        self.config.state.mkdir()
        self.releases = Releases(self.config.state, self.installed)
        self.updater = Updater(self.config, self.installed)
        self.restarts: list[bool] = []
        self.updater.restart_requested = lambda: self.restarts.append(True)

    def send(self, data: bytes = RELEASE, version: str = VERSION, password: str = PASSWORD) -> None:
        self.updater.begin(version, base64.b64encode(data).decode(), archive.mac(password, version, data))

    def ends(self) -> dict[str, Any]:
        """Wait for the end of an update's installation; return what is said of it."""
        until(lambda: not self.updater._busy.locked(), "the installation to end")
        return self.updater.status()

    def is_untouched(self) -> bool:
        left = [one for one in (self.config.state / "releases").rglob("*") if one.is_file()]
        return not left and not self.releases.load().trial and not self.restarts


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_release_is_put_beside_what_runs_and_tried(site: Site) -> None:
    assert site.updater.status() == {"possible": True, "state": "", "version": "", "error": ""}
    site.send()
    site.ends()
    record = site.releases.load()
    assert record.trial.startswith(f"{VERSION}-")
    assert (site.releases.folder(record.trial) / "edge_connector" / "__main__.py").exists()
    assert site.releases.python(record.trial) is not None
    assert site.restarts == [True]
    assert Updater(site.config, site.installed).status()["state"] == "trial"
    with pytest.raises(Refused, match="on trial"):
        site.send()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((VERSION, base64.b64encode(RELEASE).decode(), archive.mac("guessed", VERSION, RELEASE)), "not signed"),
        ((VERSION, base64.b64encode(RELEASE[:-1]).decode(), archive.mac(PASSWORD, VERSION, RELEASE)), "not signed"),
        (("9.9.9", base64.b64encode(RELEASE).decode(), archive.mac(PASSWORD, VERSION, RELEASE)), "not signed"),
        ((VERSION, base64.b64encode(RELEASE).decode(), ""), "not signed"),
        ((VERSION, base64.b64encode(RELEASE).decode(), "\ud800"), "not signed"),
        ((VERSION, "no base64", "x"), "no base64"),
        (("../../etc", base64.b64encode(RELEASE).decode(), "x"), "version has to be"),
        (("", "", ""), "version has to be"),
    ],
)
def test_what_does_not_come_from_the_portal_is_refused(arguments: tuple[str, str, str], why: str, site: Site) -> None:
    with pytest.raises(Refused, match=why):
        site.updater.begin(*arguments)
    assert site.is_untouched()


@pytest.mark.parametrize(
    ("data", "version", "why"),
    [
        (packed(("edge_connector/__init__.py", b'"""x"""\n\nVERSION = "8.0.0"\n')), "9.0.0", "not that of 9.0.0"),
        (packed(("edge_connector/__init__.py", b""), ("../../run.py", b"")), VERSION, "no plain file"),
        (packed(("edge_connector/__init__.py", b'\nVERSION = "9.0.0"\n')), "9.0.0", "no connector of the kind agent"),
        (packed(("edge_connector/__init__.py", b"\xff")), "9.0.0", "can't decode byte 0xff"),
    ],
)
def test_what_cannot_be_installed_changes_nothing_and_is_said(
    data: bytes, version: str, why: str, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.send(data, version)
    found = site.ends()
    assert (found["state"], found["version"]) == ("failed", version)
    assert why in found["error"]
    assert why in caplog.text
    assert site.is_untouched()


def test_a_full_disk_changes_nothing_and_the_next_attempt_goes_through(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("edge_connector.unpacking.os.fsync", "edge_connector.keeping.write"):
        with monkeypatch.context() as full:

            def fail(*_: Any) -> None:
                raise OSError(28, "No space left on device")

            full.setattr(place, fail)
            site.send()
            assert "No space left" in site.ends()["error"]
            assert site.is_untouched()
    site.send()
    assert site.ends()["state"] == "trial"
    assert site.releases.load().trial


def test_packages_that_cannot_be_installed_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path, "serial")

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        if command[1:3] == ["-m", "venv"]:
            Path(command[3]).mkdir(parents=True)
            return subprocess.CompletedProcess(command, 0, "", "")
        assert "-r" in command
        return subprocess.CompletedProcess(command, 1, "", "ERROR: No matching distribution found for pyserial")

    monkeypatch.setattr(environments.subprocess, "run", run)
    site.send()
    assert site.ends()["error"] == "pip failed: ERROR: No matching distribution found for pyserial"
    assert site.is_untouched()
    assert not list((site.config.state / "environments").iterdir())


def test_two_at_once_are_one_and_a_restart_has_to_wait(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    go_on = threading.Event()
    unpack: Callable[..., None] = unpacking.unpack

    def slowly(*arguments: Any) -> None:
        go_on.wait(10)
        unpack(*arguments)

    monkeypatch.setattr(unpacking, "unpack", slowly)
    site.send()
    assert site.updater.status() == {"possible": True, "state": "installing", "version": VERSION, "error": ""}
    with pytest.raises(Refused, match="an update is under way"):
        site.send()
    assert site.updater.is_under_way
    go_on.set()
    site.ends()
    assert site.updater.is_under_way
    assert site.restarts == [True]


def test_an_update_that_is_interrupted_is_told_of_afterwards(site: Site) -> None:
    site.releases.save(Record(site.releases.load().base, last=Outcome("installing", "9.0.0")))
    found = Updater(site.config, site.installed).status()
    assert (found["state"], found["error"]) == ("failed", "it was interrupted while it was installed")


def test_what_failed_is_known_after_a_restart(site: Site) -> None:
    site.send(b"no archive")
    failed = site.ends()
    assert failed["state"] == "failed"
    assert Updater(site.config, site.installed).status() == failed


def test_what_runs_already_is_not_installed_over_itself(site: Site) -> None:
    site.send()
    site.ends()
    record = site.releases.load()
    site.releases.save(replace(record, current=record.trial, trial=""))
    with pytest.raises(Refused, match="is what runs"):
        site.send()


def test_an_agent_without_a_launcher_or_whose_file_says_so_is_not_updated(tmp_path: Path) -> None:
    site = Site(tmp_path, updates=False)
    with pytest.raises(Refused, match="agent.updates is false"):
        site.send()
    assert site.updater.status()["possible"] is False
    with pytest.raises(Refused, match="not started by run.py"):
        Updater(replace(site.config, updates=True), None).begin("", "", "")
