"""Calls that pages have made, and how they ended, for as long as a page may ask."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from protocols.vrpc.caller import Caller
from protocols.vrpc.calls import FAILED, GONE, UNUSABLE, Outcome, Request
from protocols.vrpc.limits import Limits

WAITING, PROMISED = "waiting", "promised"


class _Errand:
    __slots__ = ("began", "ended_at", "number", "outcome", "size")

    def __init__(self, began: float) -> None:
        self.began = began
        self.number = 0
        self.outcome: Outcome | None = None
        self.ended_at = 0.0
        self.size = 0  # bytes of the whole result


class Desk:
    """Calls by a name that nobody can guess."""

    def __init__(self, limits: Limits, caller: Caller, now: Callable[[], float], token: Callable[[], str]) -> None:
        self._limits = limits
        self._caller = caller
        self._now = now
        self._token = token
        self._errands: dict[str, _Errand] = {}  # oldest first
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._errands)

    def call(self, request: Request, timeout: float | None) -> str:
        """Call a function, and return what its result is known by; raises Refused."""
        name = self._token()
        errand = _Errand(self._now())
        errand.number = self._caller.call(request, timeout, partial(self._ended, errand))
        self._errands[name] = errand
        return name

    def result(self, name: str) -> dict[str, object] | None:
        """Return how far a call has come; None if nothing is known of it any more."""
        errand = self._errands.get(name)
        if errand is None:
            return None
        outcome = errand.outcome
        if outcome is None:
            state = PROMISED if self._caller.is_promised(errand.number) else WAITING
            outcome = Outcome(state, "", "", self._now() - errand.began, state == PROMISED)
        return {
            "state": FAILED if outcome.state in (GONE, UNUSABLE) else outcome.state,
            "promise": outcome.is_promised,
            "result": outcome.result,
            "size": errand.size,
            "error": outcome.error,
            "seconds": outcome.seconds,
        }

    def sweep(self) -> None:
        """Forget results that are old, and the oldest when there are too many."""
        oldest = self._now() - self._limits.result_seconds
        for name, errand in list(self._errands.items()):
            too_much = len(self._errands) > self._limits.results or self._bytes > self._limits.results_bytes
            if errand.outcome is not None and (too_much or errand.ended_at < oldest):
                self._bytes -= len(errand.outcome.result)
                del self._errands[name]

    def _ended(self, errand: _Errand, outcome: Outcome) -> None:
        """Keep how a call ended, and of its result as much as a page is told."""
        whole = outcome.result.encode()
        shown = whole[: self._limits.result_bytes].decode(errors="ignore")
        errand.outcome, errand.ended_at, errand.size = outcome._replace(result=shown), self._now(), len(whole)
        self._bytes += len(shown)
