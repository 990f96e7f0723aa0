"""Traffic of the last day: what is added to which half hour, what is kept, and what it costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from portal import integrations, traffic
from portal.models import Integration, Revision, Traffic
from portal.traffic import BUCKET, Bucket
from tests.support.databases import counted_queries, in_threads

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def turing(database, actor, sealer) -> Integration:
    return integrations.create(actor, sealer, "mqtt", username="turing")


def rows(integration, *counts: int) -> list[tuple[int, ...]]:
    return [(integration.id, *(counts or (1, 2, 30, 40, 60_000)))]


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return NOON.replace(hour=hour, minute=minute, second=second)


def test_what_happened_is_added_to_its_half_hour(turing):
    for moment in (at(12, 0), at(12, 29, 59), at(12, 30)):
        traffic.add(rows(turing), moment)
    found = {bucket.start: bucket for bucket in traffic.last_day(turing.id, at(12, 45))}
    assert found[at(12)] == Bucket(at(12), 2, 4, 60, 80, 120.0)
    assert found[at(12, 30)] == Bucket(at(12, 30), 1, 2, 30, 40, 60.0)
    assert Traffic.select().count() == 2


def test_a_day_is_48_half_hours_and_ends_with_the_one_that_runs(turing):
    traffic.add(rows(turing), at(12) - timedelta(hours=24))
    buckets = traffic.last_day(turing.id, at(12, 29))
    assert [bucket.start for bucket in buckets] == [at(12) - place * BUCKET for place in range(47, -1, -1)]
    assert buckets == [Bucket(bucket.start) for bucket in buckets], "what is older than a day is not in it"


def test_large_counts_are_kept(turing):
    traffic.add(rows(turing, 2**40, 0, 2**50, 0, 0), NOON)
    traffic.add(rows(turing, 2**40, 0, 2**50, 0, 0), NOON)
    assert traffic.last_day(turing.id, NOON)[-1].bytes_in == 2**51


def test_an_integration_that_was_deleted_meanwhile_is_left_out(turing, actor, sealer):
    gone = integrations.create(actor, sealer, "mqtt")
    integrations.delete(gone.id, actor)
    traffic.add(rows(gone) + rows(turing), NOON)
    assert [row.integration_id for row in Traffic.select()] == [turing.id]


def test_deleting_an_integration_takes_its_traffic_along(turing, actor):
    traffic.add(rows(turing), NOON)
    integrations.delete(turing.id, actor)
    assert Traffic.select().count() == 0


def test_nothing_to_add_writes_nothing(turing):
    with counted_queries() as statements:
        traffic.add([], NOON)
    assert statements == []


def test_the_number_of_statements_does_not_grow_with_the_integrations(turing, actor):
    common = {"sealed_password": b"", "type": "mqtt", "created_at": NOON, "created_by": "tests", "revision": 1}
    made = [{"id": 1000 + number, "username": f"u{number}", **common} for number in range(2000)]
    for start in range(0, len(made), 200):
        Integration.insert_many(made[start : start + 200]).execute()
    for _ in range(2):
        with counted_queries() as statements:
            traffic.add([(row["id"], 1, 1, 1, 1, 1) for row in made], NOON)
        assert len(statements) <= 4, statements
    assert Traffic.select().count() == 2000
    assert traffic.last_day(2500, NOON)[-1].messages_in == 2


def test_traffic_is_no_change_that_pages_poll_for(turing):
    before = Revision.values_now()
    traffic.add(rows(turing), NOON)
    traffic.prune(NOON)
    assert Revision.values_now() == before


def test_prune_keeps_a_day(turing):
    for hours in (0, 23, 26):
        traffic.add(rows(turing), NOON - timedelta(hours=hours))
    assert traffic.prune(NOON) == 1
    assert Traffic.select().count() == 2


def test_nodes_that_count_at_once_add_up_while_integrations_are_deleted(turing, actor, sealer):
    others = [integrations.create(actor, sealer, "mqtt") for _ in range(3)]
    every = [row for integration in (turing, *others) for row in rows(integration)]
    jobs = [lambda: traffic.add(every, NOON), lambda: traffic.add(every[::-1], NOON)] * 2
    jobs += [lambda id=other.id: integrations.delete(id, actor) for other in others]
    results = in_threads(*jobs)
    assert not [result for result in results if isinstance(result, Exception)], results
    assert traffic.last_day(turing.id, NOON)[-1].messages_in == 4
    assert Traffic.select().count() == 1
