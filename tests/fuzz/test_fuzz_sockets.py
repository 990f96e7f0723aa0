"""Random and hostile clients on real sockets, bounded; `python -m tests.fuzz sockets` and the like go on for longer."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz import doors, portal, running, sockets

SECONDS = 8.0
Attack = Callable[[int, float, Path], running.Run]


@pytest.mark.parametrize(
    ("attack", "seconds"),
    [
        pytest.param(sockets.run, SECONDS, id="sockets"),
        pytest.param(doors.run, SECONDS, id="doors"),
        pytest.param(portal.run, SECONDS / 2, id="portal", marks=pytest.mark.stack),
    ],
)
def test_two_clients_do_not_notice_what_others_do(
    attack: Attack, seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "ROUND", seconds / 2)
    seed = int.from_bytes(os.urandom(4), "big")
    attempt = attack(seed, seconds, tmp_path)
    assert attempt.number > 100 and attempt.exchanged > 20, (attempt.number, attempt.exchanged)
