"""Clients that other people wrote, in 5.0: mosquitto_pub, mosquitto_sub, mosquitto_rr and paho-mqtt."""

import threading
import time

import pytest
from foreign import Paho5, got, pub, run, stating, sub, wait_until_gone
from paho.mqtt.packettypes import PacketTypes

from tests.support.processes import wait_until

pytestmark = pytest.mark.stack

FIVE = "mqttv5"

# --- mosquitto's commands


def test_mosquitto_sends_properties_and_receives_them(start) -> None:
    running = start()
    stated = ["-D", "publish", "content-type", "text/plain", "-D", "publish", "user-property", "b", "2"]
    stated += ["-D", "publish", "user-property", "a", "1", "-D", "publish", "response-topic", "back"]
    stated += ["-D", "publish", "correlation-data", "7", "-D", "publish", "message-expiry-interval", "60"]
    printed_as = "got %t %q %p|%C|%P|%R|%D|%E"
    with sub(running, "-t", "plant/#", "-q", "1", "-F", printed_as, version=FIVE) as printed:
        done = pub(running, "-t", "plant/a", "-q", "1", "-m", "21.5", *stated, version=FIVE)
        assert (done.returncode, done.stderr) == (0, "")
        [line] = got(printed, 1)
    assert line in (
        "got plant/a 1 21.5|text/plain|b:2 a:1|back|7|60",
        "got plant/a 1 21.5|text/plain|b:2 a:1|back|7|59",
    )


@pytest.mark.parametrize("qos", ["0", "1", "2"])
def test_mosquitto_shares_a_subscription(start, qos: str) -> None:
    running = start()
    options = ["-q", qos, "-F", "got %p"]
    with (
        sub(running, "-t", "$share/g/s/#", *options, version=FIVE) as one,
        sub(running, "-t", "$share/g/s/#", *options, version=FIVE) as two,
        sub(running, "-t", "s/#", *options, version=FIVE) as everything,
    ):
        for number in range(6):
            assert pub(running, "-t", "s/a", "-q", qos, "-m", str(number), version=FIVE).returncode == 0
        assert got(everything, 6) == [f"got {number}" for number in range(6)]
        assert sorted(got(one, 3) + got(two, 3)) == [f"got {number}" for number in range(6)]


def test_mosquitto_asks_and_is_answered(start) -> None:
    running = start()
    service = Paho5(running, "service")
    assert service.subscribe("service/add", qos=1) == [1]

    def answer() -> None:
        request = service.next()
        token = request.properties.CorrelationData
        stated = stating(PacketTypes.PUBLISH, CorrelationData=token)
        service.client.publish(request.properties.ResponseTopic, request.payload + b"=4 " + token, 1, properties=stated)

    answering = threading.Thread(target=answer)
    answering.start()
    request = ["-t", "service/add", "-m", "2+2", "-D", "publish", "correlation-data", "no. 7"]
    done = run("mosquitto_rr", running, *request, "-e", "answers/7", "-q", "1", version=FIVE)
    answering.join(10)
    service.end()
    assert (done.returncode, done.stdout.strip()) == (0, "2+2=4 no. 7")


def test_mosquitto_resumes_its_session_until_it_expires(start) -> None:
    running = start()
    options = ["-i", "durable", "-c", "-q", "1", "-t", "q/#", "-F", "got %p"]
    kept = [*options, "-x", "60"]
    with sub(running, *kept, version=FIVE):
        pass
    wait_until_gone(running, "durable")
    assert pub(running, "-t", "q/a", "-q", "1", "-m", "kept", version=FIVE).returncode == 0
    with sub(running, *kept, version=FIVE) as printed:
        assert got(printed, 1) == ["got kept"]
    with sub(running, *options, "-x", "0", version=FIVE):
        pass  # now the session ends with the connection
    wait_until_gone(running, "durable")
    assert pub(running, "-t", "q/a", "-q", "1", "-m", "lost", version=FIVE).returncode == 0
    with sub(running, *kept, version=FIVE) as printed:
        assert pub(running, "-t", "q/a", "-q", "1", "-m", "new", version=FIVE).returncode == 0
        assert got(printed, 1) == ["got new"]


def test_mosquitto_is_told_why_it_is_refused(start) -> None:
    running = start()
    done = pub(running, "-P", "wrong", "-t", "a", "-m", "x", version=FIVE)
    assert done.returncode != 0
    assert "not authori" in done.stderr.lower() or "bad user" in done.stderr.lower()


# --- paho


def test_paho_hears_properties_in_order_and_its_subscriptions_identifiers(start) -> None:
    running = start()
    reader, writer = Paho5(running, "reader"), Paho5(running, "writer")
    stated = stating(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=300)
    assert reader.subscribe("a/#", qos=2, properties=stated) == [2]
    pairs = [("b", "2"), ("a", "1"), ("b", "2")]
    assert writer.publish("a/b", b"x", 2, UserProperty=pairs, ContentType="t", PayloadFormatIndicator=1) == 0
    seen = reader.next()
    assert (seen.topic, seen.payload, seen.qos) == ("a/b", b"x", 2)
    assert seen.properties.UserProperty == pairs
    assert (seen.properties.ContentType, seen.properties.PayloadFormatIndicator) == ("t", 1)
    assert seen.properties.SubscriptionIdentifier == [300]
    reader.end()
    writer.end()


