"""Several servers as one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from protocols.contract import Traffic
from protocols.together import Together


class Model:
    """A server that remembers what it is told."""

    def __init__(self, name: str, told: list[Any]) -> None:
        self.name, self.told = name, told

    async def start(self, listeners, grants) -> None:
        self.told.append((self.name, "start", dict(listeners), grants))

    async def stop(self) -> None:
        self.told.append((self.name, "stop"))

    def connections(self, integration_id: int) -> list[str]:
        return [f"{self.name}{integration_id}"]

    def traffic(self) -> dict[int, Traffic]:
        return {1: Traffic(1, 2, 3, 4), ord(self.name): Traffic(5)}

    def usage(self) -> list[str]:
        return [f"{self.name}-limit"]

    def actions(self) -> dict[str, str]:
        return {f"{self.name}_act": self.name}

    def link_actions(self) -> dict[str, str]:
        return {f"{self.name}_link": self.name}

    def __getattr__(self, action: str):
        return lambda *arguments, **options: self.told.append((self.name, action, arguments, options))


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def both(told: list[Any]) -> Together:
    return Together({Model("a", told): ("tcp", "ws"), Model("b", told): ("http",)})


def test_listeners_are_handed_out_by_transport(both, told) -> None:
    asyncio.run(both.start({"http": ["h"], "tcp": ["t"], "ws": []}, {1: "grant"}))
    assert told == [
        ("a", "start", {"tcp": ["t"], "ws": []}, {1: "grant"}),
        ("b", "start", {"http": ["h"]}, {1: "grant"}),
    ]


def test_they_stop_in_the_opposite_order(both, told) -> None:
    asyncio.run(both.stop())
    assert told == [("b", "stop"), ("a", "stop")]


@pytest.mark.parametrize(
    ("action", "arguments", "options"),
    [
        ("disconnect", ([1], "why"), {"forget": True}),
        ("kick", (["c"], "why"), {}),
        ("permit", ({1: "grant"},), {}),
        ("switch", ({"X": True},), {}),
    ],
)
def test_what_changes_is_told_to_each(both, told, action, arguments, options) -> None:
    getattr(both, action)(*arguments, **options)
    assert told == [("a", action, arguments, options), ("b", action, arguments, options)]


def test_what_is_known_is_put_together(both) -> None:
    assert both.connections(7) == ["a7", "b7"]
    assert both.usage() == ["a-limit", "b-limit"]
    assert both.actions() == {"a_act": "a", "b_act": "b"}
    assert both.link_actions() == {"a_link": "a", "b_link": "b"}
    assert both.traffic() == {1: Traffic(2, 4, 6, 8), ord("a"): Traffic(5), ord("b"): Traffic(5)}
