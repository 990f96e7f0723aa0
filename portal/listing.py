"""Which integrations a list shows: search, filters, sorting, pages, and the counts beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import peewee as pw

from portal import presence
from portal.kinds import KINDS
from portal.models import Integration, tuples

PAGE_ROWS = 50
STATES = ("all", "online", "offline", "inactive")
SORTS = ("username", "type", "online", "last_login", "created_at")


@dataclass(frozen=True, slots=True)
class Query:
    """What a list asks for.  `sort` is one of SORTS, descending with a minus before it."""

    search: str = ""
    type: str = ""
    state: str = "all"
    sort: str = "username"
    page: int = 1

    @classmethod
    def parse(cls, args: Mapping[str, str]) -> Query:
        """Read a query string; what cannot be used falls back to its default."""
        type, state, sort = args.get("type", ""), args.get("state", "all"), args.get("sort", "")
        page = args.get("page", "1")
        return cls(
            search=args.get("q", "").replace("\0", "").strip()[:200],
            type=type if type in KINDS else "",
            state=state if state in STATES else "all",
            sort=sort if sort.removeprefix("-") in SORTS else "username",
            page=max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
        )

    def args(self, **changes: Any) -> dict[str, str]:
        """Return the query string of this query with changes, without what is at its default."""
        changed = replace(self, **changes)
        values = {
            "q": changed.search,
            "type": changed.type,
            "state": changed.state,
            "sort": changed.sort,
            "page": str(changed.page),
        }
        defaults = {"q": "", "type": "", "state": "all", "sort": "username", "page": "1"}
        return {name: value for name, value in values.items() if value != defaults[name]}

    def query_string(self) -> str:
        """Return the query string with its question mark, or nothing."""
        return f"?{urlencode(self.args())}" if self.args() else ""

    def sorted_by(self, column: str) -> str:
        """Return the sort that a click on a column's head asks for."""
        return f"-{column}" if self.sort == column else column


@dataclass(frozen=True, slots=True)
class Row:
    """An integration with the number of its open connections."""

    integration: Integration
    connections: int

    @property
    def online(self) -> bool:
        return self.connections > 0


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list."""

    query: Query
    rows: list[Row]
    counts: dict[str, int]  # by state, over all that match search and type
    total: int  # integrations at all

    @property
    def matching(self) -> int:
        return self.counts[self.query.state]

    @property
    def pages(self) -> int:
        return max(1, -(-self.matching // PAGE_ROWS))

    @property
    def first(self) -> int:
        """Return the number of the first row shown, counted from 1."""
        return (self.query.page - 1) * PAGE_ROWS + 1 if self.rows else 0

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1 if self.rows else 0


def read(query: Query, now: datetime) -> Listing:
    """Return the page that a query asks for, or the last one when there are fewer."""
    matching = _matching(query)
    counts = _counts(matching, now)
    total = counts["all"] if not (query.search or query.type) else Integration.select().count()
    pages = max(1, -(-counts[query.state] // PAGE_ROWS))
    query = replace(query, page=min(query.page, pages))
    selected = _in_state(matching, query.state, now).order_by(*_order(query.sort, now))
    shown = list(selected.paginate(query.page, PAGE_ROWS))
    return Listing(query, with_connections(shown, now), counts, total)


def everything(now: datetime) -> list[Row]:
    """Return all integrations by username."""
    return with_connections(list(Integration.select().order_by(Integration.username)), now)


def with_connections(integrations: Iterable[Integration], now: datetime) -> list[Row]:
    """Count the open connections of integrations."""
    integrations = list(integrations)
    counts = presence.count_by_integration([row.id for row in integrations], now)
    return [Row(row, counts.get(row.id, 0)) for row in integrations]


def as_json(row: Row) -> dict[str, object]:
    """Return an integration as the command line and the API show it, without its password."""
    integration = row.integration
    return {
        "id": integration.id,
        "username": integration.username,
        "type": integration.type,
        "active": integration.active,
        "online": row.online,
        "last_login": integration.last_login.isoformat() if integration.last_login else None,
        "connections": row.connections,
        "note": integration.note,
        "created_at": integration.created_at.isoformat(),
        "publish": list(integration.publish_filters),
        "subscribe": list(integration.subscribe_filters),
        "domain": integration.domain or None,
        "role": integration.role or None,
    }


def _matching(query: Query) -> pw.ModelSelect[Integration]:
    selected = Integration.select()
    if query.type:
        selected = selected.where(Integration.type == query.type)
    if query.search:
        text = query.search
        selected = selected.where(
            Integration.username.contains(text) | Integration.note.contains(text) | Integration.domain.contains(text)
        )
    return selected


def _counts(matching: pw.ModelSelect[Integration], now: datetime) -> dict[str, int]:
    """Count by state in one pass over what matches."""
    online = Integration.id.in_(presence.online_ids(now))
    (row,) = tuples(
        matching.select(
            pw.fn.COUNT(Integration.id),
            _sum_if(online),
            _sum_if(Integration.active == False),  # noqa: E712 - SQL
        )
    )
    everyone, connected, inactive = (int(value or 0) for value in row)
    return {
        "all": everyone,
        "online": connected,
        "offline": max(0, everyone - connected - inactive),  # a deactivated one is cut a moment later
        "inactive": inactive,
    }


def _sum_if(condition: Any) -> Any:
    return pw.fn.SUM(pw.Case(None, ((condition, 1),), 0))


def _in_state(matching: pw.ModelSelect[Integration], state: str, now: datetime) -> pw.ModelSelect[Integration]:
    if state == "online":
        return matching.where(Integration.id.in_(presence.online_ids(now)))
    if state == "offline":  # who could be online
        return matching.where(Integration.active, Integration.id.not_in(presence.online_ids(now)))
    if state == "inactive":
        return matching.where(Integration.active == False)  # noqa: E712 - SQL
    return matching


def _order(sort: str, now: datetime) -> list[Any]:
    """Return the order; ties, and integrations that never logged in, come last by username."""
    column, descending = sort.removeprefix("-"), sort.startswith("-")
    if column == "online":
        rank = pw.Case(None, ((Integration.id.in_(presence.online_ids(now)), 0),), 1)
        return [rank.desc() if descending else rank, Integration.username]
    field = getattr(Integration, column)
    ordered = field.desc(nulls="LAST") if descending else field.asc(nulls="LAST")
    return [ordered] if column == "username" else [ordered, Integration.username]
