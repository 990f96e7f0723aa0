"""The broker's limits, the settings that change them, and the page of settings: three lists that have to agree."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from portal.limits import LIMITS
from protocols.mqtt.figures import SETTINGS
from protocols.mqtt.limits import Limits

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text("utf-8")


@pytest.mark.parametrize("limit", LIMITS.values(), ids=lambda limit: limit.setting)
def test_a_setting_has_its_limit_and_its_line_with_the_default(limit):
    defaults = {field.name: field.default for field in fields(Limits)}
    assert limit.field in defaults
    found = re.search(rf"^\| `{limit.setting}` \| `([^`]+)` \|", PAGE, re.M)
    assert found, f"docs/settings.md says nothing of {limit.setting}"
    assert limit.parse(found[1]) == defaults[limit.field]


def test_every_limit_that_the_broker_reports_is_a_setting():
    assert {f"MQTT_{name.upper()}" for name in SETTINGS} == set(LIMITS)
