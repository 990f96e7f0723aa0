"""The promise: nothing acknowledged is lost, whenever the worker is killed."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from tests.support.faithful import Client, Publisher, Subscriber
from tests.support.processes import wait_until
from tests.support.stack import Stack

pytestmark = pytest.mark.stack

KILLS = 10
MOVES_WITHIN = 15  # seconds that it may take until messages are acknowledged again after a kill
DRAINED_WITHIN = 30
FULL = 3 << 20  # bytes that a file may have while the disk is as good as full
PAUSE = 0.02  # seconds between two looks of a publisher at its window


class Field:
    """Publishers and durable subscribers at one broker."""

    def __init__(self, stack: Stack) -> None:
        entry = stack.add()
        self._who = (stack.mqtt_port, entry["username"], entry["password"])
        self.publishers = {
            "one/a": self._publisher("one/a", 1),
            "one/b": self._publisher("one/b", 1),
            "two/a": self._publisher("two/a", 2),
            "two/b": self._publisher("two/b", 2),
        }
        self.keeper = Publisher(*self._who, "retaining", topic="", qos=1, window=10, retained="kept")
        self.online = [self.subscriber("online-1", "one/+", 1), self.subscriber("online-2", "two/+", 2)]
        self.offline = [self.subscriber("offline-1", "one/+", 1), self.subscriber("offline-2", "two/+", 2)]
        self._tasks: list[asyncio.Task[None]] = []

    def _publisher(self, topic: str, qos: int) -> Publisher:
        return Publisher(*self._who, f"to {topic}", topic=topic, qos=qos)

    def subscriber(self, client_id: str, topic_filter: str, qos: int) -> Subscriber:
        return Subscriber(*self._who, client_id, topic_filter=topic_filter, qos=qos)

    def bring(self, *clients: Client) -> None:
        """Let clients connect."""
        self._tasks += [asyncio.create_task(client.run()) for client in clients]

    async def subscribe(self) -> None:
        """Have all subscribed, and one half leave."""
        everybody = [*self.online, *self.offline]
        self.bring(*everybody)
        await until(lambda: all(one.subscribed for one in everybody), 5, "subscriptions")
        for one in self.offline:
            one.stop()

    def publish(self) -> None:
        """Begin to publish."""
        for publisher in self.everything:
            self.bring(publisher)
            self._tasks.append(asyncio.create_task(publisher.publish(PAUSE)))

    @property
    def everything(self) -> list[Publisher]:
        return [*self.publishers.values(), self.keeper]

    @property
    def acknowledged(self) -> int:
        return sum(len(publisher.acknowledged) for publisher in self.everything)

    def expected(self, topic_filter: str) -> dict[str, list[int]]:
        """Return what was acknowledged on the topics of a filter."""
        return {
            topic: publisher.acknowledged
            for topic, publisher in self.publishers.items()
            if topic.startswith(topic_filter)
        }

    async def end(self, *clients: Client) -> None:
        for client in clients:
            client.stop()
        await asyncio.gather(*self._tasks)


async def until(condition: Callable[[], object], within: float, what: str) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"waited {within} s for {what}"
        await asyncio.sleep(0.02)


async def kill_again_and_again(stack: Stack, field: Field) -> None:
    chance = random.Random(3)
    for number in range(KILLS):
        enough = field.acknowledged + 300
        await until(lambda enough=enough: field.acknowledged > enough, MOVES_WITHIN, f"messages after {number} kills")
        await asyncio.sleep(chance.uniform(0, 0.5))
        os.kill(await asyncio.to_thread(stack.worker_pid), signal.SIGKILL)


def let_files_grow(pid: int, size: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


async def fill_the_disk_and_make_room(stack: Stack, field: Field) -> None:
    pid = await asyncio.to_thread(stack.worker_pid)
    let_files_grow(pid, FULL)
    await until(lambda: "mqtt.db cannot be written" in stack.log(), 30, "a full disk")
    before = field.acknowledged
    await asyncio.sleep(2.5)
    assert field.acknowledged <= before + 100, "nothing is acknowledged that cannot be stored"
    let_files_grow(pid, resource.RLIM_INFINITY)
    await until(lambda: "mqtt.db can be written again" in stack.log(), 5, "the disk to be used again")
    enough = field.acknowledged + 1000
    await until(lambda: field.acknowledged > enough, MOVES_WITHIN, "messages after the disk was full")
    assert await asyncio.to_thread(stack.worker_pid) == pid


async def drain(field: Field) -> list[Subscriber]:
    """Let everything arrive that is under way, and return all subscribers."""
    for publisher in field.everything:
        publisher.paused = True
    await until(lambda: all(one.is_done for one in field.everything), DRAINED_WITHIN, "the last acknowledgements")
    returned = [field.subscriber("offline-1", "one/+", 1), field.subscriber("offline-2", "two/+", 2)]
    for one in returned:
        one.subscribed, one.connects = True, 1  # a session that must be present
    field.bring(*returned)
    everybody = [*field.online, *returned]
    counts: list[int] = []
    while counts != [one.count for one in everybody] or not all(counts):
        counts = [one.count for one in everybody]
        await asyncio.sleep(1)
    return everybody


def first_times(numbers: list[int]) -> list[int]:
    return list(dict.fromkeys(numbers))


def check_subscriber(field: Field, one: Subscriber, topic_filter: str) -> None:
    for topic, acknowledged in field.expected(topic_filter).items():
        got = one.got[topic]
        lost = set(acknowledged) - set(got)
        assert not lost, f"{len(lost)} acknowledged messages of {len(acknowledged)} on {topic} lost: {sorted(lost)[:9]}"
        assert first_times(got) == sorted(set(got)), f"{one.client_id}: {topic} out of order"
        if topic.startswith("two"):
            assert len(got) == len(set(got)), (
                f"{one.client_id}: {len(got) - len(set(got))} messages of QoS 2 came twice"
            )


async def check_retained(field: Field) -> None:
    reader = field.subscriber("reader", "kept/+", 1)
    field.bring(reader)
    await until(lambda: len(reader.got) == 40, 5, "retained messages")
    for topic, numbers in reader.got.items():
        last = max(number for number in field.keeper.acknowledged if f"kept/{number % 40}" == topic)
        assert numbers == [last], topic
    reader.stop()


async def scenario(stack: Stack, trouble: Callable[[Stack, Field], Coroutine[None, None, None]]) -> Field:
    field = Field(stack)
    await field.subscribe()
    field.publish()
    await trouble(stack, field)
    everybody = await drain(field)
    for one in everybody:
        check_subscriber(field, one, "one" if one.client_id.endswith("1") else "two")
    await check_retained(field)
    strangers = [line for client in [*everybody, *field.everything] for line in client.strangers]
    assert strangers == []
    await field.end(*everybody, *field.everything)
    return field


def test_nothing_acknowledged_is_lost_by_kills(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack(MQTT_QUEUE_MESSAGES="1000000").start()
    field = asyncio.run(scenario(stack, kill_again_and_again))
    for publisher in field.publishers.values():
        assert len(publisher.acknowledged) > 500
    stack.stop()
    assert "Traceback" not in stack.log(), stack.log()
    assert "was damaged" not in stack.log(), stack.log()
    left = [one.name for one in Path(stack.environ["DATA_DIR"]).iterdir() if one.name.startswith("mqtt.db")]
    assert left == ["mqtt.db"], "neither a log nor a damaged file"


def test_a_full_disk_is_survived(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack(MQTT_QUEUE_MESSAGES="1000000").start()
    asyncio.run(scenario(stack, fill_the_disk_and_make_room))
    stack.stop()
    assert "Traceback" not in stack.log(), stack.log()


def test_a_damaged_store_does_not_keep_it_from_starting(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack().start()
    stack.stop()
    store = Path(stack.environ["DATA_DIR"]) / "mqtt.db"
    store.write_bytes(os.urandom(50_000))
    stack.start()
    said = "mqtt.db was damaged (file is not a database): 0 records are whole and kept"
    wait_until(lambda: said in stack.log(), what=said)
    wait_until(lambda: "is ready" in stack.log().partition(said)[2], what="the broker")
    stack.stop()
    assert len(list(store.parent.glob("mqtt.db.damaged-*Z"))) == 1
