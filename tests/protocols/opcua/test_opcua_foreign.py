"""Clients that are not ours: asyncua's own, and the old `opcua` that came before it."""

from __future__ import annotations

import asyncio
import threading
import warnings
from pathlib import Path

import pytest
from asyncua import Client, ua
from asyncua.crypto import security_policies

from tests.protocols.opcua.opcua_pair import URI, make

SECURITY = [None, "Sign", "SignAndEncrypt"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make(tmp_path_factory.mktemp("foreign"))


class Notified:
    def __init__(self) -> None:
        self.values: list[object] = []
        self.came = threading.Event()

    def datachange_notification(self, node: object, value: object, data: object) -> None:
        self.values.append(value)
        self.came.set()


async def asyncua_client(url: str, pair: tuple[Path, Path], mode: str | None, password: str) -> Client:
    client = Client(url)
    client.set_user("ada")
    client.set_password(password)
    client.application_uri = URI
    if mode is not None:
        policy = security_policies.SecurityPolicyBasic256Sha256
        own, key = map(str, pair)
        await client.set_security(policy, own, key, mode=getattr(ua.MessageSecurityMode, mode))
    return client


@pytest.mark.parametrize("mode", SECURITY)
def test_asyncua_reads_browses_and_subscribes(start, pair, mode: str | None) -> None:
    running = start()

    async def visit() -> list[object]:
        async with await asyncua_client(running.url, pair, mode, "right") as client:
            notified = Notified()
            subscription = await client.create_subscription(50, notified)
            await subscription.subscribe_data_change(client.nodes.server_state)
            assert len(await client.nodes.objects.get_children()) >= 3
            with pytest.raises(ua.uaerrors.BadUserAccessDenied):
                await client.nodes.server_state.write_value(1)
            assert await asyncio.to_thread(notified.came.wait, 10)
            await subscription.delete()
            return notified.values

    assert asyncio.run(visit()) == [0]


@pytest.mark.parametrize("mode", SECURITY)
def test_asyncua_is_told_of_a_wrong_password(start, pair, mode: str | None) -> None:
    running = start()

    async def visit() -> None:
        client = await asyncua_client(running.url, pair, mode, "wrong")
        with pytest.raises(ua.uaerrors.BadUserAccessDenied):
            await client.connect()

    asyncio.run(visit())


def old_client(url: str, pair: tuple[Path, Path], mode: str | None, password: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is old
        import opcua
    client = opcua.Client(url)
    client.set_user("ada")
    client.set_password(password)
    client.application_uri = URI
    if mode is not None:
        own, key = map(str, pair)
        client.set_security_string(f"Basic256Sha256,{mode},{own},{key}")
    return client


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", SECURITY)
def test_the_old_client_reads_and_subscribes(start, pair, mode: str | None) -> None:
    running = start()
    client = old_client(running.url, pair, mode, "right")
    client.connect()
    try:
        assert client.get_node("i=2259").get_value() == 0
        notified = Notified()
        subscription = client.create_subscription(50, notified)
        subscription.subscribe_data_change(client.get_node("i=2258"))
        assert notified.came.wait(10)
        subscription.delete()
    finally:
        client.disconnect()
    running.presence.wait_for(2)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", SECURITY)
def test_the_old_client_is_told_of_a_wrong_password(start, pair, mode: str | None) -> None:
    running = start()
    client = old_client(running.url, pair, mode, "wrong")
    with pytest.raises(Exception, match="User does not have permission"):
        client.connect()
    assert running.presence.events == []
