"""A bound for what a server of OPC UA may have asyncua keep: it believes any length, and waits for all of it."""

from __future__ import annotations

from asyncua.client import ua_client

CHUNK = 128 * 1024  # bytes; asyncua asks for chunks of 64 KiB at most
CHUNKS = 512  # of one message


class Bounded(ua_client.UASocketProtocol):
    """A connection that ends when a message is larger than any answer to what is asked here."""

    receive_buffer: bytes | None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        begun = self.receive_buffer or b""
        if int.from_bytes(begun[4:8], "little") > CHUNK or len(self._connection._incoming_parts) > CHUNKS:
            self.receive_buffer = None
            self.disconnect_socket()


def bound() -> None:
    """Have every client of this process use such connections: asyncua has no argument for it."""
    ua_client.UASocketProtocol = Bounded
