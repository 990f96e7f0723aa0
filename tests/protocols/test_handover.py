"""How clients are taken over from web workers."""

import asyncio
import socket
from pathlib import Path

import pytest
import uvloop

from protocols.handover import HandOver
from protocols.listening import AT_ONCE


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_busy_loop_takes_several_over_in_a_turn(run, tmp_path: Path) -> None:
    async def scenario() -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(str(tmp_path / "web.sock"))
        listener.listen()
        couriers = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(AT_ONCE)]
        for courier in couriers:
            courier.connect(listener.getsockname())
        taken = HandOver(asyncio.get_running_loop(), listener, lambda message: asyncio.Protocol())
        counts = []
        while len(taken._waiting) < len(couriers):
            await asyncio.sleep(0)
            counts.append(len(taken._waiting))
        taken.close()
        for courier in couriers:
            courier.close()
        assert set(counts) <= {0, AT_ONCE}

    run(scenario())
