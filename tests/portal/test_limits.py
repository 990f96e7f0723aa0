"""The limits that a setting can change."""

from __future__ import annotations

import pytest

from portal import config
from portal.config import SettingError
from portal.limits import LIMITS
from tests.support import databases


def load(tmp_path, **environ: str) -> dict[str, float]:
    return dict(config.load(databases.settings_for(tmp_path, **environ)).limits)


def test_only_what_is_set_is_handed_on(tmp_path):
    assert load(tmp_path) == {}
    assert load(tmp_path, MQTT_INFLIGHT="7", MQTT_SUBSCRIPTIONS=" ") == {"MQTT_INFLIGHT": 7}


def test_each_server_gets_its_own(tmp_path):
    settings = config.load(databases.settings_for(tmp_path, MQTT_INFLIGHT="7", OPCUA_NODES="20"))
    assert settings.limits_of("mqtt") == {"inflight": 7}
    assert settings.limits_of("opcua") == {"nodes": 20}


@pytest.mark.parametrize(
    ("setting", "text", "value"),
    [
        ("MQTT_MAX_PACKET", "65536", 65536),
        ("MQTT_MAX_PACKET", "16M", 16 * 2**20),
        ("MQTT_MAX_PACKET", "128k", 128 * 1024),
        ("MQTT_MAX_PACKET", "1MiB", 2**20),
        ("MQTT_QUEUE_TOTAL_BYTES", "2GB", 2 * 2**30),
        ("MQTT_CONNECT_TIMEOUT", "2.5", 2.5),
        ("MQTT_PUBLISH_RATE", "0", 0),
        ("MQTT_MAX_CONNECTIONS", "20000", 20000),
    ],
)
def test_values_may_be_given_as_people_write_them(tmp_path, setting, text, value):
    (found,) = load(tmp_path, **{setting: text}).values()
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("setting", sorted(LIMITS))
@pytest.mark.parametrize("text", ["x", "-1", "1e3", "1.5.5", "9" * 40, "\N{SUPERSCRIPT TWO}", "nan", "inf"])
def test_an_unusable_limit_stops_the_start_with_one_line_that_names_it(tmp_path, setting, text):
    with pytest.raises(SettingError) as caught:
        load(tmp_path, **{setting: text})
    message = str(caught.value)
    assert message.startswith(f"{setting}: must be ") and "\n" not in message
    assert message.endswith(f"not {text!r}")


@pytest.mark.parametrize("limit", LIMITS.values(), ids=lambda limit: limit.setting)
def test_the_bounds_themselves_are_allowed_and_nothing_beyond(limit):
    assert limit.parse(str(limit.least)) == limit.least
    assert limit.parse(str(limit.most)) == limit.most
    with pytest.raises(ValueError, match=r"^must be "):
        limit.parse(str(limit.most + 1))


def test_a_refused_size_says_how_one_is_written():
    with pytest.raises(ValueError, match=r"must be a size from 1K to 256M, such as 4K, not '12'"):
        LIMITS["MQTT_MAX_PACKET"].parse("12")
