"""A Siemens S7: the server that python-snap7 carries, taught what it leaves out."""

from __future__ import annotations

import contextlib
import socket
import struct
from types import TracebackType
from typing import Any

from snap7.datatypes import S7WordLen
from snap7.s7protocol import S7Function
from snap7.server import Server
from snap7.type import SrvArea

from tests.support.processes import free_port

STATES = {"run": 0x08, "stop": 0x04, "old stop": 0x03}


def block() -> bytearray:
    """Return what is in DB1: a value of each kind, and nothing behind byte 199."""
    data = bytearray(200)
    data[0:4] = struct.pack(">f", 123.5)
    data[4:8] = struct.pack(">Hh", 65_535, -2)
    data[8:16] = struct.pack(">d", -0.1)
    data[16:24] = struct.pack(">Ii", 4_000_000_000, -7)
    data[24] = 0b1000_0101
    data[26:38] = bytes([10, 5]) + "Größe".encode("latin-1") + bytes(5)
    data[40:56] = struct.pack(">HH", 6, 3) + "öλ€".encode("utf-16-be") + bytes(6)
    data[60:68] = bytes([0x26, 0x11, 0x26, 0x08, 0x15, 0x30, 0x25, 0x05])
    data[68:80] = struct.pack(">HBBBBBBI", 2026, 11, 26, 5, 8, 15, 30, 250_000_000)
    data[80:100] = struct.pack(">10h", *range(10))
    return data


class Cpu(Server):
    """A CPU with the block DB1 and some flags, inputs and outputs."""

    def __init__(self, pdu: int = 480) -> None:
        super().__init__(log=False)
        self.pdu = pdu
        self.requests: list[bytes] = []
        self.largest = 0  # bytes of a request or an answer
        self.doing = "run"
        self.open: list[socket.socket] = []
        self.port = free_port()
        self.connections = 0
        self.db = block()
        self.flags = bytearray(16)
        self.begin_anew()
        for area, number, data in (
            (SrvArea.DB, 1, self.db),
            (SrvArea.MK, 0, self.flags),
            (SrvArea.PE, 0, bytearray([0, 0x80, 3, 4])),
            (SrvArea.PA, 0, bytearray(4)),
        ):
            self.register_area(area, number, data)

    def __enter__(self) -> Cpu:
        self.start_to("127.0.0.1", self.port)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.hang_up()
        self.stop()

    def hang_up(self) -> None:
        """End all connections, as a CPU does with idle ones."""
        for one in self.open:
            with contextlib.suppress(OSError):  # it has ended meanwhile
                one.shutdown(socket.SHUT_RDWR)
        self.open.clear()

    def begin_anew(self) -> None:
        """Forget what was written and asked."""
        self.db[:] = block()
        self.flags[:] = range(16)
        self.requests.clear()
        self.doing = "run"

    def _handle_client(self, client_socket: socket.socket, address: Any) -> None:
        self.connections += 1
        self.open.append(client_socket)
        try:
            super()._handle_client(client_socket, address)
        finally:
            if client_socket in self.open:
                self.open.remove(client_socket)

    def _process_request(self, request_data: bytes, client_address: Any) -> bytes | None:
        self.requests.append(request_data)
        answer = super()._process_request(request_data, client_address)
        self.largest = max(self.largest, len(request_data), len(answer or b""))
        return answer

    def _handle_setup_communication(self, request: dict[str, Any]) -> bytes:
        answer = bytearray(super()._handle_setup_communication(request))
        answer[-2:] = struct.pack(">H", self.pdu)
        return bytes(answer)

    def _handle_write_area(self, request: dict[str, Any], client_address: Any) -> bytes:
        """Change the one bit where a bit is written; the server itself takes its byte."""
        sent = self.requests[-1]
        if sent[10] == S7Function.WRITE_AREA and sent[15] == S7WordLen.BIT:
            place = int.from_bytes(sent[21:24], "big")
            before = self.memory_areas[
                request["parameters"]["address_spec"]["area"], int.from_bytes(sent[18:20], "big")
            ]
            mask = 1 << place % 8
            byte = before[place // 8] | mask if sent[-1] else before[place // 8] & ~mask
            request["data"]["data"] = bytes([byte])
        return super()._handle_write_area(request, client_address)

    def _get_szl_data(self, szl_id: int, szl_index: int) -> bytes | None:
        """Tell what the CPU is doing as a CPU does; the server itself does not."""
        if szl_id == 0x0424:
            return struct.pack(">HHHBB", 20, 1, 0x5144, 0xFF, STATES[self.doing]) + bytes(16)
        return super()._get_szl_data(szl_id, szl_index)
