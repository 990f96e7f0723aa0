"""Hostile requests for a WebSocket at the portal's own port, against the whole product."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from pathlib import Path
from random import Random

from tests.fuzz import running
from tests.fuzz.bystanders import PATIENCE, Bystander
from tests.fuzz.sockets import HANDSHAKE, frame, leave
from tests.fuzz.target import files_of, memory_of
from tests.fuzz.writer import Writer, cut, mutated
from tests.support import processes
from tests.support.processes import wait_until
from tests.support.stack import Session, Stack

_SLOW = 0.3  # seconds to wait for a server that does not read
_METHODS = [b"POST", b"get", b"OPTIONS", b"PRI", b"", b"G\x00T", b"\xff"]
_TARGETS = [b"/mqtt?a=b", b"/mqtt/", b"//mqtt", b"/MQTT", b"/mqtt#a", b"http://[/mqtt", b"*", b"/%2e%2e/mqtt", b""]
_PROTOCOLS = [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9.99", b"HTTP/1.1 ", b"HTTP", b""]
_VALUES = [b"", b"x" * 5_000, b"\xff\xfe", b"a\x00b", b"websocket, h2c", b"Upgrade, close", b"-1", b"\x1b[31m", b","]
_MORE = [
    b"Content-Length: 5",
    b"Content-Length: -1",
    b"Content-Length: 99999999999999999999",
    b"Transfer-Encoding: chunked",
    b"Expect: 100-continue",
    b"Connection: close",
    b"Upgrade: h2c",
    b"X-Forwarded-For: \xff, 1.2.3.4",
    b"X-Forwarded-Host: evil",
    b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99",
    b"Sec-WebSocket-Key: again",
    b"Cookie: " + b"x" * 20_000,
    b"Cookie: " + b"x" * 70_000,
    b"no colon",
    b" folded: yes",
    b"Space : before",
    b": no name",
    b"\x00: \x00",
]


class Product:
    """Gatehouse with its web worker and its protocols worker."""

    def __init__(self, folder: Path) -> None:
        self.stack = Stack(folder / "product", GUESSES_PER_ADDRESS="off", MQTT_CONNECT_TIMEOUT="2").start()
        login = self.stack.add("mqtt")
        self._login = login["username"], login["password"].encode()
        self._session = Session(self.stack)
        self._looks = 0
        self._read = 0  # bytes of the log
        self._faults: list[str] = []

    @property
    def faults(self) -> list[str]:
        """Return the lines of the log that should not be there, and what follows the first of them."""
        size = self.stack.log_file.stat().st_size
        if size > self._read and not self._faults:
            self._read, text = size, self.stack.log()
            found = re.search(r".*Traceback|.*\[(ERROR|CRITICAL)\]", text)
            self._faults = [text[found.start() : found.start() + 5_000]] if found else []
        return self._faults

    async def bystanders(self) -> tuple[Bystander, Bystander]:
        """Connect two clients that do everything right."""
        pair = Bystander(4, self._login), Bystander(5, self._login)
        for one in pair:
            await one.connect(self.stack.mqtt_port)
        return pair

    async def look(self) -> None:
        """Visit a page now and then."""
        self._looks += 1
        if self._looks % 20 == 0:
            answer = await asyncio.wait_for(asyncio.to_thread(self._session.get, "/login"), PATIENCE)
            assert answer.status == 200, f"the page answers {answer.status}"

    def settle(self, bystanders: int) -> None:
        wait_until(lambda: self._connections() == bystanders, what="only the bystanders to be shown as connected")
        assert not self.faults, "\n".join(self.faults)

    def _connections(self) -> int:
        return int(self.stack.query("SELECT count(*) FROM connection")[0][0])

    def _processes(self) -> list[int]:
        assert self.stack.process is not None
        return processes.descendants(self.stack.process.pid)

    def size(self) -> int:
        return sum(map(memory_of, self._processes()))

    def files(self) -> int:
        return sum(map(files_of, self._processes()))

    def end(self) -> None:
        try:
            self.stack.stop()
        finally:
            self.stack.kill()
        self.stack.clean_log()


class Attack:
    """One client, from its first byte to its last."""

    def __init__(self, seed: int, number: int, target: Product) -> None:
        self._random = Random(f"{seed}/{number}")
        self._port = target.stack.port
        self._mqtt = Writer(self._random, self._random.choice([4, 5]))

    async def run(self) -> None:
        """Do it; that the server closes or resets the connection is as good an end as any."""
        random = self._random
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
            try:
                for part in cut(random, self._data()):
                    writer.write(part)
                    await asyncio.wait_for(writer.drain(), _SLOW)
                    if random.randrange(10) == 0:
                        await asyncio.sleep(random.random() * 0.02)
                if random.randrange(2):
                    with suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(1 << 16), _SLOW)
            finally:
                leave(random, writer)

    def _data(self) -> bytes:
        """Return a request, and what may follow it at once."""
        random = self._random
        match random.randrange(6):
            case 0:
                request = mutated(random, HANDSHAKE)
            case 1:
                request = HANDSHAKE
            case _:
                request = self._request()
        if random.randrange(8) == 0:  # behind a request of another kind
            request = b"GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n" + request
        if random.randrange(6) == 0:
            return request[: random.randrange(len(request) + 1)]
        for _ in range(random.choice([0, 1, 5])):
            request += frame(random, self._mqtt.packet() if random.randrange(4) else self._mqtt.connect())
        return request

    def _request(self) -> bytes:
        """Return a request for a WebSocket with a few things wrong."""
        random = self._random
        first, *headers = HANDSHAKE.rstrip().split(b"\r\n")
        for _ in range(random.choice([1, 1, 2, 3])):
            at = random.randrange(len(headers))
            match random.randrange(8):
                case 0 | 1:
                    first = self._first()
                case 2 if len(headers) > 1:
                    del headers[at]
                case 3:
                    headers.insert(at, headers[at])
                case 4:
                    headers[at] = headers[at].partition(b":")[0] + b": " + random.choice(_VALUES)
                case 5:
                    headers += [b"X-%d: y" % number for number in range(random.choice([10, 150, 5_000]))]
                case _:
                    headers.insert(at, random.choice(_MORE))
        line = b"\n" if random.randrange(20) == 0 else b"\r\n"
        return line.join((first, *headers, b"", b""))

    def _first(self) -> bytes:
        random = self._random
        words = [b"GET", b"/mqtt", b"HTTP/1.1"]
        at = random.randrange(3)
        words[at] = random.choice((_METHODS, _TARGETS, _PROTOCOLS)[at])
        return b" ".join(words)


def run(seed: int, seconds: float, folder: Path, only: int | None = None) -> running.Run:
    """Attack a new product; raises what went wrong, with what was under way."""
    return running.run(Product(folder), Attack, seed, seconds, only)
