"""Random clients of a real server, bounded; `python -m tests.fuzz sockets` goes on for longer."""

import os
from pathlib import Path

import pytest

from tests.fuzz import sockets

SECONDS = 8.0


def test_two_clients_do_not_notice_what_others_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "ROUND", SECONDS / 2)
    seed = int.from_bytes(os.urandom(4), "big")
    attempt = sockets.run(seed, SECONDS, tmp_path)
    assert attempt.number > 100 and attempt.exchanged > 20, (attempt.number, attempt.exchanged)
