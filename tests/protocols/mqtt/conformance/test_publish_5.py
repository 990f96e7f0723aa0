"""5.0: the properties of PUBLISH and topic aliases in both directions (3.3.2.3)."""

import mqtt_client as mqtt
import pytest
from mqtt_bench import Bench, Client, messages
from mqtt_client import (
    ALIAS,
    ALIAS_MAXIMUM,
    CONTENT_TYPE,
    CORRELATION,
    MESSAGE_EXPIRY,
    PAYLOAD_FORMAT,
    RESPONSE_TOPIC,
    SESSION_EXPIRY,
    SUBSCRIPTION_ID,
    USER,
    WILL_DELAY,
)

EVERYTHING = {
    PAYLOAD_FORMAT: 1,
    CONTENT_TYPE: "text/plain; é",
    RESPONSE_TOPIC: "answers/ada",
    CORRELATION: bytes(range(256)),
    USER: [("b", "2"), ("a", "1"), ("b", "2"), ("", ""), ("é", "日")],
}

WAYS = {
    "at once": lambda bench: bench.client("reader", durable=True),
    "queued": lambda bench: bench.client("reader", durable=True),
}


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_properties_are_forwarded_unaltered_and_in_order(qos: int, wanted: int) -> None:
    """5.0: 3.3.2-4 3.3.2-15 3.3.2-16 3.3.2-17 3.3.2-18 3.3.2-20 1.5.7-1."""
    bench = Bench()
    reader = bench.client("reader")
    reader.subscribe(("a", wanted))
    bench.client("writer").publish("a", b"x", qos, 1, retain=True, properties=EVERYTHING)
    assert [seen.properties for seen in messages(reader.take())] == [EVERYTHING]
    assert bench.client("late").subscribe(("a", wanted))[1].properties == EVERYTHING, "retained"


def test_properties_survive_the_queue_and_redelivery() -> None:
    """5.0: 3.3.2-4 3.3.2-15 3.3.2-16 3.3.2-17 3.3.2-18 3.3.2-20."""
    bench = Bench()
    reader = bench.client("reader", durable=True)
    reader.subscribe(("a", 1))
    reader.lose()
    bench.client("writer").publish("a", b"x", 1, properties=EVERYTHING)
    for dup in (False, True):
        reader = bench.client("reader", durable=True)
        assert [(seen.properties, seen.dup) for seen in reader.early] == [(EVERYTHING, dup)]
        reader.lose()


def test_a_client_of_3_1_1_gets_the_message_without_its_properties() -> None:
    """3.1.1: 7.0.0-2."""
    bench = Bench()
    old = bench.client("old", 4)
    old.subscribe(("a", 1))
    bench.client("writer").publish("a", b"x", 1, properties={**EVERYTHING, MESSAGE_EXPIRY: 9})
    assert [(seen.payload, seen.qos) for seen in old.take()] == [(b"x", 1)]
    new = bench.client("new")
    new.subscribe(("b", 1))
    old.publish("b", b"y", 1)
    assert [(seen.payload, seen.properties) for seen in new.take()] == [(b"y", {})]


def test_request_and_response_find_each_other() -> None:
    """5.0: 3.3.2-15 3.3.2-16."""
    bench = Bench()
    asks, answers = bench.client("asks"), bench.client("answers")
    asks.subscribe(("answers/asks", 1))
    answers.subscribe(("service", 1))
    asks.publish("service", b"2+2", 1, properties={RESPONSE_TOPIC: "answers/asks", CORRELATION: b"\0\x07"})
    [request] = answers.take()
    topic, token = request.properties[RESPONSE_TOPIC], request.properties[CORRELATION]
    answers.publish(topic, b"4", 1, properties={CORRELATION: token})
    assert [(seen.payload, seen.properties) for seen in asks.take() if seen.kind == "PUBLISH"] == [
        (b"4", {CORRELATION: b"\0\x07"})
    ]


