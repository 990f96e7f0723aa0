"""The server page, and the banner for when the protocol servers are not running."""

from __future__ import annotations

import re
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from portal import clock, presence, worker_client
from portal.limits import LIMITS
from portal.presence import Connected
from portal.views.server import Used
from release import VERSION

DOWN = "The protocol servers are not running"


def usage(name: str, used: int | None, limit: float, exceeded: int = 0) -> dict:
    return {"name": name, "used": used, "limit": limit, "exceeded": exceeded}


@pytest.fixture
def answer(monkeypatch):
    def set_answer(rows: list[dict] | None) -> None:
        monkeypatch.setattr(worker_client, "ask", lambda action: rows if action == "usage" else None)

    return set_answer


def test_the_page_says_what_runs_since_when(ada, turing, node):
    node.write([Connected("c1", turing.id, "mqtt", "c", "192.0.2.1", clock.now())])
    text = ada.get("/server").text
    assert VERSION in text and re.search("SQLite|PostgreSQL", text)
    (item,) = re.findall(r'<li id="node-node">.*?</li>', text, re.S)
    assert "Running" in item and "1 connection " in item
    assert item.count("<time") == 2


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


def test_the_banner_is_asked_for_again_and_answered_when_it_changed(ada, node):
    assert ada.get("/banner?v=up").status_code == 204
    assert DOWN not in ada.get("/banner?v=down").text
    presence.stop_node("node")
    assert ada.get("/banner?v=down").status_code == 204
    assert DOWN in ada.get("/banner?v=up").text
