"""Any bytes are a packet, or refused with an MqttError; nothing else ever comes out of the codec."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.mqtt.decode import decode
from protocols.mqtt.errors import MqttError
from protocols.mqtt.packets import CLIENT_HEADS_5
from tests.fuzz import codec
from tests.fuzz.writer import Writer

LEVELS = [4, 5]


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=300)
@given(head=st.sampled_from(sorted(CLIENT_HEADS_5)), body=st.binary(max_size=80))
def test_any_body_is_a_packet_or_refused(level: int, head: int, body: bytes) -> None:
    try:
        decode(head, body, level)
    except MqttError as error:
        assert error.code in codec.CODES


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=300)
@given(data=st.binary(max_size=200))
def test_any_stream_is_packets_or_refused(level: int, data: bytes) -> None:
    codec.read(data, level)


@settings(max_examples=300)
@given(seed=st.integers(0, 1 << 32))
def test_packets_that_were_changed_are_packets_or_refused(seed: int) -> None:
    codec.run(seed)


@pytest.mark.parametrize("level", LEVELS)
def test_most_of_what_the_fuzzer_writes_is_read(level: int) -> None:
    writer = Writer(Random(1), level)
    good = sum(codec.read(writer.packet(), level) > 0 for _ in range(1_000))
    assert good > 850
