"""The onboarding window, while which unknown clients are shown to operators: one at a time, for everybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from portal import activity, clock
from portal.db import writing
from portal.integrations import Actor
from portal.models import IgnoredClient, OnboardingDecision, OnboardingShare, OnboardingWindow, Revision, tuples
from portal.onboarding import decisions
from portal.onboarding.decisions import Decision

MINUTES = 10  # that it is open, and that extending adds
MOST_MINUTES = 60  # that it may be open from now
ONBOARDING = "onboarding"  # the name of the counter

OPENED, EXTENDED, CLOSED = "onboarding.opened", "onboarding.extended", "onboarding.closed"


class NotOpen(Exception):
    """There is no open window; the message is for the person who asked."""

    def __init__(self) -> None:
        super().__init__("Smart onboarding is closed. Open it, and have the client try again.")


@dataclass(frozen=True, slots=True)
class Stand:
    """What the protocol servers follow: the window with what is decided, who is ignored for good.

    The latter are (protocol, username, client id).
    """

    window: OnboardingWindow | None
    ignored: tuple[tuple[str, str, str], ...] = ()
    decided: tuple[Decision, ...] = ()


def current(now: datetime) -> OnboardingWindow | None:
    """Return the window that is open."""
    found: OnboardingWindow | None = OnboardingWindow.select().where(~_over(now)).first()
    return found


def open_one(actor: Actor, minutes: int = MINUTES) -> OnboardingWindow:
    """Open a window, or return the one that is open already."""
    now = clock.now()
    with writing():
        revision = Revision.bump(ONBOARDING)
        if (found := current(now)) is not None:
            return found
        _clear(True)
        made = OnboardingWindow.create(
            id=revision, opened_by=actor.name, opened_at=now, closes_at=now + _bounded(minutes)
        )
        _record(OPENED, now, actor, f"for {_told(made.closes_at - now)}")
    return made


def extend(actor: Actor, minutes: int = MINUTES) -> OnboardingWindow:
    """Have the window open for longer.  Raises `NotOpen`."""
    now = clock.now()
    with writing():
        Revision.bump(ONBOARDING)
        found = held(now)
        found.closes_at = min(found.closes_at + _bounded(minutes), now + timedelta(minutes=MOST_MINUTES))
        found.save(only=[OnboardingWindow.closes_at])
        _record(EXTENDED, now, actor, f"for {_told(found.closes_at - now)} from now")
    return found


def close(actor: Actor) -> bool:
    """Close the window; return whether it was open."""
    now = clock.now()
    with writing():
        Revision.bump(ONBOARDING)
        was_open = current(now) is not None
        _clear(True)
        if was_open:
            _record(CLOSED, now, actor, "")
    return was_open


def expire(now: datetime) -> bool:
    """Take away a window whose time is over, as after a restart; return whether there was one."""
    if not OnboardingWindow.select().where(_over(now)).exists():
        return False
    with writing():
        Revision.bump(ONBOARDING)
        gone = _clear(_over(now))
        if gone:
            activity.record(CLOSED, now, detail="its time was over")
    return gone


def held(now: datetime) -> OnboardingWindow:
    """Return the open window, in a transaction that depends on it.  Raises `NotOpen`."""
    found = current(now)
    if found is None:
        raise NotOpen
    return found


def read() -> Stand:
    """Return how it stands; a window whose time is over may be in it."""
    columns = (IgnoredClient.protocol, IgnoredClient.username, IgnoredClient.client_id)
    ignored = tuple(tuples(IgnoredClient.select(*columns)))
    return Stand(OnboardingWindow.select().first(), ignored, decisions.read())


class Follower:
    """Tells what has changed since the last look."""

    def __init__(self) -> None:
        self._revision = -1

    def look(self, revisions: Mapping[str, int]) -> Stand | None:
        """Return how it stands, or None while the counter stands still."""
        if revisions[ONBOARDING] == self._revision:
            return None
        found = read()
        self._revision = revisions[ONBOARDING]
        return found


def _clear(condition: Any) -> bool:
    """Take away a window with all that was kept for it; return whether there was one."""
    if not OnboardingWindow.delete().where(condition).execute():
        return False
    OnboardingDecision.delete().execute()
    OnboardingShare.delete().execute()
    return True


def _over(now: datetime) -> Any:
    """Return the condition for a window that is closed: by its time, or as a clock that was set back would keep it."""
    closes_at = OnboardingWindow.closes_at
    return (closes_at <= now) | (closes_at > now + timedelta(minutes=MOST_MINUTES))


def _bounded(minutes: int) -> timedelta:
    return timedelta(minutes=max(1, min(minutes, MOST_MINUTES)))


def _told(span: timedelta) -> str:
    minutes = max(1, round(span.total_seconds() / 60))
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def _record(kind: str, now: datetime, actor: Actor, detail: str) -> None:
    activity.record(kind, now, account=actor.name, address=actor.address, detail=detail)
