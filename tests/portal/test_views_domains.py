"""The domain of VRPC in the pages: asked for, shown with what follows from it, changed, and granted to HTTP."""

from __future__ import annotations

import re

import pytest

from portal import integrations, worker_client
from portal.models import Activity, Integration
from tests.portal.visitor import ADA, HTMX

PANEL = {**HTMX, "HX-Target": "panel"}
ADD = "/integrations/add/vrpc"


@pytest.fixture(autouse=True)
def _no_servers(monkeypatch) -> None:
    monkeypatch.setattr(worker_client, "ask", lambda *asked: None)


@pytest.fixture
def press(database, actor, sealer) -> Integration:
    return integrations.create(actor, sealer, "vrpc", username="press", domain="acme.default", role="agent")


@pytest.fixture
def script(database, actor, sealer) -> Integration:
    return integrations.create(actor, sealer, "http", username="script")


def part(text: str, name: str) -> str:
    return re.search(rf'<section class="panel-part[^>]* id="panel-{name}".*?</section>', text, re.S)[0]


def test_adding_asks_for_domain_and_role_and_offers_the_domain_of_the_first_account(ada):
    page = ada.get(ADD).text
    assert 'value="ada.default"' in page and 'value="both" data-key="role-both" checked' in page
    dialog = ada.get(ADD, headers=HTMX).text
    assert 'id="dialog-title"' in dialog and "<html" not in dialog
    assert f'href="{ADD}"' in ada.get("/integrations").text


def test_an_integration_is_added_with_generated_credentials_and_opened(ada):
    answer = ada.post(ADD, {"domain": "acme.default", "role": "agent"})
    made = Integration.get()
    assert answer.location == f"/integrations/{made.id}"
    assert (made.type, made.domain, made.role, made.created_by) == ("vrpc", "acme.default", "agent", ADA)
    again = ada.post(ADD, {"domain": "acme.default", "role": "client"}, headers=HTMX)
    assert again.headers["HX-Redirect"] == f"/integrations/{Integration.get(Integration.role == 'client').id}"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"domain": "", "role": "agent"}, "A domain is required."),
        ({"domain": "a/b<b>", "role": "agent"}, "one level of a topic"),
        ({"domain": "acme", "role": "chief"}, "A role is one of"),
    ],
)
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "dialog"])
def test_a_mistake_is_said_at_its_field_and_what_was_typed_is_kept(ada, typed, said, headers):
    answer = ada.post(ADD, typed, headers=headers)
    assert answer.status_code == 422 and said in answer.text and "<b>" not in answer.text
    assert f'value="{typed["domain"].replace("<b>", "&lt;b&gt;")}"' in answer.text
    assert not Integration.select().exists()


def test_the_panel_shows_domain_and_role_in_place_of_filters(ada, press):
    text = ada.get(f"/integrations/{press.id}").text
    shown = part(text, "domain")
    assert "<code>acme.default</code>" in shown and "As an agent" in shown and "As a client" not in shown
    assert "panel-permissions" not in text
    for said in ("Calculator", 'domain="acme.default"', "VrpcAgent"):
        assert said in text.replace("&#34;", '"'), said
    assert "VrpcClient" not in text, "its role is that of an agent"


def test_domain_and_role_are_changed_in_the_panel_and_recorded(ada, press):
    path = f"/integrations/{press.id}/domain"
    assert 'value="acme.default"' in part(ada.get(path).text, "domain")
    answer = ada.post(path, {"domain": "acme.hall2", "role": "both"}, headers=PANEL)
    assert answer.status_code == 200 and "acme.hall2" in part(answer.text, "domain")
    (row,) = Activity.select().where(Activity.kind == "integration.domain-changed")
    assert (row.account, row.detail) == (ADA, "agent and client in acme.hall2; was an agent in acme.default")
    refused = ada.post(path, {"domain": "$SYS", "role": "both"}, headers=PANEL)
    assert refused.status_code == 422 and "the server&#39;s own" in part(refused.text, "domain")
    assert integrations.by_id(press.id).domain == "acme.hall2"


def test_an_http_integration_is_granted_calls_and_loses_them(ada, script):
    path = f"/integrations/{script.id}"
    assert "May call no VRPC functions." in part(ada.get(path).text, "domain")
    assert ada.post(f"{path}/domain", {"domain": "acme.default"}).location == path
    assert "<code>acme.default</code>" in part(ada.get(path).text, "domain")
    assert integrations.by_id(script.id).role == "client"
    ada.post(f"{path}/domain", {"domain": ""})
    assert "May call no VRPC functions." in part(ada.get(path).text, "domain")


def test_other_types_have_no_domain(ada, turing):
    path = f"/integrations/{turing.id}"
    assert "panel-domain" not in ada.get(path).text
    assert ada.post(f"{path}/domain", {"domain": "acme.default"}, headers=PANEL).status_code == 422
    assert integrations.by_id(turing.id).domain == ""


def test_the_topics_of_a_vrpc_integration_cannot_be_edited(ada, press):
    answer = ada.post(f"/integrations/{press.id}/permissions", {"publish": "#", "subscribe": "#"}, headers=PANEL)
    assert answer.status_code == 422
    assert integrations.by_id(press.id).publish_filters == ()


def test_the_list_finds_an_integration_by_its_domain(ada, press, script):
    text = ada.get("/integrations/rows?q=acme").text
    assert "press" in text and "script" not in text
    assert 'title="VRPC: an agent in acme.default"' in text
