"""Hostile bytes at the TLS ports, and hostile messages where web workers hand their clients over."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random

from portal import handover
from tests.fuzz import running
from tests.fuzz.sockets import HANDSHAKE, frame, leave
from tests.fuzz.target import Target
from tests.fuzz.writer import Writer, cut, mutated
from tests.support import tls

CUTS = 900  # the first attacks end after 0, 1, 2, ... bytes; a handshake and a CONNECT have about 700
_PATIENCE = 2.0  # seconds for the server's part of a handshake
_SLOW = 0.3  # seconds to wait for a server that does not read
_RECORDS = [*range(0x14, 0x19), 0x00, 0x80, 0xFF]
_VERSIONS = [b"\x03\x01", b"\x03\x03", b"\x03\x03", b"\x03\x00", b"\x03\x04", b"\x02\x00", b"\xff\xff"]


class TlsAttack:
    """One client of a TLS port, from its first byte to its last.

    OpenSSL's own random numbers come from no seed: what is the same again is the shape.
    """

    def __init__(self, seed: int, number: int, target: Target) -> None:
        self._random = Random(f"{seed}/{number}")
        self._left = number if number < CUTS else 1 << 30  # bytes until it breaks off
        self._is_cut = number < CUTS
        self._is_web = not self._is_cut and self._random.random() < 0.3
        self._port = target.ports["wss" if self._is_web else "tls"]
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = tls.client() if self._is_cut or self._random.random() < 0.7 else _tls_1_2()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self._mqtt = Writer(self._random, self._random.choice([4, 5]))

    async def run(self) -> None:
        """Do it; that the server closes or resets the connection is as good an end as any."""
        with suppress(OSError):  # TLS alerts are among them
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                await self._talk()
                await asyncio.sleep(self._random.choice([0, 0, 0.02, 0.3]) if not self._is_cut else 0)
            finally:
                leave(self._random, self._writer)

    async def _talk(self) -> None:
        random = self._random
        if self._is_cut:
            await self._shake(lambda data: data)
            await self._send(self._sealed(self._mqtt.connect()))
            return
        match random.randrange(8):
            case 0:
                await self._send(random.randbytes(random.randrange(1, 300)))
            case 1:
                await self._send(self._mqtt.connect() + self._mqtt.packet())
            case 2:
                await self._send(mutated(random, self._hello()))
            case 3:
                await self._send(b"".join(_records(random)))
            case 4:
                await self._send(self._hello() + b"".join(_records(random)))
            case 5:
                await self._shake(lambda data: mutated(random, data) if random.randrange(2) else data)
            case _:
                await self._shake(lambda data: data)
                await self._inside()

    def _hello(self) -> bytes:
        with suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        return self._outgoing.read()

    async def _shake(self, spoil: Callable[[bytes], bytes]) -> None:
        """Do a handshake, but for what is spoilt."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._send(spoil(self._outgoing.read()))
            else:
                await self._send(spoil(self._outgoing.read()))
                return
            data = await asyncio.wait_for(self._reader.read(65_536), _PATIENCE)
            if not data:
                raise ConnectionError
            self._incoming.write(data)

    async def _inside(self) -> None:
        """Talk MQTT in records that are nearly always right."""
        random = self._random
        if self._is_web:
            await self._send(self._sealed(HANDSHAKE))
        for _ in range(random.choice([1, 2, 20])):
            data = self._mqtt.packet() if random.randrange(5) else self._mqtt.connect()
            record = self._sealed(frame(random, data) if self._is_web else data)
            match random.randrange(20):
                case 0:
                    record = mutated(random, record)
                case 1:
                    record += b"".join(_records(random))
                case 2:
                    record = self._mqtt.connect()  # not in a record
                case 3:
                    record = record[: random.randrange(len(record))]
                case _:
                    pass
            await self._send(record)

    def _sealed(self, data: bytes) -> bytes:
        self._tls.write(data)
        return self._outgoing.read()

    async def _send(self, data: bytes) -> None:
        """Send what is left to be sent, in parts; end when it is over."""
        sent, self._left = data[: self._left], self._left - len(data)
        for part in [sent] if self._is_cut else cut(self._random, sent):
            self._writer.write(part)
            await asyncio.wait_for(self._writer.drain(), _SLOW)
        if self._left < 0:
            raise ConnectionError("it breaks off")


