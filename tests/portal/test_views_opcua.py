"""The OPC UA server on the server page: its certificate, its switches, and the certificates of its clients."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from portal import clock, switches
from portal.models import Activity
from portal.presence import Connected
from tests.portal.opcua_server import FINGERPRINT, OWN, certificate
from tests.portal.visitor import ADA, HTMX

SWITCH = "/server/opcua/switch"
CERTIFICATES = "/server/opcua/certificates"
ONE = f"{CERTIFICATES}/{FINGERPRINT}"


def part(text: str, id: str) -> str:
    return re.search(rf'<section class="card-box part" id="{id}".*?</section>', text, re.S)[0]


def stand(database) -> dict[str, bool]:
    return switches.read(database.settings)


def happened(kind: str) -> list[tuple[str, str]]:
    return [(row.account, row.detail) for row in Activity.select().where(Activity.kind == kind)]


def set_by_environment(flask_app, **stand: bool) -> None:
    flask_app.extensions["gatehouse_settings"] = replace(flask_app.extensions["gatehouse_settings"], switches=stand)


# --- its certificate


def test_the_certificate_is_shown_as_clients_show_it(ada, opcua_server):
    text = part(ada.get("/server").text, "opcua")
    for shown in (OWN["application_uri"], OWN["fingerprint"], OWN["thumbprint"], "2031-11-24", "2031-09-25"):
        assert shown in text, shown


def test_the_certificate_is_downloaded_in_either_form(ada, opcua_server):
    pem = ada.get("/server/opcua/certificate.pem")
    assert pem.text == OWN["pem"] and "gatehouse-opcua.pem" in pem.headers["Content-Disposition"]
    assert ada.get("/server/opcua/certificate.der").data == b"\0\0\0"
    opcua_server.silent = True
    assert ada.get("/server/opcua/certificate.der").status_code == 404


def test_without_an_answer_the_page_stands_and_says_so(ada, opcua_server):
    opcua_server.silent = True
    text = ada.get("/server").text
    assert "its certificate cannot be shown right now" in part(text, "opcua")
    assert "Switch off" in part(text, "opcua"), "switches are the database's"
    assert "They cannot be shown right now" in part(text, "client-certificates")


def test_a_server_that_is_turned_off_is_said(ada, flask_app, opcua_server):
    flask_app.extensions["gatehouse_settings"] = replace(flask_app.extensions["gatehouse_settings"], opcua_port=None)
    text = ada.get("/server").text
    assert "OPCUA_PORT=off" in part(text, "opcua") and "client-certificates" not in text


@pytest.mark.parametrize(("id", "path"), [("opcua", "/server/opcua"), ("client-certificates", CERTIFICATES)])
def test_a_poll_is_answered_when_something_changed_and_only_then(ada, opcua_server, actor, database, id, path):
    (version,) = re.findall(r'data-version="(\w+)"', part(ada.get("/server").text, id))
    assert ada.get(f"{path}?v={version}", headers=HTMX).status_code == 204
    switches.turn("OPCUA_REQUIRE_TRUST", True, actor, database.settings)
    assert ada.get(f"{path}?v={version}", headers=HTMX).status_code == 200
    assert "<html" not in ada.get(path, headers=HTMX).text


# --- its switches


def test_a_switch_is_turned_and_recorded(ada, opcua_server, database):
    assert stand(database)["OPCUA_ALLOW_NONE"]
    assert ada.post(f"{SWITCH}/OPCUA_ALLOW_NONE/off").location == "/server#opcua"
    assert not stand(database)["OPCUA_ALLOW_NONE"]
    assert happened("switch.off") == [(ADA, "security policy None")]
    answer = ada.post(f"{SWITCH}/OPCUA_ALLOW_NONE/on", headers={**HTMX, "HX-Target": "opcua"})
    assert 'id="opcua"' in answer.text and "<html" not in answer.text
    assert stand(database)["OPCUA_ALLOW_NONE"]


@pytest.mark.parametrize(
    ("open_ones", "words"),
    [
        (0, "No open connection uses it."),
        (1, "1 open connection uses it, and is cut."),
        (3, "3 open connections use it, and are cut."),
    ],
)
def test_whom_a_switch_cuts_is_said_before(ada, press, opcua_node, opcua_server, open_ones, words):
    ids = [f"c{number}" for number in range(open_ones + 1)]
    opcua_node.write([Connected(id, press.id, "opcua", "SCADA", "192.0.2.1", clock.now()) for id in ids])
    modes = ["SignAndEncrypt", *["None"] * open_ones]
    opcua_server.figures = [{"connection_id": id, "security_mode": mode} for id, mode in zip(ids, modes, strict=True)]
    question = ada.get(f"{SWITCH}/OPCUA_ALLOW_NONE/off").text
    assert words in question
    assert question.index("Leave it") < question.index(">Switch off</button>")
    opcua_server.silent = True
    assert "Open connections that use it are cut." in ada.get(f"{SWITCH}/OPCUA_ALLOW_NONE/off").text


def test_passwords_in_the_clear_come_with_a_warning(ada, opcua_server, database):
    question = ada.get(f"{SWITCH}/OPCUA_ALLOW_PLAINTEXT/on", headers=HTMX).text
    assert "Whoever listens on the network can read a password" in question and "<html" not in question
    ada.post(f"{SWITCH}/OPCUA_ALLOW_PLAINTEXT/on")
    assert "risky" in part(ada.get("/server").text, "opcua")


def test_what_takes_nothing_from_anybody_is_not_asked_about(ada, opcua_server, actor, database):
    for setting in switches.SWITCHES:
        switches.turn(setting, setting != "OPCUA_ALLOW_NONE", actor, database.settings)
    text = part(ada.get("/server").text, "opcua")
    assert text.count("<button") - text.count("icon-button") == 3 and "hx-get=" not in text.split("switches")[1]


def test_a_switch_that_the_environment_decides_is_shown_as_fixed(ada, flask_app, opcua_server, database):
    set_by_environment(flask_app, OPCUA_ALLOW_NONE=False)
    (item,) = re.findall(r'id="switch-OPCUA_ALLOW_NONE".*?</li>', ada.get("/server").text, re.S)
    assert "Off" in item and "Set by <code>OPCUA_ALLOW_NONE</code>" in item and "<button" not in item
    answer = ada.post(f"{SWITCH}/OPCUA_ALLOW_NONE/on")
    assert answer.status_code == 409 and "can only be changed there" in answer.text
    assert ada.post(f"{SWITCH}/NOTHING/on").status_code == ada.get(f"{SWITCH}/NOTHING/on").status_code == 404


# --- certificates of clients


def test_client_certificates_are_listed_those_in_quarantine_first(ada, opcua_server):
    opcua_server.clients = [certificate(), certificate("cd" * 32, trusted=True, first_seen=None, last_seen=None)]
    text = part(ada.get("/server").text, "client-certificates")
    quarantined, trusted = text.split("<h3>Trusted")
    for shown in ("CN=SCADA &lt;1&gt;", "urn:example:scada", "AB:AB:AB", "192.0.2.9", "2126-01-01", "2026-10-01"):
        assert shown in quarantined, shown
    assert f"{ONE}/trust" in quarantined and "Never seen" in trusted and "/distrust" in trusted


def test_a_certificate_out_of_its_time_is_said(ada, opcua_server):
    opcua_server.clients = [certificate(not_after="2026-02-01T00:00:00+00:00")]
    assert ">expired<" in ada.get(CERTIFICATES).text
    opcua_server.clients = [certificate(not_before="2100-02-01T00:00:00+00:00")]
    assert ">not valid yet<" in ada.get(CERTIFICATES).text


@pytest.mark.parametrize(
    ("verb", "action", "kind"),
    [
        ("trust", "trust", "certificate.trusted"),
        ("distrust", "distrust", "certificate.distrusted"),
        ("delete", "delete_certificate", "certificate.deleted"),
    ],
)
def test_what_is_done_with_a_certificate_is_recorded(ada, opcua_server, verb, action, kind):
    answer = ada.post(f"{ONE}/{verb}", headers={**HTMX, "HX-Target": "client-certificates"})
    assert 'id="client-certificates"' in answer.text and "<html" not in answer.text
    assert ada.post(f"{ONE}/{verb}").location == "/server#client-certificates"
    assert opcua_server.done == [(action, FINGERPRINT)] * 2
    assert happened(kind) == [(ADA, f"CN=SCADA <1> ({FINGERPRINT[:16]}…)")] * 2


def test_losing_a_certificate_is_asked_about(ada, opcua_server, actor, database):
    assert "it is listed as new" in ada.get(f"{ONE}/delete").text
    opcua_server.clients = [certificate(trusted=True)]
    assert "hx-get" not in re.search(r"<button[^>]*distrust.*?>", ada.get(CERTIFICATES).text)[0]
    switches.turn("OPCUA_REQUIRE_TRUST", True, actor, database.settings)
    assert f'hx-get="{ONE}/distrust"' in ada.get(CERTIFICATES).text
    assert "Its connections are cut" in ada.get(f"{ONE}/distrust").text


def test_what_cannot_be_done_is_said_and_not_recorded(ada, opcua_server):
    gone = f"{CERTIFICATES}/{'ef' * 32}/trust"
    assert ada.post(gone, headers=HTMX).text == "This cannot be done. This certificate is not there any more."
    opcua_server.silent = True
    answer = ada.post(f"{ONE}/trust", headers=HTMX)
    assert answer.status_code == 503 and "does not answer" in answer.text
    assert not happened("certificate.trusted") and not opcua_server.done
