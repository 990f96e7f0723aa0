"""The download, installed by its own script in a clean folder: it runs, is called, updated, upgraded and removed."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_connector import service
from portal.edge import archive
from portal.edge.plan import Plan
from tests.edge_connector.conftest import connect
from tests.edge_connector.ear import Ear
from tests.edge_connector.edge import DOMAIN
from tests.edge_connector.installed import Installed, another, download
from tests.support.processes import wait_until
from tests.support.stack import Stack
from tests.support.vrpc import Client, Clients, Fault

pytestmark = pytest.mark.stack

NAME = "hall@1"


@pytest.fixture(scope="module")
def plan(stack: Stack) -> Plan:
    made = stack.add("edge", username=NAME, domain=DOMAIN)
    return Plan(
        name=NAME,
        domain=DOMAIN,
        connectors=("files",),
        target="linux-x86_64",
        host="127.0.0.1",
        port=stack.mqtt_port,
        transport="tcp",
        username=NAME,
        password=made["password"],
    )


@pytest.fixture(scope="module")
def edge(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """Installed once, because packages take a while."""
    folder = tmp_path_factory.mktemp("site")
    found = Installed(download(plan, folder / "downloads"), folder / "edge", NAME)
    done = found.script("--no-service")
    assert done.returncode == 0, done.stderr
    assert f"start it with: {found.folder}/start.sh" in done.stderr
    yield found
    found.kill()


@pytest.fixture
def caller(stack: Stack, hall: dict[str, Any], programs: Callable[[str], Clients], edge: Installed) -> Iterator[Client]:
    """A client that sees the agent, which gives a release ten seconds to connect."""
    times = edge.log().count("connected to")
    edge.start("--trial", "10").ready(times + 1)
    found = connect(programs("npm"), stack, hall).sees(NAME)
    yield found
    found.end()
    assert edge.stop() == 0


def update(client: Client, plan: Plan, version: str, release: bytes) -> None:
    mac = archive.mac(plan.password, version, release)
    assert client.call(NAME, "EdgeConnector", "update", version, base64.b64encode(release).decode(), mac) is True


def about(client: Client) -> dict[str, Any]:
    return client.call(NAME, "EdgeConnector", "status")


def test_it_comes_online_and_is_called(edge: Installed, caller: Client, stack: Stack) -> None:
    assert stack.is_online(NAME)
    files = caller.get(NAME, "Files", "files")
    assert files.call("write", "files/a.txt", "hello") == 5
    assert (edge.folder / "files" / "a.txt").read_text() == "hello"
    assert about(caller)["update"] == {"possible": True, "state": "", "version": "", "error": ""}
    assert (edge.folder / "edge.toml").stat().st_mode & 0o077 == 0


def test_it_is_updated_falls_back_from_a_release_that_does_not_connect_and_loses_nothing(
    edge: Installed, caller: Client, plan: Plan, stack: Stack, hall: dict[str, Any]
) -> None:
    feed = {"connector": "system", "function": "uptime", "interval": 0.05, "topic": "plant/uptime"}
    with Ear(stack.mqtt_port, hall, "plant/uptime") as ear:
        caller.call(NAME, "EdgeConnector", "set_feed", "uptime", feed)
        wait_until(lambda: ear.heard, what="a first value")
        times = edge.log().count("connected to")
        update(caller, plan, "9.0.0", another("9.0.0"))
        edge.ready(times + 1)
        edge.says("9.0.0 has connected, and stays")
        found = about(caller)
        assert (found["version"], found["update"]["state"]) == ("9.0.0", "done")
        lost = another("9.1.0", link=("self._open()", 'raise OSError("no way")'))
        update(caller, plan, "9.1.0", lost)
        edge.says("9.1.0 is not kept: it has not connected within 10 s").ready(times + 2)
        found = about(caller)
        assert found["version"] == "9.0.0"
        assert (found["update"]["state"], found["update"]["version"]) == ("failed", "9.1.0")
        assert "cannot connect: no way" in found["update"]["error"]
        wait_until(lambda: about(caller)["values"]["buffered"] < 10, what="what was read meanwhile to arrive")
        numbers = [int(marks["number"]) for _, _, marks in ear.heard]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert len(numbers) > 100
        caller.call(NAME, "EdgeConnector", "set_feeds", {})


def test_a_restart_keeps_the_release_and_a_forged_update_is_refused(
    edge: Installed, caller: Client, plan: Plan
) -> None:
    times = edge.log().count("connected to")
    assert about(caller)["version"] == "9.0.0"
    assert caller.call(NAME, "EdgeConnector", "restart") is True
    edge.ready(times + 1)
    assert about(caller)["version"] == "9.0.0"
    version, release = archive.release()
    with pytest.raises(Fault, match="not signed"):
        mac = archive.mac("guessed", version, release)
        caller.call(NAME, "EdgeConnector", "update", version, base64.b64encode(release).decode(), mac)


def test_installed_again_it_runs_what_was_installed_with_all_that_it_had(edge: Installed, stack: Stack) -> None:
    kept = edge.config.read_text() + "# filled in by hand\n"
    edge.config.write_text(kept)
    wanted = edge.source / "edge.toml"
    wanted.write_text(wanted.read_text().replace("password = ", 'password = "new"  # '))
    identity = (edge.folder / "state" / "identity.json").read_bytes()
    sums = edge.source / "SHA256SUMS"
    sums.write_text("".join(sorted(sums.read_text().splitlines(keepends=True), reverse=True)))  # another release
    done = edge.script("--no-service")
    assert done.returncode == 0, done.stderr
    assert "is kept as it is, though the download has another server or other credentials" in done.stderr
    assert (len(list(edge.folder.glob("app.*"))), len(list(edge.folder.glob("env.*")))) == (1, 1)
    assert edge.config.read_text() == kept
    assert (edge.folder / "files" / "a.txt").exists()
    times = edge.log().count("connected to")
    edge.start().ready(times + 1)
    assert not [one for one in (edge.folder / "state").rglob("*.py")]
    assert edge.stop() == 0
    assert (edge.folder / "state" / "identity.json").read_bytes() == identity


def test_a_folder_that_has_another_one_is_left_alone(edge: Installed, tmp_path: Path, plan: Plan) -> None:
    before = {one.name for one in edge.folder.iterdir()}
    other = Installed(download(plan, tmp_path), edge.folder, NAME)
    config = other.source / "edge.toml"
    config.write_text(config.read_text().replace(NAME, "another"))
    done = other.script("--no-service")
    assert (done.returncode, "is that of another Edge Connector" in done.stderr) == (1, True)
    done = other.script("uninstall")
    assert (done.returncode, "is that of another Edge Connector" in done.stderr) == (1, True)
    config.write_text("not TOML")
    done = other.script("--no-service")
    assert (done.returncode, "edge.toml cannot be read" in done.stderr) == (1, True)
    assert {one.name for one in edge.folder.iterdir()} == before


def test_a_folder_that_is_used_for_something_else_is_left_alone(tmp_path: Path, plan: Plan) -> None:
    edge = Installed(download(plan, tmp_path), tmp_path / "srv", NAME)
    (edge.folder / "state").mkdir(parents=True)
    done = edge.script("--no-service")
    assert (done.returncode, "srv has other files in it" in done.stderr) == (1, True)
    assert [one.name for one in edge.folder.iterdir()] == ["state"]


def test_what_is_tampered_with_is_not_installed(tmp_path: Path, plan: Plan) -> None:
    edge = Installed(download(plan, tmp_path), tmp_path / "edge", NAME)
    with (edge.source / "edge_connector" / "link.py").open("a") as file:
        file.write("# a line more\n")
    (edge.source / "run.py").unlink()
    done = edge.script("--no-service")
    assert done.returncode == 1
    assert "edge_connector/link.py: FAILED" in done.stderr
    assert "run.py: FAILED open or read" in done.stderr
    assert not edge.folder.exists()


def test_it_says_what_is_missing(tmp_path: Path, plan: Plan) -> None:
    edge = Installed(download(plan, tmp_path), tmp_path / "edge", NAME)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "dirname", "sha256sum", "grep"):
        (programs / name).symlink_to(shutil.which(name) or name)
    done = edge.script(PATH=str(programs))
    assert (done.returncode, "Python 3.11 or newer is needed" in done.stderr) == (1, True)
    (programs / "python3").write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n')
    (programs / "python3").chmod(0o755)
    done = edge.script(PATH=str(programs))
    assert (done.returncode, "apt-get install python3-venv" in done.stderr) == (1, True)
    assert not edge.folder.exists()


# systemd is not there in a container: what it is told is written down, and the service's user is that of the tests.
AS_SERVICE = """
import getpass, os, sys
from pathlib import Path
from edge_connector import install, service
service.UNITS, service.USER, service.is_possible = Path(sys.argv.pop(1)), getpass.getuser(), lambda: True
if os.geteuid():
    service.may_run = lambda *_: True  # only root may start programs as somebody else