ERRORS = {
    "a response topic with a wildcard": ({RESPONSE_TOPIC: "a/#"}, (0x81, 0x82, 0x90)),
    "a response topic with a plus": ({RESPONSE_TOPIC: "+"}, (0x81, 0x82, 0x90)),
    "a response topic that is not UTF-8": ({RESPONSE_TOPIC: b"\xff"}, (0x81,)),
    "a content type that is not UTF-8": ({CONTENT_TYPE: b"\xed\xa0\x80"}, (0x81,)),
    "two content types": ({CONTENT_TYPE: ["a", "b"]}, (0x82,)),
    "two response topics": ({RESPONSE_TOPIC: ["a", "b"]}, (0x82,)),
    "two correlations": ({CORRELATION: [b"a", b"b"]}, (0x82,)),
    "two expiries": ({MESSAGE_EXPIRY: [1, 2]}, (0x82,)),
    "two payload formats": ({PAYLOAD_FORMAT: [0, 0]}, (0x82,)),
    "two aliases": ({ALIAS: [1, 1]}, (0x82,)),
    "a payload format of 2": ({PAYLOAD_FORMAT: 2}, (0x81, 0x82, 0x99)),
    "a subscription identifier": ({SUBSCRIPTION_ID: 1}, (0x82,)),
    "a session expiry": ({SESSION_EXPIRY: 1}, (0x81, 0x82)),
    "a Will delay": ({WILL_DELAY: 1}, (0x81, 0x82)),
    "an alias of 0": ({ALIAS: 0}, (0x94,)),
    "an alias above the maximum": ({ALIAS: 11}, (0x94,)),
}


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("error", ERRORS)
def test_a_publish_with_a_property_it_may_not_have_closes_the_connection(error: str, qos: int) -> None:
    """5.0: 3.3.2-8 3.3.2-9 3.3.2-13 3.3.2-14 3.3.2-19 3.3.4-6 4.13.1-1 3.14.2-1."""
    bench = Bench(topic_aliases=10)
    reader = bench.client("reader")
    reader.subscribe(("#", 0))
    values, reasons = ERRORS[error]
    client = bench.client("writer").publish("a", b"x", qos, properties=values)
    assert client.closed_with() in reasons
    assert reader.take() == []


# --- topic aliases from the client


def aliased(maximum: int = 10) -> tuple[Bench, Client, Client]:
    bench = Bench(topic_aliases=maximum)
    reader = bench.client("reader")
    reader.subscribe(("#", 0))
    return bench, reader, bench.client("writer")


def topics(client: Client) -> list[str]:
    return [seen.topic for seen in messages(client.take())]


def test_every_alias_up_to_the_maximum_is_accepted_and_stands_for_its_topic() -> None:
    """5.0: 3.3.2-12 3.2.2-17."""
    bench, reader, writer = aliased()
    maximum = writer.connack.properties[ALIAS_MAXIMUM]
    assert maximum == 10
    for alias in range(1, maximum + 1):
        writer.publish(f"t/{alias}", properties={ALIAS: alias})
    for alias in range(maximum, 0, -1):
        writer.publish("", properties={ALIAS: alias})
    names = [f"t/{alias}" for alias in range(1, 11)]
    assert topics(reader) == [*names, *reversed(names)]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_an_alias_can_be_given_another_topic(qos: int) -> None:
    """5.0: 3.3.2-12."""
    bench, reader, writer = aliased()
    for number, name in enumerate(["one", "", "two", "", "one", ""], 1):
        writer.publish(name, b"x", qos, number, properties={ALIAS: 1})
    assert topics(reader) == ["one", "one", "two", "two", "one", "one"]
    assert not writer.closed


def test_an_alias_that_was_never_given_closes_the_connection() -> None:
    """5.0: 3.3.2-7 4.7.3-1."""
    bench, reader, writer = aliased()
    writer.publish("a", properties={ALIAS: 1}).publish("", properties={ALIAS: 2})
    assert writer.closed_with() in (0x82, 0x94)
    assert topics(reader) == ["a"]


def test_aliases_end_with_the_connection_and_belong_to_it() -> None:
    """5.0: 3.3.2-7."""
    bench, reader, writer = aliased()
    writer.publish("a", properties={ALIAS: 1})
    other = bench.client("other").publish("", properties={ALIAS: 1})
    assert other.closed_with() in (0x82, 0x94)
    writer.lose()
    writer = bench.client("writer", durable=True).publish("", properties={ALIAS: 1})
    assert writer.closed_with() in (0x82, 0x94)
    assert topics(reader) == ["a"]


