"""`flask onboarding`: the same as the box, for scripts."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from flask.cli import FlaskGroup

from portal.models import Integration, OnboardingWindow
from tests.portal.knocking import PASSWORD


@pytest.fixture
def run(flask_app, doors):
    program = FlaskGroup(create_app=lambda: flask_app, add_default_commands=False)

    def call(*words: str):
        return CliRunner().invoke(program, ["onboarding", *words])

    return call


def found(run, *words: str):
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_a_window_is_opened_extended_and_closed(run):
    assert found(run, "status") == {"open": False}
    opened = found(run, "open", "--minutes", "3")
    assert opened["open"] and opened["opened_by"] == "command line"
    assert found(run, "status") == opened
    assert found(run, "extend")["closes_at"] > opened["closes_at"]
    assert "is closed" in run("close").output
    assert OnboardingWindow.select().count() == 0
    refused = run("extend")
    assert refused.exit_code == 1 and "Smart onboarding is closed." in refused.output


def test_a_client_is_listed_and_approved(run, doors):
    run("open")
    doors.knock()
    (row,) = found(run, "list")
    assert (row["username"], row["type"], row["tries"], row["held"]) == ("press", "mqtt", 1, True)
    assert PASSWORD not in str(row)
    (made,) = found(run, "approve", row["id"])
    assert made["username"] == "press" and Integration.get().username == "press"
    again = run("approve", row["id"])
    assert again.exit_code == 1 and "no such request" in again.output


def test_a_list_says_in_which_domain_an_agent_would_be_whatever_its_username(run, doors):
    run("open")
    doors.knock("acme.hall2/saw", will_topic="acme.default/saw/__agentInfo__")
    (row,) = found(run, "list")
    assert (row["type"], row["domain"], row["role"]) == ("vrpc", "acme.default", "agent")
    assert run("list").output.splitlines()[1].split()[1:5] == ["vrpc", "acme.hall2/saw", "acme.default", "agent"]


def test_a_client_is_ignored_for_good_and_that_is_undone(run, doors):
    run("open")
    doors.knock()
    (row,) = found(run, "list")
    assert "press is ignored" in run("ignore", row["id"], "--for-good").output
    assert found(run, "list") == []
    (kept,) = found(run, "ignored")
    assert (kept["username"], kept["client_id"]) == ("press", "client-1")
    assert "not ignored any more" in run("forget", str(kept["id"])).output
    assert found(run, "ignored") == []
    assert run("forget", "7").exit_code == 1
    assert run("ignore", "mqtt.gone").exit_code == 1


def test_a_worker_that_does_not_answer_is_told(run, doors):
    run("open")
    doors.knock()
    (row,) = found(run, "list")
    doors.silent |= {"mqtt", "opcua"}
    for words in (("list",), ("approve", row["id"]), ("ignore", row["id"])):
        done = run(*words)
        assert done.exit_code == 1 and "do not answer" in done.output, words


def test_what_could_be_approved_is_told_beside_what_could_not(run, doors):
    run("open")
    doors.knock()
    doors.knock("hmi", protocol="opcua")
    ids = [row["id"] for row in found(run, "list")]
    doors.silent.add("opcua")
    done = run("approve", *ids)
    assert done.exit_code == 1
    assert "press" in done.output and "OPC UA: its server does not answer" in done.output
    run("close")
    done = run("approve", *ids)
    assert done.exit_code == 1 and "is closed" in done.output
