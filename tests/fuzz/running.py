"""Attacks from many clients at once, beside two that must not notice them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Protocol

from tests.fuzz.bystanders import Bystander, exchange
from tests.support.processes import wait_until

CLIENTS = 12  # at once
ROUND = 15.0  # seconds between looks at what is left
GROWTH = 64 << 20  # bytes that there may be more than after the first round
FILES = 10  # open ones, the same


class Attack(Protocol):
    """One client, made of a seed and its number, from its first byte to its last."""

    async def run(self) -> None: ...


class Target(Protocol):
    """What is attacked; `faults` are what it should not have done."""

    @property
    def faults(self) -> list[str]: ...

    async def bystanders(self) -> tuple[Bystander, Bystander]:
        """Connect two clients that do everything right."""
        ...

    async def look(self) -> None:
        """See that it works."""
        ...

    def settle(self, bystanders: int) -> None:
        """Wait until nothing of the attacks is left; fail if something is."""
        ...

    def size(self) -> int:
        """Return how many bytes it has in memory."""
        ...

    def files(self) -> int:
        """Return how many files it has open."""
        ...

    def end(self) -> None: ...


class Run:
    """Attacks until the time is over, and looks in between at what they leave."""

    def __init__(self, seed: int, target: Target, attack: Callable[[int, int, Any], Attack]) -> None:
        self.number = 0
        self.exchanged = 0
        self.slowest = 0.0
        self.under_way: set[int] = set()
        self._size = self._files = 0
        self._seed = seed
        self._target = target
        self._make = attack

    async def go(self, seconds: float, only: int | None = None) -> None:
        """Attack for so many seconds, or with one attack of a former run only."""
        pair = await self._target.bystanders()
        until = time.monotonic() + seconds
        try:
            while (now := time.monotonic()) < until:
                await self._round(pair, min(until, now + ROUND), only)
                await asyncio.to_thread(self._target.settle, len(pair))
                self._measure()
        finally:
            for one in pair:
                one.close()

    async def _round(self, pair: tuple[Bystander, Bystander], until: float, only: int | None) -> None:
        async with asyncio.TaskGroup() as group:
            attacks = [group.create_task(self._attack(until, only)) for _ in range(CLIENTS)]
            group.create_task(self._watch(pair, attacks))

    async def _attack(self, until: float, only: int | None) -> None:
        while time.monotonic() < until:
            number = self.number if only is None else only
            self.number += 1
            self.under_way.add(number)
            await self._make(self._seed, number, self._target).run()
            assert not self._target.faults, "\n".join(self._target.faults)
            self.under_way.discard(number)

    async def _watch(self, pair: tuple[Bystander, Bystander], attacks: list[asyncio.Task[None]]) -> None:
        while not all(attack.done() for attack in attacks):
            took = await exchange(*pair, self.exchanged)
            self.slowest = max(self.slowest, took)
            self.exchanged += 1
            await self._target.look()
            await asyncio.sleep(0.005)

    def _measure(self) -> None:
        """See that nothing has grown since the first round."""
        size = self._target.size()
        self._size, self._files = self._size or size, self._files or self._target.files()
        assert size < self._size + GROWTH, f"grown from {self._size:,} to {size:,} bytes"
        wait_until(lambda: self._target.files() < self._files + FILES, what=f"no more than {self._files} open files")


def run(target: Target, attack: Callable[[int, int, Any], Attack], seed: int, seconds: float, only: int | None) -> Run:
    """Attack a target, then end it; raises what went wrong, with what was under way."""
    attempt = Run(seed, target, attack)
    try:
        try:
            asyncio.run(attempt.go(seconds, only))
        finally:
            target.end()
    except BaseException as error:
        error.add_note(f"seed {seed}; under way were attacks {sorted(attempt.under_way)}")
        raise
    return attempt
