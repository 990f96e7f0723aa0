"""An agent of PyPI's vrpc: python -m tests.support.vrpc_agent BROKER DOMAIN AGENT; as tests/npm/vrpc/agent.mjs."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from typing import Any

from vrpc import VrpcAdapter, VrpcAgent

from tests.support.vrpc_classes import Lamp, Press


def say(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def obey(agent: VrpcAgent, serving: asyncio.Task[None]) -> None:
    """Do what the lines ask that are read."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        if asked["action"] == "create":
            agent.create(asked["className"], asked["instance"], asked["args"])
        else:
            await agent.end(asked["unregister"])
            serving.cancel()
        say(id=asked["id"], answer=None)


async def main(broker: str, domain: str, name: str) -> None:
    logging.disable()
    for one in (Press, Lamp):
        VrpcAdapter.register(one)
    credentials = {"username": os.environ.get("USERNAME"), "password": os.environ.get("PASSWORD")}
    agent = VrpcAgent(agent=name, domain=domain, broker=broker, version=os.environ.get("VERSION", ""), **credentials)
    agent.on("connect", lambda: say(event="connect"))
    agent.on("clientGone", lambda client: say(event="clientGone", client=client))
    serving = asyncio.create_task(agent.serve())
    obeying = asyncio.create_task(obey(agent, serving))
    try:
        await serving
        say(event="end")
    except Exception as error:  # it ends, as the package does it, and says why
        say(event="error", message=str(error))
    finally:
        obeying.cancel()
        os._exit(0)  # the thread that reads would wait for a line


asyncio.run(main(*sys.argv[1:]))
