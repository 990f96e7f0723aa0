"""Whose value a node has, when writes and messages cross; without sockets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asyncua import ua

from protocols.opcua.topics.folders import Folders
from protocols.opcua.topics.hub import Told
from protocols.opcua.topics.outbox import Outgoing
from protocols.opcua.values.watching import Watchers
from tests.protocols.opcua.values.values_pure import make_nodes

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Hub:
    """What is put into the outbox, and listened to."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.filters: list[str] = []

    def put(self, message: Outgoing) -> None:
        self.sent.append(message)

    def listen(self, filters: list[str]) -> None:
        self.filters += filters

    def unlisten(self, filters: list[str]) -> None:
        for one in filters:
            self.filters.remove(one)


class Bed:
    """The folders of ada, who has written what `write` says."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.now = NOW
        self.new: list[str] = []
        self.existing: set[str] = set()
        self.nodes = make_nodes()
        hub: Any = self.hub
        self.folders = self.nodes.outside = Folders(
            self.nodes, hub, lambda: self.now, self.new.append, self.existing.__contains__
        )
        self.ada = self.nodes.adopt(1, "ada")
        self.told: list[Any] = []
        self.number = 0

    def wants_all(self) -> bool:
        return True

    def changed(self, news: Any) -> None:
        self.told.append(news.value.Value.Value)

    def watch(self) -> None:
        node = self.ada.nodes["x"]
        node.watchers = Watchers()
        watcher: Any = self
        node.watchers.members[watcher] = None

    def write(self, value: float) -> Outgoing:
        node = self.nodes.publish(self.ada, "x", ua.DataValue(ua.Variant(value)), self.now)
        self.folders.wrote(node, 1)
        return self.hub.sent[-1]

    def comes(self, payload: bytes, number: int = 0) -> None:
        self.number += 1
        self.folders.heard(Told(number or self.number, "ada/x", payload, False, NOW.timestamp()))

    def arrives(self, message: Outgoing) -> None:
        self.number += 1
        self.folders.published(message, self.number)

    @property
    def value(self) -> Any:
        return self.ada.nodes["x"].value.Value.Value


@pytest.fixture
def bed() -> Bed:
    return Bed()


def test_a_message_that_the_hub_had_before_a_write_is_told_and_the_write_stays(bed):
    mine = bed.write(1.0)
    bed.watch()
    bed.comes(b"2.0")
    assert bed.value == 2.0
    bed.arrives(mine)
    assert bed.value == 1.0
    assert bed.told == [2.0, 1.0]
    assert not bed.folders._pending


def test_a_message_that_is_heard_of_late_is_told_and_the_write_stays(bed):
    bed.number = 5
    bed.arrives(bed.write(1.0))
    bed.watch()
    bed.comes(b"2.0", number=3)
    assert (bed.value, bed.told) == (1.0, [2.0, 1.0])


def test_a_message_that_overtook_a_write_and_came_later_stays(bed):
    mine = bed.write(1.0)
    bed.comes(b"2.0", number=9)
    bed.arrives(mine)
    assert bed.value == 2.0


def test_what_comes_back_of_a_write_is_not_written_again(bed):
    mine = bed.write(1.0)
    writes = bed.ada.nodes["x"].writes
    bed.folders.heard(Told(1, "ada/x", mine.payload, False, NOW.timestamp(), mine.mark))
    assert bed.ada.nodes["x"].writes == writes


def test_a_message_that_the_hub_had_after_a_write_stays(bed):
    mine = bed.write(1.0)
    bed.arrives(mine)
    bed.comes(b"2.0")
    assert bed.value == 2.0
    assert len(bed.hub.sent) == 1


def test_a_later_write_is_not_undone_by_what_comes_back_of_an_earlier_one(bed):
    first = bed.write(1.0)
    bed.comes(b"2.0")
    second = bed.write(3.0)
    bed.watch()
    bed.arrives(first)
    bed.arrives(second)
    assert bed.value == 3.0
    assert bed.told == []


def test_values_of_before_are_caught_up_with_where_they_are_newer_and_other(bed):
    bed.write(1.0)
    mine = bed.hub.sent[0]

    def catch_up(topic: str, payload: bytes, time: datetime, since: datetime) -> None:
        bed.folders.caught_up("ada", Told(9, topic, payload, False, time.timestamp()), since.timestamp())

    late, early = NOW + timedelta(seconds=1), NOW - timedelta(seconds=1)
    catch_up("ada/x", b"2.0", late, NOW)
    assert bed.value == 1.0, "what is to be published comes after it"
    bed.arrives(mine)
    catch_up("ada/x", b"1", early, NOW)
    assert bed.hub.sent == [mine]
    catch_up("ada/x", b"2.0", early, NOW)
    assert (bed.value, bed.hub.sent[1][:3]) == (1.0, ("ada/x", b"1.0", 1)), "it was not published before a restart"
    bed.arrives(bed.hub.sent[1])
    writes = bed.ada.nodes["x"].writes
    catch_up("ada/x", b"1.0", late, NOW)
    assert bed.ada.nodes["x"].writes == writes, "it has come back"
    catch_up("ada/x", b"2.0", late, NOW)
    assert bed.value == 2.0
    catch_up("ada/deleted", b"2.0", early, NOW)
    catch_up("ada/missed", b"2.0", late, NOW)
    assert set(bed.ada.nodes) == {"x", "missed"}


def test_a_topic_of_an_integration_that_has_never_logged_in_is_nobody_elses(bed):
    bed.write(1.0)
    bed.existing.add("ada/b")
    node = bed.nodes.publish(bed.ada, "b/c", ua.DataValue(ua.Variant(2.0)), NOW)
    bed.folders.wrote(node, 1)
    assert len(bed.hub.sent) == 1, "it is not published"
    bed.folders.heard(Told(9, "ada/b/c", b"3.0", False, NOW.timestamp()))
    assert node.value.Value.Value == 2.0


def test_a_node_that_was_deleted_does_not_come_back_by_what_is_older_in_a_folder_above(bed):
    bed.nodes.adopt(2, "ada/b")
    told = Told(9, "ada/b/c", b"2.0", False, NOW.timestamp())
    bed.folders.caught_up("ada", told, since=0.0)  # nothing was ever written in that folder
    bed.folders.caught_up("ada/b", told, since=NOW.timestamp() + 1)
    assert not bed.nodes.folders[2].nodes
    bed.folders.caught_up("ada/b", told, since=NOW.timestamp() - 1)
    assert set(bed.nodes.folders[2].nodes) == {"c"}


def test_folders_whose_name_is_no_topic_are_left_alone(bed):
    for number, name in enumerate(("a+b", "#", "$SYS", "x" * 65_600), 10):
        folder = bed.nodes.adopt(number, name)
        bed.folders.wrote(bed.nodes.publish(folder, "x", ua.DataValue(ua.Variant(1)), NOW), number)
        bed.nodes.forget([number])
    assert bed.hub.filters == ["ada/#"]
    assert bed.hub.sent == []
    assert bed.new == ["ada"]
