"""The server page, and the banner for when the protocol servers are not running."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from portal import clock, presence, troubles, worker_client
from portal.limits import LIMITS
from portal.presence import Connected, Heartbeat, Writer
from portal.views.server import Used
from release import VERSION
from tests.portal.visitor import HTMX

DOWN = "The protocol servers are not running"


def usage(name: str, used: int | None, limit: float, exceeded: int | None = 0) -> dict:
    return {"name": name, "used": used, "limit": limit, "exceeded": exceeded}


def row_of(integration) -> dict[str, str]:
    return {**HTMX, "HX-Target": f"row-{integration.id}"}


@pytest.fixture
def answer(monkeypatch):
    def set_answer(rows: list[dict] | None) -> None:

        def ask(part: str, action: str, *arguments: object) -> object:
            return rows if (part, action) == (worker_client.MQTT, "usage") else None

        monkeypatch.setattr(worker_client, "ask", ask)

    return set_answer


def test_the_page_says_what_runs_since_when(ada, turing, node):
    node.write([Connected("c1", turing.id, "mqtt", "c", "192.0.2.1", clock.now())])
    text = ada.get("/server").text
    assert VERSION in text and re.search("SQLite|PostgreSQL", text)
    (item,) = re.findall(r'<li id="node-node">.*?</li>', text, re.S)
    assert "Running" in item and "1 connection " in item
    assert item.count("<time") == 2


def test_the_two_servers_of_a_machine_are_told_by_what_they_serve(ada, opcua_node):
    text = ada.get("/server").text
    for name, serves in (("node", "HTTP and MQTT"), ("node-opcua", "OPC UA")):
        (item,) = re.findall(rf'<li id="node-{name}">.*?</li>', text, re.S)
        assert f"<span>{serves}</span>" in item, "one machine needs no name"
    presence.start_node("other", clock.now(), {"mqtt": 1883})
    (item,) = re.findall(r'<li id="node-node-opcua">.*?</li>', ada.get("/server").text, re.S)
    assert 'OPC UA on <span class="mono">node</span>' in item


def test_a_node_that_is_silent_is_shown_as_that(ada, node, monkeypatch):
    later = clock.now() + presence.FRESH + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    text = ada.get("/server").text
    assert "Silent" in text and "Running" not in text
    assert DOWN in text


def test_without_an_answer_the_limits_cannot_be_told(ada, node, answer):
    answer(None)
    assert "How much is used cannot be told right now" in ada.get("/server").text


def test_limits_are_shown_in_their_own_units_with_use_and_hits(ada, node, answer):
    answer(
        [
            usage("MQTT_SOMETHING_NEW", 1, 2),
            usage("MQTT_QUEUE_MESSAGES", None, 1000, 17),
            usage("MQTT_RETAINED_BYTES", 120 * 2**20, 128 * 2**20, 1),
            usage("MQTT_MAX_CONNECTIONS", 1234, 10_000),
        ]
    )
    text = ada.get("/server/limits").text
    assert "<html" not in text
    names = re.findall(r'id="limit-(\w+)"', text)
    assert names == ["MQTT_MAX_CONNECTIONS", "MQTT_QUEUE_MESSAGES", "MQTT_RETAINED_BYTES", "MQTT_SOMETHING_NEW"]
    rows = dict(zip(names, re.findall(r'<tr id="limit-.*?</tr>', text, re.S), strict=True))
    assert "1,234 of 10,000" in rows["MQTT_MAX_CONNECTIONS"] and "never" in rows["MQTT_MAX_CONNECTIONS"]
    assert 'aria-label="12.3 %"' in rows["MQTT_MAX_CONNECTIONS"]
    assert "17 times" in rows["MQTT_QUEUE_MESSAGES"] and "at most 1,000\n" in rows["MQTT_QUEUE_MESSAGES"]
    assert "meter" not in rows["MQTT_QUEUE_MESSAGES"]
    assert "120 MiB of 128 MiB" in rows["MQTT_RETAINED_BYTES"] and "1 time" in rows["MQTT_RETAINED_BYTES"]
    assert "meter full" in rows["MQTT_RETAINED_BYTES"]


def test_limits_of_one_part_are_told_by_protocol(ada, node, answer):
    answer([usage("HTTP_STREAMS", 1, 1000), usage("MQTT_MAX_CONNECTIONS", 1, 2), usage("HTTP_ONLINE", None, 60, None)])
    text = ada.get("/server/limits").text
    found = re.findall(r'id="(limits?-[\w-]+)"', text)
    expected = ["limits-MQTT", "limit-MQTT_MAX_CONNECTIONS", "limits-HTTP", "limit-HTTP_ONLINE", "limit-HTTP_STREAMS"]
    assert found[: len(expected)] == expected


def test_a_limit_for_which_nothing_is_refused_is_not_counted(ada, node, answer):
    answer([usage("OPCUA_PUBLISHING_INTERVAL", None, 0.05, None)])
    (row,) = re.findall(r'<tr id="limit-OPCUA_PUBLISHING_INTERVAL">.*?</tr>', ada.get("/server/limits").text, re.S)
    assert "not counted" in row and "never" not in row


def test_the_limits_of_each_server_have_a_heading_and_one_may_be_silent(ada, node, opcua_server):
    text = ada.get("/server/limits").text
    assert text.index('id="limits-MQTT"') < text.index('id="limits-OPC-UA"')
    assert "Cannot be told right now: the MQTT server does not answer." in text
    assert "2 of 5,000" in text and "the OPC UA server does not answer" not in text
    opcua_server.silent = True
    assert "the protocol servers of this machine do not answer" in ada.get("/server/limits").text


@pytest.mark.parametrize(
    ("used", "limit", "percent"), [(0, 10, 0), (None, 10, 0), (1, 100_000, 0.1), (5, 10, 50), (12, 10, 100), (1, 0, 0)]
)
def test_a_meter_shows_a_share(used, limit, percent):
    assert Used("MQTT_MAX_CONNECTIONS", used, limit, 0).percent == percent


def test_every_limit_says_what_it_is_in_its_unit():
    for limit in LIMITS.values():
        assert limit.meaning and limit.scope
    assert Used("MQTT_CONNECT_TIMEOUT", None, 10.0, 0).told(10.0) == "10 s"
    assert Used("MQTT_MAX_PACKET", None, 0, 0).told(16 * 2**20) == "16 MiB"
    assert Used("MQTT_PUBLISH_RATE", None, 0, 0).told(1000) == "1,000"
    assert Used("MQTT_PUBLISH_RATE", None, 0, 0).told(0) == "any number"


def test_the_version_is_that_of_the_project():
    project = Path(__file__).parents[2] / "pyproject.toml"
    assert tomllib.loads(project.read_text("utf-8"))["project"]["version"] == VERSION


# --- the banner


def test_every_page_says_when_the_protocol_servers_are_not_running(ada, turing, node, monkeypatch):
    pages = ("/integrations", f"/integrations/{turing.id}", "/activity", "/server")
    for path in pages:
        assert DOWN not in ada.get(path).text, path
    later = clock.now() + presence.FRESH + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    for path in pages:
        assert ada.get(path).text.count(DOWN) == 1, path


def trouble(since: int = 1_700_000_000) -> dict:
    return {
        "file": "mqtt.db",
        "fault": "cannot be written (disk is full)",
        "meanwhile": "much is refused",
        "since": since,
    }


@pytest.fixture
def troubled(flask_app, monkeypatch):
    """Let the server say what it cannot write; each page asks."""
    monkeypatch.setattr(troubles, "FRESH", 0.0)
    monkeypatch.setattr(troubles, "PAUSE", 0.0)
    flask_app.extensions["gatehouse_troubles"] = troubles.Troubles()  # logging in has asked already

    def set_troubles(*found: dict) -> None:
        monkeypatch.setattr(worker_client, "ask", lambda part, action, *_: found if action == "troubles" else None)

    return set_troubles


def test_every_page_says_that_the_store_cannot_be_written_until_it_can(ada, turing, node, opcua_node, troubled):
    pages = ("/integrations", f"/integrations/{turing.id}", "/activity", "/server", "/topics")
    troubled(trouble())
    for path in pages:
        text = ada.get(path).text
        assert text.count("<strong>mqtt.db cannot be written (disk is full).</strong>") == 1, path
        assert "Since <time" in text and "much is refused. It goes on by itself" in text, path
        assert "Who is online" not in text
    assert "<dt>mqtt.db</dt>" in ada.get("/server/now").text
    version = re.search(r'id="banner"[^>]*data-version="([^"]+)"', ada.get("/server").text)[1]
    assert ada.get(f"/banner?v={version}").status_code == 204
    troubled(trouble(1_700_000_060))
    assert ada.get(f"/banner?v={version}").status_code == 200
    troubled()
    assert ada.get("/banner?v=up").status_code == 204
    for path in pages:
        assert "mqtt.db cannot" not in ada.get(path).text, path
    assert "<dt>mqtt.db</dt>" not in ada.get("/server/now").text


@pytest.mark.parametrize("fresh", [[], ["opcua"]])
def test_a_server_that_cannot_write_its_heartbeat_but_answers_is_not_called_down(ada, troubled, fresh):
    for protocol in fresh:
        presence.start_node(protocol, clock.now(), {protocol: 4840})
    assert "not running" in ada.get("/server").text
    troubled(trouble())
    text = ada.get("/server").text
    assert "not running" not in text and "Who is online cannot be told until then" in text


def test_the_banner_is_asked_for_again_and_answered_when_it_changed(ada, node, opcua_node):
    assert ada.get("/banner?v=up").status_code == 204
    assert DOWN not in ada.get("/banner?v=down").text
    presence.stop_node("node")
    presence.stop_node("node-opcua")
    assert ada.get("/banner?v=down").status_code == 204
    assert DOWN in ada.get("/banner?v=up").text


@pytest.mark.parametrize(
    ("stopped", "what"),
    [("node-opcua", "The OPC UA server is not running."), ("node", "The HTTP and MQTT servers are not running.")],
)
def test_every_page_says_which_server_is_not_running(ada, turing, node, opcua_node, stopped, what):
    pages = ("/integrations", "/activity", "/server")
    for path in pages:
        assert "not running" not in ada.get(path).text, path
    presence.stop_node(stopped)
    for path in pages:
        text = ada.get(path).text
        assert text.count(what) == 1, path
        assert DOWN not in text


def test_who_is_connected_to_a_server_that_is_down_is_not_online(ada, press, opcua_node, monkeypatch):
    opcua_node.write([Connected("c1", press.id, "opcua", "SCADA", "192.0.2.1", clock.now())])
    assert "Online" in ada.get(f"/integrations/{press.id}/row", headers=row_of(press)).text
    later = clock.now() + presence.FRESH + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    Writer("node").write([Heartbeat(later)])
    text = ada.get("/integrations").text
    assert "The OPC UA server is not running." in text
    assert "Online" not in ada.get(f"/integrations/{press.id}/row", headers=row_of(press)).text


def test_a_server_that_is_turned_off_is_not_missed(database):
    off = replace(database.settings, opcua_port=None)
    presence.start_node("node", clock.now(), {})
    assert presence.down(off, clock.now()) == presence.Down((), everything=False)
    assert presence.down(database.settings, clock.now()).version == "opcua"
    presence.stop_node("node")
    assert presence.down(off, clock.now()).everything
