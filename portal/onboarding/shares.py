"""What parts of the protocols worker show each other through the database: the requests that other nodes have.

A part writes what it knows while the window is open and another machine is up; it goes with the window.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from portal import presence
from portal.db import writing
from portal.models import OnboardingShare, Revision
from portal.onboarding import window

Known = dict[str, Any]  # what a part knows: "more", and lists of "requests" and "offers", each with "sealed"


def are_wanted(node_id: str, now: datetime) -> bool:
    """Tell whether there is another machine whose portal shows what this node knows."""
    own = _machine(node_id)
    return any(_machine(node.id) != own for node in presence.nodes_up(now))


def packed(known: Known) -> str:
    """Return what a part knows as text."""
    return json.dumps(known, default=lambda data: b64encode(data).decode())


def write(node_id: str, document: str, now: datetime) -> None:
    """Show others what a part knows, unless the window has been closed."""
    with writing():
        Revision.hold(window.ONBOARDING)
        if window.current(now) is not None:
            query = OnboardingShare.insert(node=node_id, document=document)
            query.on_conflict(conflict_target=[OnboardingShare.node], update={"document": document}).execute()


def read(now: datetime) -> Iterator[tuple[str, Known]]:
    """Return what each node that is up has written."""
    rows = list(OnboardingShare.select())
    up = {node.id for node in presence.nodes_up(now)} if rows else set()
    for row in rows:
        if row.node in up:
            known: Known = json.loads(row.document)
            for one in known["requests"] + known["offers"]:
                one["sealed"] = b64decode(one["sealed"])
            yield row.node, known


def _machine(node_id: str) -> str:
    return node_id.partition("-")[0]  # for the database each part of a machine is a node of its own
