"""How a client connects: the lines that a person copies into a terminal."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

DOTS = "\N{BULLET}" * 8


@dataclass(frozen=True, slots=True)
class Line:
    """A command line; `name` tells lines of one integration apart."""

    name: str
    title: str
    text: str


def lines(type: str, host: str, port: int, username: str, password: str | None) -> list[Line]:
    """Return the lines for an integration; without a password they show dots in its place."""
    if type != "mqtt":
        return []
    secret = shlex.quote(password) if password is not None else f"'{DOTS}'"
    login = f"-h {shlex.quote(host)} -p {port} -u {shlex.quote(username)} -P {secret}"
    return [
        Line("subscribe", "Listen to every topic", f"mosquitto_sub {login} -t '#' -v"),
        Line("publish", "Send a message", f"mosquitto_pub {login} -t demo/hello -m 'hello'"),
    ]
