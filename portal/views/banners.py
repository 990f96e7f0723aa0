"""What every page says above all else: which servers are down, what cannot be written, which certificates change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b

from flask import Flask, current_app

from portal import clock, presence, renewal
from portal.certificates import End, Notices
from portal.models import OnboardingWindow
from portal.onboarding import window
from portal.troubles import Trouble, Troubles
from portal.views.current import settings

PLACES = {"mqtt": "listeners", "opcua": "opcua"}  # where the page *Server* shows the certificate of a part


@dataclass(frozen=True, slots=True)
class Banners:
    """What there is to say now."""

    down: presence.Down
    troubles: tuple[Trouble, ...]
    is_blind: bool  # the servers run, and cannot write that, so that nobody is told to be online
    ends: tuple[End, ...]
    past: frozenset[str]  # the parts whose certificates should have been renewed, or have expired
    window: OnboardingWindow | None

    @property
    def version(self) -> str:
        """Return a word for this state."""
        opened = self.window and (self.window.id, self.window.closes_at)
        if not self.ends and not self.troubles and not opened:
            return self.down.version
        seen = (self.ends, sorted(self.past), self.troubles, self.is_blind, opened)
        told = blake2b(repr(seen).encode(), digest_size=6).hexdigest()
        return f"{self.down.version}-{told}"


def init_app(app: Flask) -> None:
    """Know the certificates, and let pages say what there is to say."""
    app.extensions["gatehouse_notices"] = Notices(app.extensions["gatehouse_settings"])
    app.extensions["gatehouse_troubles"] = Troubles()
    app.add_template_global(now, "banners_now")
    app.jinja_env.globals.update(CERTIFICATE_OF=renewal.OF, CERTIFICATE_AT=PLACES)


def now() -> Banners:
    """Return what there is to say now."""
    at = clock.now()
    ends = notices().now(at)
    past = frozenset(end.part for end in ends if end.at <= at)
    troubles: tuple[Trouble, ...] = current_app.extensions["gatehouse_troubles"].now()
    down = presence.down(settings(), at)
    is_blind = bool(troubles and down.protocols)  # who answers runs: on a full disk no heartbeat can be written either
    if is_blind:
        down = replace(down, protocols=(), everything=False)
    return Banners(down, troubles, is_blind, ends, past, window.current(at))


def notices() -> Notices:
    """Return what this process knows of the certificates."""
    found: Notices = current_app.extensions["gatehouse_notices"]
    return found
