"""What values that expire leave behind."""

from __future__ import annotations

import gc
import weakref

from tests.protocols.hub.hub_bed import Bed


def used(bed: Bed, limit: str) -> int | None:
    [found] = [one.used for one in bed.hub.usage() if one.name == limit]
    return found


def test_a_topic_that_is_evicted_before_its_value_expires_leaves_nothing_behind() -> None:
    bed = Bed(topics=1).one("a", b"1", expires_in=10)
    entry = weakref.ref(bed.hub.entry("a"))
    bed.run("b", b"2").hub.get("b")
    gc.collect()
    assert entry() is None


def test_values_expire_also_after_the_clock_was_set_back() -> None:
    bed = Bed(expiry_interval=5.0)
    bed.hub.sweep()
    bed.clock.now -= 900
    bed.one("a", bytes(300), expires_in=10).hub.sweep()
    full = used(bed, "HUB_BYTES")
    assert full is not None
    bed.clock.now += 10
    bed.hub.sweep()
    assert used(bed, "HUB_BYTES") == full - 300


def test_since_says_when_a_message_has_expired_that_no_sweep_has_found_yet() -> None:
    bed = Bed().run("a", b"1")
    number = bed.hub.number
    bed.one("a", b"2", expires_in=10)
    assert not bed.hub.since(number, ["a"], 9)[1]
    bed.clock.now += 10
    assert bed.hub.since(number, ["a"], 9) == ([], True)
