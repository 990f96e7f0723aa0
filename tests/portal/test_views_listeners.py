"""The listeners and the certificate on the server page, and how to connect in the panel."""

from __future__ import annotations

import html

from portal import certificate, clock


def test_the_server_page_shows_the_listeners_and_the_certificate(ada, database):
    certificate.prepare(database.settings, clock.now())
    found = certificate.read(database.settings)
    text = html.unescape(ada.get("/server").text)
    for shown in (
        "mqtt://localhost:1883",
        "mqtts://localhost:8883",
        "ws://localhost:8083/mqtt",
        "wss://localhost:8084/mqtt",
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


def test_a_browser_at_the_address_of_the_websocket_is_told_what_is_there(stranger):
    answer = stranger.get("/mqtt")
    assert answer.status_code == 426
    assert answer.headers["Upgrade"] == "websocket"
    assert "MQTT clients" in answer.text
