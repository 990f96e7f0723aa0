"""How agents and clients of VRPC connect: scripts for the packages `vrpc` on PyPI and npm, to copy."""

from __future__ import annotations

from portal.connect import PEM, Line, Login, Trust, script
from portal.listeners import Listener
from vrpc_topics import AGENT, CLIENT

PYTHON_AGENT = """\
import asyncio

from vrpc import VrpcAdapter, VrpcAgent


class Calculator:
    @staticmethod
    def add(a: float, b: float) -> float:
        return a + b


async def main():
    VrpcAdapter.register(Calculator)
    agent = VrpcAgent(
        broker={broker},
        domain={domain},
        agent="calculator",
        username={username},
        password={password},
    )
    await agent.serve()


asyncio.run(main())"""

PYTHON_CLIENT = """\
import asyncio

from vrpc import VrpcClient


async def main():
    client = VrpcClient(
        broker={broker},
        domain={domain},
        username={username},
        password={password},
    )
    connected = asyncio.Event()
    client.on("connect", connected.set)
    await client.connect()
    await connected.wait()
    print(await client.call_static("Calculator", "add", [1, 2], "calculator"))
    await client.end()


asyncio.run(main())"""

NODE_AGENT = """\
const {{ VrpcAdapter, VrpcAgent }} = require("vrpc");

class Calculator {{
  static add(a, b) {{
    return a + b;
  }}
}}

VrpcAdapter.register(Calculator);
const agent = new VrpcAgent({{
  broker: {broker},
  domain: {domain},
  agent: "calculator",
  username: {username},
  password: {password},
}});
agent.serve();"""

NODE_CLIENT = """\
const {{ VrpcClient }} = require("vrpc");

const client = new VrpcClient({{
  broker: {broker},
  domain: {domain},
  username: {username},
  password: {password},
}});

client.connect().then(async () => {{
  const call = {{ agent: "calculator", className: "Calculator", functionName: "add", args: [1, 2] }};
  console.log(await client.callStatic(call));
  client.end();
}});"""

SCRIPTS = {
    ("python", AGENT): ("An agent in Python, with pip install vrpc", PYTHON_AGENT),
    ("python", CLIENT): ("A client in Python, with pip install vrpc", PYTHON_CLIENT),
    ("node", AGENT): ("An agent in Node, with npm install vrpc", NODE_AGENT),
    ("node", CLIENT): ("A client in Node, with npm install vrpc", NODE_CLIENT),
}


def lines(listener: Listener, trust: Trust | None, login: Login, domain: str, role: str) -> list[Line]:
    """Return the scripts for a listener; Python's package speaks no WebSocket."""
    words = {
        "broker": script(listener.url),
        "domain": script(domain),
        "username": script(login.username),
        "password": script(login.shown),
    }
    return [
        Line(
            f"{listener.transport}-{language}-{kind}",
            title + _trusting(listener, trust, language),
            text.format(**words),
        )
        for (language, kind), (title, text) in SCRIPTS.items()
        if role in (kind, "both") and not (listener.is_websocket and language == "python")
    ]


def _trusting(listener: Listener, trust: Trust | None, language: str) -> str:
    """Say what has to be done for a certificate that signs itself."""
    if not listener.has_own_certificate or trust is None or not trust.signs_itself:
        return ""
    if language == "node":
        return "; the package does not check the certificate"
    return f"; run it with SSL_CERT_FILE={PEM} in its environment"
