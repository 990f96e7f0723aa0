"""Settings: what is read from the environment, and the one line that an unusable value gets."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from portal import config
from portal.config import SettingError
from portal.guard import Rules

GOOD_KEY = "0123456789abcdef"


def load(tmp_path: Path, **environ: str) -> config.Settings:
    return config.load({"DATA_DIR": str(tmp_path), **environ})


def test_without_any_variable_everything_has_a_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = config.load({})
    assert settings.host == "0.0.0.0"  # noqa: S104
    assert (settings.port, settings.mqtt_port) == (8000, 1883)
    assert settings.data_dir == tmp_path / "data"
    assert settings.database_url == f"sqlite:///{tmp_path}/data/gatehouse.db"
    assert settings.admin_email is None and settings.admin_password is None
    assert settings.trusted_proxies == 0
    assert settings.ports == {"mqtt": 1883, "mqtt-tls": 8883, "mqtt-ws": 8083, "mqtt-wss": 8084, "opcua": 4840}
    assert settings.mqtt_web and settings.needs_certificate
    assert settings.mqtt_sync == "full" and settings.mqtt_busy_poll == 200
    assert settings.tls_certificate is None and settings.tls_key is None


def test_given_values_are_used(tmp_path):
    settings = load(
        tmp_path,
        HOST="127.0.0.1",
        PORT="8080",
        MQTT_PORT="11883",
        MQTT_TLS_PORT="18883",
        MQTT_WS_PORT="18083",
        MQTT_WSS_PORT="18084",
        OPCUA_PORT="14840",
        OPCUA_ALLOW_NONE="off",
        OPCUA_REQUIRE_TRUST="ON",
        MQTT_WEB="off",
        MQTT_BUSY_POLL="0",
        MQTT_SYNC="Normal",
        TLS_CERTIFICATE="/etc/tls/chain.pem",
        TLS_KEY="/etc/tls/key.pem",
        DATABASE_URL="postgresql://u:p@db/gatehouse",
        SECRET_KEY=GOOD_KEY,
        ADMIN_EMAIL="ada@example.com",
        ADMIN_PASSWORD="correct horse",
        TRUSTED_PROXIES="1",
    )
    assert settings.host == "127.0.0.1"
    assert settings.port == 8080
    mqtt = {"mqtt": 11883, "mqtt-tls": 18883, "mqtt-ws": 18083, "mqtt-wss": 18084}
    assert settings.ports == {**mqtt, "opcua": 14840}
    assert settings.switches == {"OPCUA_ALLOW_NONE": False, "OPCUA_REQUIRE_TRUST": True}
    assert not settings.mqtt_web
    assert settings.mqtt_sync == "normal" and settings.mqtt_busy_poll == 0
    assert settings.tls_certificate == Path("/etc/tls/chain.pem")
    assert settings.tls_key == Path("/etc/tls/key.pem")
    assert settings.database_url == "postgresql://u:p@db/gatehouse"
    assert settings.secret_key == GOOD_KEY
    assert settings.admin_email == "ada@example.com"
    assert settings.admin_password == "correct horse"
    assert settings.trusted_proxies == 1


def test_a_variable_that_is_set_but_empty_counts_as_not_set(tmp_path):
    names = ("HOST", "PORT", "MQTT_PORT", "DATABASE_URL", "SECRET_KEY", "ADMIN_EMAIL")
    settings = load(tmp_path, **dict.fromkeys((*names, "ADMIN_PASSWORD", "TRUSTED_PROXIES"), ""))
    assert (settings.port, settings.mqtt_port, settings.admin_email) == (8000, 1883, None)


@pytest.mark.parametrize("value", ["off", "OFF", " off ", "0"])
def test_off_turns_bans_off(tmp_path, value):
    settings = load(tmp_path, GUESSES_PER_ADDRESS=value, GUESSES_PER_USERNAME="7")
    assert Rules.of(settings) == Rules(per_address=0, per_username=7, window=600, ban=600)


def test_the_rules_against_guessing_have_defaults_and_are_in_minutes(tmp_path):
    assert Rules.of(load(tmp_path)) == Rules(20, 20, 600, 600)
    assert Rules.of(load(tmp_path, GUESS_WINDOW="5", BAN_MINUTES="60")) == Rules(20, 20, 300, 3600)


@pytest.mark.parametrize("value", ["off", "OFF", " off "])
def test_off_turns_a_listener_off(tmp_path, value):
    settings = load(tmp_path, **dict.fromkeys(config.LISTENERS, value), MQTT_WEB=value)
    assert settings.mqtt_port is None
    assert settings.ports == {}
    assert not settings.mqtt_web and not settings.needs_certificate


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MQTT_SYNC", "off"),
        ("MQTT_BUSY_POLL", "1001"),
        ("OPCUA_PORT", "0"),
        ("OPCUA_ALLOW_NONE", "maybe"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "http"),
        ("PORT", "80.5"),
        ("PORT", "off"),
        ("PORT", "\N{SUPERSCRIPT TWO}"),
        ("PORT", "\N{ARABIC-INDIC DIGIT ONE}\N{ARABIC-INDIC DIGIT EIGHT}"),
        ("MQTT_PORT", "0"),
        ("MQTT_PORT", "70000"),
        ("MQTT_PORT", "no"),
        ("TRUSTED_PROXIES", "many"),
        ("WEB_CONCURRENCY", "0"),
        ("WEB_CONCURRENCY", "two"),
        ("GUESSES_PER_ADDRESS", "2"),
        ("GUESSES_PER_ADDRESS", "many"),
        ("GUESSES_PER_USERNAME", "1001"),
        ("GUESS_WINDOW", "0"),
        ("BAN_MINUTES", "off"),
        ("BAN_MINUTES", "9" * 5000),
        ("MQTT_PORT", "8000"),
        ("MQTT_TLS_PORT", "1883"),
        ("MQTT_WS_PORT", "8883"),
        ("MQTT_WSS_PORT", "8083"),
        ("MQTT_WSS_PORT", "wss"),
        ("MQTT_WEB", "8000"),
        ("DATABASE_URL", "postgresql://u@h:abc/x"),
        ("DATABASE_URL", "postgresql://[::1/x"),
        ("DATABASE_URL", "postgresql://u@h"),
        ("DATABASE_URL", "sqlite:///"),
        ("TRUSTED_PROXIES", "-1"),
        ("TRUSTED_PROXIES", "17"),
        ("DATABASE_URL", "mysql://localhost/gatehouse"),
        ("DATABASE_URL", "gatehouse.db"),
        ("SECRET_KEY", "short"),
        ("ADMIN_EMAIL", "ada@example.com"),  # without ADMIN_PASSWORD, which is what it has to name
        ("ADMIN_PASSWORD", "correct horse"),
    ],
)
def test_an_unusable_value_gives_one_line_that_names_the_variable(tmp_path, name, value):
    with pytest.raises(SettingError) as caught:
        load(tmp_path, **{name: value})
    other = {"ADMIN_EMAIL": "ADMIN_PASSWORD", "ADMIN_PASSWORD": "ADMIN_EMAIL"}
    message = str(caught.value)
    assert message.startswith(f"{other.get(name, name)}: ")
    assert "\n" not in message


@pytest.mark.parametrize(("given", "missing"), [("TLS_CERTIFICATE", "TLS_KEY"), ("TLS_KEY", "TLS_CERTIFICATE")])
def test_a_certificate_needs_its_key_and_a_key_its_certificate(tmp_path, given, missing):
    with pytest.raises(SettingError, match=f"^{missing}: must be set too"):
        load(tmp_path, **{given: "/etc/tls/one.pem"})


@pytest.mark.parametrize(
    ("email", "password", "named"),
    [
        ("ada.example.com", "correct horse", "ADMIN_EMAIL"),
        ("ada@example.com", "short", "ADMIN_PASSWORD"),
    ],
)
def test_an_unusable_first_account_names_the_variable(tmp_path, email, password, named):
    with pytest.raises(SettingError, match=f"^{named}: ") as caught:
        load(tmp_path, ADMIN_EMAIL=email, ADMIN_PASSWORD=password)
    assert password not in str(caught.value)


def test_a_refused_database_address_does_not_tell_its_password(tmp_path):
    with pytest.raises(SettingError) as caught:
        load(tmp_path, DATABASE_URL="mysql://u:hunter2@db/gatehouse")
    assert "hunter2" not in str(caught.value)


def test_a_data_folder_that_cannot_be_made_names_the_variable(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match="^DATA_DIR: "):
        config.load({"DATA_DIR": str(tmp_path / "file" / "data")})


def test_a_data_folder_that_is_a_file_names_the_variable(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match="^DATA_DIR: "):
        config.load({"DATA_DIR": str(tmp_path / "file")})


def test_the_data_folder_is_made_for_its_owner_alone(tmp_path):
    settings = config.load({"DATA_DIR": str(tmp_path / "a" / "b")})
    assert stat.S_IMODE(os.stat(settings.data_dir).st_mode) == 0o700


def test_the_generated_key_is_kept_and_readable_by_its_owner_alone(tmp_path):
    first = load(tmp_path).secret_key
    assert len(first) >= 43  # 256 bits
    assert load(tmp_path).secret_key == first
    assert stat.S_IMODE(os.stat(tmp_path / "secret-key").st_mode) == 0o600


def test_two_installations_generate_different_keys(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert load(tmp_path / "a").secret_key != load(tmp_path / "b").secret_key


def test_an_empty_key_file_is_refused(tmp_path):
    (tmp_path / "secret-key").write_text("")
    with pytest.raises(SettingError, match="^SECRET_KEY: .*secret-key"):
        load(tmp_path)


def test_a_key_file_of_binary_rubbish_is_refused(tmp_path):
    (tmp_path / "secret-key").write_bytes(b"\xff\xfe" * 20)
    with pytest.raises(SettingError, match="^SECRET_KEY: .*secret-key"):
        load(tmp_path)


def test_processes_that_start_at_once_agree_on_the_key(tmp_path):
    keys: set[str] = set()
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait(20)
        keys.add(load(tmp_path).secret_key)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret-key"]  # and no drafts are left


def test_write_once_leaves_an_existing_file_alone(tmp_path):
    path = tmp_path / "token"
    config.write_once(path, "first")
    config.write_once(path, "second")
    assert path.read_text() == "first"


@pytest.mark.parametrize("domain", ["a/b", "a+b", "$SYS", "x" * 129])
def test_a_domain_of_vrpc_that_is_none_stops_the_start(tmp_path, domain):
    with pytest.raises(config.SettingError, match="^VRPC_DOMAIN: "):
        config.load({"DATA_DIR": str(tmp_path), "VRPC_DOMAIN": domain})
