"""A stock asyncua server, in a process of its own: what the attacks are first tried on.

Prints its port.  "strict" knows the same integrations as the tests' own server, "open" is as asyncua comes.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from pathlib import Path

from asyncua import Server, ua
from asyncua.crypto.permission_rules import User, UserRole

from protocols.opcua import certificate, nodes_cache
from tests.protocols.opcua.opcua_wire import NOW, SLOW, USERS


class Users:
    """asyncua's user manager; its call is synchronous, and so is whatever a real one does."""

    def get_user(self, iserver, username=None, password=None, certificate=None):
        if username == SLOW:
            time.sleep(2)  # a password hash that is worth its name
        return User(UserRole.User, username) if USERS.get(username) and password == "right" else None


async def main(folder: Path, kind: str) -> None:
    logging.disable(logging.CRITICAL)
    server = Server(user_manager=Users() if kind == "strict" else None)

    async def load(shelf_file: Path | None = None) -> None:  # as fast as ours; nothing else is changed
        server.iserver.aspace._nodes = await nodes_cache.load(nodes_cache.path_in(folder))

    server.iserver.load_standard_address_space = load
    server.iserver.min_session_timeout_ms = 100
    await server.init()
    own = certificate.prepare(folder / "stock", ["localhost"], NOW)
    server.iserver.certificate, server.iserver.private_key = own.certificate, own.key
    server.set_endpoint("opc.tcp://127.0.0.1:0/")
    if kind == "strict":
        server.set_identity_tokens([ua.UserNameIdentityToken])
    await server.register_namespace("urn:test")
    variable = await server.nodes.objects.add_variable(ua.NodeId("ada/secret", 2), "secret", 1)
    await variable.set_writable()
    await server.start()
    print(server.bserver._server.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