def test_paho_chooses_no_local_retain_handling_and_retain_as_published(start) -> None:
    running = start()
    client, other = Paho5(running, "client"), Paho5(running, "other")
    client.publish("r", b"kept", retain=True)
    assert client.subscribe("r", qos=1, noLocal=True, retainHandling=2, retainAsPublished=True) == [1]
    client.publish("r", b"own", retain=True)
    other.publish("r", b"other's", retain=True)
    seen = client.next()
    assert (seen.payload, seen.retain) == (b"other's", True)
    assert client.messages.empty()
    client.end()
    other.end()


def test_paho_is_given_a_name_and_keeps_its_session(start) -> None:
    running = start()
    client = Paho5(running, "", SessionExpiryInterval=60)
    name = client.told.AssignedClientIdentifier
    client.subscribe("q", qos=1)
    client.end()
    wait_until_gone(running, name)
    writer = Paho5(running, "writer")
    assert writer.publish("q", b"missed", MessageExpiryInterval=60) == 0
    client = Paho5(running, name, clean=False, SessionExpiryInterval=60)
    seen = client.next()
    assert client.flags.session_present
    assert (seen.payload, 58 <= seen.properties.MessageExpiryInterval <= 60) == (b"missed", True)
    client.end()
    writer.end()


def test_a_message_for_paho_expires_in_the_queue(start) -> None:
    running = start()
    client = Paho5(running, "c", SessionExpiryInterval=60)
    client.subscribe("q", qos=1)
    client.end()
    wait_until_gone(running, "c")
    writer = Paho5(running, "writer")
    writer.publish("q", b"short", MessageExpiryInterval=1)
    writer.publish("q", b"long", MessageExpiryInterval=60)
    time.sleep(1.2)
    client = Paho5(running, "c", clean=False, SessionExpiryInterval=60)
    assert client.next().payload == b"long"
    client.end()
    writer.end()


def test_pahos_will_waits_for_its_delay_and_not_when_it_is_back(start) -> None:
    running = start()
    watcher = Paho5(running, "watcher")
    watcher.subscribe("will", qos=1)
    properties = stating(PacketTypes.WILLMESSAGE, WillDelayInterval=30, UserProperty=[("k", "v")])

    def vanish(client_id: str) -> None:
        client = Paho5(running, client_id, will=("will", client_id.encode(), properties), SessionExpiryInterval=60)
        client.vanish()
        wait_until_gone(running, client_id)

    def sweep(seconds: float) -> None:
        running.do(lambda: running.server._broker.sweep(running.server.now() + seconds))

    vanish("back")
    back = Paho5(running, "back", clean=False, SessionExpiryInterval=60)
    vanish("away")
    sweep(15)
    watcher.publish("will", b"in between", qos=1)
    sweep(31)
    seen = [watcher.next(), watcher.next()]
    assert [one.payload for one in seen] == [b"in between", b"away"]
    assert seen[1].properties.UserProperty == [("k", "v")]
    watcher.publish("will", b"the last", qos=1)
    assert watcher.next().payload == b"the last"
    back.end()
    watcher.end()


def test_paho_is_told_that_it_was_taken_over(start) -> None:
    running = start()
    old = Paho5(running, "c")
    old.client.reconnect_delay_set(60, 60)
    new = Paho5(running, "c")
    assert old.disconnected.get(timeout=10).value == 0x8E
    old.client.loop_stop()
    new.end()


def test_paho_is_told_that_it_may_not(start) -> None:
    running = start()
    client = Paho5(running, "c")
    assert client.publish("$SYS/fake", b"x", 1) == 0x87
    assert client.publish("fine", b"x", 1) in (0x00, 0x10)
    client.end()


def test_paho_shares_thousands_of_messages(start) -> None:
    running = start()
    members = [Paho5(running, f"m{number}") for number in range(3)]
    for member in members:
        assert member.subscribe("$share/g/n/#", qos=1) == [1]
    writer = Paho5(running, "writer")
    writer.client.on_publish = None
    for number in range(1_500):
        last = writer.client.publish("n/x", str(number), 1)
    last.wait_for_publish(20)
    heard = heard_by(members, 1_500)
    assert sorted(sum(heard, [])) == list(range(1_500))
    assert all(len(numbers) > 300 for numbers in heard), "nobody is left out"
    assert [numbers == sorted(numbers) for numbers in heard] == [True] * 3
    for client in (*members, writer):
        client.end()


def heard_by(members: list[Paho5], count: int) -> list[list[int]]:
    """Return what each member hears once all of them together have heard so much."""
    wait_until(lambda: sum(member.messages.qsize() for member in members) >= count)
    return [[int(member.next().payload) for _ in range(member.messages.qsize())] for member in members]
