"""Fixtures of the portal's tests: the application and who visits it, who guesses, who knocks, and a clock to set."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from argon2 import PasswordHasher
from jinja2 import BytecodeCache, FileSystemBytecodeCache

import app as application
from portal import accounts, clock, db, integrations, presence, worker_client
from portal.config import Settings
from portal.edge import connectors, fleets
from portal.models import Account, Integration
from portal.onboarding import window
from portal.presence import Writer
from tests.portal import edge_pages
from tests.portal.agent_pages import a_press
from tests.portal.guesser import Door
from tests.portal.knocking import GRACE, Doors
from tests.portal.live_agents import LiveAgents
from tests.portal.live_hub import LiveHub
from tests.portal.opcua_server import OpcUaServer
from tests.portal.visitor import ADA, PASSWORD, Visitor


@pytest.fixture(scope="session")
def compiled(tmp_path_factory) -> BytecodeCache:
    """The compiled templates: each test has an application of its own, and to compile them takes longer than a test."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
def flask_app(database, compiled, monkeypatch):
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(accounts, "_hasher", quick)
    db.database.close_all()  # the application makes a pool of its own
    made = application.create_app(database.settings)
    made.testing = False
    made.jinja_env.bytecode_cache = compiled
    with db.connected():
        yield made


@pytest.fixture
def account(flask_app, actor) -> Account:
    return accounts.create(actor, ADA, PASSWORD)


@pytest.fixture
def stranger(flask_app, account) -> Visitor:
    return Visitor(flask_app)


@pytest.fixture
def ada(stranger) -> Visitor:
    assert stranger.log_in().status_code == 303
    return stranger


@pytest.fixture
def turing(flask_app, actor, sealer) -> Integration:
    return integrations.create(actor, sealer, "mqtt", username="turing", password="secret-7431")


@pytest.fixture
def node(flask_app) -> Writer:
    presence.start_node("node", clock.now(), {"mqtt": 1883})
    return Writer("node")


@pytest.fixture
def opcua_node(node) -> Writer:
    """The node of the OPC UA server, beside that of MQTT."""
    presence.start_node("node-opcua", clock.now(), {"opcua": 4840})
    return Writer("node-opcua")


@pytest.fixture
def press(flask_app, actor, sealer) -> Integration:
    """An OPC UA integration, with a username that node ids spell otherwise."""
    return integrations.create(actor, sealer, "opcua", username="plant/press", password="secret-7431")


@pytest.fixture
def opcua_server(monkeypatch) -> OpcUaServer:
    """A stand-in for the OPC UA server, as pages ask it."""
    made = OpcUaServer()
    monkeypatch.setattr(worker_client, "have", made.have)
    return made


@pytest.fixture
def live_hub(flask_app, monkeypatch) -> Iterator[LiveHub]:
    """The topics, as pages ask for them."""
    monkeypatch.setattr(worker_client, "_silent_until", {})
    made = LiveHub(flask_app.extensions["gatehouse_settings"].data_dir)
    yield made
    made.stop()


@pytest.fixture
def live_agents(flask_app, monkeypatch) -> Iterator[LiveAgents]:
    """The agents, as pages ask for them."""
    monkeypatch.setattr(worker_client, "_silent_until", {})
    made = LiveAgents(flask_app.extensions["gatehouse_settings"].data_dir)
    yield made
    made.stop()


@pytest.fixture
def press_agent(live_agents) -> LiveAgents:
    """An agent with a class of everything."""
    live_agents.add("press1", a_press())
    return live_agents


@pytest.fixture
def hall1(flask_app, actor, sealer) -> Integration:
    """An Edge Connector that was created, and has not come yet."""
    wanted = {"connectors": ["files"], "target": "linux-x86_64"}
    return connectors.create(actor, sealer, name="hall1", domain="acme.default", **wanted)


@pytest.fixture
def live_hall1(live_agents, hall1) -> LiveAgents:
    """The same, online."""
    live_agents.add("hall1", *edge_pages.CLASSES, integration_id=hall1.id, integration="hall1", version="0.1.0")
    live_agents.answers = edge_pages.answers()
    return live_agents


@pytest.fixture
def press_member(flask_app, actor, sealer) -> Integration:
    """A member of the fleet press."""
    fleet = fleets.create(actor, sealer, prefix="press", domain="acme.default", connectors=["http"], target="docker")
    return connectors.join(fleet, sealer, username="press-0a1b2c3d", password="own", address="192.0.2.7")


@pytest.fixture
def time(monkeypatch) -> list[datetime]:
    """The time, which a test can move."""
    moved = [clock.now()]
    monkeypatch.setattr(clock, "now", lambda: moved[0])
    return moved


@pytest.fixture
def settings(database) -> Settings:
    return database.settings


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def doors(database, sealer, monkeypatch) -> Doors:
    """The parts of the protocols worker at which clients knock."""
    made = Doors(sealer)
    monkeypatch.setattr("portal.worker_client.have", made.have)
    return made


@pytest.fixture
def opened(doors) -> Doors:
    """These, while a window is open."""
    window.open_one(GRACE)
    return doors