def test_without_a_maximum_no_alias_is_accepted() -> None:
    """5.0: 3.2.2-18 3.3.2-9."""
    bench, reader, writer = aliased(0)
    assert writer.connack.properties.get(ALIAS_MAXIMUM, 0) == 0
    assert writer.publish("a", properties={ALIAS: 1}).closed_with() == 0x94


def test_an_alias_is_not_passed_on() -> None:
    """5.0: 3.1.2-27."""
    bench, reader, writer = aliased()
    writer.publish("a", b"x", 1, 1, retain=True, properties={ALIAS: 3}).publish("", b"y", properties={ALIAS: 3})
    assert [seen.properties for seen in reader.take()] == [{}, {}]
    assert bench.client("late").subscribe(("a", 0))[1].properties == {}


# --- topic aliases to the client


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("maximum", [None, 0, 1, 3, 65_535])
def test_aliases_to_a_client_stay_within_its_maximum_and_mean_what_they_say(maximum: int | None, qos: int) -> None:
    """5.0: 3.1.2-26 3.1.2-27 3.3.2-8 3.3.2-11."""
    bench = Bench()
    reader = bench.client("reader", properties={} if maximum is None else {ALIAS_MAXIMUM: maximum})
    reader.subscribe(("#", qos))
    writer = bench.client("writer")
    sent, known, heard = [], {}, []
    for number in range(40):
        sent.append(f"plant/line/{number * number % 7}/temperature")
        writer.publish(sent[-1], b"x", qos, 1 + number).answer("PUBREL", 1 + number)
        for seen in messages(reader.take()):
            alias = seen.properties.get(ALIAS)
            assert alias is None or 1 <= alias <= (maximum or 0)
            if seen.topic and alias is not None:
                known[alias] = seen.topic
            heard.append(seen.topic or known[alias])
            reader.answer("PUBACK" if qos == 1 else "PUBREC", seen.packet_id) if qos else None
        for released in reader.take():
            reader.answer("PUBCOMP", released.packet_id)
    assert heard == sent


def test_aliases_to_a_client_end_with_the_connection() -> None:
    """5.0: 3.3.2-7."""
    bench = Bench()
    name = "plant/line1/temperature"
    for _ in range(3):
        reader = bench.client("reader", durable=True, properties={ALIAS_MAXIMUM: 5})
        assert reader.take() == []
        reader.subscribe(("#", 1))
        bench.client("writer").publish(name, b"x").publish(name, b"y")
        assert reader.take()[0].topic == name
        reader.lose()


def test_a_message_that_is_sent_again_names_its_topic() -> None:
    """5.0: 3.3.2-7 4.4.0-1."""
    bench = Bench()
    name = "plant/line1/temperature"
    reader = bench.client("reader", durable=True, properties={ALIAS_MAXIMUM: 5})
    reader.subscribe(("#", 1))
    bench.client("writer").publish(name, b"x", 1, 1).publish(name, b"y", 1, 2)
    assert len(reader.take()) == 2
    reader.lose()
    reader = bench.client("reader", durable=True)
    assert [(seen.topic, seen.dup, ALIAS in seen.properties) for seen in reader.early] == [(name, True, False)] * 2


def test_a_dropped_message_never_leaves_a_client_with_an_alias_it_does_not_know() -> None:
    """5.0: 3.3.2-11."""
    bench = Bench(outbound_bytes=2_000, patience=0)
    reader = bench.client("reader", properties={ALIAS_MAXIMUM: 2})
    reader.subscribe(("#", 0))
    writer = bench.client("writer")
    known: dict[int, str] = {}
    for number in range(200):
        writer.publish(f"plant/line/{number % 3}/pressure", bytes(150))
        bench.broker.sweep(bench.now)
        if number % 20 == 19:
            for seen in reader.take():
                alias = seen.properties.get(ALIAS)
                assert seen.topic or alias in known
                if seen.topic and alias:
                    known[alias] = seen.topic


def test_an_empty_topic_without_an_alias_closes_the_connection() -> None:
    """5.0: 4.7.3-1 3.3.2-1."""
    client = Bench().client().send(mqtt.publish(5, "", b"x"))
    assert client.closed_with() in (0x81, 0x82, 0x90)
