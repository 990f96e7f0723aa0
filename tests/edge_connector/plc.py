"""Modbus devices: pymodbus's server, over TCP and over a line, and one that answers garbage."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
import threading
import tty
from types import TracebackType
from typing import Any

from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

# The registers of each of the four tables, from address 0; nothing lies beyond.
HOLDING = [10, 65_535, 0x42F6, 0xE979, 0, 0, 0x4865, 0x6C6C, 0x6F00, 7]
COILS = [True, False, True, True]


def devices() -> list[SimDevice]:
    """Return the same device twice, as units 1 and 2."""

    def device(unit: int) -> SimDevice:
        bits = [SimData(0, values=COILS, datatype=DataType.BITS)]
        registers = [SimData(0, values=HOLDING, datatype=DataType.REGISTERS)]
        inputs = [SimData(0, values=[unit, 200], datatype=DataType.REGISTERS)]
        return SimDevice(unit, (bits, bits, registers, inputs))

    return [device(1), device(2)]


class Plc:
    """A server in a thread of its own."""

    def __init__(self, serial: str = "") -> None:
        self.requests = 0
        self._serial = serial
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Plc:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(20)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._server.shutdown(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    async def _start(self) -> None:
        if self._serial:
            self._server: Any = ModbusSerialServer(devices(), port=self._serial, parity="N", trace_pdu=self._count)
        else:
            self._server = ModbusTcpServer(devices(), address=("127.0.0.1", 0), trace_pdu=self._count)
        await self._server.listen()
        if not self._serial:
            self.port: int = self._server.transport.sockets[0].getsockname()[1]

    def _count(self, sending: bool, pdu: Any) -> Any:
        self.requests += not sending
        return pdu


class Line:
    """A serial line: what is written at one end is read at the other."""

    def __enter__(self) -> Line:
        self._masters, self._slaves = zip(*(os.openpty() for _ in range(2)), strict=True)
        for slave in self._slaves:
            tty.setraw(slave)
        self.near, self.far = map(os.ttyname, self._slaves)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join(20)
        for one in (*self._masters, *self._slaves):
            os.close(one)

    def _carry(self) -> None:
        first, second = self._masters
        while not self._over.is_set():
            for one in select.select([first, second], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    os.write(second if one == first else first, os.read(one, 4096))


class Babbler:
    """A device that answers whatever it is asked with the same bytes, and some begin with them."""

    def __init__(self, answer: bytes, *, at_once: bool = False) -> None:
        self._answer = answer
        self._at_once = at_once

    def __enter__(self) -> int:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return int(self._server.getsockname()[1])

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(20)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                taken, _ = self._server.accept()
                with taken:
                    taken.settimeout(2)
                    with contextlib.suppress(OSError):
                        if self._at_once:
                            taken.sendall(self._answer)
                        while taken.recv(1000):
                            taken.sendall(self._answer)
