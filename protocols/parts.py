"""The parts of the protocols worker, each a process of its own: which listeners it has, and how its server is made.

OPC UA is a part by itself because its server is busy in Python for milliseconds: in one process it would hold up
every message of MQTT (see decision 38).
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from portal import addresses, certificate, clock, unix
from portal.config import Settings
from protocols import process
from protocols.companion import ENDING, Companion
from protocols.contract import Authenticate, Give, Presence, Server

if TYPE_CHECKING:
    from protocols.hub.hub import Hub
    from protocols.vrpc.vrpc import Vrpc

MAIN = "mqtt"  # the part that also keeps house, and always runs
OTHERS = ("opcua",)
BOUNDS = {"mqtt": {"requests": 150, "held": 48}, "opcua": {"requests": 50, "held": 16}}  # of onboarding: 200, 64
MQTT_TRANSPORTS = ("tcp", "tls", "ws", "wss", "web")
_SWITCH = 0.0001  # seconds that one thread keeps others from running (see decision 47)

Listeners = Mapping[str, socket.socket]


@dataclass(frozen=True, slots=True)
class Tools:
    """What a server is made of."""

    settings: Settings
    authenticate: Authenticate
    presence: Presence
    certificate: certificate.Keeper | None
    switches: Mapping[str, bool]
    usernames: Callable[[int], str]  # by the integration; "" of one that is no more
    has: Callable[[str, str], bool]  # whether there is an integration of a username and a type
    invites: Callable[[], bool]  # whether unknown clients may ask to come in
    give: Give


class Runs(Protocol):
    """`protocols.runtime.Runtime`."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


def of(part: str, listeners: Listeners) -> dict[str, socket.socket]:
    """Return the listeners of a part: "mqtt-tls" is MQTT over TLS, "mqtt" that over TCP."""
    return {name: one for name, one in listeners.items() if name.partition("-")[0] == part}


def companions(
    settings: Settings, listeners: Listeners, run: Callable[[Settings, Listeners, str], Runs]
) -> list[Companion]:
    """Start the parts that have listeners, beside the main one.  This process must have one thread."""
    wanted = [part for part in OTHERS if of(part, listeners)]
    made = [Companion(part, partial(_work, settings, of(part, listeners), part, run)) for part in wanted]
    for companion in made:
        companion.start()
    for companion in made:
        companion.watch()
    return made


def _work(settings: Settings, listeners: Listeners, part: str, run: Callable[..., Runs]) -> None:
    """Run a part until it is ended; its process has `protocols.companion` blocked the signals for."""
    process.end_with_any_thread()
    process.follow_parent()
    # The thread that hears of a deactivation waits for the interpreter lock each time that it looks, or reads from the
    # database: for 5 ms by default beside a loop that is busy, some thirty times for one that it hears of.
    sys.setswitchinterval(_SWITCH)
    started, ended = threading.Event(), threading.Event()
    threading.Thread(target=_wait, args=(started, ended), name="signals", daemon=True).start()
    running = run(settings, listeners, part)
    running.start()
    started.set()
    ended.wait()
    running.stop()


def _wait(started: threading.Event, ended: threading.Event) -> None:
    """Wait for a signal to end; while the part is still starting there is nothing to stop, and nobody to wait for."""
    signal.sigwait(ENDING)
    if not started.is_set():
        os._exit(os.EX_OK)
    ended.set()


def make_main(tools: Tools) -> Server:
    """Return the MQTT broker, VRPC on it, and the HTTP side, with the hub that they share."""
    from protocols.hub.hub import Hub
    from protocols.hub.keeper import StoreKeeper as HubKeeper
    from protocols.hub.limits import HubLimits
    from protocols.hub.linked import LinkedHub
    from protocols.together import Together
    from protocols.vrpc.server import VrpcServer

    settings = tools.settings
    keeper = HubKeeper(settings.data_dir / "hub.db")
    hub = Hub(_made(HubLimits, settings.limits_of("hub")), lambda: clock.now().timestamp(), keeper)
    vrpc = make_vrpc(tools)
    servers: dict[Server, Collection[str]] = {
        make_mqtt(tools, hub, vrpc): MQTT_TRANSPORTS,
        VrpcServer(vrpc): (),
        make_http(tools, hub, vrpc): ("http",),
    }
    return Together(servers, LinkedHub(hub).actions())


def make_http(tools: Tools, hub: Hub, vrpc: Vrpc) -> Server:
    """Return what answers and streams to HTTP clients."""
    from protocols.http.limits import Limits
    from protocols.http.server import HttpServer

    return HttpServer(
        authenticate=tools.authenticate,
        presence=tools.presence,
        hub=hub,
        names=tools.usernames,
        vrpc=vrpc,
        limits=_made(Limits, tools.settings.limits_of("http")),
        give=tools.give,
    )


def make_vrpc(tools: Tools) -> Vrpc:
    """Return what knows and calls the agents among MQTT's clients."""
    from protocols.vrpc.limits import Limits
    from protocols.vrpc.vrpc import Vrpc

    limits = _made(Limits, tools.settings.limits_of("vrpc"))
    return Vrpc(limits, lambda: clock.now().timestamp(), partial(secrets.token_hex, 12))


def make_mqtt(tools: Tools, hub: Hub, vrpc: Vrpc) -> Server:
    """Return the MQTT broker."""
    from protocols.mqtt.keeper import StoreKeeper
    from protocols.mqtt.limits import Limits
    from protocols.mqtt.server import MqttServer

    settings = tools.settings
    return MqttServer(
        hub=hub,
        authenticate=tools.authenticate,
        presence=tools.presence,
        limits=Limits(**dict[str, Any](settings.limits_of("mqtt"))),
        keeper=StoreKeeper(settings.data_dir / "mqtt.db", synchronous=settings.mqtt_sync),
        tls=tools.certificate.current if tools.certificate is not None else None,
        invites=tools.invites,
        give=tools.give,
        follower=vrpc,
        busy_poll=settings.mqtt_busy_poll / 1e6,
    )


def make_opcua(tools: Tools) -> Server:
    """Return the OPC UA server.  Its part alone loads asyncua, which takes 40 MB."""
    from protocols.opcua.common import Switches
    from protocols.opcua.limits import Limits
    from protocols.opcua.server import OpcUaServer
    from protocols.opcua.topics.space import TopicSpace
    from protocols.opcua.values.limits import ValueLimits

    settings = tools.settings
    limits = settings.limits_of("opcua")
    switches = Switches()
    switches.follow(tools.switches)
    dial = partial(unix.connect_to, settings.data_dir, MAIN, 0.0)
    return OpcUaServer(
        authenticate=tools.authenticate,
        presence=tools.presence,
        folder=settings.data_dir / "opcua",
        clock=clock.now,
        limits=_made(Limits, limits),
        values=TopicSpace(
            settings.data_dir / "opcua.db",
            _made(ValueLimits, limits),
            clock.now,
            dial,
            lambda username: tools.has(username, "opcua"),
        ),
        hosts=["localhost", *addresses.of_machine()],
        switches=switches,
    )


def _made(kind: type[Any], limits: Mapping[str, float]) -> Any:
    return kind(**{name: value for name, value in limits.items() if name in kind.__dataclass_fields__})


MAKERS: dict[str, Callable[[Tools], Server]] = {"mqtt": make_main, "opcua": make_opcua}
