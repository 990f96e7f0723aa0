"""Clients that other people wrote, in 3.1.1: mosquitto_pub, mosquitto_sub and paho-mqtt."""

import pytest
from foreign import Paho, got, pub, sub

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("qos", ["0", "1", "2"])
def test_mosquitto_sends_and_receives(start, qos: str) -> None:
    running = start()
    with sub(running, "-t", "plant/#", "-q", qos, "-F", "got %t %q %p") as printed:
        done = pub(running, "-t", "plant/line1", "-q", qos, "-m", "21.5")
        assert (done.returncode, done.stderr) == (0, "")
        assert got(printed, 1) == [f"got plant/line1 {qos} 21.5"]


def test_mosquitto_is_told_why_it_is_refused(start) -> None:
    running = start()
    done = pub(running, "-P", "wrong", "-t", "a", "-m", "x")
    assert done.returncode != 0
    assert "not authori" in done.stderr or "bad user name" in done.stderr.lower()
    done = pub(running, "-u", "idle", "-t", "a", "-m", "x")
    assert "not authori" in done.stderr.lower()


def test_mosquitto_resumes_its_session(start) -> None:
    running = start()
    options = ["-i", "durable", "-c", "-q", "1", "-t", "q/#", "-F", "got %p"]
    with sub(running, *options):
        pass
    for number in range(3):
        assert pub(running, "-t", "q/a", "-q", "1", "-m", str(number)).returncode == 0
    with sub(running, *options) as printed:
        assert got(printed, 3) == ["got 0", "got 1", "got 2"]


def test_mosquitto_leaves_a_will_and_a_retained_message(start) -> None:
    running = start()
    assert pub(running, "-t", "state", "-r", "-m", "up").returncode == 0
    with sub(running, "-t", "state", "-t", "will", "-F", "got %r %p") as watcher:
        assert got(watcher, 1) == ["got 1 up"]
        with sub(running, "-t", "x", "--will-topic", "will", "--will-payload", "down"):
            pass
        assert got(watcher, 1) == ["got 0 down"]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_paho_sends_thousands_and_receives_each_once_in_order(start, qos: int) -> None:
    running = start()
    reader, writer = Paho(running, "reader"), Paho(running, "writer")
    reader.subscribe("n/#", qos)
    last = None
    for number in range(2_000):
        last = writer.client.publish("n/x", str(number), qos)
    assert last is not None
    last.wait_for_publish(20)
    reader.wait_for(2_000)
    assert [int(payload) for _, payload, _, _ in reader.messages] == list(range(2_000))
    assert {received for _, _, received, _ in reader.messages} == {qos}
    reader.end()
    writer.end()


def test_paho_gets_what_it_missed(start) -> None:
    running = start()
    reader = Paho(running, "reader", clean_session=False)
    reader.subscribe("q", 2)
    reader.end()
    writer = Paho(running, "writer")
    for number in range(100):
        writer.client.publish("q", str(number), 2).wait_for_publish(10)
    reader = Paho(running, "reader", clean_session=False)
    reader.wait_for(100)
    assert [int(payload) for _, payload, _, _ in reader.messages] == list(range(100))
    reader.end()
    writer.end()


def test_paho_keeps_a_megabyte_retained(start) -> None:
    running = start()
    payload = bytes(range(256)) * 4_096
    writer = Paho(running, "writer")
    writer.client.publish("big", payload, 1, retain=True).wait_for_publish(10)
    reader = Paho(running, "reader")
    reader.subscribe("big", 1)
    reader.wait_for(1)
    assert reader.messages == [("big", payload, 1, True)]
    reader.end()
    writer.end()
