"""Creating an Edge Connector or a fleet, the download, and waiting for it to come."""

from __future__ import annotations

import io
import re
import tarfile
import tomllib
import zipfile

import pytest

from portal import activity, certificate, clock, integrations
from portal.activity import LoginLog, LoginNote
from portal.edge import connectors, fleets
from portal.models import EdgeFleet, Integration
from tests.portal.agent_pages import note, shown
from tests.portal.edge_pages import CLASSES, looked, polled, recorded
from tests.portal.visitor import ADA, HTMX

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

ONE = {"name": "hall1", "domain": "acme.default", "target": "linux-x86_64", "connectors": ["files", "http"]}


def configuration(answer) -> dict:
    """Return what is in the edge.toml of a download."""
    with tarfile.open(fileobj=io.BytesIO(answer.data)) as archive:
        (name,) = [name for name in archive.getnames() if name.endswith("/edge.toml")]
        return tomllib.loads(archive.extractfile(name).read().decode())


def test_the_menu_of_integrations_leads_to_the_form(ada, live_agents):
    assert 'href="/edge/new"' in ada.get("/integrations").text
    text = ada.get("/edge/new").text
    assert 'value="ada.default"' in text and 'value="linux-x86_64" checked' in text and 'value="modbus"' in text


def test_one_is_created_with_its_integration_and_leads_to_its_download(ada, live_agents):
    answer = ada.post("/edge/new", ONE)
    made = Integration.get(Integration.username == "hall1")
    assert answer.location == f"/edge/{made.id}/download"
    assert (made.type, made.domain, made.created_by) == ("edge", "acme.default", ADA)
    assert connectors.row(made.id).connectors == ["files", "http"]
    page = shown(ada.get(answer.location))
    for part in ("Waiting for it to come online…", "For Linux, x86-64, with Files, HTTP, System.", "sudo sh install.sh",
                 "tar xzf gatehouse-edge-hall1.tar.gz"):  # fmt: skip
        assert part in page, part


@pytest.mark.parametrize(
    ("changes", "field", "why"),
    [
        ({"name": ""}, "name", "A name is required."),
        ({"name": "a b"}, "name", "letters of A to Z"),
        ({"name": "turing"}, "name", "taken"),
        ({"name": "", "many": "yes"}, "name", "A prefix is required."),
        ({"domain": "a/b"}, "domain", ""),
        ({"target": "amiga"}, "target", "A target is one of"),
        ({"target": "windows"}, "target", "Files cannot be used on Windows."),
    ],
)
def test_what_cannot_be_created_is_said_at_its_field(ada, live_agents, turing, changes, field, why):
    answer = ada.post("/edge/new", ONE | changes)
    assert answer.status_code == 422 and 'value="http" checked' in answer.text
    assert why in (note(answer, field) if field != "target" else shown(answer))
    assert Integration.select().count() == 1 and not EdgeFleet.select().exists()


def test_the_download_holds_the_address_and_the_password_and_is_recorded(ada, hall1, live_agents, sealer, flask_app):
    certificate.prepare(flask_app.extensions["gatehouse_settings"], clock.now())
    page = f"/edge/{hall1.id}/download"
    assert 'value="localhost"' in ada.get(page).text and "Only this machine reaches it" in ada.get(page).text
    answer = ada.post(page, {"host": "gh.example.com", "way": "tls", "port": "443"})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="gatehouse-edge-hall1.tar.gz"'
    assert answer.headers["Cache-Control"] == "no-store"
    server = configuration(answer)["server"]
    assert (server["host"], server["port"], server["transport"]) == ("gh.example.com", 443, "tls")
    assert server["password"] == sealer.open(integrations.by_id(hall1.id).sealed_password)
    assert len(server["fingerprint"].replace(":", "")) == 64, "the certificate signs itself"
    assert recorded() == [("edge.downloaded", "hall1", "")]
    assert "downloaded, with its password" in ada.get("/activity").text


def test_a_way_that_is_not_encrypted_is_offered_with_a_warning_and_after_the_others(ada, hall1, live_agents):
    page = f"/edge/{hall1.id}/download"
    text = shown(ada.get(page))
    ways = re.findall(r'name="way" value="(\w+)"( checked)?', text)
    assert ways[0] == ("tls", " checked") and text.index('value="tls"') < text.index('value="tcp"')
    assert text.count("not encrypted: whoever listens on the network reads its password") == len(
        [key for key, _ in ways if key in ("tcp", "ws", "web")]
    )
    server = configuration(ada.post(page, {"host": "[::1]", "way": "tcp"}))["server"]
    assert (server["host"], server["transport"]) == ("::1", "tcp") and "fingerprint" not in server


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ({"host": "", "way": "tls"}, "The name or the address of this server is required"),
        ({"host": 'a"\nb', "way": "tls"}, "The name or the address of this server is required"),
        ({"host": "gh", "way": "pigeon"}, "Choose how it connects."),
        ({"host": "gh", "way": "tls", "port": "70000"}, "A port is a number from 1 to 65,535."),
    ],
)
def test_an_address_that_cannot_be_is_refused_and_nothing_is_handed_out(ada, hall1, live_agents, typed, why):
    answer = ada.post(f"/edge/{hall1.id}/download", typed)
    assert answer.status_code == 422 and answer.mimetype == "text/html" and why in shown(answer)
    assert not recorded()


