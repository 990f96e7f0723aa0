"""Which topics of its domain an integration opens to one session: those of the agent or client that it is.

Outside its domain the integration's filters decide: one of VRPC has none, an Edge Connector those of its feeds.  Inside
they widen nothing.

A session gets what it may receive, even where it subscribes to more: below a client's own topic `D/host/id/#` there may
also be the requests to an agent that is called like its host, and the events of it.
"""

from __future__ import annotations

from protocols.access import Access
from protocols.contract import Grant, Refusal
from protocols.topics import covers
from protocols.vrpc.names import (
    AGENT,
    AGENT_INFO,
    CLASS_INFO,
    CLIENT_INFO,
    CONCISE_INFO,
    Identity,
    is_info,
)

_FUNCTION = 5  # levels of `domain/agent/class/instance/function`
_OF_CLASSES = frozenset({CLASS_INFO, CONCISE_INFO})


def access_of(grant: Grant, client_id: str, identity: Identity | None) -> Access:
    """Return what a session of MQTT may use; of VRPC that depends on who its Will says that it is."""
    if not grant.role:
        return Access(grant, client_id)
    if identity is None:
        return Reader(grant, client_id) if grant.role != AGENT else Outsider(grant, client_id)
    if misplaced(grant, identity) is not None:
        return Outsider(grant, client_id)
    return (Agent if identity.kind == AGENT else Client)(grant, client_id, identity)


def misplaced(grant: Grant, identity: Identity | None) -> Refusal | None:
    """Say why a session may not be who its Will says, if its integration is one of VRPC."""
    if not grant.role:
        return None
    if identity is None:
        return Refusal.NO_AGENT_OR_CLIENT
    if identity.domain != grant.domain:
        return Refusal.OTHER_DOMAIN
    return None if grant.role in (identity.kind, "both") else Refusal.OTHER_ROLE


class Outsider(Access):
    """Nothing in its domain: an agent that does not say by its Will who it is."""

    __slots__ = ("_domain",)

    is_narrow = True

    def __init__(self, grant: Grant, client_id: str) -> None:
        super().__init__(grant, client_id)
        self._domain = grant.domain

    @property
    def lasts(self) -> bool:
        """Say whether there is anything that a session could wait for, outside its domain."""
        return bool(self._publish or self._subscribe)

    def is_ruled(self, topic: str) -> bool:
        return topic.partition("/")[0] == self._domain

    def may_share(self, topic_filter: str) -> bool:
        return topic_filter.partition("/")[0] not in ("+", "#", self._domain)

    def may_retain(self, name: str) -> bool:
        """Say whether a message may be retained: in its domain what somebody tells of themselves, and no request."""
        return not self.is_ruled(name) or is_info(name.rpartition("/")[2])

    def may_publish(self, name: str) -> bool:
        return self._publishes(name) if self.is_ruled(name) else super().may_publish(name)

    def may_subscribe(self, topic_filter: str) -> bool:
        return self._subscribes(topic_filter) if self.is_ruled(topic_filter) else super().may_subscribe(topic_filter)

    def may_receive(self, name: str) -> bool:
        return self._receives(name) if self.is_ruled(name) else super().may_receive(name)

    # --- in its domain

    def _publishes(self, name: str) -> bool:
        return False

    def _subscribes(self, topic_filter: str) -> bool:
        return False

    def _receives(self, name: str) -> bool:
        return False

    def _within(self, name: str) -> list[str]:
        """Return the levels of a topic behind the domain; none of one in another domain."""
        domain, _, rest = name.partition("/")
        return rest.split("/") if domain == self._domain and rest else []


class Reader(Outsider):
    """What agents tell of themselves: a client that does not say by its Will who it is."""

    __slots__ = ()

    def _subscribes(self, topic_filter: str) -> bool:
        return self._tells_of_agents(topic_filter)

    def _receives(self, name: str) -> bool:
        return self._tells_of_agents(name)

    def _tells_of_agents(self, name: str) -> bool:
        levels = self._within(name)
        return levels[1:] == [AGENT_INFO] or (len(levels) == 3 and levels[2] in _OF_CLASSES)


