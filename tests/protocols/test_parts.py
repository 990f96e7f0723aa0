"""The parts of the protocols worker: their listeners, and their servers made of settings."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from portal import config
from portal.limits import LIMITS
from protocols import parts
from protocols.contract import give_nobody
from protocols.http.server import HttpServer
from protocols.mqtt.server import MqttServer
from protocols.opcua.limits import Limits
from protocols.opcua.server import OpcUaServer
from protocols.opcua.values.limits import ValueLimits
from protocols.vrpc.server import VrpcServer
from tests.support.databases import settings_for

HTTP_LIMITS = [limit for limit in LIMITS.values() if limit.protocol == "http"]
OPCUA_LIMITS = [limit for limit in LIMITS.values() if limit.protocol == "opcua"]


@pytest.fixture
def listeners():
    names = ("mqtt", "mqtt-tls", "mqtt-ws", "mqtt-wss", "opcua")
    made = {name: socket.socket() for name in names}
    yield made
    for one in made.values():
        one.close()


def tools(folder: Path, switches: dict[str, bool] | None = None, **environ: str) -> parts.Tools:
    settings = config.load(settings_for(folder, **environ))
    return parts.Tools(settings, None, None, None, switches or {}, str, lambda username, type: False, bool, give_nobody)  # type: ignore[arg-type]


def test_each_part_has_the_listeners_of_its_protocol(listeners):
    assert list(parts.of("mqtt", listeners)) == ["mqtt", "mqtt-tls", "mqtt-ws", "mqtt-wss"]
    assert parts.of("opcua", listeners) == {"opcua": listeners["opcua"]}


def test_a_part_without_a_listener_is_not_started(listeners, tmp_path):
    def run(*_: object) -> None:
        raise AssertionError("nothing is to run")

    before = os.listdir(f"/proc/{os.getpid()}/task")
    assert parts.companions(tools(tmp_path).settings, parts.of("mqtt", listeners), run) == []
    assert os.listdir(f"/proc/{os.getpid()}/task") == before


def test_every_part_has_a_server(tmp_path):
    assert set(parts.MAKERS) == {parts.MAIN, *parts.OTHERS}
    main = parts.MAKERS["mqtt"](tools(tmp_path))
    assert [type(one) for one in main._servers] == [MqttServer, VrpcServer, HttpServer]
    assert isinstance(parts.MAKERS["opcua"](tools(tmp_path)), OpcUaServer)


@pytest.mark.parametrize("limit", OPCUA_LIMITS, ids=lambda limit: limit.setting)
def test_each_limit_of_opc_ua_reaches_the_server_or_its_values(tmp_path, limit):
    server = parts.make_opcua(tools(tmp_path, **{limit.setting: str(limit.least)}))
    found = [
        getattr(one, limit.field)
        for one in (server._limits, server._space.limits)
        if limit.field in type(one).__dataclass_fields__
    ]
    assert found == [limit.least]


@pytest.mark.parametrize("limit", HTTP_LIMITS, ids=lambda limit: limit.setting)
def test_each_limit_of_http_reaches_the_server(tmp_path, limit):
    *_, server = parts.make_main(tools(tmp_path, **{limit.setting: str(limit.least)}))._servers
    assert getattr(server.limits, limit.field) == limit.least


def test_without_settings_the_limits_are_the_servers_own(tmp_path):
    server = parts.make_opcua(tools(tmp_path))
    assert (server._limits, server._space.limits) == (Limits(), ValueLimits())


def test_the_switches_of_the_portal_reach_the_server(tmp_path):
    stand = {"OPCUA_ALLOW_NONE": False, "OPCUA_ALLOW_PLAINTEXT": False, "OPCUA_REQUIRE_TRUST": True}
    switches = parts.make_opcua(tools(tmp_path, stand)).switches
    assert (switches.allow_none, switches.allow_plaintext, switches.require_trust) == (False, False, True)