def _records(random: Random) -> Iterator[bytes]:
    """Return TLS records whose head or body is hardly ever right."""
    for _ in range(random.randrange(1, 4)):
        body = random.randbytes(random.choice([0, 1, 2, 40, 500]))
        size = len(body) if random.randrange(2) else random.choice([0, 1, 0x4000, 0x4001, 0xFFFF])
        yield bytes((random.choice(_RECORDS),)) + random.choice(_VERSIONS) + size.to_bytes(2, "big") + body


def _tls_1_2() -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.pem())
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


class Errand:
    """One message on the Unix socket that only web workers know, from something that is none."""

    def __init__(self, seed: int, number: int, target: Target) -> None:
        self._random = Random(f"{seed}/{number}")
        self._path = str(target.folder / handover.NAME)
        self._port = target.ports["ws"]
        self._folder = target.folder

    async def run(self) -> None:
        random = self._random
        with ExitStack() as stack, suppress(OSError):
            courier = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            courier.setblocking(False)
            courier.connect(self._path)
            for _ in range(random.choice([0, 1, 1, 1, 2])):
                files = [self._file(stack) for _ in range(random.choice([0, 1, 1, 1, 1, 2, 3, 200]))]
                socket.send_fds(courier, [self._message()], files)
                if random.randrange(3) == 0:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(random.choice([0, 0, 0.05]))

    def _message(self) -> bytes:
        random = self._random
        address = random.choice([b"127.0.0.1", b"::1", b"", b"\xff\x1b[31m", b"x" * 70_000, b"1.2.3.4, 5.6.7.8"])
        request = HANDSHAKE + frame(random, Writer(random, 4).connect())
        match random.randrange(6):
            case 0:
                return random.randbytes(random.choice([1, 10, 1_000, 200_000]))
            case 1:
                return address + b"\n" + mutated(random, request)
            case 2:
                return address + b"\n" + request[: random.randrange(len(request))]
            case 3:
                return address  # and no more
            case _:
                return address + b"\n" + request

    def _file(self, stack: ExitStack) -> int:
        """Return a descriptor: a client's socket, or of something else."""
        random = self._random
        match random.randrange(12):
            case 0:
                found = [os.open("/dev/null", os.O_RDWR)]
            case 1:
                found = [os.open(self._folder, os.O_RDONLY)]
            case 2:
                found = list(os.pipe())
            case 3:
                found = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM).detach()]
            case 4:
                found = [socket.socket().detach()]
            case 5:
                found = [one.detach() for one in socket.socketpair()]
            case 6:
                found = [socket.create_server(("127.0.0.1", 0)).detach()]
            case 7:
                found = [one.detach() for one in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)]
            case _:
                found = list(_connected(closed=random.randrange(4) == 0))
        for descriptor in found:
            stack.callback(os.close, descriptor)
        return found[0]


def _connected(*, closed: bool) -> Iterator[int]:
    """Return a client's socket as a server has accepted it, and the client's own end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        yield listener.accept()[0].detach()
    if closed:
        client.close()
    else:
        yield client.detach()


def attack(seed: int, number: int, target: Target) -> running.Attack:
    """Make an attack: all cuts, then one in five by hand-over."""
    make = Errand if number >= CUTS and number % 5 == 0 else TlsAttack
    return make(seed, number, target)


def run(seed: int, seconds: float, folder: Path, only: int | None = None) -> running.Run:
    """Attack a new server; raises what went wrong, with what was under way."""
    return running.run(Target(folder), attack, seed, seconds, only)
