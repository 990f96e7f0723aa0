"""Values that a server of OPC UA tells of when they change: monitored items, which come back with each new session."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from asyncua import ua

from edge_connector.connectors.opcua_nodes import batches
from edge_connector.errors import EdgeError, Refused

log = logging.getLogger(__name__)

MOST = 10_000  # watches
_LOST = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadNoCommunication))


@dataclass(eq=False)
class Watch:
    """A node, how closely it is looked at, and who is told of its values."""

    node: Any
    interval: float  # seconds
    deadband: float  # a number is only told if it differs by more
    percent: bool  # of the range that the node has
    tell: Callable[[Any], None]
    number: int = field(default_factory=itertools.count(1).__next__)
    item: Any = None  # the server's own number for it

    def request(self) -> Any:
        """Return what a server is asked for."""
        wanted = ua.MonitoringParameters(ClientHandle=self.number, SamplingInterval=self.interval * 1000, QueueSize=100)
        if self.deadband:
            kind = ua.DeadbandType.Percent if self.percent else ua.DeadbandType.Absolute
            wanted.Filter = ua.DataChangeFilter(ua.DataChangeTrigger.StatusValue, kind, self.deadband)
        value = ua.ReadValueId(NodeId=self.node, AttributeId=ua.AttributeIds.Value)
        return ua.MonitoredItemCreateRequest(value, ua.MonitoringMode.Reporting, wanted)


class Watches:
    """All watches of a connector, used by its loop only; those of an interval share a subscription."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._watches: dict[int, Watch] = {}
        self._subscriptions: dict[float, Any] = {}

    def __len__(self) -> int:
        return len(self._watches)

    async def add(self, client: Any, watch: Watch) -> None:
        """Tell of a node from now on.  Raises what the server says of it."""
        if len(self._watches) >= MOST:
            raise Refused(f"there are {MOST} watches already")
        self._watches[watch.number] = watch
        try:
            (status,) = await self._ask(client, watch.interval, [watch])
            status.check()
        except BaseException:
            self._watches.pop(watch.number, None)
            raise

    async def remove(self, watch: Watch) -> None:
        """Tell of it no longer; what a server that is gone has of it went with the session."""
        if self._watches.pop(watch.number, None) is None:
            return
        subscription = self._subscriptions.get(watch.interval)
        if subscription is None:
            return
        if any(one.interval == watch.interval for one in self._watches.values()):
            if watch.item is not None:
                await subscription.unsubscribe(watch.item.server_handle)
        else:
            del self._subscriptions[watch.interval]
            await subscription.delete()

    async def restore(self, client: Any) -> None:
        """Have a new session tell of everything that is watched."""
        self._subscriptions = {}
        for interval in {one.interval for one in self._watches.values()}:
            same = [one for one in self._watches.values() if one.interval == interval]
            for some in batches(same):
                for watch, status in zip(some, await self._ask(client, interval, some), strict=True):
                    if not status.is_good():
                        self._tell(watch, ua.DataValue(StatusCode=status))

    def lost(self) -> None:
        """Say of everything that is watched that nothing is known of it."""
        self._subscriptions = {}
        for watch in list(self._watches.values()):
            watch.item = None
            self._tell(watch, _LOST)

    async def _ask(self, client: Any, interval: float, watches: Sequence[Watch]) -> list[Any]:
        """Return what the server says to each."""
        if interval not in self._subscriptions:
            self._subscriptions[interval] = await client.create_subscription(interval * 1000, self)
        results = await self._subscriptions[interval].create_monitored_items([one.request() for one in watches])
        return [one if isinstance(one, ua.StatusCode) else ua.StatusCode() for one in results]

    # --- called by asyncua

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        """Hear a value."""
        watch = self._watches.get(data.subscription_data.client_handle)
        if watch is not None:
            watch.item = data.subscription_data
            self._tell(watch, data.monitored_item.Value)

    def status_change_notification(self, status: Any) -> None:
        """Hear that the server gave a subscription up; asyncua makes it anew, if there is a connection."""
        log.info("%s: a subscription ended: %s", self._name, status.Status.name)

    def _tell(self, watch: Watch, value: Any) -> None:
        try:
            watch.tell(value)
        except EdgeError as error:
            log.warning("%s: a value of %s cannot be told: %s", self._name, watch.node.to_string(), error)
        except Exception:
            log.exception("%s: a value of %s cannot be told", self._name, watch.node.to_string())
