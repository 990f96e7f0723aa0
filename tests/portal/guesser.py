"""Somebody who guesses, at the guard."""

from __future__ import annotations

from portal.attempt import Attempt
from portal.guard import Ban, Guard, Rules

RULES = Rules(per_address=5, per_username=5, window=600, ban=600)
HERE, THERE = "192.0.2.7", "198.51.100.1"
START = 1_000_000.0


class Door:
    """A guard with a clock, and the only right passwords: the username, reversed."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.guard = Guard(rules)
        self.now = START
        self.looked_at = 0

    def knock(self, username: str, password: str, address: str = HERE) -> str:
        """Go through one login, wait as asked; return "in", "wrong" or "turned away"."""
        attempt = Attempt("mqtt", username, password.encode(), address)
        pause = self.guard.approach(attempt, self.now)
        if pause is None:
            return "turned away"
        self.now += pause
        self.looked_at += 1
        if password == username[::-1]:
            self.guard.passed(attempt, self.now, guessed=pause > 0)
            return "in"
        if not pause:
            self.now += self.guard.guessed(attempt, self.now)
        self.guard.refused(attempt, self.now)
        return "wrong"

    def guess(self, count: int, username: str = "turing", address: str = HERE, mark: str = "") -> list[str]:
        return [self.knock(username, f"guess{mark}{number}", address) for number in range(count)]

    @property
    def bans(self) -> list[Ban]:
        return self.guard.unsaved(0)[0]
