"""The agent as VRPC clients see it: its classes and instances, and what becomes of a request.

It knows neither socket nor broker: `publish` and `subscribe` are handed in, and `received` is called with what arrives.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from edge_connector import VERSION, wire
from edge_connector.config import Config
from edge_connector.connectors.base import Connector
from edge_connector.errors import Busy, EdgeError, Malformed, Refused
from edge_connector.jobs import Job
from edge_connector.lanes import Lane
from edge_connector.listeners import LISTENING, Key, Listeners, Listening
from edge_connector.management import EdgeConnector
from edge_connector.timetable import Timetable
from edge_connector.wire import Request

log = logging.getLogger(__name__)

CALL_ALL = "__callAll__"
LIFE_CYCLE = ("__createShared__", "__createIsolated__", "__delete__")

Publish = Callable[[str, bytes, bool], None]  # topic, payload, retain
Subscribe = Callable[[str], None]


class Agent:
    """Takes requests, has them done by the connectors' threads, and answers."""

    def __init__(
        self,
        config: Config,
        connectors: dict[str, Connector],
        management: EdgeConnector,
        timetable: Timetable,
        publish: Publish,
        subscribe: Subscribe,
    ) -> None:
        self._config = config
        self._connectors = connectors
        self._management = management
        self._timetable = timetable
        self._publish = publish
        self._subscribe = subscribe
        self._place = f"{config.domain}/{config.name}"
        waiting = config.limits.calls_waiting
        self._lanes = {name: Lane(name, one.workers, waiting) for name, one in connectors.items()}
        self._own_lane = Lane(config.name, 2, waiting)
        self._listeners = Listeners()
        self.calls = self.faults = 0

    # --- what it tells of itself

    @property
    def info_topic(self) -> str:
        return f"{self._place}/{wire.AGENT_INFO}"

    def info(self, status: str) -> bytes:
        return wire.agent_info(status, socket.gethostname(), VERSION)

    def subscriptions(self) -> list[str]:
        """Return the filters of all that it is asked."""
        return [f"{self._place}/+/+/+"]

    def connected(self) -> None:
        """Say who it is and what it offers, each time that a connection is made."""
        self._publish(self.info_topic, self.info("online"), True)
        for name, info, meta in self._classes():
            self._publish(f"{self._place}/{name}/{wire.CLASS_INFO}", wire.packed_info(info | {"meta": meta}), True)
            self._publish(f"{self._place}/{name}/{wire.CONCISE_INFO}", wire.packed_info(info), True)

    def _classes(self) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
        """Yield each class with what is told of it, and its documentation."""
        own = type(self._management).__name__
        meta = {name: one.meta() for name, one in self._management.functions.items()}
        yield own, wire.class_info(own, [], [], list(meta)), meta
        for name in sorted({type(one).__name__ for one in self._connectors.values()}):
            instances = [key for key, one in self._connectors.items() if type(one).__name__ == name]
            connector = self._connectors[instances[0]]
            offers = connector.functions | (LISTENING if connector.listening else {})
            meta = {key: one.meta() for key, one in offers.items()}
            yield name, wire.class_info(name, instances, list(offers), [CALL_ALL]), meta

    # --- requests

    def received(self, topic: str, payload: bytes) -> None:
        """Take a message; never waits."""
        if topic.endswith(f"/{wire.CLIENT_INFO}"):
            self._listeners.end(topic.removesuffix(f"/{wire.CLIENT_INFO}"))
            return
        try:
            request = wire.parse(self._config.domain, self._config.name, topic, payload)
        except Malformed as error:
            log.warning("a message on %s is not answered: %s", topic[:200], error)
            return
        limits = self._config.limits
        job = Job(request, self._reply, self._timetable, limits.call_seconds, limits.result_bytes)
        self.calls += 1
        try:
            if len(payload) > limits.request_bytes:
                raise Refused(f"the request has {len(payload)} bytes; at most {limits.request_bytes} are taken")
            lane, work = self._work(request)
            lane.submit(lambda: self._run(job, work))
        except (Refused, Busy) as error:
            self._fault(job, str(error))

    def _reply(self, client: str, payload: bytes) -> None:
        self._publish(client, payload, False)

    def _work(self, request: Request) -> tuple[Lane, Callable[[], Any]]:
        """Return what does a request, and where.  Raises `Refused`."""
        if request.instance == wire.STATIC:
            return self._own_lane, self._static(request)
        connector = self._connectors.get(request.instance)
        if connector is None or type(connector).__name__ != request.class_name:
            raise Refused(f"there is no instance {request.instance[:60]!r} of {request.class_name[:60]!r}")
        return self._lanes[request.instance], lambda: self._invoke(connector, request, request.arguments)

    def _static(self, request: Request) -> Callable[[], Any]:
        if request.function in LIFE_CYCLE:
            raise Refused("instances are the connectors of the agent's configuration: they are not made from outside")
        if request.class_name == type(self._management).__name__:
            return lambda: self._management.invoke(request.function, request.arguments)
        if request.function != CALL_ALL:
            raise Refused(f"{request.class_name[:60]} has no static function {request.function[:60]!r}")
        return lambda: self._call_all(request)

    def _call_all(self, request: Request) -> list[dict[str, Any]]:
        if not request.arguments or not isinstance(request.arguments[0], str):
            raise Refused(f"{CALL_ALL} takes the name of a function first")
        function, *arguments = request.arguments
        one = replace(request, function=function, arguments=arguments)
        return [
            self._one_of_all(name, connector, one)
            for name, connector in self._connectors.items()
            if type(connector).__name__ == request.class_name
        ]

    def _one_of_all(self, name: str, connector: Connector, request: Request) -> dict[str, Any]:
        try:
            return {"id": name, "val": self._invoke(connector, request, request.arguments), "err": None}
        except Exception as error:  # one that fails keeps the others from nothing
            return {"id": name, "val": None, "err": _told(error)}

    def _invoke(self, connector: Connector, request: Request, arguments: list[Any]) -> Any:
        """Call a function, with functions in the place of what stands for callbacks."""
        found = connector.functions.get(request.function)
        if found is not None and found.listens:
            return self._listen(connector, request.client, request.function, arguments)
        if request.function not in LISTENING or not connector.listening:
            return connector.invoke(request.function, arguments)
        checked = LISTENING[request.function].check(arguments)
        listen = partial(self._listen, connector, request.client)
        return getattr(Listening(connector, request.client, self._listeners, listen), request.function)(*checked)

    def _listen(self, connector: Connector, client: str, function: str, arguments: list[Any]) -> bool:
        event = arguments[-1] if arguments else None
        if not isinstance(event, str) or not event.startswith((wire.EVENT, wire.ONCE)):
            raise Refused("the last argument has to be a function")
        self._listeners.check()
        listener = self._listener(client, event)
        self._subscribe(f"{client}/{wire.CLIENT_INFO}")
        end = connector.invoke(function, [*arguments[:-1], listener])
        self._listeners.add(Key(client, connector.name, function, event), end)
        return True

    def _listener(self, client: str, event: str) -> Callable[..., None]:
        topic = client
        if event.startswith(wire.EVENT):
            topic = wire.event_topic(self._config.domain, self._config.name, client, event)

        def tell(*arguments: Any) -> None:
            payload = wire.event(event, arguments)
            if len(payload) <= self._config.limits.result_bytes:
                self._publish(topic, payload, False)
            else:
                log.warning("an event of %d bytes is too large to be told", len(payload))

        return tell

    def _run(self, job: Job, work: Callable[[], Any]) -> None:
        try:
            job.answer(work())
        except Exception as error:  # whatever a library raises is told, and the agent goes on
            self._fault(job, _told(error))
            if not isinstance(error, EdgeError):
                log.debug("%s failed", job.request.function, exc_info=True)

    def _fault(self, job: Job, message: str) -> None:
        self.faults += 1
        request = job.request
        log.warning("%s.%s, called by %s: %s", request.instance, request.function, request.client, message)
        job.fail(message)

    # --- its end

    def close(self) -> None:
        """Take no calls any more, and let those under way end for a moment."""
        for lane in [*self._lanes.values(), self._own_lane]:
            lane.close(0.5)


def _told(error: Exception) -> str:
    """Return what a caller is told: never empty, and not a page."""
    return (str(error) or type(error).__name__)[:2000]
