"""A server of asyncua's with the values in it, and clients on loopback: nothing of what guards the real server."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from asyncua import Client, Node, Server, ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.address_space import NodeData
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession
from asyncua.server.user_managers import UserManager

from protocols.contract import Grant
from protocols.hits import Hits
from protocols.opcua.limits import Limits
from protocols.opcua.room import Rooms
from protocols.opcua.space import Caller
from protocols.opcua.subscriptions import Subscriptions
from protocols.opcua.values.limits import ValueLimits
from protocols.opcua.values.space import ValueSpace

ADA = Grant(1, "ada", (), ())  # as the portal makes them
BOB = Grant(2, "bob", (), ())


@functools.cache
def standard_nodes() -> dict[ua.NodeId, NodeData]:
    """Return the standard nodes, which take seconds to build: all servers share them, one after the other."""
    server = InternalServer()
    asyncio.run(server.load_standard_address_space())
    return server.aspace._nodes


class _Session(InternalSession):
    """Asks the space, as the real one does."""

    space: ValueSpace
    caller: Caller

    def activate_session(self, params: Any, peer_certificate: Any) -> Any:
        result = super().activate_session(params, peer_certificate)
        grant = self.iserver.grants[self.user.name]
        self.caller = Caller(grant, "client", "127.0.0.1")
        self.iserver.callers.append(self.caller)
        self.space.enter(grant)
        return result

    async def read(self, params: Any) -> Any:
        return await self.space.read(self.caller, params, super().read)

    async def write(self, params: Any) -> Any:
        return await self.space.write(self.caller, params, super().write)

    async def browse(self, params: Any) -> Any:
        found = await self.space.browse(self.caller, params, super().browse)
        for result in found:
            result.References = list(result.References)
        return found

    async def translate_browsepaths_to_nodeids(self, params: Any) -> Any:
        return await self.space.translate_browsepaths(self.caller, params, super().translate_browsepaths_to_nodeids)

    async def add_nodes(self, params: Any) -> Any:
        return await self.space.add_nodes(self.caller, params, super().add_nodes)

    async def delete_nodes(self, params: Any) -> Any:
        return await self.space.delete_nodes(self.caller, params, super().delete_nodes)

    async def call(self, params: Any) -> Any:
        return await self.space.call(self.caller, params, super().call)

    async def history_read(self, params: Any) -> Any:
        return await self.space.history_read(self.caller, params, super().history_read)

    async def create_subscription(self, params: Any, callback: Any, request_callback: Any = None) -> Any:
        room = self.iserver.rooms.of(self.caller.grant.integration_id)
        service = self.subscription_service
        return await service.create_subscription(params, callback, self.session_id, request_callback, room=room)

    async def create_monitored_items(self, params: Any) -> Any:
        return await self.space.create_monitored_items(self.caller, params, super().create_monitored_items)

    async def modify_monitored_items(self, params: Any) -> Any:
        return await self.space.modify_monitored_items(self.caller, params, super().modify_monitored_items)


class _Names(UserManager):
    """Lets everybody in by name."""

    def get_user(self, iserver: Any, username: Any = None, password: Any = None, certificate: Any = None) -> Any:
        # asyncua itself lets only an admin ask for AddNodes; the space decides.
        return User(role=UserRole.Admin, name=username) if username in iserver.grants else None


class _Inner(InternalServer):
    def __init__(self, space: ValueSpace, grants: dict[str, Grant]) -> None:
        super().__init__(_Names())
        self.space = space
        self.grants = grants
        self.callers: list[Caller] = []
        limits = Limits()
        self.rooms = Rooms(limits, Hits())
        self.subscription_service = Subscriptions(self.aspace, self, limits)

    async def start(self) -> None:
        await super().start()
        self.subscription_service.start(lambda error: None)

    async def load_standard_address_space(self, shelf_file: Path | None = None) -> None:
        self.aspace._nodes = dict(standard_nodes())

    async def stop(self) -> None:
        self.time_task.cancel()  # it would sleep to the end of its second
        self.time_task = None
        await self.subscription_service.stop()
        await super().stop()

    def create_session(self, name: str, user: Any = None, external: bool = False) -> InternalSession:
        session = _Session(self, self.aspace, self.subscription_service, name, external=external)
        session.space = self.space
        return session


class Bed:
    """One server and its clients; `async with` starts and stops them."""

    def __init__(self, path: Path) -> None:
        self.path = path / "opcua.db"
        self.limits = ValueLimits()
        self.grants = {grant.username: grant for grant in (ADA, BOB)}
        self._clients: list[Client] = []

    async def __aenter__(self) -> Bed:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self.space = ValueSpace(self.path, self.limits)
        self._inner = _Inner(self.space, self.grants)
        self.server = Server(iserver=self._inner)
        await self.server.init()
        self.server.set_endpoint("opc.tcp://127.0.0.1:0")
        self.server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        await self.space.start(self.server, {grant.integration_id: grant for grant in self.grants.values()})
        await self.server.start()
        self.port = self.server.bserver._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        for client in self._clients:
            await client.disconnect()
        self._clients.clear()
        await self.server.stop()
        await self.space.stop()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def client(self, username: str = "ada") -> Client:
        client = Client(f"opc.tcp://127.0.0.1:{self.port}", timeout=10)
        client.set_user(username)
        client.set_password("secret")
        await client.connect()
        self._clients.append(client)
        return client

    def forget_client(self, client: Client) -> None:
        """Leave a client alone that has gone."""
        self._clients.remove(client)

    def permit(self, *grants: Grant) -> None:
        """Change permissions, as the portal does."""
        by_id = {grant.integration_id: grant for grant in grants}
        for grant in grants:
            self.grants[grant.username] = grant
        for caller in self._inner.callers:
            caller.grant = by_id.get(caller.grant.integration_id, caller.grant)
        self.space.permit(by_id)


def node(client: Client, identifier: str) -> Node:
    """Return a node of the integrations' namespace."""
    return client.get_node(ua.NodeId(identifier, 2))


async def refusal(awaited: Awaitable[Any]) -> str:
    """Return the name of the StatusCode that something is refused with; "" if it is not."""
    try:
        await awaited
    except ua.UaStatusCodeError as error:
        return ua.StatusCode(error.code).name
    return ""


class Listener:
    """Collects notifications of a subscription."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.codes: list[str] = []

    def datachange_notification(self, node: Node, value: Any, data: Any) -> None:
        self.values.append(value)
        self.codes.append(data.monitored_item.Value.StatusCode.name)


async def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for something that is to happen soon."""
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never happened")
