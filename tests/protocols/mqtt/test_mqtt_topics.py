"""What is refused of topics in packets (sections 4.7 and 4.8.2)."""

import pytest

from protocols.mqtt.errors import InvalidFilter, InvalidTopic, MalformedPacket
from protocols.mqtt.topics import check_filter, check_name, check_shared, decode_utf8, parse_shared


@pytest.mark.parametrize("good", ["#", "+", "a/#", "+/#", "/", "//", "a/+/b", "+/+/+", "/+", "$a/#"])
def test_a_good_filter_is_accepted(good: str) -> None:
    assert check_filter(good) == good


@pytest.mark.parametrize("bad", ["", "a#", "#/", "a/#/b", "##", "a+", "+a/b", "a/b+", "a/+b/#"])
def test_a_bad_filter_is_refused(bad: str) -> None:  # [MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-4.7.3-1]
    with pytest.raises(InvalidFilter):
        check_filter(bad)


@pytest.mark.parametrize(
    ("whole", "name", "inner"),
    [
        ("$share/g/a/b", "g", "a/b"),
        ("$share/g/#", "g", "#"),
        ("$share/g//a", "g", "/a"),
        ("$share/g/$SYS/#", "g", "$SYS/#"),
        ("$share/$share/$share/a", "$share", "$share/a"),
    ],
)
def test_a_shared_filter_is_taken_apart(whole: str, name: str, inner: str) -> None:
    assert parse_shared(whole) == (name, inner)
    assert check_shared(whole) == whole


@pytest.mark.parametrize("whole", ["a", "#", "$share", "$shared/g/a", "$SYS/a"])
def test_a_filter_that_is_not_shared_stays_what_it_is(whole: str) -> None:
    assert parse_shared(whole) == ("", whole)
    assert parse_shared(whole)[1] is whole
    assert check_shared(whole) == whole


@pytest.mark.parametrize("bad", ["$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a", "$share/#"])
def test_an_incomplete_shared_filter_is_refused_in_version_5(bad: str) -> None:  # [MQTT5-4.8.2-1] [MQTT5-4.8.2-2]
    with pytest.raises(InvalidFilter):
        check_shared(bad)
    assert check_filter(bad) == bad  # one as any other in 3.1.1
    assert parse_shared(bad) == ("", bad)


@pytest.mark.parametrize("bad", ["", "#", "+", "a/+", "a/#", "a+b"])
def test_a_bad_name_is_refused(bad: str) -> None:  # [MQTT-4.7.1-1] [MQTT-3.3.2-2]
    with pytest.raises(InvalidTopic):
        check_name(bad)


@pytest.mark.parametrize("bad", [b"\0", b"a\0b", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xc0\x80", b"\xff"])
def test_a_string_that_is_not_utf_8_is_refused(bad: bytes) -> None:  # [MQTT-1.5.3-1] [-2]
    with pytest.raises(MalformedPacket):
        decode_utf8(bad)
