"""Random operations on a keeper come back, after an end in order and after a kill at any moment."""

from __future__ import annotations

import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keeping_model import Model, Running, describe_stored

from protocols.mqtt import store


@settings(max_examples=25)
@given(seed=st.integers(0, 10**9))
def test_random_operations_come_back(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("random") / "mqtt.db"
    chance = random.Random(seed)
    running = Running(path)
    model = Model(running.keeper, chance)
    for _ in range(200):
        model.act()
        if chance.random() < 0.3:
            running.turn()
    if chance.random() < 0.5:
        running.settle()
    running.stop()
    again = Running(path)
    assert describe_stored(again.stored) == model.describe()
    again.stop()


class Spy:
    """A connection that has the file copied, now and then, before or after a statement: what a kill leaves."""

    def __init__(self, db: sqlite3.Connection, copy: Callable[[], None]) -> None:
        self._db = db
        self._copy = copy

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        self._copy()
        done = self._db.execute(*arguments)
        self._copy()
        return done


@settings(max_examples=15)
@given(seed=st.integers(0, 10**9))
def test_a_kill_at_any_moment_leaves_a_whole_turn_that_is_not_older_than_what_was_acknowledged(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("killed")
    chance, copies = random.Random(seed), list[tuple[Path, int, int]]()
    acknowledged = 0
    running = Running(folder / "mqtt.db")
    model = Model(running.keeper, chance)
    turns = [model.describe()]

    def copy() -> None:
        if len(copies) < 8 and chance.random() < 0.1:
            at = folder / f"copy{len(copies)}" / "mqtt.db"
            at.parent.mkdir()
            first = acknowledged
            for suffix in ("", "-wal"):
                shutil.copy(f"{folder / 'mqtt.db'}{suffix}", f"{at}{suffix}")
            copies.append((at, first, len(turns)))

    def acknowledge(turn: int) -> None:
        nonlocal acknowledged
        acknowledged = turn

    running.settle()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_IDLE", 60.0)
        patch.setattr(running.keeper._store, "_db", Spy(running.keeper._store._db, copy))  # type: ignore[arg-type]
        for _ in range(150):
            model.act()
            if chance.random() < 0.4:
                turn = len(turns)
                turns.append(model.describe())
                running.keeper.after(lambda turn=turn: acknowledge(turn))
                running.turn()
                time.sleep(chance.choice((0, 0, 0.001)))
        running.stop()
    for at, first, last in copies:
        again = Running(at)
        assert describe_stored(again.stored) in [*turns[first : last + 1], model.describe()]
        again.stop()
