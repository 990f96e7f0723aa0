"""What survives a restart, a kill, a damaged file and a full disk."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from asyncua import ua

from protocols.opcua.values import records
from protocols.opcua.values.keeper import StoreKeeper
from protocols.opcua.values.kinds import Kind
from protocols.opcua.values.limits import ValueLimits
from protocols.opcua.values.nodes import Nodes
from protocols.opcua.values.records import Record
from tests.protocols.opcua.values.values_pure import NOW, later, value

T = ua.VariantType
USERNAMES = {1: "a", 2: "b/c"}


class Keeping:
    """Nodes that are kept in a file; the loop is this thread, and `turn` runs what it was given."""

    def __init__(self, path: Path, usernames: dict[int, str] = USERNAMES, **limits: int) -> None:
        self.keeper = StoreKeeper(path, 1 << 20)
        self.nodes = Nodes(ValueLimits(**limits), self.keeper)
        self._calls: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self.found = self.keeper.open()
        self.keeper.load(self.nodes, usernames)
        self.keeper.start(lambda _, call: self._add(call), self._add)

    def _add(self, call: Callable[[], None]) -> None:
        with self._lock:
            self._calls.append(call)

    def turn(self) -> None:
        with self._lock:
            calls, self._calls = self._calls, []
        for call in calls:
            call()

    def settle(self, condition: Callable[[], bool] | None = None) -> None:
        """Go on until everything but history is written, or until something else is true."""
        deadline = time.monotonic() + 10
        while not (condition() if condition is not None else self.keeper.is_idle(but_history=True)):
            assert time.monotonic() < deadline, "it never happened"
            self.turn()
            time.sleep(0.001)

    def publish(self, integration_id: int, name: str, content: ua.DataValue) -> None:
        self.nodes.publish(self.nodes.adopt(integration_id, USERNAMES[integration_id]), name, content, NOW)

    def values(self) -> dict[str, object]:
        found = [node for folder in self.nodes.folders.values() for node in folder.nodes.values()]
        return {node.identifier: node.value.Value.Value for node in found if node.is_variable}


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[Callable[..., Keeping]]:
    """Make nodes that are kept in one file, one after the other; each is stopped before the next begins."""
    made: list[Keeping] = []

    def make(**options: object) -> Keeping:
        if made:
            made[-1].keeper.stop()
        made.append(Keeping(tmp_path / "opcua.db", **options))
        return made[-1]

    yield make
    made[-1].keeper.stop()


@pytest.mark.parametrize(
    "record",
    [
        Record(records.VARIABLE, 2**40, "ü/x", 2**50, Kind(T.Double), (value(1.5, at=NOW),)),
        Record(records.VARIABLE, 1, "x", 1, Kind(T.Int32, 2), (value([[1, 2], [3, 4]], T.Int32, at=NOW),)),
        Record(records.VARIABLE, 1, "x", 1, None, (value(None, at=NOW, code=0x80000000),)),
        Record(
            records.VARIABLE, 1, "x", 1, Kind(T.ExtensionObject), (value(ua.ExtensionObject(ua.NodeId(1, 7), b"1")),)
        ),
        Record(records.FOLDER, 1, "x/y"),
        Record(records.RING, 1, "x", values=tuple(value(one, at=later(one)) for one in range(3))),
        Record(records.RING, 1, "x"),
    ],
)
def test_a_record_is_read_as_it_was_written(record: Record) -> None:
    data = records.encode(record)
    assert records.is_whole(1, data)
    assert records.decode(data) == record


def test_a_damaged_record_is_not_whole() -> None:
    data = records.encode(Record(records.VARIABLE, 1, "x", 1, Kind(T.Double), (value(1.5),)))
    for position in range(len(data)):
        assert not records.is_whole(1, data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        assert not records.is_whole(1, data[:position])


def test_everything_is_there_again(keep: Callable[..., Keeping]) -> None:
    first = keep()
    for content in (1.0, 2.0, 3.0):
        first.publish(1, "x/y", value(content, at=later(content)))
    first.publish(2, "z", value(["a", "b"]))
    first.publish(2, "bad", value(None, code=ua.StatusCodes.BadSensorFailure))
    first.nodes.make_folder(first.nodes.folders[2], "empty")
    second = keep()
    assert second.values() == {"a/x/y": 3.0, "b%2Fc/z": ["a", "b"], "b%2Fc/bad": None}
    node = second.nodes.find("a/x/y")
    assert (node.writes, node.kind, node.value.SourceTimestamp) == (3, Kind(T.Double), later(3))
    assert [one[5] for one in node.ring.entries] == [1.0, 2.0, 3.0]
    assert second.nodes.find("b%2Fc/empty").is_kept
    assert second.nodes.find("b%2Fc/bad").value.StatusCode.name == "BadSensorFailure"
    assert (second.nodes.count, second.nodes.bytes) == (first.nodes.count, first.nodes.bytes)
    assert second.nodes.archive.bytes == first.nodes.archive.bytes


def test_what_was_committed_survives_without_a_stop(keep: Callable[..., Keeping], tmp_path: Path) -> None:
    first = keep()
    first.publish(1, "x", value(1))
    first.settle()
    with sqlite3.connect(f"file:{tmp_path}/opcua.db?mode=ro", uri=True) as db:
        (data,) = db.execute("SELECT data FROM record").fetchone()
    db.close()
    assert records.decode(data).values[0].Value.Value == 1


def test_of_many_writes_the_last_is_written(keep: Callable[..., Keeping]) -> None:
    first = keep()
    for number in range(10_000):
        first.publish(1, "x", value(number))
    first.settle()
    assert first.keeper._store.commits <= 3
    assert keep().values() == {"a/x": 9_999}


def test_deleted_nodes_and_those_of_deleted_integrations_are_gone(keep: Callable[..., Keeping]) -> None:
    first = keep()
    first.publish(1, "x/y", value(1))
    first.publish(1, "z", value(1))
    first.publish(2, "x", value(1))
    first.settle()
    first.nodes.delete(first.nodes.find("a/x/y"))
    second = keep()
    assert second.values() == {"a/z": 1, "b%2Fc/x": 1}
    third = keep(usernames={1: "renamed"})
    assert third.values() == {"renamed/z": 1}
    third.settle()
    assert len(keep().found) == 2, "a value and its history"


def test_history_is_bounded_when_it_is_there_again(keep: Callable[..., Keeping]) -> None:
    first = keep()
    for number in range(50):
        first.publish(1, "x", value(number))
    node = keep(history_values=10).nodes.find("a/x")
    assert [one[5] for one in node.ring.entries] == list(range(40, 50))


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 1_000])
def test_a_file_that_is_none_is_put_aside(
    keep: Callable[..., Keeping], tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (tmp_path / "opcua.db").write_bytes(content)
    keep().publish(1, "x", value(1))
    assert keep().values() == {"a/x": 1}
    aside = list(tmp_path.glob("opcua.db.damaged-*"))
    assert [one.read_bytes() for one in aside] == [content]
    assert "is now opcua.db.damaged-" in caplog.text


def test_what_is_whole_in_a_damaged_file_is_kept(
    keep: Callable[..., Keeping], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = keep()
    for number in range(300):
        first.publish(1, f"x{number}", value("v" * 500))
    first.keeper.stop()
    path = tmp_path / "opcua.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 8192] = b"\xff" * 8192
    path.write_bytes(content)
    second = keep()
    assert 0 < len(second.values()) < 300
    assert set(second.values().values()) == {"v" * 500}
    assert "opcua.db was damaged" in caplog.text
    assert len(list(tmp_path.glob("opcua.db.damaged-*"))) == 1
    second.publish(1, "new", value(1))
    assert keep().values()["a/new"] == 1


def test_a_file_of_another_program_is_left_as_it_is_and_put_aside(keep: Callable[..., Keeping], tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "opcua.db") as db:
        db.execute("CREATE TABLE record (id INTEGER PRIMARY KEY, data BLOB)")
    db.close()
    assert keep().found == []
    assert len(list(tmp_path.glob("opcua.db.damaged-*"))) == 1


def test_while_nothing_can_be_written_values_are_kept_in_memory_and_written_later(
    keep: Callable[..., Keeping], caplog: pytest.LogCaptureFixture
) -> None:
    first = keep()
    db = first.keeper._store._db
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")  # as a full disk
    caplog.set_level(logging.WARNING)
    for number in range(50):
        first.publish(1, f"x{number}", value("v" * 1_000))
    first.settle(lambda: first.keeper.is_failing)
    assert len(first.values()) == 50
    assert caplog.text.count("values are kept in memory only") == 1
    first.publish(1, "x0", value("last"))
    first.nodes.delete(first.nodes.find("a/x1"))
    db.execute("PRAGMA max_page_count = 100000")
    first.settle(lambda: "opcua.db can be written again" in caplog.text)
    assert not first.keeper.is_failing
    second = keep()
    assert len(second.values()) == 49 and second.values()["a/x0"] == "last"


def test_a_file_out_of_reach_does_not_stop_anything(keep: Callable[..., Keeping], tmp_path: Path) -> None:
    (tmp_path / "opcua.db").mkdir()
    first = keep()
    assert first.keeper.is_failing
    first.publish(1, "x", value(1))
    (tmp_path / "opcua.db").rmdir()
    first.settle(lambda: not first.keeper.is_failing)
    assert keep().values() == {"a/x": 1}


def test_a_value_that_cannot_be_stored_does_not_hold_up_others(
    keep: Callable[..., Keeping], caplog: pytest.LogCaptureFixture
) -> None:
    first = keep()
    first.publish(1, "x", value(1))
    first.publish(1, "y", value(2))
    first.nodes.find("a/x").value = value(object(), T.Double)
    assert keep().values() == {"a/y": 2}
    assert "a value of node 'x' cannot be stored" in caplog.text


def test_a_file_that_is_damaged_while_it_is_written_is_written_anew(
    keep: Callable[..., Keeping], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def execute(self, *_: object) -> None:
            error = sqlite3.DatabaseError("database disk image is malformed")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error

        def close(self) -> None:
            (tmp_path / "opcua.db").write_bytes(b"garbage" * 1_000)

    first = keep()
    first.publish(1, "quiet", value(1))
    first.publish(1, "loud", value(1))
    first.settle()
    first.keeper._store._db.close()
    first.keeper._store._db = Broken()
    first.publish(1, "loud", value(2))
    first.settle(lambda: first.keeper._store.recoveries == 1 and first.keeper.is_idle(but_history=True))
    assert "opcua.db was damaged" in caplog.text and "opcua.db can be written again" in caplog.text
    assert keep().values() == {"a/quiet": 1, "a/loud": 2}


def test_nodes_that_come_and_go_while_nothing_can_be_written_leave_no_trace(keep: Callable[..., Keeping]) -> None:
    first = keep()
    db = first.keeper._store._db
    db.execute("PRAGMA query_only = ON")
    for number in range(1_000):
        first.publish(1, f"x{number}", value(1))
        first.nodes.delete(first.nodes.find(f"a/x{number}"))
    first.publish(1, "kept", value(1))
    first.settle(lambda: first.keeper.is_failing)
    first.nodes.delete(first.nodes.find("a/kept"))
    first.publish(1, "last", value(1))
    first.turn()
    assert not first.keeper._gone
    db.execute("PRAGMA query_only = OFF")
    assert keep().values() == {"a/last": 1}
