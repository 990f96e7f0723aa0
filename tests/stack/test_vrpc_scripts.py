"""The scripts of VRPC that the panel offers to copy: they are run as they stand, with the packages as they come."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from portal import connect_vrpc
from portal.connect import PEM, Login, Trust
from portal.listeners import SCHEMES, Listener
from tests.support import npm
from tests.support.processes import wait_until
from tests.support.stack import HOST, Session, Stack

pytestmark = pytest.mark.stack

DOMAIN = "acme.scripts"
ENDING = {"python": "py", "node": "cjs"}


def written(stack: Stack, folder: Path, transport: str, language: str, kind: str, integration: dict[str, Any]) -> Path:
    """Write the script down; each has a name of its own among those of its listener."""
    ports = {"tcp": stack.mqtt_port, "tls": stack.tls_port, "ws": stack.ws_port, "wss": stack.wss_port}
    name = "mqtt" if transport == "tcp" else f"mqtt-{transport}"
    listener = Listener("mqtt", transport, HOST, ports[transport], SCHEMES[name])
    login = Login(integration["username"], integration["password"])
    lines = connect_vrpc.lines(
        listener, Trust(signs_itself=True, names=[HOST], fingerprint="AB:CD"), login, DOMAIN, kind
    )
    (text,) = [line.text for line in lines if line.name == f"{transport}-{language}-{kind}"]
    path = folder / f"{language}-{kind}.{ENDING[language]}"
    path.write_text(text, "utf-8")
    return path


@contextmanager
def running(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable] if path.suffix == ".py" else [npm.program()]
    environ = {
        "PATH": "/usr/bin:/bin",
        "NODE_PATH": str(npm.FOLDER / "node_modules"),
        "SSL_CERT_FILE": str(path.parent / PEM),
    }
    process = subprocess.Popen(
        [*command, path.name], cwd=path.parent, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("transport", "agent", "client"),
    [
        ("tcp", "python", "python"),
        ("tcp", "node", "python"),
        ("tls", "python", "node"),
        ("tls", "node", "python"),
        ("ws", "node", "node"),
        ("wss", "node", "node"),
    ],
)
def test_a_client_and_an_agent_made_from_the_scripts_meet(stack: Stack, tmp_path, transport, agent, client):
    (tmp_path / PEM).write_text(Session(stack).log_in().get("/server/certificate.pem").text)
    serves = stack.add("vrpc", domain=DOMAIN, role="agent")
    calls = stack.add("vrpc", domain=DOMAIN, role="client")
    with running(written(stack, tmp_path, transport, agent, "agent", serves)):
        wait_until(lambda: stack.is_online(serves["username"]), what="the agent to be online")
        with running(written(stack, tmp_path, transport, client, "client", calls)) as caller:
            said, _ = caller.communicate(timeout=20)
    assert said.strip().splitlines()[-1] == "3", said
    stack.flask("integrations", "delete", serves["username"])  # the next one's script has the same agent's name