def test_the_page_of_a_download_turns_when_it_comes(ada, hall1, live_agents):
    there = polled(ada.get(f"/edge/{hall1.id}/download"), "edge-waiting")
    assert ada.get(f"{there}?v=000", headers=HTMX).status_code == 204
    live_agents.add("hall1", *CLASSES, integration_id=hall1.id)
    text = ada.get(f"{there}?v=000", headers=HTMX).text
    assert "It is online" in text and "192.0.2.7" in text and f'href="/edge/{hall1.id}"' in text


def test_a_fleet_is_created_downloaded_closed_opened_and_deleted(ada, live_agents, sealer):
    page = ada.post("/edge/new", ONE | {"name": "hall", "many": "yes", "target": "docker"}).location
    fleet = fleets.everything()[0]
    assert page == f"/edge/fleet/{fleet.id}" and not Integration.select().exists()
    text = shown(ada.get(page))
    assert "Open to new members" in text and "Waiting for the first member" in text and "docker compose up" in text
    found = configuration(ada.post(f"{page}/download", {"host": "gh", "way": "tls"}))
    assert (
        found["fleet"] == {"prefix": "hall", "token": fleets.token(fleet, sealer)} and "password" not in found["server"]
    )
    assert ada.post(f"{page}/open", {"open": ""}).location == page and "is closed to new" in ada.get(page).text
    ada.post(f"{page}/open", {"open": "yes"})
    assert "Close to new members" in ada.get("/edge").text
    assert "Delete the fleet" in ada.get(f"{page}/delete", headers=HTMX).text
    ada.post(f"{page}/delete")
    assert [(kind.removeprefix("edge.fleet-"), detail) for kind, _, detail in recorded()] == [
        ("created", "hall"), ("downloaded", "hall"), ("closed", "hall"), ("opened", "hall"), ("deleted", "hall")
    ]  # fmt: skip
    assert ada.get(page).status_code == 404


def test_members_have_no_download_of_their_own(ada, live_agents, actor, sealer):
    made = {"prefix": "hall", "domain": "acme.default", "connectors": [], "target": "docker"}
    fleet = fleets.create(actor, sealer, **made)
    member = connectors.join(fleet, sealer, username="hall-0a1b2c3d", password="own", address="192.0.2.7")
    assert ada.get(f"/edge/{member.id}/download").status_code == 404
    live_agents.add("hall-0a1b2c3d", *CLASSES, integration_id=member.id)
    text = shown(ada.get(polled(ada.get(f"/edge/fleet/{fleet.id}"), "edges"), headers=HTMX))
    assert "hall-0a1b2c3d" in text and "Online" in text


def test_the_page_of_a_fleet_is_sent_whatever_of_it_changes(ada, live_agents, press_member, actor):
    (fleet,) = fleets.everything()
    for change, tells in (
        (lambda: integrations.rename(press_member.id, "hall2", actor), "hall2"),
        (lambda: live_agents.add("hall2", integration_id=press_member.id), "Online"),
        (lambda: live_agents.add("hall2", integration_id=press_member.id, online=False), "Offline"),
        (lambda: integrations.set_active(press_member.id, False, actor), "Inactive"),
        (lambda: fleets.set_open(fleet.id, False, actor), "Closed"),
        (lambda: connectors.remove(press_member.id, actor), "Nobody is in it"),
    ):
        address = looked(ada.get(f"/edge/fleet/{fleet.id}"), "edges")
        assert ada.get(address, headers=HTMX).status_code == 204, f"before: {tells}"
        change()
        answer = ada.get(address, headers=HTMX)
        assert answer.status_code == 200 and tells in answer.text, tells


def test_a_newcomer_that_a_closed_fleet_refuses_is_shown(ada, live_agents, actor, sealer):
    made = {"domain": "acme.default", "connectors": [], "target": "docker"}
    fleet, other = (fleets.create(actor, sealer, prefix=prefix, **made) for prefix in ("hall", "press"))
    reason = "fleet is closed to new members"
    LoginLog().write([LoginNote(activity.REFUSED, clock.now(), "mqtt", "hall-0a1b2c3d", "192.0.2.9", reason)])
    page = f"/edge/fleet/{fleet.id}"
    assert "A new member was refused" not in ada.get(page).text, "it is open by now"
    for one in (fleet, other):
        fleets.set_open(one.id, False, actor)
    text = ada.get(page).text
    assert "A new member was refused" in text and "hall-0a1b2c3d" in text and "192.0.2.9" in text
    assert "A new member was refused" not in ada.get(f"/edge/fleet/{other.id}").text


def test_a_download_for_windows_is_a_zip(ada, live_agents):
    page = ada.post("/edge/new", ONE | {"connectors": ["http"], "target": "windows"}).location
    answer = ada.post(page, {"host": "gh", "way": "wss"})
    assert zipfile.ZipFile(io.BytesIO(answer.data)).namelist() and answer.mimetype == "application/zip"
    assert "Expand-Archive gatehouse-edge-hall1.zip" in ada.get(page).text
