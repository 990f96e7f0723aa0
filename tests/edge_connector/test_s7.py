"""Siemens S7: a CPU of python-snap7, and devices that misbehave."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from edge_connector.connectors.s7 import S7
from edge_connector.connectors.s7_tags import requests
from edge_connector.connectors.tags import Span
from edge_connector.errors import ConfigFault, Refused, TimedOut
from edge_connector.settings import Table
from tests.edge_connector.holes import BlackHole
from tests.edge_connector.maker import Maker
from tests.edge_connector.plc import Babbler
from tests.edge_connector.s7_cpu import STATES, Cpu

Make = Maker[S7]

# What a device says first: that it takes the connection, by the standard (RFC 1006, ISO 8073).
TAKEN = bytes.fromhex("0300000b 06d0 0001 0001 00")


@pytest.fixture(scope="module")
def running() -> Iterator[Cpu]:
    with Cpu() as found:
        yield found


@pytest.fixture
def cpu(running: Cpu) -> Cpu:
    running.begin_anew()
    return running


@pytest.fixture
def make(cpu: Cpu) -> Iterator[Make]:
    with Maker(S7, "cpu", host="127.0.0.1", port=cpu.port, seconds=5) as made:
        yield made


@pytest.mark.parametrize(
    ("address", "type", "count", "value"),
    [
        ("DB1.DBD0", "float32", None, 123.5),
        ("DB1.DBW4", None, None, 65_535),
        ("DB1.DBW6", "int16", None, -2),
        ("DB1.DBB8", "float64", None, -0.1),
        ("DB1.DBD16", None, None, 4_000_000_000),
        ("db1.dbd20", "int32", None, -7),
        ("DB1.DBB24", None, None, 0b1000_0101),
        ("DB1.DBB24", "int8", None, -123),
        ("DB1.DBX24.2", None, None, True),
        ("DB1.DBX24.3", None, None, False),
        ("DB1.DBB26", "string", 10, "Größe"),
        ("DB1.DBB40", "wstring", 6, "öλ€"),
        ("DB1.DBB60", "datetime", None, "2026-11-26T08:15:30.250000"),
        ("DB1.DBB68", "dtl", None, "2026-11-26T08:15:30.250000"),
        ("DB1.DBW80", "int16", 10, list(range(10))),
        ("M3.1", None, None, True),
        ("MW2", None, None, 0x0203),
        ("I1.7", None, None, True),
        ("EB2", None, None, 3),
        ("QD0", None, None, 0),
    ],
)
def test_values_are_read_by_the_usual_addresses(
    make: Make, address: str, type: str | None, count: int | None, value: Any
) -> None:
    device = make()
    assert device.read(address, type, count) == value
    definition = {"address": address} | ({"type": type} if type else {}) | ({"count": count} if count else {})
    assert device.read_many({"a": definition, "b": {"address": "MB0"}}) == {"a": value, "b": 0}


def test_numbers_are_scaled(make: Make) -> None:
    device = make(write=["M"])
    assert device.read("DB1.DBW4", scale=0.1, offset=-5) == pytest.approx(6548.5)
    assert device.write("MW4", 21.5, "int16", 0.1) == 2
    assert device.read("MW4", "int16") == 215


@pytest.mark.parametrize("pdu", [240, 480])
def test_many_values_are_read_with_few_requests_that_a_pdu_has_room_for(make: Make, pdu: int) -> None:
    with Cpu(pdu) as cpu:
        device = make(port=cpu.port)
        tags = {f"w{byte}": {"address": f"DB1.DBW{byte}"} for byte in range(0, 200, 2)}
        tags |= {f"m{byte}": {"address": f"M{byte}.0"} for byte in range(0, 16, 2)}
        tags |= {"all": {"address": "DB1.DBB0", "count": 200}, "twice": {"address": "MB1"}}
        assert device.info()["pdu"] == pdu
        before = len(cpu.requests)
        found = device.read_many(tags)
        assert len(cpu.requests) - before == {240: 2, 480: 1}[pdu]
        assert found["all"] == list(cpu.db)
        assert [found[f"w{byte}"] for byte in (0, 84, 98)] == [0x42F7, 2, 9]
        assert (found["m2"], found["twice"]) == (False, 1)
        scattered = device.read_many({f"m{byte}": {"address": f"DB1.DBB{byte}"} for byte in range(0, 200, 3)})
        assert scattered == {f"m{byte}": cpu.db[byte] for byte in range(0, 200, 3)}
        assert cpu.largest <= pdu


def test_a_value_larger_than_a_pdu_is_read_and_written_in_parts(make: Make) -> None:
    with Cpu(128) as cpu:
        device = make(port=cpu.port, write=["DB1"])
        values = [byte % 256 for byte in range(57, 257)]
        assert device.write("DB1.DBB0", values) == 200
        assert device.read("DB1.DBB0", count=200) == values == list(cpu.db)
        assert cpu.largest <= 128


def test_requests_are_full_and_never_more_than_that() -> None:
    items = [Span(("DB", 1), byte, byte + 1) for byte in range(0, 100, 2)]
    assert [len(one) for one in requests(items, 480, 20)] == [20, 20, 10]
    assert [len(one) for one in requests(items, 64, 20)] == [4] * 12 + [2]
    assert [len(one) for one in requests([Span(("DB", 1), 0, 100)] * 3, 240, 20)] == [2, 1]


def test_what_the_device_does_not_have_is_said_and_holds_up_nothing(make: Make, cpu: Cpu) -> None:
    device = make(write=["DB1", "DB2"])
    assert device.read("MB0") == 0
    before = cpu.connections
    with pytest.raises(Refused, match="no such block"):
        device.read("DB2.DBD0")
    with pytest.raises(Refused, match="no such address"):
        device.read("DB1.DBD198")
    with pytest.raises(Refused, match="the device refuses"):
        device.write("DB2.DBW0", 1)
    cpu.db[60:68] = bytes(8)
    tags = {"good": {"address": "DB1.DBW198"}, "behind": {"address": "DB1.DBW200"}, "block": {"address": "DB7.DBX0.0"}}
    tags |= {"time": {"address": "DB1.DBB60", "type": "datetime"}, "next": {"address": "DB1.DBX196.0"}}
    found = device.read_many(tags)
    assert found == {"good": 0, "behind": None, "block": None, "time": None, "next": False}
    assert cpu.connections == before


def test_only_what_the_configuration_allows_is_read_and_written(make: Make, cpu: Cpu) -> None:
    device = make(read=["DB1:0-7", "DB12", "M:2"], write=["DB1:24", "DB1:80-83", "Q"])
    assert device.read("DB1.DBW6", "int16") == -2
    assert device.read("M2.1") is True
    before = len(cpu.requests)
    for call in (
        lambda: device.read("DB1.DBW7"),
        lambda: device.read("DB1.DBB8"),
        lambda: device.read("DB2.DBB0"),
        lambda: device.read("MB3"),
        lambda: device.read("IB0"),
        lambda: device.read_many({"a": {"address": "DB1.DBB0"}, "b": {"address": "DB1.DBB0", "count": 9}}),
        lambda: device.write("DB1.DBB25", 1),
        lambda: device.write("DB1.DBX23.7", True),
        lambda: device.write("DB1.DBD82", 1),
        lambda: device.write("DB1.DBW80", [1, 2, 3]),
        lambda: device.write("DB1.DBB26", "x", "string"),
        lambda: device.write("IB0", 1),
    ):
        with pytest.raises(Refused, match="not allowed by the agent's configuration"):
            call()
    assert len(cpu.requests) == before
    assert device.write("QB1", 5) == 1
    assert make(read=["DB"]).read("DB1.DBB0") == 0x42
    with pytest.raises(Refused, match="not allowed"):
        make().write("DB1.DBB0", 1)


def test_what_is_written_is_read_again_and_nothing_beside_it_is_changed(make: Make, cpu: Cpu) -> None:
    device = make(write=["DB1", "M"])
    before = bytes(cpu.db)
    for address, value, *type in [
        ("DB1.DBD0", -12.5, "float32"),
        ("DB1.DBB8", 1e300, "float64"),
        ("DB1.DBX24.1", True),
        ("DB1.DBX24.7", False),
        ("DB1.DBB60", "2031-02-03T04:05:06.789000", "datetime"),
        ("DB1.DBB68", "2031-02-03T04:05:06.789000", "dtl"),
        ("DB1.DBW82", [-1, 32_767], "int16"),
    ]:
        device.write(address, value, *type)
        assert device.read(address, *(type or [None]), len(value) if isinstance(value, list) else None) == value
    assert cpu.db[24] == 0b0000_0111
    assert cpu.db[4:8] + cpu.db[16:24] + cpu.db[86:] == before[4:8] + before[16:24] + before[86:]


def test_a_text_is_written_within_the_room_that_the_device_has_for_it(make: Make, cpu: Cpu) -> None:
    device = make(write=["DB1:26-55"])
    assert device.write("DB1.DBB26", "Maß", "string") == 5
    assert device.read("DB1.DBB26", "string", 10) == "Maß"
    assert device.write("DB1.DBB40", "λ" * 6, "wstring") == 16
    assert device.read("DB1.DBB40", "wstring", 6) == "λ" * 6
    after = bytes(cpu.db[38:40] + cpu.db[56:60])
    for text, kind, why in [
        ("x" * 11, "string", "has room for 10"),
        ("λ", "string", "cannot have the character"),
        ("\U0001f600" * 4, "wstring", "has room for 6"),
        (5, "string", "has to be a text"),
    ]:
        with pytest.raises(Refused, match=why):
            device.write("DB1.DBB26" if kind == "string" else "DB1.DBB40", text, kind)
    assert bytes(cpu.db[38:40] + cpu.db[56:60]) == after
    cpu.db[26:28] = bytes([3, 9])
    with pytest.raises(Refused, match="no string at this address"):
        device.write("DB1.DBB26", "x", "string")


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (["DB1", 1], "address has to be one as"),
        (["DB1.DBX0.8", True], "address has to be one as"),
        (["DB1.DBX0", True], "needs a bit"),
        (["M10", True], "needs a bit"),
        (["DB1.DBW0.1", 1], "cannot have a bit"),
        (["T5", 1], "address has to be one as"),
        (["DB1.DBW0", 70_000], "no uint16"),
        (["DB1.DBW0", 1, "float32"], "no address with W"),
        (["DB1.DBB0", 1, "word"], "type has to be one of"),
        (["DB1.DBX0.0", 1], "boolean"),
        (["DB1.DBX0.0", [True, False]], "one by one"),
        (["DB1.DBB0", True], "number"),
        (["DB1.DBB0", 1, "bool"], "a bool has the address of a bit"),
        (["DB1.DBB0", float("inf")], "finite"),
        (["DB1.DBD0", 1e300, "float32"], "no float32"),
        (["DB1.DBB60", "yesterday", "datetime"], "no datetime"),
        (["DB1.DBB60", "2026-11-26T08:15:00+01:00", "datetime"], "time zone"),
        (["DB1.DBB60", "1969-01-01T00:00:00", "datetime"], "no datetime"),
        (["DB1.DBB65535", 1, "uint16"], "beyond"),
    ],
)
def test_what_cannot_be_written_is_refused(make: Make, cpu: Cpu, call: list[Any], why: str) -> None:
    with pytest.raises(Refused, match=why):
        make(write=["DB", "M"]).write(*call)
    assert not cpu.requests


@pytest.mark.parametrize("doing", list(STATES))
def test_a_cpu_tells_what_it_is_and_what_it_is_doing(make: Make, cpu: Cpu, doing: str) -> None:
    cpu.doing = doing
    found = make().info()
    assert found["state"] == doing.removeprefix("old ")
    assert (found["order"], found["version"]) == ("6ES7 315-2EH14-0AB0", "3.3.0")
    assert (found["module"], found["serial"]) == ("CPU 315-2 PN/DP", "S C-C2UR28922012")


def test_what_a_cpu_does_not_tell_of_itself_is_null(make: Make, cpu: Cpu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "_get_szl_data", lambda number, index: None)
    told = dict.fromkeys(("state", "order", "version", "module", "name", "serial"))
    assert make().info() == {**told, "pdu": 480}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x03\x00\x00\x03",
        b"\x03\x00\xff\xff\x02\xf0\x80",
        b"\x03",
        TAKEN,
        TAKEN + bytes.fromhex("0300001b 02f080 3203 0000 0001 0008 0000 0000 f000 0001 0001 ffff"),
    ],
    ids=["nothing", "http", "short", "long", "byte", "twice", "set up and nothing else"],
)
def test_a_device_that_answers_garbage_or_nothing_is_said_to_do_so(make: Make, answer: bytes) -> None:
    with Babbler(answer) as port:
        device = make(port=port, seconds=0.2)
        for call in (lambda: device.read("MB0"), device.info, lambda: device.read_many({"a": {"address": "MB0"}})):
            with pytest.raises(TimedOut, match="as it should|in time|ended|cannot be reached"):
                call()


def test_a_device_that_takes_no_connection_is_given_up_in_time(make: Make) -> None:
    with BlackHole() as port:
        device = make(port=port, seconds=0.3)
        begun = time.monotonic()
        with pytest.raises(TimedOut, match="does not answer in time"):
            device.read("MB0")
        assert time.monotonic() - begun < 20


def test_a_device_that_is_away_is_said_to_be_and_found_when_it_is_back(make: Make) -> None:
    cpu = Cpu()
    device = make(port=cpu.port)
    with pytest.raises(TimedOut, match="cannot be reached"):
        device.read("MB3")
    with cpu:
        assert device.read("MB3") == 3
        cpu.hang_up()
        assert device.read("MB3") == 3
    with pytest.raises(TimedOut, match="cannot be reached"):
        device.read("MB3")
    with cpu:
        assert device.read("MB3") == 3


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"read": ["DB1:x"]}, "cpu.read has 'DB1:x'"),
        ({"write": ["DB01"]}, "cpu.write has 'DB01'"),
        ({"write": ["T"]}, "cpu.write has 'T'"),
        ({"slot": 40}, "cpu.slot"),
        ({"connection": "HMI"}, "cpu.connection"),
    ],
)
def test_a_wrong_configuration_is_named(values: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigFault, match=why):
        S7("cpu", Table("cpu", {"host": "127.0.0.1", **values}))
