"""Where a list of values goes on: a topic, sealed, since the caller may not be allowed to know of it."""

from __future__ import annotations

from collections import OrderedDict, deque
from hashlib import blake2b

from cryptography.fernet import Fernet, InvalidToken

from protocols.contract import Refused

LONGEST = 500  # bytes of a topic that is in its cursor itself: an address has about 4,000
FOR_ONE = 16  # longer topics that are remembered for one integration, which goes through one or a few lists at once
MOST = 256  # of all integrations; each has 64 KB at most

_DIGEST = 16  # bytes
_TOPIC, _REMEMBERED = b"t", b"r"


class Cursors:
    """Seals topics with a key of its own: a cursor lasts as long as this process.

    Of a topic that is too long for an address the cursor has a digest, and lasts until so many others were given out.
    """

    def __init__(self) -> None:
        self._cipher = Fernet(Fernet.generate_key())
        self._remembered: OrderedDict[tuple[int, bytes], str] = OrderedDict()  # by whose it is and digest
        self._own: dict[int, deque[bytes]] = {}  # the digests of each integration, oldest first

    def seal(self, topic: str | None, integration_id: int) -> str | None:
        """Return the cursor for a topic."""
        if topic is None:
            return None
        data = topic.encode()
        inside = _TOPIC + data if len(data) <= LONGEST else _REMEMBERED + self._remember(integration_id, topic, data)
        return self._cipher.encrypt(inside).decode("ascii")

    def open(self, cursor: str | None, integration_id: int) -> str | None:
        """Return the topic of a cursor.  Raises Refused."""
        if not cursor:
            return None
        try:
            inside = self._cipher.decrypt(cursor.encode())
            if inside[:1] == _TOPIC:
                return inside[1:].decode()
            return self._remembered[integration_id, inside[1:]]
        except (InvalidToken, ValueError, KeyError):
            raise Refused("this is no cursor, or an old one: begin without one", "cursor") from None

    def _remember(self, integration_id: int, topic: str, data: bytes) -> bytes:
        digest = blake2b(data, digest_size=_DIGEST).digest()
        own = self._own.setdefault(integration_id, deque())
        if digest in own:
            own.remove(digest)
            del self._remembered[integration_id, digest]
        elif len(own) >= FOR_ONE:
            del self._remembered[integration_id, own.popleft()]
        own.append(digest)
        self._remembered[integration_id, digest] = topic
        if len(self._remembered) > MOST:
            (other, _), _ = self._remembered.popitem(last=False)
            self._own[other].popleft()
            if not self._own[other]:
                del self._own[other]
        return digest
