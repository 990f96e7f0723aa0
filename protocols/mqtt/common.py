"""What all sessions of one broker share."""

from __future__ import annotations

from protocols.hits import Hits
from protocols.mqtt.backlog import Pool
from protocols.mqtt.keeping import Keeper
from protocols.mqtt.limits import Limits
from protocols.mqtt.outbox import Flow
from protocols.mqtt.retained import Retained


class Common:
    """Bounds, flow control, the store, and the time of what is being handled now."""

    __slots__ = ("flow", "hits", "keeper", "limits", "now", "pool", "retained")

    def __init__(self, limits: Limits, keeper: Keeper) -> None:
        self.limits = limits
        self.keeper = keeper
        self.flow = Flow()
        self.hits = Hits()
        self.pool = Pool(limits.queue_total_bytes, limits.queue_reserve)
        self.retained = Retained(limits, keeper, self.hits)
        self.now = 0.0  # set before anything is fed or swept
