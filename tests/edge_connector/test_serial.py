"""A serial line, at whose other end the test is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import serial

from edge_connector.connectors import serial as module
from edge_connector.connectors.serial import Serial
from edge_connector.errors import ConfigFault, Refused, TimedOut
from edge_connector.settings import Table
from tests.edge_connector.maker import Maker
from tests.edge_connector.plc import Line
from tests.support.processes import wait_until


@pytest.fixture
def line() -> Iterator[Line]:
    with Line() as found:
        yield found


@pytest.fixture
def device(line: Line) -> Iterator[serial.Serial]:
    """The device's end."""
    with serial.Serial(line.far, timeout=2) as found:
        yield found


@pytest.fixture
def make(line: Line) -> Iterator[Callable[..., Serial]]:
    with Maker(Serial, "scale", port=line.near, seconds=0.5) as making:

        def connector(**values: Any) -> Serial:
            made = making(**values)
            wait_until(lambda: made._line is not None or made._trouble != "the line is not open yet")
            return made

        yield connector


def test_what_comes_is_told_line_by_line(make: Callable[..., Serial], device: serial.Serial) -> None:
    scale, heard = make(), []
    end = scale.listen(heard.append)
    device.write(b"12.5 kg\r\n13")
    wait_until(lambda: heard == ["12.5 kg"])
    device.write(b".0 kg\r\n\xff\xfe\r\n")
    wait_until(lambda: heard[1:] == ["13.0 kg", "base64://4="])
    end()
    device.write(b"14\r\n")
    scale.listen(heard.append)
    device.write(b"15\r\n")
    wait_until(lambda: heard[-1] == "15")


def test_a_question_is_answered_by_the_next_line(make: Callable[..., Serial], device: serial.Serial) -> None:
    scale = make(write=True, end="\n")
    with pytest.raises(TimedOut, match=r"nothing came within 0\.5 s"):
        scale.ask("weight?")
    assert device.read_until(b"\n") == b"weight?\n"

    def answer() -> None:
        assert device.read_until(b"\n") == b"weight?\n"
        device.write(b"21.5\n22\n")

    thread = threading.Thread(target=answer)
    thread.start()
    assert scale.ask("weight?") == "21.5"
    thread.join()


def test_nothing_is_written_where_the_configuration_does_not_allow_it(make: Callable[..., Serial]) -> None:
    scale = make()
    for call in (scale.write, scale.ask):
        with pytest.raises(Refused, match="nothing may be written"):
            call("x")
    with pytest.raises(Refused, match="more than the 10"):
        make(port="/dev/none", write=True, bytes=10).write("x" * 20)


def test_what_has_no_end_is_dropped(
    make: Callable[..., Serial], device: serial.Serial, caplog: pytest.LogCaptureFixture
) -> None:
    scale, heard = make(bytes=100), []
    scale.listen(heard.append)
    device.write(b"x" * 500)
    wait_until(lambda: "without an end" in caplog.text)
    device.write(b"\r\ngood\r\n")
    wait_until(lambda: heard[-1:] == ["good"])


def test_a_line_that_is_away_is_opened_when_it_comes(
    make: Callable[..., Serial], tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN", 0.05)
    scale = make(port=str(tmp_path / "tty"), write=True)
    with pytest.raises(Refused, match="could not open port"):
        scale.write("x")
    (tmp_path / "tty").symlink_to(line.near)
    wait_until(lambda: scale._line is not None)
    assert scale.write("x") == 3


def test_a_wrong_configuration_is_named() -> None:
    for values, why in [({"end": ""}, "scale.end cannot be empty"), ({"parity": "X"}, "scale.parity has to be one of")]:
        with pytest.raises(ConfigFault, match=why):
            Serial("scale", Table("scale", {"port": "/dev/none", **values}))
