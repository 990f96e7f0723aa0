"""The servers' limits, the settings that change them, and the page of settings: three lists that have to agree."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from portal.limits import LIMITS
from protocols.http.limits import SETTINGS as HTTP_SETTINGS
from protocols.http.limits import Limits as HttpLimits
from protocols.hub import hub
from protocols.hub.limits import HubLimits
from protocols.mqtt import figures as mqtt
from protocols.mqtt.limits import Limits as MqttLimits
from protocols.opcua import figures as opcua
from protocols.opcua.limits import Limits as OpcUaLimits
from protocols.opcua.values.limits import ValueLimits
from protocols.opcua.values.space import ValueSpace
from protocols.vrpc.limits import SETTINGS as VRPC_SETTINGS
from protocols.vrpc.limits import Limits as VrpcLimits

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text("utf-8")
KINDS: dict[str, tuple[type[Any], ...]] = {
    "http": (HttpLimits,),
    "hub": (HubLimits,),
    "mqtt": (MqttLimits,),
    "opcua": (OpcUaLimits, ValueLimits),
    "vrpc": (VrpcLimits,),
}


@pytest.mark.parametrize("limit", LIMITS.values(), ids=lambda limit: limit.setting)
def test_a_setting_has_its_limit_and_its_line_with_the_default(limit):
    (default,) = [one.default for kind in KINDS[limit.protocol] for one in fields(kind) if one.name == limit.field]
    found = re.search(rf"^\| `{limit.setting}` \| `([^`]+)` \|", PAGE, re.M)
    assert found, f"docs/settings.md says nothing of {limit.setting}"
    assert limit.parse(found[1]) == default


def test_every_limit_that_a_server_reports_is_a_setting():
    reported = {f"MQTT_{name.upper()}" for name in mqtt.SETTINGS} | {f"OPCUA_{name.upper()}" for name in opcua.SETTINGS}
    reported |= {f"HTTP_{name.upper()}" for name in HTTP_SETTINGS} | {f"HUB_{name.upper()}" for name in hub.SETTINGS}
    reported |= {f"VRPC_{name.upper()}" for name in VRPC_SETTINGS}
    reported |= {usage.name for usage in ValueSpace(None).usage()}
    assert reported == set(LIMITS)
