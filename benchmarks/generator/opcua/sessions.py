"""Sessions of the load on plain sockets, watched by one epoll: an event loop would cost as much as a request."""

from __future__ import annotations

import select
import socket
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager

from asyncua import ua

from benchmarks.generator.clients import AT_ONCE, LoadError
from benchmarks.generator.opcua import wire
from benchmarks.generator.opcua.channels import Channel, Plain
from benchmarks.generator.opcua.doors import Door

PATIENCE = 10  # seconds for an answer
_Ids = ua.ObjectIds
_MOST = 262_144  # bytes in one read


class Link:
    """A socket that gives whole messages."""

    __slots__ = ("_rest", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def receive(self) -> list[bytes]:
        """Return the messages that are complete, after one read.  Raises LoadError when the server has closed."""
        data = self.socket.recv(_MOST)
        if not data:
            raise LoadError("the server closed a connection")
        data = self._rest + data
        start, found = 0, []
        while len(data) >= start + 8:
            end = start + int.from_bytes(data[start + 4 : start + 8], "little")
            if len(data) < end:
                break
            found.append(data[start:end])
            start = end
        self._rest = data[start:]
        return found

    def one(self) -> bytes:
        """Wait for one message."""
        found: list[bytes] = []
        while not found:
            found = self.receive()
        if len(found) != 1:
            raise LoadError(f"{len(found)} messages where one was expected")
        return found[0]


class Session:
    """A login that was accepted."""

    __slots__ = ("channel", "link", "token")

    def __init__(self, link: Link, channel: Channel, token: bytes) -> None:
        self.link = link
        self.channel = channel
        self.token = token

    def ask(self, number: int, params: bytes) -> bytes:
        """Send a request, wait for the answer and return its body.  Raises LoadError for a fault."""
        self.send(number, params)
        body = self.channel.unpack(self.link.one())
        wire.check_good(body)
        return body

    def send(self, number: int, params: bytes) -> None:
        """Send a request."""
        self.link.socket.sendall(self.channel.pack(wire.request(number, self.token, params)))

    def read(self, node_id: str) -> bytes:
        """Read a Double; return the body of the answer."""
        body = self.ask(_Ids.ReadRequest_Encoding_DefaultBinary, wire.read(node_id))
        wire.check_double(body)
        return body

    def write(self, *node_ids: str) -> None:
        """Write a Double to each."""
        wire.check_results(self.ask(_Ids.WriteRequest_Encoding_DefaultBinary, wire.write(*node_ids)))

    def subscribe(self, node_id: str, interval: float, requests: int = 3) -> int:
        """Monitor a value, and send so many Publish requests; return the subscription's id."""
        create = wire.create_subscription(interval)
        number, revised = wire.subscription_of(self.ask(_Ids.CreateSubscriptionRequest_Encoding_DefaultBinary, create))
        if revised != interval:
            raise LoadError(f"a publishing interval of {revised} ms, not {interval}")
        item = wire.create_item(number, node_id)
        wire.check_results(self.ask(_Ids.CreateMonitoredItemsRequest_Encoding_DefaultBinary, item))
        for _ in range(requests):
            self.publish(wire.publish())
        return number

    def publish(self, params: bytes) -> None:
        """Send a Publish request."""
        self.send(_Ids.PublishRequest_Encoding_DefaultBinary, params)

    @property
    def plain(self) -> Plain:
        """Return the channel, which has no security."""
        assert isinstance(self.channel, Plain)
        return self.channel


class _Login:
    """A login under way."""

    __slots__ = ("_channel", "_steps", "link", "session")

    def __init__(self, door: Door) -> None:
        self._channel = door.channel()
        self._steps: Generator[bytes, bytes, bytes] = door.log_in(self._channel)
        self.session: Session | None = None
        self.link = Link(door.port)
        self.link.socket.sendall(next(self._steps))

    def go_on(self) -> bool:
        """Take what has arrived; return whether the login is accepted."""
        for answer in self.link.receive():
            try:
                self.link.socket.sendall(self._steps.send(answer))
            except StopIteration as end:
                self.session = Session(self.link, self._channel, end.value)
        return self.session is not None


def close(sessions: Iterable[Session]) -> None:
    """Close their sockets."""
    for session in sessions:
        session.link.socket.close()


@contextmanager
def entered(door: Door, count: int, at_once: int = AT_ONCE) -> Iterator[list[Session]]:
    """Log in so many times, some at once; all sessions stay until the end."""
    under_way: dict[int, _Login] = {}
    there: list[Session] = []
    try:
        _enter(door, count, at_once, under_way, there)
        yield there
    finally:
        close(there)
        for login in under_way.values():
            login.link.socket.close()


def _enter(door: Door, count: int, at_once: int, under_way: dict[int, _Login], there: list[Session]) -> None:
    begun = 0
    with select.epoll() as answers:
        while len(there) < count:
            while begun < count and len(under_way) < at_once:
                login = _Login(door)
                begun += 1
                under_way[login.link.socket.fileno()] = login
                answers.register(login.link.socket, select.EPOLLIN)
            arrived = answers.poll(PATIENCE)
            if not arrived:
                raise LoadError(f"{len(under_way)} clients got no answer to their login")
            for descriptor, _ in arrived:
                login = under_way[descriptor]
                if login.go_on() and login.session is not None:
                    there.append(login.session)
                    answers.unregister(descriptor)
                    del under_way[descriptor]
