"""OPC UA in the portal: a client comes online, its nodes are listed and live; switches and certificates."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from asyncua import ua
from playwright.sync_api import expect

from tests.browser.opcua_client import URI, OpcUaClient
from tests.browser.support import clipboard, follow, row
from tests.browser.test_shape import CONTRAST, NAMELESS, assert_fits
from tests.support.processes import wait_until


@pytest.fixture
def press(records) -> dict:
    """An OPC UA integration, with a username that node ids spell otherwise."""
    return records.add("plant/press-4", "opcua")


@pytest.fixture
def path(press) -> str:
    return f"/integrations/{press['id']}/nodes"


def node(page, name: str):
    return page.locator("#nodes tbody tr").filter(has=page.locator(f".n-name > span:text-is('{name}')"))


def cell(page, name: str, column: str):
    return node(page, name).locator(f".n-{column}")


# --- a client in the list and the panel


def test_a_client_comes_online_and_is_told_with_its_security_and_its_nodes(page, stack, press, tmp_path):
    page.goto(f"/integrations/{press['id']}")
    panel = page.locator("#panel")
    expect(panel.locator("#panel-nodes")).to_contain_text("None yet.")
    with OpcUaClient(stack.opcua_port, press, tmp_path) as client:
        expect(row(page, press)).to_contain_text("Online")
        client.write("line1/speed", 21.5)
        client.subscribe("line1/speed")
        connection = panel.locator(".connection")
        expect(connection).to_contain_text("SCADA")
        for told in (
            URI,
            "OPC UA over TCP",
            "Signed and encrypted, Basic256Sha256",
            "1 subscription, 1 monitored item",
        ):
            expect(connection).to_contain_text(told)
        expect(panel.locator("#panel-nodes")).to_contain_text("21.5")
        client.write("line1/speed", 22.5)
        expect(panel.locator("#panel-nodes")).to_contain_text("22.5")
        connection.get_by_role("button", name="Disconnect SCADA").click()
        assert client.is_cut()
    expect(row(page, press)).to_contain_text("Offline")
    expect(panel.locator("#panel-nodes")).to_contain_text("22.5")


@pytest.mark.parametrize("number", [0, 1], ids=["secured", "without security"])
def test_the_script_of_the_panel_runs_as_it_is_copied(page, press, tmp_path, number):
    page.goto(f"/integrations/{press['id']}")
    page.get_by_role("button", name="Copy this line, with the password").nth(number).click()
    expect(page.get_by_role("status")).to_contain_text("Copied.")
    (tmp_path / "script.py").write_text(clipboard(page), "utf-8")
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert done.stdout == "21.5\n", done.stderr
    expect(page.locator("#panel-nodes")).to_contain_text("demo")


# --- nodes


def test_nodes_change_live_and_the_focus_stays(page, stack, press, path):
    page.goto(path)
    expect(page.get_by_text("No nodes yet")).to_be_visible()
    with OpcUaClient(stack.opcua_port, press) as client:
        client.write("oven/temperature", 180.5)
        client.write("oven/count", 1, ua.VariantType.UInt32)
        expect(cell(page, "oven/temperature", "value")).to_have_text("180.5")
        expect(cell(page, "oven/count", "type")).to_have_text("UInt32")
        expect(cell(page, "oven/count", "quality")).to_have_text("Good")
        expect(cell(page, "oven/temperature", "time")).to_have_text("just now")
        delete = page.get_by_role("link", name="Delete oven/temperature")
        delete.focus()
        client.write("oven/temperature", 181.5)
        client.write("a first one", True)
        expect(cell(page, "oven/temperature", "value")).to_have_text("181.5")
        expect(cell(page, "oven/temperature", "writes")).to_have_text(re.compile("2$"))
        expect(cell(page, "a first one", "value")).to_have_text("true")
        expect(delete).to_be_focused()
        bad = ua.StatusCode(ua.StatusCodes.BadSensorFailure)
        client.write("oven/temperature", None, StatusCode=bad)
        expect(cell(page, "oven/temperature", "quality")).to_have_text("BadSensorFailure")
        page.keyboard.press("/")
        page.keyboard.type("oven/t")
        expect(node(page, "oven/count")).to_have_count(0)
        expect(page.get_by_label("Name begins with")).to_be_focused()
        expect(page).to_have_url(re.compile(r"/nodes\?q=oven"))


def test_a_node_is_added_and_deleted(page, stack, press, path, records):
    page.goto(path)
    page.get_by_text("Add node", exact=True).first.click()
    page.get_by_label("Name", exact=True).fill("line1/limit")
    page.get_by_label("Type").select_option("Int16")
    page.get_by_label("First value").fill("40000")
    page.get_by_role("button", name="Add", exact=True).click()
    value = page.get_by_label("First value")
    expect(value).to_have_accessible_description("This is no Int16. Int16: a whole number from -32768 to 32767.")
    expect(value).to_be_focused()
    expect(page.get_by_label("Type")).to_have_value("Int16")
    value.fill("400")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("line1/limit is added.")
    expect(cell(page, "line1/limit", "value")).to_have_text("400")
    with OpcUaClient(stack.opcua_port, press) as client:
        assert client.read("line1/limit") == 400
        page.get_by_role("link", name="Delete line1/limit").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("Its value and history are gone for good.")
        expect(dialog.get_by_role("link", name="Keep it")).to_be_focused()
        dialog.get_by_role("button", name="Delete").click()
        expect(page.get_by_role("status")).to_contain_text("line1/limit is deleted.")
        expect(page.get_by_text("No nodes yet")).to_be_visible()
        with pytest.raises(ua.uaerrors.BadNodeIdUnknown):
            client.read("line1/limit")
    assert records.happened("node.created") == records.happened("node.deleted") == 1
    page.goto("/activity?show=changes")
    expect(page.locator(".event").first).to_contain_text("plant/press-4 · node line1/limit deleted")


def test_nodes_without_scripts(plain, path):
    plain.goto(path)
    plain.get_by_text("Add node", exact=True).first.click()
    plain.get_by_label("Name", exact=True).fill("a/b")
    plain.get_by_role("button", name="Add", exact=True).click()
    expect(plain.get_by_label("First value")).to_have_accessible_description(
        "This is no Double. Double: a number, such as 21.5."
    )
    plain.get_by_label("First value").fill("1.5")
    plain.get_by_role("button", name="Add", exact=True).click()
    expect(cell(plain, "a/b", "value")).to_have_text("1.5")
    plain.get_by_label("Name begins with").fill("b")
    plain.get_by_role("button", name="Search").click()
    expect(plain.get_by_text("begins with b")).to_be_visible()
    plain.get_by_role("link", name="Show all 1").click()
    plain.get_by_role("link", name="Delete a/b").click()
    plain.get_by_role("button", name="Delete").click()
    expect(plain.get_by_text("No nodes yet")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nodes_fit_a_phone_and_are_readable(visitor, stack, press, path, theme):
    options = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
    page = visitor.page(color_scheme=theme, **options)
    with OpcUaClient(stack.opcua_port, press) as client:
        client.write("a rather long name of a node/" * 3 + "x", "a long value without any end " * 4)
        client.write("oven/pressure", 1.0, StatusCode=ua.StatusCode(ua.StatusCodes.UncertainLastUsableValue))
        client.write("oven/door", 1.0, StatusCode=ua.StatusCode(ua.StatusCodes.BadSensorFailure))
        for there in (path, path.removesuffix("/nodes"), f"{path}/delete?name=oven", "/server"):
            page.goto(there)
            assert_fits(page)
            assert page.evaluate(CONTRAST) == []
            assert page.locator("a, button, input:not([type=hidden]), select, summary").evaluate_all(NAMELESS) == []
        page.goto(path)
        page.get_by_text("Add node", exact=True).first.click()
        assert_fits(page)
        for there in ("oven/pressure", "oven/door"):
            for column in ("value", "type", "quality", "time", "writes"):
                expect(cell(page, there, column)).to_be_visible()


# --- the server page


def test_switching_policy_none_off_cuts_who_uses_it(page, stack, press, tmp_path):
    page.goto("/server")
    with OpcUaClient(stack.opcua_port, press) as bare, OpcUaClient(stack.opcua_port, press, tmp_path) as secured:
        wait_until(lambda: len(stack.query("SELECT id FROM connection WHERE protocol = 'opcua'")) == 2)
        page.get_by_role("link", name="Switch off: Security policy None").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("1 open connection uses it, and is cut.")
        expect(dialog.get_by_role("link", name="Leave it")).to_be_focused()
        dialog.get_by_role("button", name="Switch off").click()
        assert bare.is_cut()
        secured.write("a", 1.5)
    expect(page.get_by_role("button", name="Switch on: Security policy None")).to_be_visible()
    with pytest.raises((ua.UaError, OSError)), OpcUaClient(stack.opcua_port, press):
        pass
    page.get_by_role("button", name="Switch on: Security policy None").click()
    expect(page.get_by_role("link", name="Switch off: Security policy None")).to_be_visible()
    wait_until(lambda: comes_in(stack, press), what="policy None to be let in")


def test_a_certificate_is_trusted_and_lets_its_client_in(page, stack, press, tmp_path, records):
    page.goto("/server")
    page.get_by_role("link", name="Switch on: Trusted client certificates only").click()
    follow(page.get_by_role("dialog").get_by_role("button", name="Switch on"))
    expect(page.get_by_role("button", name="Switch off: Trusted client certificates only")).to_be_visible()
    wait_until(lambda: not comes_in(stack, press, tmp_path), what="the client to be refused")
    listed = page.locator(".certificate").filter(has_text="CN=Historian")
    expect(listed).to_contain_text(URI)
    listed.get_by_role("button", name="Trust ").click()
    expect(listed.get_by_role("link", name="Distrust ")).to_be_visible()
    wait_until(lambda: comes_in(stack, press, tmp_path), what="the client to be let in")
    with OpcUaClient(stack.opcua_port, press, tmp_path, "Historian") as client:
        client.write("a", 1.5)
        listed.get_by_role("link", name="Distrust ").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("Its connections are cut")
        follow(dialog.get_by_role("button", name="Distrust"))
        assert client.is_cut()
    listed.get_by_role("link", name="Delete ").click()
    follow(page.get_by_role("dialog").get_by_role("button", name="Delete"))
    expect(listed).to_have_count(0)
    for kind in ("certificate.trusted", "certificate.distrusted", "certificate.deleted"):
        assert records.happened(kind) == 1
    page.get_by_role("button", name="Switch off: Trusted client certificates only").click()
    expect(page.get_by_role("link", name="Switch on: Trusted client certificates only")).to_be_visible()


def comes_in(stack, integration, folder=None) -> bool:
    try:
        with OpcUaClient(stack.opcua_port, integration, folder, "Historian"):
            return True
    except (ua.UaError, OSError, TimeoutError):
        return False
