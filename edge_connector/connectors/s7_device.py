"""The connection to a Siemens S7: made when it is needed, held to a time, and given up after an answer that is none."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from snap7 import AsyncClient
from snap7.datatypes import S7Area, S7WordLen
from snap7.error import S7ConnectionError, S7Error, S7TimeoutError
from snap7.s7protocol import S7Function, S7Protocol

from edge_connector.connectors.s7_tags import AREAS, Tag, parts, requests
from edge_connector.connectors.tags import Span
from edge_connector.errors import Refused, TimedOut

CONNECTIONS = {"PG": 1, "OP": 2, "basic": 3}
ITEMS = 20  # that one request may have
FAULTS = {
    0x01: "the device failed",
    0x03: "the device does not allow access there",
    0x05: "the device has no such address",
    0x06: "the device does not have this type there",
    0x07: "the device has another type there",
    0x0A: "the device has no such block",
}

_DONE = 0xFF
_IN_BITS = (0x04, 0x05)  # kinds of data whose length is told in bits
_PDU = 480  # bytes that the library asks for
_STATE = 0x0424  # number of the list in which a CPU tells what it is doing
_STATES = {0x00: "unknown", 0x08: "run"}  # all else is some kind of stop
_ODD = (S7Error, struct.error, ArithmeticError, LookupError, TypeError, ValueError)  # of bytes that are no answer

T = TypeVar("T")


class Lost(TimedOut):
    """The connection ended."""


class Device:
    """A CPU, which is asked one thing after the other."""

    def __init__(self, address: tuple[str, int], place: tuple[int, int], connection: int, seconds: float) -> None:
        self._address = address
        self._place = place  # rack and slot
        self._connection = connection
        self._seconds = seconds
        self._client: AsyncClient | None = None

    async def read(self, spans: Iterable[Span]) -> dict[Span, bytes | Refused]:
        """Return what the device tells of bytes, or why it does not.  Raises `Refused` if it tells nothing at all."""
        is_new = self._client is None
        wanted = list(spans)
        try:
            return await self._read(wanted)
        except Lost:  # while nothing was asked: the device was away, or ends what is idle
            if is_new:
                raise
            return await self._read(wanted)

    async def write(self, tag: Tag, data: bytes) -> None:
        """Write bytes, or a bit and nothing beside it.  Raises `Refused`."""
        area, block = _area(tag.span)
        if tag.type == "bool":
            await self._write_part(area, block, tag.address * 8 + tag.bit, S7WordLen.BIT, data)
            return
        pdu = (await self._connected()).pdu_length
        for at in range(0, len(data), pdu - 28):
            await self._write_part(area, block, tag.address + at, S7WordLen.BYTE, data[at : at + pdu - 28])

    async def about(self) -> dict[str, Any]:
        """Return what a device tells of itself; none of it is told by all."""
        state = await self._told(lambda client: client.read_szl(_STATE))
        order = await self._told(lambda client: client.get_order_code())
        cpu = await self._told(lambda client: client.get_cpu_info())
        data = b"" if state is None else bytes(one & 0xFF for one in state.Data[: state.Header.LengthDR])
        return {
            "state": _STATES.get(data[7], "stop") if len(data) > 7 else None,
            "order": order and _text(order.OrderCode),
            "version": f"{order.V1}.{order.V2}.{order.V3}" if order and order.OrderCode else None,
            "module": cpu and _text(cpu.ModuleTypeName),
            "name": cpu and _text(cpu.ASName),
            "serial": cpu and _text(cpu.SerialNumber),
            "pdu": (await self._connected()).pdu_length,
        }

    @property
    def is_connected(self) -> bool:
        return self._client is not None

    async def hang_up(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(client.disconnect(), 1)

    async def _read(self, spans: list[Span]) -> dict[Span, bytes | Refused]:
        pdu = (await self._connected()).pdu_length
        divided = {span: parts(span, pdu - 18) for span in spans}
        found: dict[Span, bytes | Refused] = {}
        for items in requests((part for one in divided.values() for part in one), pdu, ITEMS):
            asked = [(*_area(item), item.start, item.end - item.start) for item in items]
            raw = await self._ask(S7Protocol.build_multi_read_request, S7Function.READ_AREA, asked)
            found |= zip(items, await self._sound(_items, raw, items), strict=True)
        return {span: _joined([found[part] for part in one]) for span, one in divided.items()}

    async def _write_part(self, area: int, block: int, start: int, length: S7WordLen, data: bytes) -> None:
        request = (S7Area(area), block, start, length, data)
        (code,) = await self._ask(S7Protocol.build_write_request, S7Function.WRITE_AREA, *request)
        if code != _DONE:
            raise _fault(code)

    async def _ask(self, build: Callable[..., bytes], function: S7Function, *request: Any) -> bytes:
        """Return the data of an answer.  Raises `Refused`."""
        client = await self._connected()
        sent = build(client.protocol, *request)
        answer = await self._within(client.iso_exchange_buffer(bytearray(sent)))
        return await self._sound(_answered, client.protocol, bytes(answer), function)

    async def _told(self, ask: Callable[[AsyncClient], Awaitable[T]]) -> T | None:
        """Return what a device tells of itself, or None."""
        client = await self._connected()
        try:
            return await self._within(ask(client))
        except (*_ODD, RuntimeError):
            return None

    async def _connected(self) -> AsyncClient:
        if self._client is not None:
            return self._client
        self._client = client = AsyncClient()
        client.set_connection_type(self._connection)
        host, port = self._address
        try:
            await self._within(client.connect(host, *self._place, port), "the device cannot be reached")
        except _ODD as error:
            await self.hang_up()
            raise TimedOut(f"the device does not answer as it should: {error}") from None
        client.pdu_length = min(_PDU, client.pdu_length)
        if client.connection is not None:
            client.connection.timeout = self._seconds  # instead of 5, from here on
        return client

    async def _within(self, work: Awaitable[T], lost: str = "the connection to the device ended") -> T:
        """Wait for a device; after no answer the next request has a new connection.  Raises `TimedOut`."""
        try:
            return await asyncio.wait_for(work, self._seconds)
        except (TimeoutError, S7TimeoutError):
            await self.hang_up()
            raise TimedOut("the device does not answer in time") from None
        except S7ConnectionError as error:
            await self.hang_up()
            raise Lost(f"{lost}: {error}") from None
        except asyncio.CancelledError:
            await self.hang_up()
            raise

    async def _sound(self, read: Callable[..., T], *data: Any) -> T:
        """Return what an answer says; after one that says nothing the next request has a new connection."""
        try:
            return read(*data)
        except _ODD as error:
            await self.hang_up()
            raise TimedOut(f"the device does not answer as it should: {error}") from None


def _answered(protocol: S7Protocol, answer: bytes, function: S7Function) -> bytes:
    """Return the data of an answer.  Raises `Refused`, or whatever comes of bytes that are none."""
    try:
        response = protocol.parse_response(answer)
    except S7Error as error:
        if error.error_code is None:
            raise
        raise Refused(f"the device refuses: {error}") from None
    if response["sequence"] != protocol.sequence or response["parameters"]["function_code"] != function:
        raise ValueError("it answers something else")
    return bytes(response["raw_data"])


def _items(raw: bytes, items: list[Span]) -> list[bytes | Refused]:
    """Return what an answer has for each item of a request."""
    found: list[bytes | Refused] = []
    at = 0
    for item in items:
        code, kind, length = struct.unpack_from(">BBH", raw, at)
        size = 0 if code != _DONE else length // 8 if kind in _IN_BITS else length
        data = raw[at + 4 : at + 4 + size]
        if code == _DONE and len(data) != item.end - item.start:
            raise ValueError(f"it has {len(data)} bytes for {item.end - item.start}")
        found.append(data if code == _DONE else _fault(code))
        at += 4 + size + size % 2
    return found


def _joined(found: list[bytes | Refused]) -> bytes | Refused:
    data = [one for one in found if isinstance(one, bytes)]
    return b"".join(data) if len(data) == len(found) else next(one for one in found if isinstance(one, Refused))


def _fault(code: int) -> Refused:
    return Refused(FAULTS.get(code, f"the device answered with fault {code}"))


def _area(span: Span) -> tuple[int, int]:
    area, block = span.place
    return int(AREAS[str(area)]), int(block)


def _text(data: bytes) -> str:
    return data.decode("latin-1").strip("\0 ")
