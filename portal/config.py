"""Typed settings from the environment.  An unusable value raises `SettingError`, which names the variable."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from portal.limits import LIMITS
from vrpc_topics import domain_fault

SECRET_LENGTH = 16
PASSWORD_LENGTH = 8
SWITCHES = ("OPCUA_ALLOW_NONE", "OPCUA_ALLOW_PLAINTEXT", "OPCUA_REQUIRE_TRUST")
LISTENERS = {"MQTT_PORT": 1883, "MQTT_TLS_PORT": 8883, "MQTT_WS_PORT": 8083, "MQTT_WSS_PORT": 8084, "OPCUA_PORT": 4840}


class SettingError(Exception):
    """A setting cannot be used; the message is one line that starts with its name."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the environment decides.  Ports are None where the listener is turned off."""

    host: str
    port: int
    data_dir: Path
    database_url: str
    secret_key: str
    mqtt_port: int | None
    mqtt_tls_port: int | None
    mqtt_ws_port: int | None
    mqtt_wss_port: int | None
    opcua_port: int | None
    mqtt_web: bool
    mqtt_busy_poll: int  # microseconds
    mqtt_sync: str  # how a commit of the broker's store reaches the disk: "full" or "normal"
    tls_certificate: Path | None
    tls_key: Path | None
    admin_email: str | None
    admin_password: str | None
    trusted_proxies: int
    web_workers: int
    guesses_per_address: int  # 0 turns these bans off
    guesses_per_username: int
    guess_window: int  # minutes
    ban_minutes: int
    onboarding_hold: int  # seconds
    vrpc_domain: str  # of VRPC integrations that are made without one; "" has it follow from the first account
    switches: Mapping[str, bool] = field(default_factory=dict)  # those that the environment decides, by their settings
    limits: Mapping[str, float] = field(default_factory=dict)  # those that are set, by the settings' names

    @property
    def ports(self) -> dict[str, int]:
        """Return the port of each protocol listener that is turned on: "mqtt" over TCP, "mqtt-tls", and so on."""
        every = {
            "mqtt": self.mqtt_port,
            "mqtt-tls": self.mqtt_tls_port,
            "mqtt-ws": self.mqtt_ws_port,
            "mqtt-wss": self.mqtt_wss_port,
            "opcua": self.opcua_port,
        }
        return {name: port for name, port in every.items() if port is not None}

    def limits_of(self, protocol: str) -> dict[str, float]:
        """Return the limits of a server that are set, by its own names for them."""
        return {LIMITS[name].field: value for name, value in self.limits.items() if LIMITS[name].protocol == protocol}

    @property
    def needs_certificate(self) -> bool:
        """Tell whether a listener speaks TLS."""
        return self.mqtt_tls_port is not None or self.mqtt_wss_port is not None


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read all settings; makes the data folder and, without SECRET_KEY, a key in it (mode 0600)."""
    data_dir = _data_dir(environ)
    email, password = _admin(environ)
    port = _port(environ, "PORT", 8000)
    ports = _listeners(environ, port)
    certificate, key = _certificate(environ)
    return Settings(
        host=environ.get("HOST", "").strip() or "0.0.0.0",  # noqa: S104 - a server's default
        port=port,
        data_dir=data_dir,
        database_url=_database_url(environ, data_dir),
        secret_key=_secret_key(environ, data_dir),
        mqtt_port=ports["MQTT_PORT"],
        mqtt_tls_port=ports["MQTT_TLS_PORT"],
        mqtt_ws_port=ports["MQTT_WS_PORT"],
        mqtt_wss_port=ports["MQTT_WSS_PORT"],
        opcua_port=ports["OPCUA_PORT"],
        mqtt_web=_switch(environ, "MQTT_WEB"),
        mqtt_busy_poll=_count(environ, "MQTT_BUSY_POLL", 200, least=0, most=1000),
        mqtt_sync=_choice(environ, "MQTT_SYNC", "full", "normal"),
        tls_certificate=certificate,
        tls_key=key,
        admin_email=email,
        admin_password=password,
        trusted_proxies=_count(environ, "TRUSTED_PROXIES", 0, least=0),
        web_workers=_count(environ, "WEB_CONCURRENCY", 1, least=1),
        guesses_per_address=_guesses(environ, "GUESSES_PER_ADDRESS"),
        guesses_per_username=_guesses(environ, "GUESSES_PER_USERNAME"),
        guess_window=_count(environ, "GUESS_WINDOW", 10, least=1, most=1440),
        ban_minutes=_count(environ, "BAN_MINUTES", 10, least=1, most=1440),
        onboarding_hold=_count(environ, "ONBOARDING_HOLD", 20, least=0, most=25),
        vrpc_domain=vrpc_domain(environ),
        switches={name: _switch(environ, name) for name in SWITCHES if environ.get(name, "").strip()},
        limits=_limits(environ),
    )


def vrpc_domain(environ: Mapping[str, str] = os.environ) -> str:
    """Return the domain of VRPC integrations that are made without one; "" where it is not set."""
    domain = environ.get("VRPC_DOMAIN", "").strip()
    if domain and (fault := domain_fault(domain)):
        raise SettingError(f"VRPC_DOMAIN: {fault[0].lower()}{fault[1:-1]}; not {domain!r}")
    return domain


def _count(environ: Mapping[str, str], name: str, default: int, *, least: int, most: int = 16) -> int:
    text = environ.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not least <= int(text) <= most:
        raise SettingError(f"{name}: must be a number from {least} to {most}, not {text!r}")
    return int(text)


def _guesses(environ: Mapping[str, str], name: str) -> int:
    if environ.get(name, "").strip().lower() in {"off", "0"}:
        return 0
    try:
        return _count(environ, name, 20, least=3, most=1000)
    except SettingError as error:
        raise SettingError(f"{error}; 'off' turns these bans off") from None


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise SettingError(f"{name}: must be a port from 1 to 65535, not {text!r}")
    return int(text)


def _listener(environ: Mapping[str, str], name: str, default: int) -> int | None:
    if environ.get(name, "").strip().lower() == "off":
        return None
    try:
        return _port(environ, name, default)
    except SettingError as error:
        raise SettingError(f"{error}; 'off' turns this listener off") from None


def _limits(environ: Mapping[str, str]) -> dict[str, float]:
    """Return the limits that are set; the servers have defaults for the others."""
    found = {}
    for limit in LIMITS.values():
        if text := environ.get(limit.setting, "").strip():
            try:
                found[limit.setting] = limit.parse(text)
            except ValueError as error:
                raise SettingError(f"{limit.setting}: {error}") from None
    return found


def _listeners(environ: Mapping[str, str], port: int) -> dict[str, int | None]:
    """Return the ports of the protocol listeners, which must differ from each other and from the portal's."""
    found = {name: _listener(environ, name, default) for name, default in LISTENERS.items()}
    taken = {port: "PORT"}
    for name, number in found.items():
        if number in taken:
            raise SettingError(f"{name}: must be another port than {taken[number]}, which is {number}, too")
        if number is not None:
            taken[number] = name
    return found


