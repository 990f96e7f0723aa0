"""A Siemens S7."""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from edge_connector.connectors.base import Connector
from edge_connector.connectors.loop import Loop
from edge_connector.connectors.s7_device import CONNECTIONS, Device
from edge_connector.connectors.s7_tags import AREAS, AREAS_TOLD, HEADERS, Tag, is_area, names, tag
from edge_connector.connectors.tags import Allowed, Readings, Span, blocks, named
from edge_connector.described import offered
from edge_connector.errors import Refused
from edge_connector.settings import Table

T = TypeVar("T")

_TOGETHER = 222  # bytes read as one item, which the smallest PDU has room for


class S7(Connector):
    """Data blocks, flags, inputs and outputs, as far as the configuration allows: by default, none may be written."""

    workers = 1  # a device answers one request at a time

    def __init__(self, name: str, table: Table) -> None:
        super().__init__(name, table)
        logging.getLogger("snap7").setLevel(logging.CRITICAL)  # what goes wrong is said by calls and feeds
        self._readable = Allowed(table, "read", list(AREAS), is_area, AREAS_TOLD)
        self._writable = Allowed(table, "write", [], is_area, AREAS_TOLD)
        seconds = table.number("seconds", 2, low=0.05, high=60)
        self._patience = seconds * 10 + 5  # for a call that needs many requests
        self._device = Device(
            (table.text("host"), table.integer("port", 102, low=1, high=65_535)),
            (table.integer("rack", 0, high=7), table.integer("slot", 1, high=31)),
            CONNECTIONS[table.choice("connection", tuple(CONNECTIONS), "PG")],
            seconds,
        )
        self._loop = Loop(name)

    @offered(reads=True)
    def read(
        self, address: str, type: str | None = None, count: int | None = None, scale: float = 1, offset: float = 0
    ) -> Any:
        """Reads a value, or several of a type that lie side by side

        :param address: As DB1.DBX0.3, DB1.DBB2, DB1.DBW2, DB1.DBD4, M10.0, MB2, IW2, QD4
        :param type: bool, byte, int8, (u)int16, …32, …64, float32, float64, string, wstring, datetime, dtl; null: usual
        :param count: Number of values; of a text, number of characters that it has room for
        :param scale: What a number is multiplied with
        :param offset: What is added then
        :returns: A value, or a list of them
        """
        found = self._tag(_definition(address, type, count, scale, offset))
        data = self._run(self._device.read([found.span]))[found.span]
        if isinstance(data, Refused):
            raise data
        return found.value(data)

    @offered(reads=True)
    def read_many(self, tags: dict[str, Any]) -> dict[str, Any]:
        """Reads many values with few requests, as a poll can spread them

        :param tags: By name: an object with address, and type, count, scale, offset as read has them
        :returns: Values by name; null for what the device does not have, and for bytes that hold no such value
        """
        wanted = named(tags, self._tag)
        spans = {one.span for one in wanted.values()}
        known: Readings[bytes] = Readings()
        gone = self._take(blocks(spans, lambda span: _TOGETHER), known)
        if gone:
            self._take({span for block in gone for span in spans if block != span and block.holds(span)}, known)
        return {name: _value(one, known.of(one.span)) for name, one in wanted.items()}

    @offered()
    def write(self, address: str, value: Any, type: str | None = None, scale: float = 1, offset: float = 0) -> int:
        """Writes a value, or several of a type that lie side by side, where the configuration allows it

        :param address: As read has it; of a bit nothing beside it is changed
        :param value: A boolean, a number, a text, a time as 2026-11-26T08:15:00; a list of numbers or of times
        :param type: As read has it
        :param scale: As read has it: the value is divided by it
        :param offset: As read has it: it is subtracted first
        :returns: Number of bytes
        """
        count = len(value) if isinstance(value, list) else None
        found = tag(_definition(address, type, count, scale, offset))
        data = self._packed_text(found, value) if found.type in HEADERS else found.packed(value)
        self._check_writable(found, len(data))
        self._run(self._device.write(found, data))
        return len(data)

    @offered(reads=True)
    def info(self) -> dict[str, Any]:
        """Tells what the device is, and what it is doing

        :returns: state (run, stop), order, version, module, name, serial: null for what it does not tell; pdu: bytes
        """
        return self._run(self._device.about())

    def close(self) -> None:
        if self._device.is_connected:
            self._run(self._device.hang_up())
        self._loop.stop()

    def _tag(self, definition: dict[str, Any]) -> Tag:
        found = tag(definition)
        self._readable.check(found.span, *names(found.span))
        return found

    def _take(self, spans: Iterable[Span], known: Readings[bytes]) -> list[Span]:
        """Add what the device has of spans, and return those that it does not have."""
        found = self._run(self._device.read(spans))
        for span, data in found.items():
            if isinstance(data, bytes):
                known.add(span, data)
        return [span for span, data in found.items() if not isinstance(data, bytes)]

    def _packed_text(self, found: Tag, value: Any) -> bytes:
        """Return the bytes of a text, which has to fit where it is to be: what lies behind it stays as it is."""
        span = found.header
        self._check_writable(found, span.end - span.start)
        data = self._run(self._device.read([span]))[span]
        if isinstance(data, Refused):
            raise data
        return found.packed_text(value, data)

    def _check_writable(self, found: Tag, size: int) -> None:
        place = found.span.place
        self._writable.check(Span(place, found.address, found.address + size), *names(found.span))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run(work, self._patience)


def _definition(address: str, type: str | None, count: int | None, scale: float, offset: float) -> dict[str, Any]:
    found = {"address": address, "type": type, "scale": scale, "offset": offset}
    return found if count is None else {**found, "count": count}


def _value(wanted: Tag, data: bytes | None) -> Any:
    try:
        return None if data is None else wanted.value(data)
    except Refused:
        return None
