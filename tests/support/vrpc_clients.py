"""Clients of PyPI's vrpc, told what to do by tests/support/vrpc.py; as tests/npm/vrpc/clients.mjs."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import logging
import sys
from collections.abc import Callable
from typing import Any

from vrpc import VrpcClient

clients: dict[str, VrpcClient] = {}
proxies: dict[int, Any] = {}
numbers = itertools.count(1)
under_way: set[asyncio.Task[None]] = set()


def say(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


@functools.cache
def listener(name: str, label: str) -> Callable[..., None]:
    """Return a function that tells what it is called with; the same for the same label, as a program would keep it."""
    return lambda *args: say(name=name, event="heard", label=label, arguments=args)


def unwrapped(name: str, args: list[Any]) -> list[Any]:
    return [listener(name, one["listener"]) if isinstance(one, dict) and "listener" in one else one for one in args]


def keep(proxy: Any) -> dict[str, Any]:
    number = next(numbers)
    proxies[number] = proxy
    return {"proxy": number, "instance": proxy.vrpc_instance_id}


async def connect(name: str, **options: Any) -> str:
    client = VrpcClient(**{**options, "timeout": options["timeout"] // 1000})
    decided: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def failed(error: Exception) -> None:
        say(name=name, event="error", message=str(error))
        if not decided.done():
            decided.set_exception(error)

    def connected() -> None:
        say(name=name, event="connect")
        decided.set_result(None)

    client.on("connect", connected)
    client.on("error", failed)
    client.on("agent", lambda told: say(name=name, event="agent", agent=told["agent"], status=told.get("status")))
    for event in ("instanceNew", "instanceGone"):
        client.on(event, functools.partial(_tell_of_instances, name, event))
    clients[name] = client
    await client.connect()
    await decided
    return client.get_client_id()


def _tell_of_instances(name: str, event: str, instances: list[str], told: dict[str, str]) -> None:
    say(name=name, event=event, agent=told["agent"], instances=instances)


async def call(name: str, className: str, functionName: str, args: list[Any], agent: str) -> Any:
    return await clients[name].call_static(className, functionName, unwrapped(name, args), agent)


async def callAll(name: str, className: str, functionName: str, args: list[Any], agent: str) -> Any:
    return await clients[name].call_all(className, functionName, unwrapped(name, args), agent)


async def create(
    name: str, className: str, instance: str, args: list[Any], agent: str, isIsolated: bool
) -> dict[str, Any]:
    return keep(await clients[name].create(className, instance, args, agent, isIsolated))


async def get(name: str, instance: str, agent: str, className: str) -> dict[str, Any]:
    return keep(await clients[name].get_instance(instance, agent, className))


async def invoke(name: str, proxy: int, functionName: str, args: list[Any]) -> Any:
    return await getattr(proxies[proxy], functionName)(*unwrapped(name, args))


async def delete(name: str, instance: str, agent: str, className: str) -> Any:
    return await clients[name].delete(instance, agent, className)


async def agents(name: str) -> dict[str, Any]:
    return clients[name].get_system_information()


async def end(name: str) -> None:
    await clients[name].end()


actions = {one.__name__: one for one in (connect, call, callAll, create, get, invoke, delete, agents, end)}


async def obey(id: int, action: str, **asked: Any) -> None:
    try:
        say(id=id, answer=await actions[action](**asked))
    except Exception as error:  # whatever a foreign client raises
        say(id=id, fault=str(error))


async def main() -> None:
    logging.disable()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        task = asyncio.create_task(obey(**json.loads(line)))
        under_way.add(task)
        task.add_done_callback(under_way.discard)


asyncio.run(main())
