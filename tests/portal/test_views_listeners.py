"""The listeners and the certificate on the server page, and how to connect in the panel."""

from __future__ import annotations

import html

from portal import certificate, clock, switches


def test_the_server_page_shows_the_listeners_and_the_certificate(ada, database):
    certificate.prepare(database.settings, clock.now())
    found = certificate.read(database.settings)
    text = html.unescape(ada.get("/server").text)
    for shown in (
        "mqtt://localhost:1883",
        "mqtts://localhost:8883",
        "ws://localhost:8083/mqtt",
        "wss://localhost:8084/mqtt",
        "opc.tcp://localhost:4840",
        "ws://localhost:80/mqtt".replace(":80/", "/"),
        found.fingerprint,
        "CN=Gatehouse",
        "127.0.0.1",
        found.not_after.strftime("%Y-%m-%d"),
        "Signs itself",
    ):
        assert shown in text, shown


def test_a_certificate_that_cannot_be_read_is_told_and_the_page_stands(ada, database):
    assert "It cannot be used: " in ada.get("/server").text


def test_the_certificate_can_be_downloaded_without_its_key(ada, database):
    assert ada.get("/server/certificate.pem").status_code == 404
    certificate.prepare(database.settings, clock.now())
    answer = ada.get("/server/certificate.pem")
    assert answer.text == certificate.read(database.settings).pem
    assert "PRIVATE" not in answer.text
    assert "gatehouse.pem" in answer.headers["Content-Disposition"]


def test_the_panel_offers_every_transport(ada, turing, database):
    certificate.prepare(database.settings, clock.now())
    text = ada.get(f"/integrations/{turing.id}").text
    for transport in ("tcp", "tls", "ws", "wss", "web"):
        assert f'id="way-{transport}"' in text
    assert text.count(" checked") == 1
    assert "--cafile gatehouse.pem" in text


def test_the_panel_of_an_opcua_integration_says_how_its_clients_connect(ada, press, opcua_server, actor, database):
    text = html.unescape(ada.get(f"/integrations/{press.id}").text)
    for client in ("python", "uaexpert", "ignition", "node-red"):
        assert f'id="way-{client}"' in text
    assert 'data-copy-text="opc.tcp://localhost:4840"' in text
    assert 'data-copy-text="ns=2;s=plant%2Fpress"' in text
    assert "SecurityPolicyBasic256Sha256" in text and "or None" in text
    assert "secret-7431" not in text
    switches.turn("OPCUA_ALLOW_NONE", False, actor, database.settings)
    switches.turn("OPCUA_REQUIRE_TRUST", True, actor, database.settings)
    text = ada.get(f"/integrations/{press.id}").text
    assert "or None" not in text and "without security" not in text
    assert "trusted there" in text


def test_a_script_is_copied_with_the_password(ada, press, opcua_server):
    answer = ada.post(f"/integrations/{press.id}/reveal", headers={"Accept": "application/json"}).get_json()
    assert 'client.set_password("secret-7431")' in answer["opcua-secured"]
    assert 'client.set_password("secret-7431")' in answer["opcua-none"]


def test_a_browser_at_the_address_of_the_websocket_is_told_what_is_there(stranger):
    answer = stranger.get("/mqtt")
    assert answer.status_code == 426
    assert answer.headers["Upgrade"] == "websocket"
    assert "MQTT clients" in answer.text
