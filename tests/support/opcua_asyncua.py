"""asyncua's client, told what to do by tests/support/opcua.py: a line of JSON for each action, answer and event."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncua import Client, ua
from asyncua.client.ua_client import UaClientState
from asyncua.crypto import security_policies

GONE = {UaClientState.DISCONNECTED, UaClientState.RECONNECTING}

clients: dict[str, Client] = {}
watches: set[asyncio.Task[None]] = set()


def say(**line: Any) -> None:
    sys.stdout.write(json.dumps(line, default=str) + "\n")
    sys.stdout.flush()


class Handler:
    """Tells the values that come."""

    def __init__(self, name: str) -> None:
        self._name = name

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        status = data.monitored_item.Value.StatusCode
        say(name=self._name, event="value", value=value if status.is_good() else status.name)


async def connect(name: str, url: str, mode: str, policy: str, retry: bool = False, **asked: Any) -> None:
    client = Client(url, timeout=10)
    client.name = "asyncua"
    client.application_uri = asked["uri"]
    client.set_user(asked["username"])
    client.set_password(asked["password"])
    if mode != "None":
        chosen = getattr(security_policies, f"SecurityPolicy{policy}")
        await client.set_security(
            chosen, asked["certificate"], asked["key"], mode=getattr(ua.MessageSecurityMode, mode)
        )
    await client.connect(auto_reconnect=retry, reconnect_max_delay=1)
    clients[name] = client
    watches.add(asyncio.create_task(watch(name, client)))


async def watch(name: str, client: Client) -> None:
    """Tell when the socket is closed, and when there is another; the client's own callback is sometimes forgotten."""
    async with client.subscribe_state() as states:
        state, is_there = client.uaclient.state, True
        while True:
            if is_there and state in GONE:
                say(name=name, event="lost")
            elif not is_there and state is UaClientState.CONNECTED:
                say(name=name, event="back")
            is_there = state is UaClientState.CONNECTED or (is_there and state not in GONE)
            state = await states.next_change()


async def read(name: str, node: str) -> Any:
    return await clients[name].get_node(node).read_value()


async def write(name: str, node: str, type: str, value: Any) -> None:
    variant = ua.Variant(value, ua.VariantType[type])
    await clients[name].get_node(node).write_attribute(ua.AttributeIds.Value, ua.DataValue(variant))


async def publish(name: str, object: str, path: str, type: str, value: Any) -> None:
    method = ua.NodeId.from_string(f"{object}/publish")
    await clients[name].get_node(object).call_method(method, path, ua.Variant(value, ua.VariantType[type]))


async def add(name: str, object: str, path: str, type: str, value: Any) -> None:
    await clients[name].get_node(object).add_variable(2, path, ua.Variant(value, ua.VariantType[type]))


async def remove(name: str, node: str) -> None:
    _, (status,) = await clients[name].delete_nodes([clients[name].get_node(node)])
    status.check()


async def history(name: str, node: str) -> list[Any]:
    now = datetime.now(UTC)
    found = await clients[name].get_node(node).read_raw_history(now - timedelta(days=1), now + timedelta(days=1))
    return [one.Value.Value for one in found]


async def subscribe(name: str, node: str, interval: int) -> None:
    subscription = await clients[name].create_subscription(interval, Handler(name))
    await subscription.subscribe_data_change(clients[name].get_node(node))


async def close(name: str) -> None:
    await clients.pop(name).disconnect()


actions = {one.__name__: one for one in (connect, read, write, publish, add, remove, history, subscribe, close)}


async def main() -> None:
    logging.disable()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        try:
            say(answer=await actions[asked.pop("action")](**asked))
        except Exception as error:  # whatever a foreign client raises
            say(fault=f"{type(error).__name__}: {error}")


asyncio.run(main())
