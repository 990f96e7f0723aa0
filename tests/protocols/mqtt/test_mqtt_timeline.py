"""The clock that goes on through restarts."""

from __future__ import annotations

from dataclasses import dataclass

from protocols.mqtt.timeline import Clocks, Stamp, Timeline


@dataclass
class Machine:
    """A machine whose clocks a test sets."""

    wall: float = 1_000_000.0
    up: float = 50.0
    boot: str = "first"

    @property
    def clocks(self) -> Clocks:
        return Clocks(lambda: self.wall, lambda: self.up, lambda: self.boot)

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.up += seconds


def left(machine: Machine, last: Stamp | None, deadline: float) -> float:
    """Return how much time a stored deadline leaves after a start; the engine's clock begins at 7."""
    return Timeline(last, 7.0, machine.clocks).engine(deadline) - 7.0


def test_a_deadline_goes_on_after_a_restart_of_the_process() -> None:
    machine = Machine()
    line = Timeline(None, 100.0, machine.clocks)
    deadline = line.stored(100.0 + 3600)
    assert line.engine(deadline) == 3700
    machine.wait(600)
    assert left(machine, line.stamp(), deadline) == 3000
    stamp = line.stamp()
    machine.wait(600)
    assert left(machine, stamp, deadline) == 2400


def test_a_wall_clock_that_was_set_changes_nothing_while_the_system_runs() -> None:
    machine = Machine()
    line = Timeline(None, 100.0, machine.clocks)
    deadline, stamp = line.stored(3700.0), line.stamp()
    machine.wait(60)
    for wall in (0.0, 2_000_000_000.0):
        machine.wall = wall
        assert left(machine, stamp, deadline) == 3540


def test_after_a_restart_of_the_system_the_wall_clock_tells() -> None:
    machine = Machine()
    line = Timeline(None, 100.0, machine.clocks)
    deadline, stamp = line.stored(3700.0), line.stamp()
    machine.wall, machine.up, machine.boot = machine.wall + 1000, 3.0, "second"
    assert left(machine, stamp, deadline) == 2600


def test_a_clock_set_back_expires_nothing_early() -> None:
    machine = Machine()
    line = Timeline(None, 100.0, machine.clocks)
    deadline, stamp = line.stored(3700.0), line.stamp()
    machine.wall, machine.up, machine.boot = 0.0, 3.0, "second"
    assert left(machine, stamp, deadline) == 3600
    machine.boot = ""  # a system that does not say when it was started
    assert left(machine, stamp, deadline) == 3600


def test_a_stamp_is_due_in_time_and_when_the_wall_clock_is_set() -> None:
    machine = Machine()
    line = Timeline(None, 100.0, machine.clocks)
    machine.wait(59)
    assert not line.is_stamp_due(60)
    machine.wait(2)
    assert line.is_stamp_due(60)
    line.stamp()
    assert not line.is_stamp_due(60)
    machine.wall -= 500
    assert line.is_stamp_due(60)


def test_the_clocks_of_this_machine_work() -> None:
    line = Timeline(None, 0.0)
    assert line.engine(line.stored(5.0)) == 5.0
    assert not line.is_stamp_due(60)
