"""Runs `async def` tests; those that ask for a `bed` run while its server does."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path

import pytest

from tests.protocols.opcua.values.values_bed import Bed, standard_nodes


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    standard_nodes()
    return Bed(tmp_path)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    async def run() -> None:
        if "bed" in wanted:
            async with wanted["bed"]:
                await pyfuncitem.obj(**wanted)
        else:
            await pyfuncitem.obj(**wanted)

    asyncio.run(run())
    return True
