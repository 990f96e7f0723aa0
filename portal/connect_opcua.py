"""How a usual OPC UA client connects: a script to copy, and in words what to set where."""

from __future__ import annotations

from dataclasses import dataclass

from portal.connect import Line, Login, script
from portal.listeners import Listener

NODE = "demo"  # that the examples write to
NAMESPACE = "urn:gatehouse:integrations"

SECURED = """\
import asyncio
from pathlib import Path

from asyncua import Client
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from cryptography.x509.oid import ExtendedKeyUsageOID

APPLICATION = "urn:example:client"
CERTIFICATE, KEY = Path("client.der"), Path("client-key.pem")  # made at the first start


async def main():
    usage, subject = [ExtendedKeyUsageOID.CLIENT_AUTH], {{"commonName": "client"}}
    await setup_self_signed_certificate(KEY, CERTIFICATE, APPLICATION, "localhost", usage, subject)
    client = Client({url})
    client.application_uri = APPLICATION
    client.set_user({username})
    client.set_password({password})
    await client.set_security(SecurityPolicyBasic256Sha256, CERTIFICATE, KEY)  # SignAndEncrypt
    async with client:
        node = client.get_node({node})
        await node.write_value(21.5)  # makes the node, if it is missing
        print(await node.read_value())


asyncio.run(main())"""

UNSECURED = """\
import asyncio

from asyncua import Client


async def main():
    client = Client({url})
    client.set_user({username})
    client.set_password({password})  # is sent encrypted, all else is not
    async with client:
        node = client.get_node({node})
        await node.write_value(21.5)  # makes the node, if it is missing
        print(await node.read_value())


asyncio.run(main())"""


@dataclass(frozen=True, slots=True)
class Guide:
    """How one client is set up: lines to copy, or steps in words."""

    name: str
    label: str
    lines: tuple[Line, ...] = ()
    steps: tuple[str, ...] = ()


def guides(listener: Listener, login: Login, *, allows_none: bool) -> list[Guide]:
    """Return the guides; one without security only where the server allows it."""
    return [
        Guide("python", "Python", tuple(_scripts(listener, login, allows_none=allows_none))),
        Guide("uaexpert", "UaExpert", steps=_UAEXPERT),
        Guide("ignition", "Ignition", steps=_IGNITION),
        Guide("node-red", "Node-RED", steps=(*_NODE_RED, f"Topic: {node_id(login.username)};datatype=Double")),
    ]


def folder_id(username: str) -> str:
    """Return the node id of an integration's own folder: the first / in a node id always ends the username."""
    return f"ns=2;s={username.replace('%', '%25').replace('/', '%2F')}"


def node_id(username: str, name: str = NODE) -> str:
    """Return the node id of a node of an integration."""
    return f"{folder_id(username)}/{name}"


def _scripts(listener: Listener, login: Login, *, allows_none: bool) -> list[Line]:
    words = {
        "url": script(listener.url),
        "username": script(login.username),
        "password": script(login.shown),
        "node": script(node_id(login.username)),
    }
    found = [Line("opcua-secured", "With asyncua, signed and encrypted", SECURED.format(**words))]
    if allows_none:
        found.append(Line("opcua-none", "The same without security", UNSECURED.format(**words)))
    return found


_UAEXPERT = (
    "Server > Add, Custom Discovery: double-click to add the address above, and choose Basic256Sha256, Sign & Encrypt.",
    "Authentication: Username and password of this integration. Anonymous is refused.",
    "Connect. UaExpert shows the server's certificate: compare its thumbprint with the server page, then trust it.",
)
_IGNITION = (
    "OPC UA > Connections > Create: the address above, Basic256Sha256 with SignAndEncrypt.",
    "Username and password of this integration.",
    "The server's certificate waits under OPC UA > Security, Client: compare its thumbprint, then trust it.",
)
_NODE_RED = (
    "node-red-contrib-opcua, an OpcUa-Client node with a new endpoint: the address above, "
    "SecurityPolicy Basic256Sha256, SecurityMode SignAndEncrypt.",
    "Use credentials: username and password of this integration. Not anonymous.",
    "Action of the node: WRITE or SUBSCRIBE.",
)
