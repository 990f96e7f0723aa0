"""The download: what is in it, and that its configuration can be used as it is."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import tomllib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from edge_connector import config
from edge_connector.connectors import KINDS, make
from portal.edge import archive, choices
from portal.edge.plan import Plan

ONE = Plan(
    name="hall@1",
    domain="acme.default",
    connectors=tuple(choices.CONNECTORS),
    target="linux-x86_64",
    host="gatehouse.example",
    port=8883,
    transport="tls",
    fingerprint="AB:" * 31 + "AB",
    username="hall@1",
    password='quote " backslash \\ bell \a delete \x7f face \U0001f600',
)
FLEET = replace(ONE, name="hall", username="", password="", token="join-me")


def unpacked(plan: Plan) -> dict[str, bytes]:
    """Return what is in the folder of a download, by name."""
    data = archive.build(plan)
    if plan.is_for_windows:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            found = {name: packed.read(name) for name in packed.namelist() if not name.endswith("/")}
    else:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            found = {one.name: tar.extractfile(one).read() for one in tar if one.isreg()}
    assert all(name.startswith(f"{plan.label}/") for name in found)
    return {name.removeprefix(f"{plan.label}/"): content for name, content in found.items()}


def test_there_is_a_choice_for_each_kind_with_its_requirements_and_an_example() -> None:
    kinds = set(KINDS)
    assert {*choices.CONNECTORS, choices.SYSTEM} == kinds
    assert {one.stem.split("-")[0] for one in choices.REQUIREMENTS.iterdir()} == {*kinds, "agent"}
    assert {one.stem for one in (archive.FILES / "connectors").iterdir()} == kinds


@pytest.mark.parametrize("target", list(choices.TARGETS))
def test_the_same_plan_makes_the_same_bytes_and_the_sums_are_those_of_all_files_but_the_configuration(
    target: str,
) -> None:
    plan = replace(ONE, target=target)
    assert archive.build(plan) == archive.build(plan)
    files = unpacked(plan)
    lines = [line.split("  ", 1) for line in files.pop("SHA256SUMS").decode().splitlines()]
    files.pop("edge.toml")
    assert {name: digest for digest, name in lines} == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items()
    }
    assert not any("@LABEL@" in content.decode() for content in files.values())
    assert not any("__pycache__" in name for name in files)


def test_its_configuration_can_be_read_and_says_what_the_plan_says(tmp_path: Path) -> None:
    text = unpacked(ONE)["edge.toml"].decode()
    values = tomllib.loads(text)
    assert values["server"]["password"] == ONE.password
    (tmp_path / "edge.toml").write_text(text)
    found = config.load(tmp_path / "edge.toml")
    assert (found.server.host, found.server.port, found.server.username) == ("gatehouse.example", 8883, "hall@1")
    assert found.server.fingerprint == "ab" * 32
    assert (found.domain, found.name) == ("acme.default", "hall@1")
    assert set(found.connectors) == {"system", "files"}


def test_only_its_owner_may_read_the_configuration() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive.build(ONE))) as tar:
        modes = {one.name.split("/", 1)[1]: one.mode for one in tar}
    assert modes["edge.toml"] == 0o600
    assert modes["edge_connector/agent.py"] == 0o644


def test_a_fleet_has_its_token_in_place_of_credentials(tmp_path: Path) -> None:
    text = unpacked(FLEET)["edge.toml"].decode()
    (tmp_path / "edge.toml").write_text(text)
    found = config.load(tmp_path / "edge.toml")
    assert found.fleet == config.Fleet("hall", "join-me")
    assert (found.domain, found.name, found.server.username, found.server.password) == ("acme.default", "", "", "")


def test_every_example_is_a_connector_where_its_marks_are_taken_off(tmp_path: Path) -> None:
    text = unpacked(ONE)["edge.toml"].decode()
    for kind in choices.CONNECTORS:
        example = (archive.FILES / "connectors" / f"{kind}.toml").read_text("utf-8")
        text = text.replace("".join(f"# {line}\n" for line in example.splitlines()), example)
    (tmp_path / "edge.toml").write_text(text)
    (tmp_path / "files").mkdir()
    tables = config.load(tmp_path / "edge.toml").connectors
    made = [make(name, table) for name, table in tables.items()]
    assert {type(one).__name__ for one in made} == set(KINDS.values())
    for one in made:
        one.close()


def test_only_what_the_chosen_connectors_need_is_installed() -> None:
    few = unpacked(replace(ONE, connectors=("files",)))["requirements.txt"].decode()
    assert few == "paho-mqtt==2.2.0\npsutil==7.2.2\n"
    assert "pymodbus" in unpacked(ONE)["requirements.txt"].decode()
    databases = unpacked(replace(ONE, connectors=("sql",)))["requirements.txt"].decode()
    assert all(one in databases for one in ("SQLAlchemy==", "psycopg", "PyMySQL==", "python-tds=="))


def test_what_does_not_work_on_windows_is_said_and_not_configured() -> None:
    plan = replace(ONE, target="windows")
    assert choices.unfit(["files", "http"], "windows") == ["Files"]
    assert choices.unfit(["files", "http"], "docker") == []
    text = unpacked(plan)["edge.toml"].decode()
    assert "# Files does not work on this system." in text
    assert tomllib.loads(text)["connectors"] == {"system": {"kind": "system", "disks": ["C:\\"]}}


@pytest.mark.parametrize(
    "wrong", [{"name": "a;b"}, {"name": ""}, {"name": "x" * 65}, {"target": "amiga"}, {"connectors": ("toaster",)}]
)
def test_nothing_is_built_of_what_could_not_be_asked_for(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no name|unknown"):
        replace(ONE, **wrong)


def test_a_download_is_called_as_its_folder() -> None:
    assert archive.filename(ONE) == "gatehouse-edge-hall-1.tar.gz"
    assert archive.filename(replace(ONE, target="windows")) == "gatehouse-edge-hall-1.zip"


def test_what_docker_builds_has_no_password_and_runs_as_a_user_that_gets_its_files() -> None:
    files = unpacked(replace(ONE, target="docker"))
    image, compose = files["Dockerfile"].decode(), files["compose.yaml"].decode()
    assert "--uid 10001 " in image and '"10001:10001"' in compose
    ignored, *kept = files[".dockerignore"].decode().splitlines()
    assert (ignored, "!edge.toml" in kept) == ("*", False)
    copied = {name for line in image.splitlines() if line.startswith("COPY") for name in line.split()[1:-1]}
    assert {f"!{name}" for name in copied} == set(kept)
    assert all(name in files or name == "edge_connector" for name in copied)


def test_no_two_names_are_one_project_of_docker() -> None:
    names = ["hall-1", "hall@1", "hall.1", "Hall-1", "hall_1"]
    composed = [unpacked(replace(ONE, name=name, target="docker"))["compose.yaml"].decode() for name in names]
    projects = [re.findall(r"^name: (.*)", text, re.MULTILINE)[0] for text in composed]
    assert projects[0] == "gatehouse-edge-hall-1" and len(set(projects)) == len(names)
    assert all(re.fullmatch("[a-z0-9][a-z0-9_-]*", one) for one in projects)
