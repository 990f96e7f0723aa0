"""The values that wait in one subscription, each with the room that it takes.  No I/O."""

from __future__ import annotations

from typing import Any

from asyncua import ua

from protocols.opcua.room import NOTIFICATION, Room

_OVERFLOW = 0x0480  # the DataValue info bits of a StatusCode that say that values before this one were dropped
_NO_ROOM = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadOutOfMemory))


class Waiting(ua.MonitoredItemNotification):
    """A notification that waits to be sent, with how much room it takes."""

    __slots__ = ("size",)

    def __init__(self, handle: int, value: ua.DataValue, size: int = 0) -> None:
        super().__init__(handle, value)
        self.size = size


class Queues:
    """The queues of a subscription's monitored items."""

    __slots__ = ("_most_bytes", "by_item", "bytes", "dropped", "is_closed", "room")

    def __init__(self, room: Room, most_bytes: int) -> None:
        self.room = room
        self._most_bytes = most_bytes
        self.by_item: dict[int, list[Waiting]] = {}
        self.bytes = 0
        self.dropped = 0
        self.is_closed = False  # nothing is put in any more

    @property
    def count(self) -> int:
        """How many notifications wait."""
        return sum(map(len, self.by_item.values()))

    def put(
        self,
        item: int,
        told: Waiting,
        most: int,
        *,
        discards_oldest: bool = True,
        is_after_lost: bool = False,
    ) -> None:
        """Queue a value; beyond the item's queue another goes, and without room whatever of the item waits.

        The newest is told in any case: without room for it, as a StatusCode, for which each item has room.
        """
        if self.is_closed:
            return
        queue = self.by_item.setdefault(item, [])
        told.size += NOTIFICATION
        if queue and len(queue) >= most:
            self._drop(queue, discards_oldest=discards_oldest)
            is_after_lost = True
        while not self._keep(told.size):
            if not queue:
                told.Value, told.size, is_after_lost = _NO_ROOM, 0, False
                break
            self._drop(queue, discards_oldest=discards_oldest)
            is_after_lost = True
        if is_after_lost and most > 1:
            told.Value = _overflowed(told.Value)
        queue.append(told)

    def put_last(self, item: int, handle: int, value: ua.DataValue) -> None:
        """Have a StatusCode be all that is still told of an item."""
        self.drop(item)
        self.by_item[item] = [Waiting(handle, value)]

    def drop(self, item: int) -> None:
        """Forget what waits to be told of an item."""
        self._give(sum(one.size for one in self.by_item.pop(item, ())))

    def take(self, most: int, largest: int) -> list[Waiting]:
        """Take notifications out, at least one, of each item the oldest first; they still take their room."""
        taken: list[Waiting] = []
        size = 0
        for item in list(self.by_item):
            queue = self.by_item[item]
            count = 0
            while count < len(queue) and len(taken) < most and size < largest:
                taken.append(queue[count])
                size += queue[count].size or NOTIFICATION
                count += 1
            del queue[:count]
            if not queue:
                del self.by_item[item]
            if len(taken) >= most or size >= largest:
                break
        self.bytes -= sum(one.size for one in taken)
        return taken

    def _keep(self, size: int) -> bool:
        """Keep so many bytes more, if there is room."""
        if self.bytes + size > self._most_bytes or not self.room.take(size):
            return False
        self.bytes += size
        return True

    def _give(self, size: int) -> None:
        self.bytes -= size
        self.room.give(size)

    def _drop(self, queue: list[Waiting], *, discards_oldest: bool) -> None:
        self.dropped += 1
        self._give(queue.pop(0 if discards_oldest else -1).size)


def _overflowed(value: ua.DataValue) -> ua.DataValue:
    """Return a value that says that others were dropped before it."""
    status: Any = value.StatusCode
    return ua.DataValue(
        value.Value,
        ua.StatusCode((status.value if status is not None else 0) | _OVERFLOW),
        value.SourceTimestamp,
        value.ServerTimestamp,
    )
