"""A Modbus device, or a line of them."""

from __future__ import annotations

import logging
from typing import Any, cast

from pymodbus import FramerType
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ExceptionResponse, ModbusPDU

from edge_connector.connectors.base import Connector
from edge_connector.connectors.loop import Loop
from edge_connector.connectors.modbus_tags import BITS, TABLES, WRITABLE, Tag, WordOrder, most, tag
from edge_connector.connectors.tags import Allowed, Readings, Span, blocks, named
from edge_connector.described import offered
from edge_connector.errors import Refused, TimedOut
from edge_connector.settings import Table

FAULTS = {
    1: "the device does not know this function",
    2: "the device has no such address",
    3: "the device does not take this value",
    4: "the device failed",
    6: "the device is busy",
    10: "the gateway has no path to the device",
    11: "the device does not answer the gateway",
}

Values = list[int] | list[bool]


class Modbus(Connector):
    """Coils and registers, as far as the configuration allows: by default, all may be read and none written."""

    workers = 1  # a device answers one request at a time

    def __init__(self, name: str, table: Table) -> None:
        super().__init__(name, table)
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # what goes wrong is said by calls and feeds
        self._seconds = table.number("seconds", 2, low=0.05, high=60)
        self._retries = table.integer("retries", 1, high=10)
        self._units = table.integers("units", [1], high=255)
        self._order = cast(WordOrder, table.choice("word_order", ("big", "little"), "big"))
        self._readable = Allowed(table, "read", list(TABLES), TABLES.__contains__, ", ".join(TABLES))
        self._writable = Allowed(table, "write", [], WRITABLE.__contains__, ", ".join(WRITABLE))
        self._make = self._serial(table) if "serial" in table else self._tcp(table)
        self._client: AsyncModbusTcpClient | AsyncModbusSerialClient | None = None
        self._loop = Loop(name)

    @offered(reads=True)
    def read(
        self,
        table: str,
        address: int,
        type: str = "uint16",
        count: int = 1,
        scale: float = 1,
        offset: float = 0,
        unit: int | None = None,
    ) -> Any:
        """Reads a value, or several of a type that lie side by side

        :param table: coil, discrete, holding or input
        :param address: First address, from 0
        :param type: Of registers: uint16, int16, uint32, int32, uint64, int64, float32, float64, string
        :param count: Number of values; of a string, number of registers
        :param scale: What a number is multiplied with
        :param offset: What is added then
        :param unit: Device on the line; null for the first of the configuration
        :returns: A value, or a list of them
        """
        definition = {"table": table, "address": address, "type": type, "count": count, "scale": scale}
        found = self._tag({**definition, "offset": offset}, unit)
        return found.value(self._take(found.span), self._order)

    @offered(reads=True)
    def read_many(self, tags: dict[str, Any]) -> dict[str, Any]:
        """Reads many values with few requests, as a poll can spread them

        :param tags: By name: an object with address, and table, type, count, scale, offset, unit as read has them
        :returns: Values by name; null for what the device does not have
        """
        wanted = named(tags, lambda definition: self._tag(definition, None))
        spans = [one.span for one in wanted.values()]
        known: Readings[Values] = Readings()
        for block in blocks(spans, most):
            self._take_block(block, spans, known)
        found = {name: (one, known.of(one.span)) for name, one in wanted.items()}
        return {name: None if data is None else one.value(data, self._order) for name, (one, data) in found.items()}

    @offered()
    def write(
        self,
        table: str,
        address: int,
        value: Any,
        type: str = "uint16",
        scale: float = 1,
        offset: float = 0,
        unit: int | None = None,
    ) -> int:
        """Writes a value, or several of a type that lie side by side, where the configuration allows it

        :param table: coil or holding
        :param address: First address, from 0
        :param value: A boolean for a coil, a number or a text for registers, or a list
        :param type: As read has it
        :param scale: As read has it: the value is divided by it
        :param offset: As read has it: it is subtracted first
        :param unit: Device on the line; null for the first of the configuration
        :returns: Number of coils or registers
        """
        found = tag(
            {"table": table, "address": address, "type": type, "scale": scale, "offset": offset}
            | ({} if unit is None else {"unit": unit}),
            self._units,
        )
        data = _coils(value) if found.table in BITS else found.registers(value, self._order)
        self._writable.check(Span((found.unit, found.table), address, address + len(data)), found.table)
        self._ask(self._put(found, data))
        return len(data)

    def close(self) -> None:
        if self._client is not None:
            self._loop.run(self._hang_up(), 5)
        self._loop.stop()

    # --- tags

    def _tag(self, definition: dict[str, Any], unit: int | None) -> Tag:
        found = tag(definition if unit is None else {**definition, "unit": unit}, self._units)
        self._readable.check(found.span, found.table)
        return found

    def _take_block(self, block: Span, wanted: list[Span], known: Readings[Values]) -> None:
        """Read a block; one by one, where the device does not have all of it."""
        try:
            known.add(block, self._take(block))
        except TimedOut:
            raise
        except Refused:
            for span in set(wanted):
                if span != block and block.holds(span):
                    self._take_block(span, [], known)

    def _take(self, span: Span) -> Values:
        """Return coils or registers.  Raises `Refused`."""
        count = span.end - span.start
        answer = self._ask(self._get(span, count))
        found = list(answer.bits if span.place[1] in BITS else answer.registers)
        if len(found) < count:
            raise Refused(f"the device answered with {len(found)} values instead of {count}")
        return found[:count]

    # --- the device

    def _ask(self, work: Any) -> ModbusPDU:
        """Return a good answer.  Raises `Refused`."""
        try:
            answer: ModbusPDU = self._loop.run(work, self._seconds * (self._retries + 2) + 1)
        except ModbusException as error:
            raise TimedOut(f"the device does not answer as it should: {error}") from None
        if isinstance(answer, ExceptionResponse):
            raise Refused(FAULTS.get(answer.exception_code, f"the device answered with fault {answer.exception_code}"))
        return answer

    async def _get(self, span: Span, count: int) -> ModbusPDU:
        client = await self._connected()
        unit, table = span.place
        call = {
            "coil": client.read_coils,
            "discrete": client.read_discrete_inputs,
            "holding": client.read_holding_registers,
            "input": client.read_input_registers,
        }[str(table)]
        return await self._done(call(span.start, count=count, device_id=int(unit)))

    async def _put(self, found: Tag, data: list[Any]) -> ModbusPDU:
        client = await self._connected()
        if found.table == "coil":
            call = client.write_coils(found.address, data, device_id=found.unit)
        else:
            call = client.write_registers(found.address, data, device_id=found.unit)
        return await self._done(call)

    async def _done(self, call: Any) -> ModbusPDU:
        """Wait for an answer; after none, or a wrong one, the next request has a new connection."""
        try:
            return cast(ModbusPDU, await call)
        except BaseException:
            await self._hang_up()
            raise

    async def _connected(self) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
        if self._client is None or not self._client.connected:
            self._client = self._make()
            if not await self._client.connect():
                await self._hang_up()
                raise TimedOut("the device cannot be reached")
        return self._client

    async def _hang_up(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _tcp(self, table: Table) -> Any:
        host, port = table.text("host"), table.integer("port", 502, low=1, high=65_535)
        framer = FramerType(table.choice("framer", ("socket", "rtu"), "socket"))
        options: dict[str, Any] = {"timeout": self._seconds, "retries": self._retries, "reconnect_delay": 0}
        return lambda: AsyncModbusTcpClient(host, port=port, framer=framer, **options)

    def _serial(self, table: Table) -> Any:
        port = table.text("serial")
        options: dict[str, Any] = {
            "baudrate": table.integer("baudrate", 19_200, low=50, high=4_000_000),
            "parity": table.choice("parity", ("N", "E", "O"), "E"),
            "stopbits": table.integer("stopbits", 1, low=1, high=2),
            "bytesize": table.integer("bytesize", 8, low=7, high=8),
            "timeout": self._seconds,
            "retries": self._retries,
            "reconnect_delay": 0,
        }
        return lambda: AsyncModbusSerialClient(port, framer=FramerType.RTU, **options)


def _coils(value: Any) -> list[bool]:
    found = value if isinstance(value, list) else [value]
    if not 0 < len(found) <= 1968 or not all(isinstance(one, bool) for one in found):
        raise Refused("the value has to be a boolean, or a list of up to 1968")
    return found
