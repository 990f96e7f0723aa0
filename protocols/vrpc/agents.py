"""One agent: what it says of itself, whose connection it is, and its classes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from protocols.vrpc.describing import Count, plain
from protocols.vrpc.limits import Limits
from protocols.vrpc.live import Who
from protocols.vrpc.names import class_topics
from protocols.vrpc.walking import DEEP, text_of

ONLINE, OFFLINE = "online", "offline"
_SHOWN = 200  # characters of a host's name or a version
_NO_TEXT = "__agentInfo__ cannot be read: "

Key = tuple[str, str]  # domain, and name of an agent


class Twins(NamedTuple):
    """Two that come as the same agent."""

    addresses: tuple[str, str]
    since: float
    times: int
    seen_at: float  # when it last happened


class Claim(NamedTuple):
    """An integration that wants to be an agent which belongs to another one."""

    integration_id: int
    username: str
    address: str
    seen_at: float  # when it last did


class Class:
    """One class of an agent: which of its infos are retained, and how much is in them."""

    __slots__ = ("agent", "count", "fault", "has_concise", "has_full", "name")

    def __init__(self, agent: Agent, name: str) -> None:
        self.agent = agent
        self.name = name
        self.has_full = False  # with the documentation
        self.has_concise = False
        self.count = Count(0, 0)
        self.fault = ""

    @property
    def is_known(self) -> bool:
        """Say whether there is anything to read."""
        return self.has_full or self.has_concise

    @property
    def whole(self) -> str:
        """Return the topic of the info that says most."""
        return class_topics(*self.agent.key, self.name)[not self.has_full]

    @property
    def short(self) -> str:
        """Return the topic of the info that is read more quickly."""
        return class_topics(*self.agent.key, self.name)[self.has_concise]


class Agent:
    """One agent; it is online while it says so and has a connection."""

    __slots__ = (
        "_shown",
        "belongs_to",
        "claim",
        "classes",
        "fault",
        "info",
        "is_kept",
        "key",
        "since",
        "status",
        "twins",
        "who",
    )

    def __init__(self, key: Key) -> None:
        self.key = key
        self.info: dict[str, Any] = {}
        self.fault = ""
        self.is_kept = False  # there is a retained __agentInfo__
        self.who: dict[str, Who] = {}  # by connection, the last is the newest
        self.since: float | None = None  # of its status, in seconds since 1970
        self.status = OFFLINE
        self.belongs_to = 0  # the integration that has retained its __agentInfo__
        self.twins: Twins | None = None
        self.claim: Claim | None = None
        self.classes: dict[str, Class] = {}
        self._shown: dict[str, object] | None = None

    @property
    def says_online(self) -> bool:
        return self.info.get("status") == ONLINE

    @property
    def may_seem_online(self) -> bool:
        """Say whether others may take it for online: they may read what is not read here."""
        return self.says_online or bool(self.fault)

    @property
    def owner(self) -> Who | None:
        """Return whose connection it is."""
        return next(reversed(self.who.values()), None)

    @property
    def is_nothing(self) -> bool:
        """Say whether there is nothing to know of it any more."""
        return not (self.is_kept or self.who or self.classes)

    def take(self, payload: bytes, limits: Limits) -> None:
        """Take in what it says of itself, b"" for nothing."""
        self.info, self.fault, self.is_kept = {}, "", bool(payload)
        if not payload:
            return
        try:
            if len(payload) > limits.agent_info_bytes:
                raise ValueError(f"it has {len(payload)} bytes, and may have {limits.agent_info_bytes}")
            info = json.loads(text_of(payload))
            if not isinstance(info, dict):
                raise ValueError("it is no object")
            self.info = info
        except RecursionError:
            self.fault = _NO_TEXT + DEEP
        except ValueError as error:
            self.fault = _NO_TEXT + str(error)

    def offline_info(self) -> bytes:
        """Return what it would have said when it went offline."""
        try:
            text = json.dumps({**self.info, "status": OFFLINE}, allow_nan=False, separators=(",", ":"))
        except (ValueError, RecursionError):  # Python reads numbers that are no JSON, and other clients would not
            text = json.dumps({"status": OFFLINE})
        return text.encode()

    def touch(self) -> None:
        """Have it shown anew."""
        self._shown = None

    def shown(self) -> dict[str, object]:
        """Return what lists show."""
        if self._shown is None:
            self._shown = self._show()
        return self._shown

    def _show(self) -> dict[str, object]:
        owner = self.owner or Who("", self.belongs_to, "", "", "")
        version = self.info.get("v")
        twins = self.twins
        return {
            "domain": self.key[0],
            "agent": self.key[1],
            "status": self.status,
            "hostname": plain(self.info.get("hostname"), _SHOWN),
            "version": plain(self.info.get("version"), _SHOWN),
            "v": version if isinstance(version, int) and abs(version) < 1_000_000 else None,
            "integration_id": owner.integration_id,
            "integration": owner.username,
            "address": owner.address,
            "client_id": plain(owner.client_id, _SHOWN),
            "since": self.since,
            "classes": len(self.classes),
            "functions": sum(one.count.functions for one in self.classes.values()),
            "instances": sum(one.count.instances for one in self.classes.values()),
            "fault": self.fault,
            "claim": self.claim and self.claim._asdict(),
            "twins": twins and {"addresses": list(twins.addresses), "since": twins.since, "times": twins.times},
        }


Changed = Callable[[Agent], None]
