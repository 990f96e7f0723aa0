"""Reads class infos beside everything else: so much in one turn of the loop, and the rest in the next ones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Generator

from protocols.hits import Hits
from protocols.vrpc.agents import Class
from protocols.vrpc.describing import ClassInfo, count, describe, read
from protocols.vrpc.limits import Limits
from protocols.vrpc.walking import text_of

Steps = Generator[int, None, None]
Soon = Callable[[Callable[[], object]], object]

LARGEST = "class_bytes"


class Reader:
    """Counts what is in each class info that came, and describes those that somebody wants to see.

    `counted` is told of each class whose counts or fault may have changed.
    """

    def __init__(self, limits: Limits, hits: Hits, counted: Callable[[Class], None]) -> None:
        self._limits = limits
        self._hits = hits
        self._counted = counted
        self._uncounted: dict[Class, None] = {}
        self._wanted: dict[Class, Steps] = {}
        self._counting: tuple[Class, Steps] | None = None
        self._described: OrderedDict[Class, tuple[int, ClassInfo]] = OrderedDict()  # those used last at the end
        self._size = 0
        self._is_awake = False
        self._soon: Soon
        self._read: Callable[[str], bytes]

    def connect(self, soon: Soon, read: Callable[[str], bytes]) -> None:
        """Take what calls in the next turn of the loop, and what returns the payload that a topic has retained."""
        self._soon, self._read = soon, read

    @property
    def is_idle(self) -> bool:
        """Say whether everything that came is counted."""
        return not self._uncounted and self._counting is None

    def changed(self, one: Class) -> None:
        """Count a class anew: another info of it has come, or it is gone."""
        self._forget(one)
        self._wanted.pop(one, None)
        if self._counting is not None and self._counting[0] is one:
            self._counting = None
        if one.is_known:
            self._uncounted[one] = None
            self._wake()
        else:
            self._uncounted.pop(one, None)

    def describe(self, one: Class) -> ClassInfo | None:
        """Return what a class has; None while a large info is still being read."""
        if one in self._described:
            self._described.move_to_end(one)
            return self._described[one][1]
        if one not in self._wanted:
            payload = self._read(one.whole)
            self._wanted[one] = self._describing(one, payload)
            if len(payload) <= self._limits.at_once:
                self._run(one)
            else:
                self._wake()
        return self._described[one][1] if one in self._described else None

    def work(self) -> None:
        """Read on for one turn of the loop."""
        self._is_awake = False
        left = self._limits.step
        while left > 0 and (steps := self._next()) is not None:
            for taken in steps:
                left -= taken
                if left <= 0:
                    break
            else:
                self._end(steps)
        if self._wanted or not self.is_idle:
            self._wake()

    def _next(self) -> Steps | None:
        """Return what to go on with: what somebody waits for comes first."""
        if self._wanted:
            return next(iter(self._wanted.values()))
        if self._counting is None and self._uncounted:
            one = next(iter(self._uncounted))
            del self._uncounted[one]
            self._counting = one, self._count(one)
        return self._counting[1] if self._counting is not None else None

    def _end(self, steps: Steps) -> None:
        if self._counting is not None and self._counting[1] is steps:
            self._counting = None
            return
        for one in [one for one, others in self._wanted.items() if others is steps]:
            del self._wanted[one]

    def _run(self, one: Class) -> None:
        for _ in self._wanted[one]:
            pass
        del self._wanted[one]

    def _count(self, one: Class) -> Steps:
        """Count in steps; counting costs 100 bytes at least, so that very many empty ones take several turns."""
        yield 100
        try:
            found = yield from read(self._text(self._read(one.short)), 0)
            one.count, one.fault = count(found), ""
        except ValueError as error:
            one.count, one.fault = count(_NOTHING), str(error)
        self._counted(one)

    def _describing(self, one: Class, payload: bytes) -> Steps:
        try:
            found = yield from read(self._text(payload), 2 * self._limits.functions)
            info = yield from describe(found, self._limits)
            fault = ""
        except ValueError as error:
            info, fault = ClassInfo([], [], []), str(error)
        if fault != one.fault:
            one.fault = fault
            self._counted(one)
        self._keep(one, len(payload), info)

    def _text(self, payload: bytes) -> str:
        most = self._limits.class_bytes
        if len(payload) > most:
            self._hits.add(LARGEST)
            raise ValueError(f"it has {len(payload):,} bytes, and may have {most:,} (VRPC_CLASS_BYTES)")
        return text_of(payload)

    def _keep(self, one: Class, size: int, info: ClassInfo) -> None:
        self._forget(one)
        self._described[one] = size, info
        self._size += size
        while self._size > self._limits.described and len(self._described) > 1:
            self._forget(next(iter(self._described)))

    def _forget(self, one: Class) -> None:
        if one in self._described:
            size, _ = self._described.pop(one)
            self._size -= size

    def _wake(self) -> None:
        if not self._is_awake:
            self._is_awake = True
            self._soon(self.work)


_NOTHING: dict[str, list[object]] = {"memberFunctions": [], "staticFunctions": [], "instances": []}
