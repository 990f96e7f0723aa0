"""Modbus devices over TCP and over a line: pymodbus's own server, and devices that misbehave."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from edge_connector.connectors.modbus import Modbus
from edge_connector.connectors.modbus_tags import most
from edge_connector.connectors.tags import Span, blocks
from edge_connector.errors import ConfigFault, Refused, TimedOut
from edge_connector.settings import Table
from tests.edge_connector.maker import Maker
from tests.edge_connector.plc import Babbler, Line, Plc
from tests.support.processes import free_port

Make = Maker[Modbus]


@pytest.fixture(scope="module")
def plc() -> Iterator[Plc]:
    with Plc() as found:
        yield found


@pytest.fixture
def make(plc: Plc) -> Iterator[Make]:
    with Maker(Modbus, "plc", host="127.0.0.1", port=plc.port, seconds=1) as made:
        yield made


def test_values_are_read_with_their_type_and_scale(make: Make) -> None:
    plc = make(units=[1, 2])
    assert plc.read("holding", 0) == 10
    assert plc.read("holding", 1, "int16") == -1
    assert plc.read("holding", 2, "float32") == pytest.approx(123.456)
    assert plc.read("holding", 6, "string", 3) == "Hello"
    assert plc.read("holding", 0, count=2) == [10, 65_535]
    assert plc.read("input", 1, scale=0.1, offset=-5) == pytest.approx(15)
    assert plc.read("input", 0, unit=2) == 2
    assert plc.read("coil", 0, count=4) == [True, False, True, True]
    assert plc.read("discrete", 1) is False
    swapped = make(word_order="little")
    assert swapped.read("holding", 0, "uint32") == 65_535 * 65_536 + 10


def test_what_lies_side_by_side_is_read_by_one_request(make: Make, plc: Plc) -> None:
    device = make()
    tags = {f"r{address}": {"address": address} for address in range(10)} | {"c": {"table": "coil", "address": 2}}
    device.read_many(tags)
    before = plc.requests
    found = device.read_many(tags)
    assert (found["r0"], found["r9"], found["c"]) == (10, 7, True)
    assert plc.requests - before == 2


def test_blocks_hold_nothing_that_was_not_asked_for() -> None:
    place = (1, "holding")
    spans = [Span(place, *one) for one in ((0, 2), (2, 4), (1, 3), (6, 7), (100, 224), (224, 226))]
    assert blocks([*spans, Span((2, "holding"), 4, 5)], most) == [
        Span(place, 0, 4),
        Span(place, 6, 7),
        Span(place, 100, 224),
        Span(place, 224, 226),
        Span((2, "holding"), 4, 5),
    ]


def test_registers_that_do_not_exist_are_said_and_hold_up_nothing(make: Make) -> None:
    device = make()
    with pytest.raises(Refused, match="no such address"):
        device.read("holding", 500)
    found = device.read_many({"good": {"address": 9}, "gone": {"address": 10}, "more": {"address": 0, "count": 2}})
    assert found == {"good": 7, "gone": None, "more": [10, 65_535]}


def test_only_what_the_configuration_allows_is_read_and_written(make: Make) -> None:
    device = make(read=["holding:0-3", "coil:0"], write=["holding:4-5", "coil:1"])
    assert device.read("holding", 3) == 0xE979
    for call in (
        lambda: device.read("holding", 4),
        lambda: device.read("holding", 3, "uint32"),
        lambda: device.read("input", 0),
        lambda: device.read_many({"a": {"address": 0}, "b": {"address": 9}}),
        lambda: device.write("holding", 3, 1),
        lambda: device.write("holding", 5, 1, "uint32"),
        lambda: device.write("coil", 0, True),
        lambda: device.read("holding", 0, unit=2),
    ):
        with pytest.raises(Refused, match="not allowed"):
            call()
    assert make().read("holding", 5) == 0
    with pytest.raises(Refused, match="not allowed"):
        make().write("holding", 0, 1)


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        ({"address": 0, "type": ["uint16"]}, "one: type has to be one of uint16"),
        ({"address": 0, "table": ["coil"]}, "one: table has to be one of coil"),
        ({"address": "0"}, "one: address has to be a whole number"),
        ({"address": 0, "kind": "uint16"}, "one: a tag has no 'kind'"),
        (7, "one: a tag is an object"),
    ],
)
def test_a_tag_that_cannot_be_is_said(make: Make, definition: Any, why: str) -> None:
    with pytest.raises(Refused, match=why):
        make().read_many({"one": definition})


def test_what_is_written_is_read_again(make: Make) -> None:
    device = make(write=["holding", "coil"])
    assert device.write("holding", 4, -12.5, "float32") == 2
    assert device.read("holding", 4, "float32") == -12.5
    device.write("holding", 4, 21.5, "int16", 0.1)
    assert device.read("holding", 4) == 215
    assert device.write("coil", 1, [True, False]) == 2
    assert device.read("coil", 1, count=2) == [True, False]
    device.write("coil", 1, [False, True])
    device.write("holding", 4, [0, 0])


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (["holding", 0, "text"], "number"),
        (["holding", 0, 70_000], "no uint16"),
        (["holding", 0, True], "number"),
        (["coil", 0, 1], "boolean"),
        (["holding", 0, 5, "string"], "text"),
        (["holding", 65_535, 1, "uint32"], "beyond"),
        (["holding", 0, 1, "uint8"], "type has to be one of"),
        (["input", 0, 1], "not allowed"),
        (["shelf", 0, 1], "table has to be one of"),
    ],
)
def test_what_cannot_be_written_is_refused(make: Make, call: list[Any], why: str) -> None:
    with pytest.raises(Refused, match=why):
        make(write=["holding", "coil"]).write(*call)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00\x01\x00\x00\xff\xff\x01\x03",
        b"\x00\x01\x00\x00\x00\x03\x01\x03\x00",
        b"\x00",
    ],
    ids=["http", "long", "empty", "short"],
)
def test_a_device_that_answers_garbage_is_said_to_do_so(make: Make, answer: bytes) -> None:
    with Babbler(answer) as port:
        device = make(port=port, seconds=0.2, retries=0)
        for _ in range(2):
            with pytest.raises(Refused):
                device.read("holding", 0)


def test_a_device_that_is_away_is_said_to_be_and_found_when_it_is_back(make: Make) -> None:
    device = make(port=free_port(), seconds=0.3, retries=0)
    with pytest.raises(TimedOut, match="cannot be reached"):
        device.read("holding", 0)
    with Plc() as late:
        device = make(port=late.port)
        assert device.read("holding", 0) == 10
    with pytest.raises(TimedOut):
        device.read("holding", 0)


def test_a_line_is_read_as_well() -> None:
    with Line() as line, Plc(line.far):
        table = Table(
            "plc", {"serial": line.near, "parity": "N", "units": [1, 2], "seconds": 2, "write": ["holding:9"]}
        )
        device = Modbus("plc", table)
        assert device.read("holding", 2, "float32") == pytest.approx(123.456)
        assert device.read("input", 0, unit=2) == 2
        assert device.write("holding", 9, 8) == 1
        assert device.read("holding", 9) == 8
        device.close()


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"read": ["holding:x"]}, "plc.read has 'holding:x'"),
        ({"write": ["input"]}, "plc.write has 'input'"),
        ({"units": []}, "plc.units"),
        ({"units": [300]}, "plc.units"),
        ({"word_order": "middle"}, "plc.word_order"),
    ],
)
def test_a_wrong_configuration_is_named(values: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigFault, match=why):
        Modbus("plc", Table("plc", {"host": "127.0.0.1", **values}))
