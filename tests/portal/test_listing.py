"""The list: search, filters, sorting, pages and counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from portal import integrations, listing, presence
from portal.listing import Query
from portal.models import Integration
from portal.presence import Connected, Writer
from tests.support.databases import counted_queries

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def three(database, actor, sealer) -> dict[str, Integration]:
    """Three integrations: curie is online, noether inactive, turing neither."""
    made = {
        name: integrations.create(actor, sealer, type, username=name, note=note)
        for name, type, note in (
            ("turing", "mqtt", "Plant 7, 100% north"),
            ("curie", "mqtt", ""),
            ("noether", "opcua", "a_b"),
        )
    }
    integrations.set_active(made["noether"].id, False, actor)
    presence.start_node("node", NOW, {})
    Writer("node").write([Connected(str(n), made["curie"].id, "mqtt", "c", "192.0.2.1", NOW) for n in range(2)])
    return made


def names(now: datetime = NOW, **query) -> list[str]:
    return [row.integration.username for row in listing.read(Query(**query), now).rows]


def test_everything_is_listed_by_username(three):
    found = listing.read(Query(), NOW)
    assert [row.integration.username for row in found.rows] == ["curie", "noether", "turing"]
    assert [(row.online, row.connections) for row in found.rows] == [(True, 2), (False, 0), (False, 0)]
    assert found.counts == {"all": 3, "online": 1, "offline": 1, "inactive": 1}
    assert (found.total, found.matching, found.pages, found.first, found.last) == (3, 3, 1, 1, 3)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("all", ["curie", "noether", "turing"]),
        ("online", ["curie"]),
        ("offline", ["turing"]),
        ("inactive", ["noether"]),
    ],
)
def test_a_state_filters_and_its_count_is_the_number_of_its_rows(three, state, expected):
    assert names(state=state) == expected
    assert listing.read(Query(), NOW).counts[state] == len(expected)


def test_nobody_is_online_when_the_heartbeat_is_stale(three):
    found = listing.read(Query(), NOW + timedelta(seconds=6))
    assert found.counts["online"] == 0
    assert not any(row.online for row in found.rows)
    assert names(NOW + timedelta(seconds=6), state="online") == []


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("ur", ["curie", "turing"]),
        ("TURING", ["turing"]),
        ("plant 7", ["turing"]),
        ("100%", ["turing"]),
        ("a_b", ["noether"]),
        ("%", ["turing"]),
        ("_", ["noether"]),
        ("\\", []),
        ("'", []),
        ("nothing like it", []),
    ],
)
def test_a_search_finds_parts_of_usernames_and_notes_literally(three, search, expected):
    assert names(search=search) == expected


def test_a_type_filters_and_the_counts_follow(three):
    found = listing.read(Query(type="mqtt"), NOW)
    assert [row.integration.username for row in found.rows] == ["curie", "turing"]
    assert found.counts == {"all": 2, "online": 1, "offline": 1, "inactive": 0}
    assert found.total == 3


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("username", ["curie", "noether", "turing"]),
        ("-username", ["turing", "noether", "curie"]),
        ("type", ["curie", "turing", "noether"]),
        ("-type", ["noether", "curie", "turing"]),
        ("online", ["curie", "noether", "turing"]),
        ("-online", ["noether", "turing", "curie"]),
        ("last_login", ["curie", "noether", "turing"]),
        ("-last_login", ["curie", "noether", "turing"]),
        ("created_at", ["turing", "curie", "noether"]),
        ("-created_at", ["noether", "curie", "turing"]),
    ],
)
def test_every_column_sorts_both_ways(three, sort, expected):
    for offset, name in enumerate(("turing", "curie", "noether")):
        at = NOW + timedelta(seconds=offset)
        Integration.update(created_at=at).where(Integration.username == name).execute()
    assert names(sort=sort) == expected


@pytest.fixture
def many(database) -> None:
    rows = [
        {
            "username": f"u{number:03}",
            "sealed_password": b"x",
            "type": "mqtt",
            "created_at": NOW,
            "created_by": "test",
            "revision": 1,
        }
        for number in range(120)
    ]
    Integration.insert_many(rows).execute()


def test_pages_hold_fifty_rows_and_cover_everything(many):
    pages = [listing.read(Query(page=number), NOW) for number in (1, 2, 3)]
    assert [len(page.rows) for page in pages] == [50, 50, 20]
    assert [(page.first, page.last) for page in pages] == [(1, 50), (51, 100), (101, 120)]
    seen = [row.integration.username for page in pages for row in page.rows]
    assert seen == [f"u{number:03}" for number in range(120)]


def test_a_page_beyond_the_last_is_the_last(many):
    found = listing.read(Query(page=99), NOW)
    assert found.query.page == 3
    assert found.rows


def test_a_page_takes_a_fixed_number_of_queries(many):
    with counted_queries() as statements:
        listing.read(Query(), NOW)
    assert len(statements) <= 4, statements


def test_an_empty_list_has_one_empty_page(database):
    found = listing.read(Query(), NOW)
    assert (found.rows, found.pages, found.first, found.last, found.total) == ([], 1, 0, 0, 0)


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"q": "", "type": "", "state": "all", "sort": "username", "page": "1"},
        {"type": "pigeon", "state": "dead", "sort": "password", "page": "-1"},
        {"page": "0"},
        {"page": "x"},
        {"page": "\N{SUPERSCRIPT TWO}"},
        {"page": "9" * 400},
        {"sort": "--username"},
        {"q": "\0"},
    ],
)
def test_what_cannot_be_used_in_a_query_falls_back_to_its_default(args):
    assert Query.parse(args) == Query()


def test_a_query_survives_the_query_string():
    query = Query("plant 7", "mqtt", "online", "-last_login", 3)
    assert Query.parse(query.args()) == query
    assert Query().args() == {}
    assert query.args(page=1)["sort"] == "-last_login"


def test_a_second_click_on_a_column_turns_the_order():
    assert Query(sort="type").sorted_by("type") == "-type"
    assert Query(sort="-type").sorted_by("type") == "type"
    assert Query(sort="-type").sorted_by("username") == "username"
