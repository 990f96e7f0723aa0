"""Every hole of the stock server, tried on both: stock falls, ours stands."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocols.contract import Wait
from tests.protocols.opcua import attacks
from tests.protocols.opcua.opcua_wire import SLOW

Attack = Callable[[int], bool]
LIMITS = {"session_timeout": 30.0, "shortest_timeout": 0.1, "subscriptions": 50, "max_connections": 1_000}
FATAL = attacks.HARMFUL


def named(attack: Attack) -> str:
    return attack.__name__


@pytest.mark.parametrize("attack", [one for one in attacks.ATTACKS if one not in FATAL], ids=named)
def test_stock_falls(stock, attack: Attack) -> None:
    assert attack(stock("strict").port), "the attack shows nothing: it does not succeed where the hole is"


@pytest.mark.parametrize("attack", [one for one in attacks.ATTACKS if one in FATAL], ids=named)
def test_stock_falls_and_does_not_get_up(fresh_stock, attack: Attack) -> None:
    assert attack(fresh_stock.port), "the attack shows nothing: it does not succeed where the hole is"


@pytest.mark.parametrize("attack", attacks.OPEN_ATTACKS, ids=named)
def test_stock_as_it_comes_falls(stock, attack: Attack) -> None:
    assert attack(stock("open").port), "the attack shows nothing: it does not succeed where the hole is"


@pytest.mark.parametrize("attack", [*attacks.ATTACKS, *attacks.OPEN_ATTACKS], ids=named)
def test_ours_stands(start, attack: Attack, monkeypatch) -> None:
    monkeypatch.setattr(attacks, "PATIENCE", 20.0)
    running = start(**LIMITS)
    running.door.waits[SLOW] = [Wait(25.0)]
    assert not attack(running.port)
    running.client().value(attacks.STATE)
