"""Clients that other people wrote: mosquitto_pub, mosquitto_sub and paho-mqtt."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

pytestmark = pytest.mark.stack

LOGIN = ["-V", "mqttv311", "-u", "ada", "-P", "right"]


def command(name: str) -> str:
    path = shutil.which(name)
    assert path is not None, f"{name} is missing: install mosquitto-clients"
    return path


def pub(running, *options: str) -> subprocess.CompletedProcess[str]:
    where = ["-h", "127.0.0.1", "-p", str(running.port)]
    return subprocess.run(
        [command("mosquitto_pub"), *where, *LOGIN, *options],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@contextmanager
def sub(running, *options: str) -> Iterator[Iterator[str]]:
    """Run mosquitto_sub until the block ends; yield what it prints, once it has subscribed."""
    where = ["-h", "127.0.0.1", "-p", str(running.port)]
    with subprocess.Popen(
        ["stdbuf", "-oL", command("mosquitto_sub"), *where, *LOGIN, "-d", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            early = []
            for line in process.stdout:
                early.append(line)
                if line.startswith("Subscribed"):
                    break
            yield chain(early, process.stdout)
        finally:
            process.kill()


def got(printed: Iterator[str], count: int) -> list[str]:
    """Return the next messages, without the debugging lines between them."""
    messages = (line.strip() for line in printed if line.startswith("got "))
    return list(islice(messages, count))


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


class Paho:
    """A paho client that collects what it hears."""

    def __init__(self, running, client_id: str, **options) -> None:
        self.messages: list[tuple[str, bytes, int, bool]] = []
        self.more = threading.Condition()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id, **options)
        self.client.username_pw_set("ada", "right")
        self.client.on_message = self._on_message
        self.client.on_subscribe = lambda *_: self._ready.set()
        self._ready = threading.Event()
        self.client.connect("127.0.0.1", running.port)
        self.client.loop_start()

    def subscribe(self, topic_filter: str, qos: int) -> None:
        self._ready.clear()
        self.client.subscribe(topic_filter, qos)
        assert self._ready.wait(10)

    def wait_for(self, count: int) -> None:
        with self.more:
            assert self.more.wait_for(lambda: len(self.messages) >= count, 20)

    def end(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _on_message(self, client, data, message) -> None:
        with self.more:
            self.messages.append((message.topic, message.payload, message.qos, message.retain))
            self.more.notify()


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
