"""What the box of smart onboarding shows, which is above the list of integrations; and what rows say about it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from portal import clock
from portal.attempt import origin_of
from portal.kinds import KINDS
from portal.onboarding import ignored, requests, window
from portal.onboarding.offers import Offer
from portal.onboarding.requests import Found, Request
from portal.views import listeners, polls
from portal.views.current import settings


def context(said: str = "", *, bad: bool = False) -> dict[str, Any]:
    """Return what _onboarding.html shows; `said` is what came of a click."""
    now = clock.now()
    opened = window.current(now)
    found = requests.find(settings()) if opened is not None else Found()
    ignored_count = ignored.count()
    seen = (opened and (opened.id, opened.closes_at), found.requests, found.more, found.silent, ignored_count)
    return {
        "window": opened,
        "found": found,
        "rivals": {one.id: rivals(one, found.requests) for one in found.requests if one.is_rival},
        "addresses": listeners.ways(),
        "seconds_left": _seconds(opened.closes_at, now) if opened is not None else 0,
        "seconds_open": _seconds(opened.closes_at, opened.opened_at) if opened is not None else 0,
        "minutes": window.MINUTES,
        "ignored_count": ignored_count,
        "said": said,
        "said_bad": bad,
        "onboarding_version": polls.version(seen),
    }


def rivals(request: Request, requests: Iterable[Request]) -> list[str]:
    """Return in which other ways the username of a request is asked for, in words.

    The passwords are not known here: two requests that come in the same way from the same place differ by them.
    """
    others = [other for other in requests if other.username == request.username and other.id != request.id]
    return list(dict.fromkeys(_difference(request, other) for other in others))


def _difference(request: Request, other: Request) -> str:
    place = f"from {other.address}" if origin_of(other.address) != origin_of(request.address) else ""
    way = f"over {KINDS[other.protocol].label}" if other.protocol != request.protocol else ""
    return " ".join(filter(None, [way, place])) or "with another password"


def offers(now: datetime) -> dict[int, Offer]:
    """Return the passwords that known clients come with, by integration, while a window is open."""
    if window.current(now) is None:
        return {}
    return {offer.integration_id: offer for offer in requests.find(settings()).offers}


def _seconds(end: datetime, start: datetime) -> int:
    return max(0, round((end - start).total_seconds()))
