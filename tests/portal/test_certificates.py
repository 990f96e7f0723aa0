"""What is told ahead of certificates that are renewed or expire, on every page, and renewing one now."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest

from portal import certificate, clock, renewal
from portal.models import Activity
from tests.portal.opcua_server import OWN
from tests.portal.visitor import ADA, HTMX

AHEAD = renewal.BEFORE_END + renewal.NOTICE
HINT = re.compile(r'<p class="banner ahead" role="status">.*?</p>', re.S)


def part(text: str, id: str) -> str:
    return re.search(rf'<section class="card-box part" id="{id}".*?</section>', text, re.S)[0]


def hints(answer) -> list[str]:
    """Return the banners about certificates, without markup."""
    return [re.sub(r"\s+", " ", re.sub("<.*?>", "", hint)).strip() for hint in HINT.findall(answer.text)]


def ends_in(opcua_server, **time: float) -> str:
    """Let the certificate of the OPC UA server end then; return when it is renewed."""
    not_after = clock.now() + timedelta(**time)
    opcua_server.own = {"not_after": not_after.isoformat()}
    return (not_after - renewal.BEFORE_END).strftime("%Y-%m-%d")


def given(flask_app, folder, days: int) -> None:
    """Let the portal have a certificate of somebody's own that ends in so many days, by its path."""
    chain, key = folder / "own.pem", folder / "own.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=plant", "-days", str(days)]
    subprocess.run([*command, "-out", chain, "-keyout", key], check=True, capture_output=True)
    settings = replace(flask_app.extensions["gatehouse_settings"], tls_certificate=chain, tls_key=key)
    flask_app.extensions["gatehouse_settings"] = flask_app.extensions["gatehouse_notices"].settings = settings


@pytest.fixture(autouse=True)
def nothing_known(ada, flask_app):
    """Let each test begin with certificates that nobody has looked at: logging in shows a page."""
    flask_app.extensions["gatehouse_notices"].forget()


@pytest.fixture
def paths(press) -> list[str]:
    return ["/integrations", f"/integrations/{press.id}", f"/integrations/{press.id}/nodes", "/activity", "/server"]


def test_every_page_says_in_the_last_thirty_days_when_the_certificate_is_renewed(ada, paths, opcua_server):
    planned = ends_in(opcua_server, days=AHEAD.days - 1)
    for path in paths:
        (hint,) = hints(ada.get(path))
        assert hint.startswith(f"The certificate of OPC UA is renewed on {planned}. Clients "), path
    section = part(ada.get("/server").text, "opcua")
    assert f"It is renewed on <strong>{planned}</strong>" in section


def test_a_renewal_that_did_not_come_is_told(ada, opcua_server):
    planned = ends_in(opcua_server, days=renewal.BEFORE_END.days - 2)
    answer = ada.get("/server")
    (hint,) = hints(answer)
    assert hint.startswith(f"The certificate of OPC UA could not be renewed on {planned}.")
    assert f"It could not be renewed on <strong>{planned}</strong>" in part(answer.text, "opcua")


def test_earlier_nothing_is_said_and_it_can_be_renewed_all_the_same(ada, paths, opcua_server):
    ends_in(opcua_server, days=AHEAD.days + 1)
    for path in paths:
        assert hints(ada.get(path)) == [], path
    section = part(ada.get("/server").text, "opcua")
    assert "It is renewed on" not in section and 'href="/server/certificate/opcua/renew"' in section


def test_the_polls_of_the_banner_and_of_the_list_bring_it(ada, flask_app, opcua_server, opcua_node):
    (version,) = re.findall(r'id="live".*?data-version="([^"]+)"', ada.get("/integrations").text, re.S)
    assert ada.get(f"/integrations/rows?v={version}", headers=HTMX).status_code == 204
    assert ada.get("/banner?v=up", headers=HTMX).status_code == 204
    ends_in(opcua_server, days=AHEAD.days - 1)
    flask_app.extensions["gatehouse_notices"].forget()
    for poll in (f"/integrations/rows?v={version}", "/banner?v=up"):
        assert len(hints(ada.get(poll, headers=HTMX))) == 1, poll


def test_polls_do_not_ask_the_server_each_time(ada, opcua_server, monkeypatch):
    asked: list[int] = []
    monkeypatch.setattr(opcua_server, "certificate", lambda: asked.append(1) or OWN)
    for _ in range(5):
        ada.get("/banner?v=up", headers=HTMX)
    assert len(asked) == 1


