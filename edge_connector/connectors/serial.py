"""A device at a serial line that speaks in lines: scales, scanners, displays."""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Callable
from typing import Any

import serial

from edge_connector.connectors.base import Connector
from edge_connector.described import Listener, offered
from edge_connector.errors import EdgeError, Refused, TimedOut
from edge_connector.settings import Table

log = logging.getLogger(__name__)

AGAIN = 2.0  # seconds between attempts at a line that cannot be opened
_TURN = 0.1  # seconds for which a read waits; a write waits no longer for the line


class Serial(Connector):
    """One line, which is open as long as the agent runs.  What comes is cut at an end, and told to who listens."""

    workers = 2

    def __init__(self, name: str, table: Table) -> None:
        super().__init__(name, table)
        self._options: dict[str, Any] = {
            "port": table.text("port"),
            "baudrate": table.integer("baudrate", 9600, low=50, high=4_000_000),
            "parity": table.choice("parity", ("N", "E", "O"), "N"),
            "stopbits": table.integer("stopbits", 1, low=1, high=2),
            "bytesize": table.integer("bytesize", 8, low=7, high=8),
            "timeout": _TURN,
            "write_timeout": 2,
            "exclusive": True,
        }
        self._end = table.text("end", "\r\n").encode()
        if not self._end:
            raise table.fault("end", "cannot be empty")
        self._most = table.integer("bytes", 4096, low=1, high=1024 * 1024)
        self._seconds = table.number("seconds", 2, low=0.1, high=60)
        self._may_write = table.flag("write", False)
        self._line: serial.Serial | None = None
        self._trouble = "the line is not open yet"
        self._listeners: list[Listener] = []
        self._lock = threading.Lock()  # of the listeners
        self._asking = threading.Lock()  # one question at a time
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"serial-{name}", daemon=True)
        self._thread.start()

    @offered(reads=True)
    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tells what comes on the line, from now on

        :param listener: Gets a text without its end; bytes that are no UTF-8 as base64:…
        :returns: Always true
        """
        with self._lock:
            self._listeners.append(listener)

        def end() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return end

    @offered()
    def write(self, text: str) -> int:
        """Writes a text and the end of a line, where the configuration allows it

        :param text: What is written
        :returns: Number of bytes
        """
        if not self._may_write:
            raise Refused("nothing may be written to this line")
        data = text.encode("utf-8", "replace") + self._end
        if len(data) > self._most:
            raise Refused(f"{len(data)} bytes are more than the {self._most} that are written at once")
        line = self._line
        if line is None:
            raise Refused(self._trouble)
        try:
            return int(line.write(data) or 0)
        except serial.SerialTimeoutException:
            raise TimedOut("the line takes nothing") from None
        except (OSError, serial.SerialException) as error:
            raise Refused(f"the line cannot be written to: {error}") from None

    @offered()
    def ask(self, text: str) -> str:
        """Writes a text, and returns what comes next, where the configuration allows it

        :param text: What is written
        :returns: The next line
        """
        came: list[str] = []
        arrived = threading.Event()

        def hear(line: str) -> None:
            came.append(line)
            arrived.set()

        with self._asking:
            end = self.listen(hear)
            try:
                self.write(text)
                if not arrived.wait(self._seconds):
                    raise TimedOut(f"nothing came within {self._seconds:g} s")
            finally:
                end()
        return came[0]

    def close(self) -> None:
        self._stopped.set()
        self._thread.join(2)

    # --- its thread

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with serial.Serial(**self._options) as line:
                    self._line, self._trouble = line, ""
                    self._read(line)
            except (OSError, ValueError, serial.SerialException) as error:
                self._line = None
                if str(error) != self._trouble:
                    log.warning("%s: %s", self.name, error)
                self._trouble = str(error)
                self._stopped.wait(AGAIN)
            finally:
                self._line = None

    def _read(self, line: serial.Serial) -> None:
        """Cut what comes at its ends; what has none and is too long is dropped."""
        found = bytearray()
        while not self._stopped.is_set():
            found += line.read(max(1, line.in_waiting))
            while (at := found.find(self._end)) >= 0:
                piece = bytes(found[:at])
                del found[: at + len(self._end)]
                if len(piece) <= self._most:
                    self._tell(_text(piece))
            if len(found) > self._most:
                log.warning("%s: more than %d bytes came without an end, and were dropped", self.name, self._most)
                found.clear()

    def _tell(self, text: str) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            try:
                listener(text)
            except EdgeError as error:
                log.warning("%s: a line cannot be told: %s", self.name, error)
            except Exception:
                log.exception("%s: a line cannot be told", self.name)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"base64:{base64.b64encode(data).decode()}"
