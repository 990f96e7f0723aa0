"""A hub that answers pages as the protocols worker does: the real thing, in a thread of the tests."""

from __future__ import annotations

from pathlib import Path

from portal import unix, worker_client
from portal.worker_client import MQTT
from protocols.answers import Answers
from protocols.http.limits import Limits
from protocols.http.messages import Rows
from protocols.http.topics import Topics
from protocols.hub.hub import Hub
from protocols.hub.limits import HubLimits
from protocols.looper import Looper

PLANT = 3
LARGEST = 16 * 1024 * 1024
USERNAMES = {0: "", PLANT: "plant"}


class LiveHub:
    """Integrations publish to it while no page asks; `stop` takes it away."""

    def __init__(self, folder: Path) -> None:
        self.time = 1_700_000_000.0
        self.hub = Hub(HubLimits(payload=LARGEST, bytes=8 * LARGEST), lambda: self.time)
        limits = Limits()
        topics = Topics(self.hub, Rows(USERNAMES.__getitem__, limits.answer_bytes), limits)
        self._looper = Looper("hub")
        self._looper.start()
        self._answers = Answers(topics.actions(), {})
        listener = unix.listen_as(folder, MQTT)
        self._looper.run(self._answers.start(listener), 20)

    def publish(self, topic: str, payload: bytes = b"1", *, retain: bool = False) -> None:
        """Publish as an integration does, a second after the last one."""
        self.time += 1
        self.hub.publish(topic, payload, retain=retain, integration_id=PLANT)

    def stop(self) -> None:
        if self._looper is not None:
            self._looper.run(self._answers.stop(), 20)
            self._looper.stop(5)
            self._looper = None
        worker_client._forget()