sys.exit(install.main())
"""


def test_as_root_it_is_a_service_until_it_is_removed_but_for_its_files(edge: Installed, tmp_path: Path) -> None:
    (tmp_path / "systemctl").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/told\n')
    (tmp_path / "systemctl").chmod(0o755)

    def run(*words: str) -> str:
        options = ["--label", "gatehouse-edge-hall-1", "--folder", str(edge.folder)]
        command = [sys.executable, "-c", AS_SERVICE, str(tmp_path), *words, *options]
        environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(command, cwd=edge.source, env=environ, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stderr

    (edge.folder / "app.backup").mkdir()
    name = "gatehouse-edge-hall-1.service"
    assert "runs as the service gatehouse-edge-hall-1" in run()
    assert f"ExecStart={edge.folder}/start.sh" in (tmp_path / name).read_text()
    told = ["daemon-reload", f"enable --quiet {name}", f"restart {name}"]
    assert (tmp_path / "told").read_text().splitlines() == told
    assert "still has files" in run("uninstall")
    assert not (tmp_path / name).exists()
    assert (tmp_path / "told").read_text().splitlines()[3:] == [f"disable --quiet --now {name}", "daemon-reload"]
    found = sorted(str(one.relative_to(edge.folder)) for one in edge.folder.rglob("*"))
    assert found == ["app.backup", "files", "files/a.txt"]
    again = edge.script("uninstall")
    assert (again.returncode, "no Edge Connector in" in again.stderr) == (1, True)


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "start.sh").touch(0o755)
    unit = tmp_path / "gatehouse-edge-hall.service"
    unit.write_text(service.unit(tmp_path, "gatehouse-edge-hall"))
    lines = [line for line in unit.read_text().splitlines() if line and not line.startswith(("#", "["))]
    assert all(re.fullmatch(r"[A-Z][A-Za-z]+=.*", line) for line in lines)
    if systemd := shutil.which("systemd-analyze"):
        done = subprocess.run([systemd, "verify", "--man=no", unit], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
    with pytest.raises(ValueError, match="letters, digits"):
        service.unit(Path("/opt/with space"), "x")
    monkeypatch.setattr(service, "UNITS", tmp_path)
    assert service.is_of(tmp_path, "gatehouse-edge-hall")
    assert service.is_of(tmp_path, "gatehouse-edge-yard")
    assert not service.is_of(Path("/opt/elsewhere"), "gatehouse-edge-hall")
    assert not service.may_run(Path("/nonexistent/python"), os.getuid(), os.getgid())
