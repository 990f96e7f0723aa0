"""What the tests of the pages of Edge Connectors share: an agent that can be managed, and what it answers."""

from __future__ import annotations

import html
import re
from typing import Any

from portal.models import Activity
from tests.portal.live_agents import a_class, function, param

CPU = function("cpu", reads=True, description="Tells how busy the processors are")
READ = function(
    "read", param("path", "string"), param("size", "integer | null", optional=True, default="100"), reads=True
)
WATCH = function("watch", param("path", "string"), param("listener", "function"), reads=True)
WRITE = function("write", param("path", "string"), param("text", "string"))
CLASSES = (
    a_class("EdgeConnector", function("status", is_static=True, reads=True)),
    a_class("Files", READ, WATCH, WRITE, instances=("box",)),
    a_class("System", CPU, instances=("machine",)),
)
STATUS: dict[str, Any] = {
    "name": "hall1", "version": "0.1.0", "python": "3.11.7", "host": "cell4", "system": "Linux x86_64",
    "uptime": 3_720.0, "connectors": {"box": "Files", "machine": "System"}, "feeds": 1,
    "connection": {"server": "gh:8883", "transport": "tls", "connections": 3, "trouble": ""},
    "values": {"buffered": 17, "buffered_bytes": 2_048, "under_way": 0, "sent": 4_211, "dropped": 0, "refused": 0,
               "trouble": ""},
    "update": {"possible": True, "state": "", "version": "", "error": ""},
}  # fmt: skip
FEED = {
    "name": "cpu", "connector": "machine", "function": "cpu", "topic": "plant/cpu", "interval": 5, "send": "change",
    "running": True, "readings": 40, "sent": 39, "faults": 1, "fault": "it took too long", "late": 2,
}  # fmt: skip
DEFINITION = {
    "connector": "box", "function": "read", "arguments": ["box/a.txt", None], "topic": "plant/a", "interval": 0.5,
    "send": "change", "deadband": 0.25, "spread": True, "retain": False,
}  # fmt: skip


def answers(**changes: Any) -> dict[str, Any]:
    """Return what an agent's management answers."""
    feeds = {"count": 1, "matching": 1, "feeds": [FEED]}
    return {"status": STATUS, "some_feeds": feeds, "log": ["first line", "last line"], "feed": DEFINITION} | changes


def polled(answer, id: str) -> str:
    """Return what a part of a page asks for."""
    (found,) = re.findall(rf'id="{id}"[^>]*data-poll="([^"]+)"', answer.text)
    return html.unescape(found)


def looked(answer, id: str) -> str:
    """Return what a part of a page that is shown asks for, with the version that it has."""
    (version,) = re.findall(rf'id="{id}"[^>]*data-version="(\w+)"', answer.text)
    address = polled(answer, id)
    return f"{address}{'&' if '?' in address else '?'}v={version}"


def recorded(prefix: str = "edge.") -> list[tuple[str, str, str]]:
    """Return what was put on record, without what creating does."""
    rows = Activity.select().where(Activity.kind.startswith(prefix)).order_by(Activity.id)
    return [(row.kind, row.username or "", row.detail) for row in rows if row.kind != "edge.created"]


def asked(live) -> list[tuple[str, str]]:
    """Return which functions were called with which arguments."""
    return [(call[4], call[5]) for call in live.calls]
