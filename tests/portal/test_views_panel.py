"""The panel: live connections, disconnecting, permissions, and the picture of the last day."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from portal import activity, clock, integrations, traffic, worker_client
from portal.activity import LoginNote
from portal.models import Activity, Connection
from portal.presence import Connected
from portal.views import panel as panel_view
from tests.portal.visitor import ADA, HTMX

PANEL = {**HTMX, "HX-Target": "panel"}
FIGURES = {
    "connection_id": "c1",
    "client_id": "press-4",
    "messages_in": 1204,
    "messages_out": 3311,
    "bytes_in": 88_000,
    "bytes_out": 1_240_000,
    "queued": 3,
    "dropped": 2,
    "subscription_count": 102,
    "subscriptions": [["plant/<b>/#", 1], ["other/#", 0]],
}
STORED = {
    "key": "ab12",
    "client_id": "press-5<b>",
    "since": 1_700_000_000,
    "ends_at": 1_700_086_400,
    "subscription_count": 4,
    "messages": 10_000,
    "bytes": 3_200_000,
    "dropped": 3_000,
}


def asked_for_stored(integration) -> tuple:
    """Return what is asked about clients that are away."""
    return ("stored_sessions", integration.id, 50)


@pytest.fixture
def answers(monkeypatch) -> dict:
    """What the protocols worker answers, by action."""
    given: dict = {}
    asked = []

    def ask(part: str, action: str, *args: object) -> object:
        if action != "troubles":  # which every page asks for
            asked.append((action, *args))
        return given.get(action)

    monkeypatch.setattr(worker_client, "ask", ask)
    given["asked"] = asked
    return given


@pytest.fixture
def connected(node, turing) -> None:
    node.write([Connected("c1", turing.id, "mqtt", "press-4", "192.0.2.1", clock.now(), "5.0", "tls")])


def part(text: str, name: str) -> str:
    return re.search(rf'<section class="panel-part[^>]* id="panel-{name}".*?</section>', text, re.S)[0]


# --- live connections


def test_a_connection_is_shown_with_what_its_server_knows_of_it(ada, turing, connected, answers):
    answers["connections"] = [FIGURES]
    text = part(ada.get(f"/integrations/{turing.id}").text, "connections")
    for shown in (
        "press-4",
        "192.0.2.1",
        "MQTT 5.0 over TLS",
        "1,204",
        "88 kB",
        "3,311",
        "1.2 MB",
        "102 subscriptions",
    ):
        assert shown in text, shown
    assert "plant/&lt;b&gt;/#" in text and "and 100 more" in text
    assert answers["asked"] == [("connections", turing.id, ["c1"]), asked_for_stored(turing)]


def test_a_connection_by_opcua_is_told_in_its_own_words(ada, press, opcua_node, opcua_server):
    opcua_node.write([Connected("c1", press.id, "opcua", "SCADA", "192.0.2.1", clock.now())])
    security = {"security_mode": "SignAndEncrypt", "security_policy": "Basic256Sha256"}
    application = {"application_name": "SCADA", "application_uri": "urn:example:scada"}
    counts = {"monitored_items": 102, "values_read": 17, "values_written": 4711, "subscription_count": 1}
    monitored = {"subscriptions": [["ns=2;s=plant%2Fpress/a", 0]]}
    opcua_server.figures = [FIGURES | security | application | counts | monitored]
    text = part(ada.get(f"/integrations/{press.id}").text, "connections")
    for shown in (
        "SCADA",
        "urn:example:scada",
        "192.0.2.1 · OPC UA over TCP",
        "Signed and encrypted, Basic256Sha256",
        "1 subscription, 102 monitored items",
        "ns=2;s=plant%2Fpress/a",
        "and 101 more",
        "4,711",
    ):
        assert shown in text, shown
    assert "QoS" not in text and "Queue" not in text
    opcua_server.figures[0] |= {"security_mode": "None", "security_policy": "None"}
    assert "not signed, not encrypted" in ada.get(f"/integrations/{press.id}").text


def test_a_period_over_http_is_told_in_its_own_words(ada, actor, sealer, node, answers):
    script = integrations.create(actor, sealer, "http", username="script")
    node.write([Connected("c1", script.id, "http", "curl/8.5", "192.0.2.1", clock.now(), "1.1", "http")])
    answers["connections"] = [FIGURES | {"subscription_count": 2, "queued": 0, "subscriptions": [["a/#", 0], ["b", 0]]}]
    text = part(ada.get(f"/integrations/{script.id}").text, "connections")
    for shown in (
        "curl/8.5",
        "192.0.2.1 · HTTP 1.1 ·",
        "online since",
        "2 open streams",
        "<code>a/#</code>",
        "Dropped",
    ):
        assert shown in text, shown
    for other in ("QoS", "Queue", " over ", "subscription</summary>", "more</li>"):
        assert other not in text, other
    answers["connections"] = [FIGURES | {"subscription_count": 0, "subscriptions": []}]
    assert "No open stream" in ada.get(f"/integrations/{script.id}").text
    node.write([Connected("c2", script.id, "http", "", "192.0.2.2", clock.now(), "1.1", "http")])
    assert "(no user agent)" in ada.get(f"/integrations/{script.id}").text
    assert "curl -u" in part(ada.get(f"/integrations/{script.id}").text, "connect")


def test_the_panel_of_an_http_integration_leads_to_the_api_and_warns_of_a_colon(ada, actor, sealer):
    plain = integrations.create(actor, sealer, "http", username="script")
    text = part(ada.get(f"/integrations/{plain.id}").text, "connect")
    assert 'href="/api/v1/"' in text and "Without TLS" in text and "colon" not in text
    odd = integrations.create(actor, sealer, "http", username="plant:script")
    text = part(ada.get(f"/integrations/{odd.id}", base_url="https://localhost").text, "connect")
    assert "with this username no client can come in" in text and "Without TLS" not in text


def test_without_an_answer_the_panel_shows_what_the_database_knows(ada, turing, connected, answers):
    text = part(ada.get(f"/integrations/{turing.id}").text, "connections")
    assert "press-4" in text and "Live figures cannot be shown right now." in text
    assert "Disconnect" in text


def test_a_connection_on_another_node_is_shown_without_figures(ada, turing, connected, answers):
    answers["connections"] = []
    text = part(ada.get(f"/integrations/{turing.id}").text, "connections")
    assert "press-4" in text and "figures" not in text


def test_nobody_is_asked_for_an_integration_without_a_connection(ada, turing, node, answers):
    assert "No open connection." in ada.get(f"/integrations/{turing.id}").text
    assert answers["asked"] == [asked_for_stored(turing)]


def test_of_very_many_connections_the_newest_are_shown_and_nobody_is_asked(ada, turing, node, answers, monkeypatch):
    monkeypatch.setattr(panel_view, "SHOWN_CONNECTIONS", 2)
    monkeypatch.setattr(panel_view, "MOST_ASKED", 4)
    now = clock.now()
    node.write(
        [
            Connected(f"c{n}", turing.id, "mqtt", f"client-{n}", "192.0.2.1", now + timedelta(seconds=n))
            for n in range(5)
        ]
    )
    text = part(ada.get(f"/integrations/{turing.id}").text, "connections")
    assert re.findall(r"client-\d", re.sub("<button.*?</button>", "", text)) == ["client-4", "client-3"]
    assert "The 2 newest are shown." in text and "Of so many connections no live figures" in text
    assert answers["asked"] == [asked_for_stored(turing)]


def panel_version(ada, turing) -> str:
    return re.search(r'id="panel".*?data-version="([^"]+)"', ada.get(f"/integrations/{turing.id}").text)[1]


def test_a_poll_of_the_panel_is_answered_when_a_figure_moved_and_only_then(ada, turing, connected, answers):
    answers["connections"] = [FIGURES]
    version = panel_version(ada, turing)
    path = f"/integrations/{turing.id}/panel?v={version}"
    assert ada.get(path, headers=PANEL).status_code == 204
    answers["connections"] = [{**FIGURES, "messages_in": 1205}]
    answer = ada.get(path, headers=PANEL)
    assert answer.status_code == 200 and "1,205" in answer.text
    assert "<html" not in answer.text


def test_a_poll_of_the_panel_is_answered_when_traffic_was_counted(ada, turing, node, answers):
    version = panel_version(ada, turing)
    traffic.add([(turing.id, 1, 0, 64, 0, 1000)], clock.now())
    assert ada.get(f"/integrations/{turing.id}/panel?v={version}", headers=PANEL).status_code == 200


def test_the_last_refused_login_is_shown(ada, turing, node):
    for reason, address in (("wrong password", "192.0.2.66"), ("integration is inactive", "192.0.2.67")):
        node.write([LoginNote(activity.REFUSED, clock.now(), "mqtt", "turing", address, reason, turing.id)])
    text = part(ada.get(f"/integrations/{turing.id}").text, "connections")
    assert "Last refused login: <strong>integration is inactive</strong>, from 192.0.2.67" in text
    assert "wrong password" not in text


# --- clients that are away


def test_a_stored_session_is_shown_with_what_waits_for_its_client(ada, turing, node, answers):
    answers["stored_sessions"] = {
        "count": 52,
        "shown": [STORED, {**STORED, "key": "c", "since": None, "ends_at": None}],
    }
    text = part(ada.get(f"/integrations/{turing.id}").text, "stored")
    for shown in (
        "Stored sessions <b>52</b>",
        "press-5&lt;b&gt;",
        "offline since <time",
        "2023-11-14 22:13",
        "expires <time",
        "2023-11-15 22:13",
        "4 subscriptions",
        "10,000",
        "3.2 MB",
        "3,000",
        "offline since before the server started",
        "never expires",
        "The 2 whose clients left last are shown.",
        f'hx-get="/integrations/{turing.id}/sessions/ab12/forget"',
    ):
        assert shown in text, shown


@pytest.mark.parametrize("answer", [None, {"count": 0, "shown": []}])
def test_without_stored_sessions_nothing_is_said_of_them(ada, turing, node, answers, answer):
    answers["stored_sessions"] = answer
    assert "panel-stored" not in ada.get(f"/integrations/{turing.id}").text


def test_a_poll_of_the_panel_is_answered_when_more_waits(ada, turing, node, answers):
    answers["stored_sessions"] = {"count": 1, "shown": [STORED]}
    path = f"/integrations/{turing.id}/panel?v={panel_version(ada, turing)}"
    assert ada.get(path, headers=PANEL).status_code == 204
    answers["stored_sessions"] = {"count": 1, "shown": [{**STORED, "dropped": 3_001}]}
    assert "3,001" in ada.get(path, headers=PANEL).text


def test_a_stored_session_is_forgotten_after_a_question(ada, turing, node, answers, monkeypatch):
    answers["stored_sessions"] = {"count": 1, "shown": [STORED]}
    path = f"/integrations/{turing.id}/sessions/ab12/forget"
    question = ada.get(path, headers=HTMX).text
    assert "press-5&lt;b&gt;" in question and "10,000 messages that wait for this client are gone" in question
    had = []

    def have(part: str, action: str, *args: object) -> object:
        had.append((part, action, *args))
        return "press-5"

    monkeypatch.setattr(worker_client, "have", have)
    assert ada.post(path).location == f"/integrations/{turing.id}"
    assert had == [("mqtt", "forget_session", turing.id, "ab12")]
    (row,) = Activity.select().where(Activity.kind == activity.FORGOTTEN)
    assert (row.account, row.detail, row.username) == (ADA, "client press-5", "turing")


def test_a_stored_session_that_is_gone_is_said(ada, turing, node, monkeypatch):
    def have(part: str, action: str, *args: object) -> object:
        raise worker_client.Refused("Its client is back, or the session has ended.")

    monkeypatch.setattr(worker_client, "have", have)
    answer = ada.post(f"/integrations/{turing.id}/sessions/ab12/forget")
    assert answer.status_code == 409 and "Its client is back" in answer.text
    assert not Activity.select().where(Activity.kind == activity.FORGOTTEN).count()


def test_a_subscription_that_gets_nothing_any_more_is_marked(ada, turing, connected, answers):
    answers["connections"] = [FIGURES | {"muted": [1]}]
    text = part(ada.get(f"/integrations/{turing.id}").text, "connections")
    first, second = re.findall(r"<li><code>.*?</li>", text)
    assert "not allowed now" not in first and "not allowed now" in second


def test_what_a_vrpc_client_was_not_permitted_to_publish_is_counted_where_there_was_any(
    ada, turing, connected, answers
):
    path = f"/integrations/{turing.id}"
    answers["connections"] = [FIGURES | {"denied": 7}]
    assert re.search(r"<dt>Refused</dt><dd>7", part(ada.get(path).text, "connections"))
    answers["connections"] = [FIGURES | {"denied": 0}]
    assert "Refused" not in part(ada.get(path).text, "connections")


# --- disconnecting


def test_disconnecting_marks_the_connection_and_is_recorded(ada, turing, connected):
    path = f"/integrations/{turing.id}/disconnect/c1"
    answer = ada.post(path, headers=PANEL)
    assert answer.status_code == 200 and "disconnecting…" in answer.text
    assert Connection.get().kicked
    (row,) = Activity.select().where(Activity.kind == "integration.disconnected")
    assert (row.account, row.detail, row.username) == (ADA, "client press-4", "turing")
    assert ada.post(path).location == f"/integrations/{turing.id}"
    assert Activity.select().where(Activity.kind == "integration.disconnected").count() == 1


def test_a_connection_that_is_gone_is_no_fault(ada, turing, connected):
    assert ada.post(f"/integrations/{turing.id}/disconnect/gone").status_code == 303
    assert not Connection.get().kicked


def test_a_connection_of_another_integration_is_left_alone(ada, turing, connected, actor, sealer):
    other = integrations.create(actor, sealer, "mqtt")
    ada.post(f"/integrations/{other.id}/disconnect/c1")
    assert not Connection.get().kicked


# --- permissions


def test_permissions_are_edited_one_filter_a_line(ada, turing):
    path = f"/integrations/{turing.id}/permissions"
    assert "\n#</textarea>" in ada.get(path).text
    answer = ada.post(path, {"publish": "plant/%u/#\r\n\r\nshared/x\r\n", "subscribe": ""})
    assert answer.location == f"/integrations/{turing.id}"
    found = integrations.by_id(turing.id)
    assert found.publish_filters == ("plant/%u/#", "shared/x")
    assert found.subscribe_filters == ()
    text = part(ada.get(answer.location).text, "permissions")
    assert "<code>plant/%u/#</code><code>shared/x</code>" in text
    assert '<span class="quiet">nothing</span>' in text


def test_a_wrong_filter_gets_its_message_beside_its_area_and_nothing_is_saved(ada, turing):
    path = f"/integrations/{turing.id}/permissions"
    for headers in ({}, PANEL):
        answer = ada.post(path, {"publish": "plant/#", "subscribe": "a\nplant/#/x"}, headers=headers)
        assert answer.status_code == 422
        text = part(answer.text, "permissions")
        assert re.search(r'id="subscribe-note" role="alert">Line 2 \(plant/#/x\): # stands alone', text)
        assert "\nplant/#</textarea>" in text and "\na\nplant/#/x</textarea>" in text
        assert 'id="publish-note"' not in text
    assert integrations.by_id(turing.id).publish_filters == ("#",)


def test_a_filter_of_markup_is_shown_as_text(ada, turing, actor):
    integrations.set_permissions(turing.id, actor, publish=["<img src=x>"], subscribe=["</textarea><script>"])
    for path in (f"/integrations/{turing.id}", f"/integrations/{turing.id}/permissions"):
        text = part(ada.get(path).text, "permissions")
        assert "<img" not in text and "<script>" not in text
        assert "&lt;img src=x&gt;" in text


def test_an_opcua_integration_may_use_its_own_folder_only_and_the_panel_says_so(ada, press, answers):
    path = f"/integrations/{press.id}"
    text = part(ada.get(path).text, "permissions")
    assert text.count('<span class="quiet">nothing beyond its own folder</span>') == 2
    assert "no line allows nothing beyond its own folder." in part(ada.get(f"{path}/permissions").text, "permissions")
    ada.post(f"{path}/permissions", {"publish": "turing/#", "subscribe": "#"})
    assert ada.post(f"{path}/permissions", {"publish": "", "subscribe": " \r\n"}).location == path
    found = integrations.by_id(press.id)
    assert (found.publish_filters, found.subscribe_filters) == ((), ())


def test_the_form_names_an_integration_whose_username_begins_with_this_one(ada, press, actor, sealer, answers):
    path = f"/integrations/{press.id}/permissions"
    for type, name in (("opcua", "plant/presses"), ("mqtt", "plant/press/4"), ("opcua", "plant/PRESS/5")):
        integrations.create(actor, sealer, type, username=name)
    assert "its nodes" not in part(ada.get(path).text, "permissions"), "none of these is in its topics"
    integrations.create(actor, sealer, "opcua", username="plant/press/<3>")
    text = part(ada.get(path).text, "permissions")
    assert "There is <code>plant/press/&lt;3&gt;</code>, too: <code>%u/#</code> opens its nodes" in text


# --- the last day


def test_a_day_without_anything_says_what_would_be_here(ada, turing):
    text = part(ada.get(f"/integrations/{turing.id}").text, "day")
    assert "Online times and traffic of the last day appear here." in text
    assert "<svg" not in text


def test_the_picture_of_the_day_says_in_words_what_it_shows(ada, turing, node):
    now = clock.now()
    traffic.add([(turing.id, 1200, 3, 88_000, 200, 1_800_000)], now - timedelta(hours=2))
    traffic.add([(turing.id, 1, 0, 64, 0, 60_000)], now - timedelta(hours=5))
    text = part(ada.get(f"/integrations/{turing.id}").text, "day")
    assert "Online for 31 min of the last 24 hours; 1,201 messages in (88 kB), 3 out (200 B)." in text
    assert text.count('class="day-in"') == 2 + 1, "two bars and the legend"
    assert "online for 30 min; 1,200 messages in (88 kB), 3 out (200 B)</title>" in text
    assert 'role="img" aria-labelledby="day-summary"' in text
