"""Class infos as they are held: compressed, and once where agents run the same software and say the same.

They are most of what a domain of VRPC retains, and are hardly ever read.  Text like theirs takes a tenth of its bytes.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from protocols.mqtt.packets import Message

LARGEST = 65_536  # bytes of a payload; to compress larger ones would hold up the loop, and there are few
_QUICKLY = 2  # zlib's level, at which others gain little more


@dataclass(slots=True)
class Document:
    """A retained message whose payload is compressed."""

    topic: str
    data: bytes
    size: int  # bytes of the payload
    qos: int
    properties: bytes
    expires_at: float | None

    def message(self) -> Message:
        """Return the message as it came."""
        return Message(self.topic, zlib.decompress(self.data), self.qos, True, self.properties, self.expires_at)


class Documents:
    """The compressed payloads that somebody holds, and by how many more than one."""

    def __init__(self) -> None:
        self._held: dict[bytes, bytes] = {}
        self._more: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, message: Message) -> Message | Document:
        """Return what to hold of a retained message: itself if it is large, else its document."""
        size = len(message.payload)
        if size > LARGEST:
            return message
        data = zlib.compress(message.payload, _QUICKLY)
        held = self._held.setdefault(data, data)
        if held is not data:
            self._more[held] = self._more.get(held, 0) + 1
        return Document(message.topic, held, size, message.qos, message.properties, message.expires_at)

    def release(self, document: Document) -> None:
        """Note that one less holds a document."""
        more = self._more.pop(document.data, 0)
        if not more:
            del self._held[document.data]
        elif more > 1:
            self._more[document.data] = more - 1