class Agent(Outsider):
    """What an agent may use of its domain."""

    __slots__ = ("_callers", "_name", "_own")

    def __init__(self, grant: Grant, client_id: str, identity: Identity) -> None:
        super().__init__(grant, client_id)
        self._name = identity.name
        self._own = f"{identity.place}/#"
        self._callers = f"{identity.domain}/+/+/{CLIENT_INFO}"

    def _publishes(self, name: str) -> bool:
        levels = self._within(name)
        if len(levels) == 2:  # a reply, or what it says of itself
            return levels == [self._name, AGENT_INFO] or not is_info(levels[1])
        if len(levels) != 3:
            return False
        if levels[0] == self._name:  # an event, or what it says of its classes
            return levels[2] in _OF_CLASSES or not is_info(levels[2])
        # What a client has asked to be called back on
        return not is_info(levels[1]) and not is_info(levels[2]) and not _is_event(levels[2])

    def _subscribes(self, topic_filter: str) -> bool:
        levels = topic_filter.split("/")
        if "+" in levels[:_FUNCTION] or "#" in levels[:_FUNCTION]:
            # Requests alone: nobody learns of a client that has not called it, and so cannot answer in another's name.
            return len(levels) >= _FUNCTION and "#" not in levels[:_FUNCTION] and covers(self._own, topic_filter)
        return covers(self._own, topic_filter) or covers(self._callers, topic_filter)

    def is_call(self, name: str) -> bool:
        levels = self._within(name)
        return len(levels) == 4 and levels[0] == self._name and not is_info(levels[3])

    def _receives(self, name: str) -> bool:
        levels = self._within(name)
        if len(levels) == 3 and levels[2] == CLIENT_INFO:
            return True
        return levels[:1] == [self._name] and (len(levels) > 3 or is_info(levels[-1]))


class Client(Reader):
    """What a client may use of its domain."""

    __slots__ = ("_below", "_own", "place")

    def __init__(self, grant: Grant, client_id: str, identity: Identity) -> None:
        super().__init__(grant, client_id)
        self.place = identity.place
        self._own = f"{identity.place}/{CLIENT_INFO}"
        self._below = f"{identity.place}/#"

    def is_request(self, name: str) -> bool:
        """Say whether a topic is that of a function, or of one of the life cycle."""
        levels = self._within(name)
        return len(levels) == 4 and not is_info(levels[3])

    def _publishes(self, name: str) -> bool:
        return self.is_request(name) or name == self._own

    def _subscribes(self, topic_filter: str) -> bool:
        if super()._subscribes(topic_filter) or covers(self._below, topic_filter):
            return True
        return "+" not in topic_filter and "#" not in topic_filter and self._is_event(topic_filter)

    def _receives(self, name: str) -> bool:
        if name == self.place or name == self._own or super()._receives(name):
            return True
        levels = self._within(name)
        if len(levels) != 3 or is_info(levels[2]):
            return False
        # Below its own topic the Python package has what it is called back on.  Where that topic is also an agent's
        # class, `#` would bring everybody's events, which are heard by their exact names.
        return name.startswith(f"{self.place}/") is not _is_event(levels[2])

    def is_call(self, name: str) -> bool:
        return name == self.place or (name.startswith(f"{self.place}/") and self.may_hear(name))

    def may_hear(self, name: str) -> bool:
        """Say whether an agent may be asked to call this client back on a topic."""
        return self._receives(name) and not is_info(name.rpartition("/")[2])

    def _is_event(self, name: str) -> bool:
        levels = self._within(name)
        return len(levels) == 3 and _is_event(levels[2])


def _is_event(level: str) -> bool:
    """Say whether this is how an agent's events end, `instance:event-id` or `event-id`, and no client's own topics."""
    return (":" in level or "-" in level) and not is_info(level)
