"""How a client connects: the lines that a person copies."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection
from dataclasses import dataclass

from portal.listeners import PATH, Listener

DOTS = "\N{BULLET}" * 8
PEM = "gatehouse.pem"  # the name under which the certificate is downloaded


@dataclass(frozen=True, slots=True)
class Line:
    """A line to copy; `name` tells lines of one integration apart."""

    name: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Trust:
    """Whether clients have to be told to trust the certificate, and the names that it is for."""

    signs_itself: bool
    names: Collection[str]
    fingerprint: str  # its SHA-256


@dataclass(frozen=True, slots=True)
class Login:
    """What a client logs in with; without a password dots are shown in its place."""

    username: str
    password: str | None

    @property
    def options(self) -> str:
        secret = shlex.quote(self.password) if self.password is not None else f"'{DOTS}'"
        return f"-u {shlex.quote(self.username)} -P {secret}"

    @property
    def shown(self) -> str:
        return self.password or DOTS

    @property
    def script(self) -> str:
        return f"{{ username: {script(self.username)}, password: {script(self.shown)} }}"


def lines(listener: Listener, trust: Trust | None, login: Login) -> list[Line]:
    """Return the lines for a listener."""
    if listener.protocol == "http":
        return _curl(listener, login)
    make = _websocket if listener.is_websocket else _mosquitto
    return make(listener, trust if listener.has_own_certificate else None, login)


def _mosquitto(listener: Listener, trust: Trust | None, login: Login) -> list[Line]:
    options = f"-h {shlex.quote(listener.host)} -p {listener.port}{_trusting(listener, trust)} {login.options}"
    return [
        Line(f"{listener.transport}-subscribe", "Listen to every topic", f"mosquitto_sub {options} -t '#' -v"),
        Line(f"{listener.transport}-publish", "Send a message", f"mosquitto_pub {options} -t demo/hello -m 'hello'"),
    ]


def _trusting(listener: Listener, trust: Trust | None) -> str:
    """Return the options by which Mosquitto's clients check the certificate."""
    if trust is None:
        return ""
    if not trust.signs_itself:
        return " --tls-use-os-certs"
    return f" --cafile {PEM}{'' if listener.host in trust.names else ' --insecure'}"


def _websocket(listener: Listener, trust: Trust | None, login: Login) -> list[Line]:
    address = f"-l {listener.scheme} -h {shlex.quote(listener.host)} -p {listener.port} --path {PATH}"
    ca = f" --ca {PEM}" if trust is not None and trust.signs_itself else ""
    return [
        Line(
            f"{listener.transport}-connect",
            "In a browser or Node, with MQTT.js",
            f"mqtt.connect({script(listener.url)}, {login.script})",
        ),
        Line(
            f"{listener.transport}-subscribe",
            "Listen to every topic in a terminal",
            f"npx mqtt sub {address}{ca} {login.options} -t '#' -v",
        ),
    ]


def _curl(listener: Listener, login: Login) -> list[Line]:
    url, user = listener.url, shlex.quote(f"{login.username}:{login.shown}")
    json_type = "-H 'Content-Type: application/json'"
    return [
        Line("http-me", "See who it is and what it may do", f"curl -u {user} {url}/me"),
        Line("http-write", "Write a value", f"curl -u {user} -X PUT {json_type} -d 21.5 {url}/values/demo/hello"),
        Line("http-read", "Read it", f"curl -u {user} {url}/values/demo/hello"),
        Line("http-follow", "Follow every topic", f"curl -N -u {user} -G --data-urlencode filter='#' {url}/messages"),
    ]


def script(text: str) -> str:
    """Return a text as JavaScript and Python spell it."""
    return json.dumps(text, ensure_ascii=False)
