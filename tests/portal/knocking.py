"""Parts of the protocols worker at which clients knock, as pages ask them: the real thing, without sockets."""

from __future__ import annotations

from typing import Any

from portal.attempt import Attempt
from portal.config import Settings
from portal.credentials import Sealer
from portal.integrations import Actor
from portal.onboarding import requests, window
from portal.worker_client import MQTT, OPCUA, Silent
from protocols.contract import Given, Login
from protocols.doorman import Doorman
from protocols.onboarding import Bounds

PASSWORD = "correct-horse-7431"
HERE = "192.0.2.1"
GRACE = Actor("grace@example.com", "192.0.2.8")  # who decides


class Doors:
    """The doormen of both parts; those in `silent` do not answer."""

    def __init__(self, sealer: Sealer, machine: str = "here") -> None:
        bounds = Bounds(requests=10, held=4, hold=20.0)
        nodes = {MQTT: machine, OPCUA: f"{machine}-opcua"}
        self._doormen = {part: Doorman(part, node, bounds, sealer) for part, node in nodes.items()}
        self.silent: set[str] = set()

    def follow(self) -> None:
        """Look at the database, as the parts do many times a second."""
        for doorman in self._doormen.values():
            doorman.follow(window.read())

    def knock(self, username: str = "press", password: str = PASSWORD, address: str = HERE, **more: str) -> None:
        """Try to log in with credentials that nobody knows."""
        login, attempt = self._login(username, password, address, **more)
        self.follow()
        self._doorman(login).knock(login, attempt, window.clock.now().timestamp(), 0.1)

    def give(self, client_id: str = "client-1") -> Given:
        """Try to log in without a username, and be given one."""
        self.follow()
        login = Login("mqtt", None, None, client_id, HERE)
        given = self._doorman(login).give(login, lambda username: False, window.clock.now().timestamp())
        assert given is not None
        return given

    def offer(self, integration_id: int, username: str, password: str = PASSWORD, address: str = HERE) -> None:
        """Try to log in with a known username and another password."""
        login, attempt = self._login(username, password, address)
        self.follow()
        self._doorman(login).offer(integration_id, login, attempt, window.clock.now().timestamp())

    def share(self) -> None:
        """Show other machines what knocks here."""
        self.follow()
        for doorman in self._doormen.values():
            doorman.share()

    def have(self, part: str, action: str, *arguments: Any, **options: Any) -> Any:
        """Answer a page."""
        actions = self._doormen[part].actions()
        if part in self.silent or action not in actions:  # there are no servers
            raise Silent
        self.follow()
        return actions[action](*arguments)

    def _doorman(self, login: Login) -> Doorman:
        return self._doormen[OPCUA if login.protocol == OPCUA else MQTT]

    @staticmethod
    def _login(
        username: str, password: str, address: str, protocol: str = "mqtt", **more: str
    ) -> tuple[Login, Attempt]:
        values = {"client_id": "client-1", **more}
        login = Login(protocol, username, password.encode(), address=address, **values)
        return login, Attempt(protocol, username, password.encode(), address)


def only(settings: Settings) -> requests.Request:
    """Return the one request."""
    (found,) = requests.find(settings).requests
    return found
