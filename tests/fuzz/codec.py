"""Streams of bytes through the codec alone."""

from __future__ import annotations

from random import Random

from protocols.mqtt.decode import decode
from protocols.mqtt.errors import MqttError
from protocols.mqtt.packets import frames
from tests.fuzz.writer import Writer, mutated

CODES = range(0x80, 0xA3)


def read(data: bytes, level: int) -> int:
    """Decode a stream; return how many packets it has, up to the first that is refused."""
    count = 0
    try:
        for head, _, body, end, _ in frames(data, 0, 1 << 20, level):
            assert body <= end <= len(data)
            decode(head, data[body:end], level)
            count += 1
    except MqttError as error:
        assert error.code in CODES
        assert str(error).isprintable() and len(str(error)) < 200
    return count


def run(seed: int) -> None:
    """Read packets of both versions, some of them changed, also as if they were of the other one."""
    random = Random(seed)
    for level in (4, 5):
        writer = Writer(random, level)
        for _ in range(5):
            data = writer.packet()
            read(data, level)
            read(data, 9 - level)
            read(mutated(random, data), level)
