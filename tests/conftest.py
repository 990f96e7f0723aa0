"""Fixtures that every test may use: databases, and a rule about skipping."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from portal.credentials import Sealer
from portal.integrations import Actor
from protocols.opcua import nodes_cache
from tests.support import commands, databases, sharing
from tests.support.databases import Database
from tests.support.mariadb import Server
from tests.support.opcua import Program
from tests.support.postgresql import Cluster
from tests.support.stack import Stack
from tests.support.vrpc_team import Team

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A running PostgreSQL."""
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    """A running MariaDB."""
    server = Server()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def postgresql_database(postgresql: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a migrated database that tests share one after the other: a new one for each takes long."""
    name = postgresql.create()
    databases.migrate(databases.settings_for(tmp_path_factory.mktemp("node"), postgresql.url(name)))
    return name


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database that tests copy."""
    folder = tmp_path_factory.mktemp("sqlite")
    databases.migrate(databases.settings_for(folder))
    return folder / "gatehouse.db"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated database; a test that asks for it runs on both kinds."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_file"), tmp_path)
        with databases.opened("sqlite", databases.settings_for(tmp_path)) as opened:
            yield opened
        return
    cluster = request.getfixturevalue("postgresql")
    name = request.getfixturevalue("postgresql_database")
    environ = databases.settings_for(tmp_path, cluster.url(name))
    with databases.opened("postgresql", environ, lambda: cluster.disconnect(name)) as opened:
        databases.empty()
        yield opened


@pytest.fixture(scope="session")
def address_space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of OPC UA's standard nodes, which each product would take seconds to make at its first start."""
    path = nodes_cache.path_in(tmp_path_factory.mktemp("address-space"))
    subprocess.run([sys.executable, "-m", nodes_cache.__name__, str(path), str(os.getpid())], check=True, timeout=60)
    return path


@pytest.fixture(scope="session", autouse=True)
def command_line() -> Iterator[None]:
    yield
    commands.stop()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, address_space: Path) -> Iterator[Stack]:
    """The whole product, running; tests share it, and leave it running.

    Their wrong logins all come from one address, so they must not ban it.
    """
    running = Stack(tmp_path_factory.mktemp("stack"), GUESSES_PER_ADDRESS="off", GUESSES_PER_USERNAME="off")
    running.take(address_space)
    try:
        running.start()
        yield running
        running.stop()
        running.clean_log()
    finally:
        running.kill()


@pytest.fixture
def make_stack(tmp_path: Path, address_space: Path) -> Iterator[Callable[..., Stack]]:
    """Make products of a test's own, which may come to harm."""
    made: list[Stack] = []

    def make(**settings: str) -> Stack:
        made.append(Stack(tmp_path / f"stack{len(made)}", **settings))
        if "DATA_DIR" not in settings:
            made[-1].take(address_space)
        return made[-1]

    try:
        yield make
    finally:
        for stack in made:
            stack.kill()


@pytest.fixture(scope="session")
def opcua_programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Program]]:
    """Return the running program of a kind of OPC UA client, which tests share: it takes a second to start."""
    running: dict[str, Program] = {}

    def find(kind: str) -> Program:
        if kind not in running:
            running[kind] = Program(kind, tmp_path_factory.mktemp(kind))
        return running[kind]

    yield find
    for program in running.values():
        program.kill()


@pytest.fixture(scope="module")
def team(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Agents and clients of VRPC in the shared product, for the tests of a module: others empty its database."""
    made = Team(stack, tmp_path_factory.mktemp("team"))
    yield made
    made.close()


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(databases.SECRET_KEY)


@pytest.fixture
def actor() -> Actor:
    """Somebody who makes changes."""
    return Actor("ada@example.com", "192.0.2.7")


def pytest_xdist_auto_num_workers() -> int:
    return sharing.processes()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> sharing.Sharing:
    return sharing.Sharing(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=sharing.rank)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failure: something that it needs is missing there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
