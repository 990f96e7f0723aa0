"""What the agent of PyPI's vrpc offers, the same as tests/npm/vrpc/classes.cjs.

The package reads docstrings and annotations, and these only where they are no text, so they are evaluated here.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from pyee.base import EventEmitter


def _checked(pressure: float) -> float:
    if pressure > 100:
        raise ValueError(f"a pressure of {pressure} bar is too much")
    return pressure


class Press:
    """A press, which counts its strokes."""

    def __init__(self, pressure: float = 10) -> None:
        """A press, which counts its strokes

        :param pressure: Pressure in bar, 100 at most
        """
        self._events = EventEmitter()
        self._pressure = _checked(pressure)
        self._strokes = 0

    @staticmethod
    def add(a: float, b: float) -> float:
        """Adds two numbers

        :param a: First number
        :param b: Second number
        :returns: The sum
        """
        return a + b

    @staticmethod
    def echo(value: Any = None) -> Any:
        """Gives back what it gets

        :param value: Any JSON
        :returns: The same
        """
        return value

    @staticmethod
    def fail(message: str) -> None:
        """Fails at once

        :param message: What is said about it
        """
        raise ValueError(message)

    @staticmethod
    async def later(value: Any, milliseconds: float = 10) -> Any:
        """Promises a value

        :param value: Any JSON
        :param milliseconds: How long it takes
        :returns: The same
        """
        await asyncio.sleep(milliseconds / 1000)
        return value

    @staticmethod
    async def refuse(message: str, milliseconds: float = 10) -> None:
        """Breaks a promise

        :param message: What is said about it
        :param milliseconds: How long it takes
        """
        await asyncio.sleep(milliseconds / 1000)
        raise ValueError(message)

    @staticmethod
    async def never() -> None:
        """Promises what never comes"""
        await asyncio.Event().wait()

    @staticmethod
    def block(milliseconds: float) -> float:
        """Does nothing else for a while, and lets nobody else do anything

        :param milliseconds: How long it takes
        :returns: The same
        """
        time.sleep(milliseconds / 1000)
        return milliseconds

    @staticmethod
    def text(length: int) -> str:
        """Gives a text of a length

        :param length: Number of characters
        :returns: So many times the letter x
        """
        return "x" * length

    @staticmethod
    def report(value: Any, report: Callable[[Any], None]) -> bool:
        """Reports once, and says when it has

        :param value: What is reported
        :param report: Who is told
        :returns: Always true
        """
        report(value)
        return True

    def on(self, event: str, listener: Callable[..., None]) -> bool:
        """Tells of an event from now on

        :param event: Name of the event
        :param listener: Who is told
        :returns: Always true
        """
        self._events.add_listener(event, listener)
        return True

    def off(self, event: str, listener: Callable[..., None]) -> bool:
        """Tells of an event no longer

        :param event: Name of the event
        :param listener: Who was told
        :returns: Always true
        """
        self._events.remove_listener(event, listener)
        return True

    def strike(self, force: float = 1) -> int:
        """Makes strokes, each of which is an event "stroke" with its number and its force

        :param force: Force in kN
        :returns: How many there were so far
        """
        self._strokes += 1
        self._events.emit("stroke", self._strokes, force)
        return self._strokes

    def strokes(self) -> int:
        """Returns the number of strokes

        :returns: How many there were so far
        """
        return self._strokes

    def pressure(self) -> float:
        """Returns the pressure

        :returns: Pressure in bar
        """
        return self._pressure

    def adjust(self, pressure: float) -> float:
        """Changes the pressure

        :param pressure: Pressure in bar, 100 at most
        :returns: Pressure in bar
        """
        self._pressure = _checked(pressure)
        return self._pressure

    async def settle(self, milliseconds: float = 10) -> float:
        """Promises the pressure

        :param milliseconds: How long it takes
        :returns: Pressure in bar
        """
        await asyncio.sleep(milliseconds / 1000)
        return self._pressure


class Lamp:
    # Nothing of it is documented.

    @staticmethod
    def colours() -> list[str]:
        return ["red", "green"]

    def shine(self, colour: str) -> str:
        return f"shines {colour}"