def test_a_server_that_is_silent_for_a_moment_takes_nothing_back(ada, flask_app, opcua_server):
    ends_in(opcua_server, days=AHEAD.days - 1)
    assert len(hints(ada.get("/activity"))) == 1
    opcua_server.silent = True
    flask_app.extensions["gatehouse_notices"].forget()
    assert len(hints(ada.get("/activity"))) == 1


def test_a_certificate_that_gatehouse_made_for_tls_is_told_of_in_the_same_way(ada, database, opcua_server):
    made = clock.now() - certificate.VALID + AHEAD - timedelta(days=1)
    certificate.prepare(database.settings, made)
    planned = certificate.read(database.settings).renewed_at.strftime("%Y-%m-%d")
    answer = ada.get("/server")
    (hint,) = hints(answer)
    assert hint.startswith(f"The certificate of MQTT over TLS is renewed on {planned}.")
    assert f"It is renewed on <strong>{planned}</strong>" in part(answer.text, "listeners")


@pytest.mark.parametrize(
    ("days", "told", "in_part"),
    [
        (31, [], ""),
        (29, ["Your certificate for TLS expires on"], "It expires on"),
        (-1, ["Your certificate for TLS has expired on"], "It has expired on"),
    ],
)
def test_one_of_ones_own_is_told_of_before_it_expires(
    ada, flask_app, tmp_path, monkeypatch, opcua_server, days, told, in_part
):
    given(flask_app, tmp_path, 40)
    now = clock.now() + timedelta(days=40 - days)
    monkeypatch.setattr(clock, "now", lambda: now)
    answer = ada.get("/server")
    found = hints(answer)
    assert len(found) == len(told) and all(hint.startswith(words) for hint, words in zip(found, told, strict=True))
    section = part(answer.text, "listeners")
    assert in_part in section and ("hint ahead" in section) == bool(told)
    assert "mqtt/renew" not in section and "renewed by itself" not in section


def test_renewing_is_asked_about(ada, opcua_server):
    for name, shown in (("opcua", "OPC UA"), ("mqtt", "MQTT over TLS")):
        question = ada.get(f"/server/certificate/{name}/renew").text
        assert f"Renew the certificate of {shown} now?" in question
        assert question.index("Leave it") < question.index(">Renew</button>")
        assert "<html" not in ada.get(f"/server/certificate/{name}/renew", headers=HTMX).text
    assert ada.get("/server/certificate/http/renew").status_code == 404


def renewals() -> list[tuple[str, str, str]]:
    rows = Activity.select().where(Activity.kind == "certificate.renewed")
    return [(row.protocol, row.account, row.detail) for row in rows]


def test_the_certificate_of_opcua_is_renewed_and_recorded_with_both_fingerprints(ada, opcua_server):
    ends_in(opcua_server, days=AHEAD.days - 1)
    assert len(hints(ada.get("/activity"))) == 1
    answer = ada.post("/server/certificate/opcua/renew")
    assert answer.location == "/server#opcua"
    assert renewals() == [("opcua", ADA, f"OPC UA: AA:BB:CC in the place of {OWN['fingerprint']}")]
    activity = ada.get("/activity")
    assert hints(activity) == [], "at once, not when what is known is no longer fresh"
    assert "server certificate renewed, OPC UA: AA:BB:CC in the place of 26:3F:92" in activity.text


def test_the_certificate_for_tls_is_renewed_and_recorded_with_both_fingerprints(ada, database, opcua_server):
    certificate.prepare(database.settings, clock.now())
    before = certificate.read(database.settings).fingerprint
    answer = ada.post("/server/certificate/mqtt/renew")
    assert answer.location == "/server#listeners"
    after = certificate.read(database.settings).fingerprint
    assert renewals() == [("mqtt", ADA, f"MQTT over TLS: {after} in the place of {before}")]
    assert after in ada.get("/server").text and before not in part(ada.get("/server").text, "listeners")


def test_what_cannot_be_renewed_is_said_and_not_recorded(ada, flask_app, tmp_path, opcua_server):
    given(flask_app, tmp_path, 40)
    answer = ada.post("/server/certificate/mqtt/renew", headers=HTMX)
    assert answer.status_code == 409 and "replaced by replacing its files" in answer.text
    opcua_server.silent = True
    assert ada.post("/server/certificate/opcua/renew", headers=HTMX).status_code == 503
    assert renewals() == []
