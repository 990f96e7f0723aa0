"""What an operator switches on and off while the protocol servers run.

A switch whose setting is in the environment stands as it says there; else as it was left in the portal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from portal import activity, clock
from portal.config import Settings
from portal.db import writing
from portal.integrations import Actor
from portal.models import Revision, Switch, tuples

Setting = str


@dataclass(frozen=True, slots=True)
class Kind:
    """One switch; `setting` is its name everywhere."""

    setting: Setting
    label: str
    default: bool


SWITCHES = {
    kind.setting: kind
    for kind in (
        Kind("OPCUA_ALLOW_NONE", "security policy None", True),
        Kind("OPCUA_ALLOW_PLAINTEXT", "passwords in the clear", False),
        Kind("OPCUA_REQUIRE_TRUST", "trusted client certificates only", False),
    )
}


class Fixed(Exception):
    """The environment decides; the message says so."""


def read(settings: Settings) -> dict[Setting, bool]:
    """Return how every switch stands."""
    left = {name: bool(on) for name, on in tuples(Switch.select(Switch.name, Switch.on))}
    return {name: settings.switches.get(name, left.get(name, kind.default)) for name, kind in SWITCHES.items()}


def turn(setting: Setting, on: bool, actor: Actor, settings: Settings) -> None:
    """Turn a switch.  Raises `Fixed`, and KeyError for one that does not exist."""
    kind = SWITCHES[setting]
    if setting in settings.switches:
        raise Fixed(f"{setting} is set in the environment of the server, and can only be changed there.")
    with writing():
        Revision.bump("switches")
        if read(settings)[setting] == on:
            return
        Switch.insert(name=setting, on=on).on_conflict(conflict_target=[Switch.name], update={"on": on}).execute()
        kinds = "switch.on" if on else "switch.off"
        activity.record(kinds, clock.now(), account=actor.name, address=actor.address, detail=kind.label)


class Follower:
    """Tells what has changed since the last look."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._revision = -1

    def look(self, revisions: Mapping[str, int]) -> dict[Setting, bool] | None:
        """Return how the switches stand, or None while the counter stands still."""
        if revisions["switches"] == self._revision:
            return None
        found = read(self._settings)
        self._revision = revisions["switches"]
        return found
