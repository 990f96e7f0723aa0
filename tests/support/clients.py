"""Foreign MQTT clients: Mosquitto's programs, and bytes over a plain socket."""

from __future__ import annotations

import contextlib
import signal
import socket
import struct
import subprocess
import tempfile
from pathlib import Path

from tests.support import processes
from tests.support.processes import wait_until

HOST = "127.0.0.1"


class Subscriber:
    """A running mosquitto_sub; what it prints is at hand while it runs."""

    def __init__(self, port: int, credentials: dict, topic: str = "#", *options: str) -> None:
        self._output = tempfile.NamedTemporaryFile(prefix="mosquitto-sub-", suffix=".log")
        self._process = processes.start(
            ["stdbuf", "-oL", "mosquitto_sub", *_options(port, credentials), "-d", "-v"] + ["-t", topic, *options],
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._output.close()

    @property
    def text(self) -> str:
        return Path(self._output.name).read_text("utf-8", "replace")

    def wait_for(self, text: str) -> None:
        """Wait until it has printed something."""
        wait_until(lambda: text in self.text, what=f"{text!r} in what mosquitto_sub prints")

    def subscribed(self) -> Subscriber:
        """Wait until the broker has answered its subscription."""
        self.wait_for("SUBACK")
        return self

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def ended(self) -> int:
        """Wait for its end; return its exit status."""
        return self._process.wait(20)

    @property
    def running(self) -> bool:
        return self._process.poll() is None


def publish(port: int, credentials: dict, topic: str, payload: str, *options: str):
    """Publish one message with mosquitto_pub; return how that went."""
    return subprocess.run(
        ["mosquitto_pub", *_options(port, credentials), "-t", topic, "-m", payload, *options],
        capture_output=True,
        text=True,
        timeout=10,
    )


def _options(port: int, credentials: dict) -> list[str]:
    options = ["-h", HOST, "-p", str(port), "-V", "mqttv311"]
    if credentials.get("username") is not None:
        options += ["-u", credentials["username"]]
    if credentials.get("password") is not None:
        options += ["-P", credentials["password"]]
    return options


def connect_packet(client_id: str, username: str, password: str, keep_alive: int = 60) -> bytes:
    """Return a CONNECT of MQTT 3.1.1 with a clean session (section 3.1)."""
    body = b"\x00\x04MQTT\x04\xc2" + struct.pack("!H", keep_alive)
    for text in (client_id, username, password):
        body += struct.pack("!H", len(text.encode())) + text.encode()
    return b"\x10" + remaining_length(len(body)) + body


def remaining_length(length: int) -> bytes:
    """Return a length as the standard encodes it (section 2.2.3)."""
    encoded = bytearray()
    while True:
        length, digit = divmod(length, 128)
        encoded.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(encoded)


def open_socket(port: int) -> socket.socket:
    """Return a socket that is connected to the broker."""
    return socket.create_connection((HOST, port), timeout=20)


def connack(port: int, username: str, password: str, client_id: str = "raw") -> int:
    """Try to log in; return the code of the CONNACK, and require that a refusal closes the socket."""
    with open_socket(port) as client:
        client.sendall(connect_packet(client_id, username, password))
        answer = receive(client, 4)
        assert answer[:3] == b"\x20\x02\x00", answer
        if answer[3]:
            assert client.recv(1) == b"", "a refused client is disconnected"
        return answer[3]


def logged_in(port: int, credentials: dict, client_id: str) -> socket.socket:
    """Return a socket that has logged in."""
    client = open_socket(port)
    try:
        client.sendall(connect_packet(client_id, credentials["username"], credentials["password"]))
        answer = receive(client, 4)
        assert answer == b"\x20\x02\x00\x00", answer
    except BaseException:
        client.close()
        raise
    return client


def receive(client: socket.socket, count: int) -> bytes:
    """Return exactly so many bytes, or fewer when the peer closes."""
    data = b""
    while len(data) < count:
        part = client.recv(count - len(data))
        if not part:
            break
        data += part
    return data


def is_closed(client: socket.socket, timeout: float = 20) -> bool:
    """Tell whether the peer closes the connection within a time."""
    client.settimeout(timeout)
    with contextlib.suppress(ConnectionResetError):
        try:
            while client.recv(65536):
                pass
        except TimeoutError:
            return False
    return True