def _switch(environ: Mapping[str, str], name: str) -> bool:
    return _choice(environ, name, "on", "off") == "on"


def _choice(environ: Mapping[str, str], name: str, default: str, other: str) -> str:
    text = environ.get(name, "").strip().lower() or default
    if text not in {default, other}:
        raise SettingError(f"{name}: must be '{default}' or '{other}', not {text!r}")
    return text


def _certificate(environ: Mapping[str, str]) -> tuple[Path | None, Path | None]:
    """Return the paths of the certificate and its key: both or none."""
    texts = {name: environ.get(name, "").strip() for name in ("TLS_CERTIFICATE", "TLS_KEY")}
    missing = [name for name, text in texts.items() if not text]
    if len(missing) == 1:
        raise SettingError(f"{missing[0]}: must be set too; a certificate and its key belong together")
    certificate, key = (Path(text).expanduser().absolute() if text else None for text in texts.values())
    return certificate, key


def _data_dir(environ: Mapping[str, str]) -> Path:
    path = Path(environ.get("DATA_DIR", "").strip() or "data").expanduser().absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(f"DATA_DIR: cannot make {path}: {error.strerror}") from None
    if not os.access(path, os.R_OK | os.X_OK):
        raise SettingError(f"DATA_DIR: cannot read {path}")
    return path


def _database_url(environ: Mapping[str, str], data_dir: Path) -> str:
    url = environ.get("DATABASE_URL", "").strip()
    if not url:
        return f"sqlite:///{quote(str(data_dir / 'gatehouse.db'))}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SettingError(f"DATABASE_URL: is no address of a database: {error}") from None
    if parts.scheme not in {"sqlite", "postgres", "postgresql"}:
        shown = f"not {parts.scheme!r}" if parts.scheme else "it has no scheme"
        raise SettingError(f"DATABASE_URL: must start with sqlite:// or postgresql://; {shown}")
    if port == 0 or len(parts.path) < 2:
        raise SettingError("DATABASE_URL: must end with the name of the database, or for SQLite the path of its file")
    return url


def _secret_key(environ: Mapping[str, str], data_dir: Path) -> str:
    """Return SECRET_KEY, else the generated key of the data folder."""
    given = environ.get("SECRET_KEY", "").strip()
    if given:
        if len(given) < SECRET_LENGTH:
            raise SettingError(f"SECRET_KEY: must have at least {SECRET_LENGTH} characters")
        return given
    path = data_dir / "secret-key"
    try:
        write_once(path, secrets.token_urlsafe(48))
        key = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"SECRET_KEY: is not set, and {path} cannot be used: {error}") from None
    if len(key) < SECRET_LENGTH:
        raise SettingError(f"SECRET_KEY: is not set, and {path} holds no usable key")
    return key


def write_once(path: Path, text: str) -> None:
    """Create a file of mode 0600 whole, or leave the one that exists; safe when two processes try at once."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _admin(environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    email = environ.get("ADMIN_EMAIL", "").strip() or None
    password = environ.get("ADMIN_PASSWORD", "") or None
    if (email is None) != (password is None):
        missing = "ADMIN_PASSWORD" if password is None else "ADMIN_EMAIL"
        raise SettingError(f"{missing}: must be set too; the first account needs both")
    if email is not None and "@" not in email:
        raise SettingError(f"ADMIN_EMAIL: must be an e-mail address, not {email!r}")
    if password is not None and len(password) < PASSWORD_LENGTH:
        raise SettingError(f"ADMIN_PASSWORD: must have at least {PASSWORD_LENGTH} characters")
    return email, password
