"""VRPC's own agents and clients, unchanged: those of `vrpc` from npm and from PyPI, each in a program of its own."""

from __future__ import annotations

import itertools
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from tests.support import npm
from tests.support.processes import wait_until
from tests.support.told import ANSWER, Fault, Told

KINDS = ["npm", "pypi"]
TIMEOUT = 8  # seconds after which a client gives a call up

_PYTHON = [sys.executable, "-W", "ignore", "-m"]


def _command(kind: str, what: str) -> list[str]:
    if kind == "npm":
        return [npm.program(), str(npm.FOLDER / "vrpc" / f"{what}.mjs")]
    return [*_PYTHON, f"tests.support.vrpc_{what}"]


class Program(Told):
    """A running program that answers by number, so that several things may be under way."""

    def __init__(self, command: list[str], folder: Path, **environ: str) -> None:
        self.events: list[dict[str, Any]] = []
        self._numbers = itertools.count(1)
        self._answers: dict[int, Future[Any]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(command, folder, **environ)

    def begin(self, action: str, **arguments: Any) -> Future[Any]:
        """Have something done; what comes of it may be waited for, and may be a `Fault`."""
        number = next(self._numbers)
        answer = self._answers[number] = Future()
        self.tell(id=number, action=action, **arguments)
        return answer

    def ask(self, action: str, **arguments: Any) -> Any:
        """Have something done; return what comes of it.  Raises `Fault`."""
        return self.begin(action, **arguments).result(ANSWER)

    def heard(self, told: dict[str, Any]) -> None:
        if "event" in told:
            self.events.append(told)
        elif "fault" in told:
            self._answers.pop(told["id"]).set_exception(Fault(told["fault"]))
        else:
            self._answers.pop(told["id"]).set_result(told["answer"])


class Agent(Program):
    """An agent with the classes `Press` and `Lamp` (tests/support/vrpc_classes.py, tests/npm/vrpc/classes.cjs).

    It connects at once; an npm agent without an integration makes credentials up.  The agent of npm comes back by
    itself whenever it is refused or cut; that of PyPI ends.
    """

    def __init__(
        self,
        kind: str,
        broker: str,
        domain: str,
        name: str,
        folder: Path,
        integration: dict[str, Any] | None = None,
        **environ: str,
    ) -> None:
        self.kind, self.domain, self.name = kind, domain, name
        if integration is not None:
            environ |= {"USERNAME": integration["username"], "PASSWORD": integration["password"]}
        super().__init__([*_command(kind, "agent"), broker, domain, name], folder, **environ)

    def ready(self) -> Agent:
        """Wait until it is connected for the first time; end it if it is not in time."""
        try:
            return self.wait_for("connect")
        except BaseException:
            self.kill()
            raise

    def wait_for(self, event: str, times: int = 1) -> Agent:
        """Wait until it has told of an event ("connect", "close", "error", "end", "clientGone"…) so many times."""
        wait_until(lambda: self.count(event) >= times, what=f"{event!r} of {self.name}; came: {self.events}")
        return self

    def count(self, event: str) -> int:
        """Return how many times it has told of an event."""
        return sum(one["event"] == event for one in self.events)

    @property
    def faults(self) -> list[str]:
        """Return what went wrong so far, in its words."""
        return [one["message"] for one in self.events if one["event"] == "error"]

    def create(self, class_name: str, instance: str, *arguments: Any) -> None:
        """Have it make a shared instance by itself."""
        self.ask("create", className=class_name, instance=instance, args=list(arguments))

    def end(self, unregister: bool = False) -> None:
        """Have it say goodbye, and wait for its end; with `unregister` it clears what is retained of it."""
        self.ask("end", unregister=unregister)
        self.wait_for("end")


class Clients(Program):
    """A running program of one kind, which is as many clients as it is asked to be."""

    def __init__(self, kind: str, folder: Path, **environ: str) -> None:
        self.kind = kind
        super().__init__(_command(kind, "clients"), folder, **environ)

    def connect(
        self, broker: str, domain: str, integration: dict[str, Any], timeout: float = TIMEOUT, **options: Any
    ) -> Client:
        """Log in, and return the client.  Raises `Fault`."""
        name = f"client-{next(self._numbers)}"
        credentials = {"username": integration["username"], "password": integration["password"]}
        options |= {"broker": broker, "domain": domain, "timeout": round(timeout * 1000), **credentials}
        return Client(self, name, self.ask("connect", name=name, **options))


class Client:
    """One client of a program.  Where a function is an argument, `listener(label)` stands for one."""

    def __init__(self, program: Clients, name: str, id: str) -> None:
        self._program, self._name = program, name
        self.kind, self.id = program.kind, id

    # --- functions

    def call(self, agent: str, class_name: str, function: str, *arguments: Any) -> Any:
        """Call a static function.  Raises `Fault`."""
        return self.begin(agent, class_name, function, *arguments).result(ANSWER)

    def begin(self, agent: str, class_name: str, function: str, *arguments: Any) -> Future[Any]:
        """Call a static function, and do not wait."""
        asked = {"agent": agent, "className": class_name, "functionName": function, "args": list(arguments)}
        return self._program.begin("call", name=self._name, **asked)

    def call_all(self, agent: str, class_name: str, function: str, *arguments: Any) -> dict[str, dict[str, Any]]:
        """Call a function of each shared instance; return `{"val": …, "err": …}` by instance."""
        asked = {"agent": agent, "className": class_name, "functionName": function, "args": list(arguments)}
        return {one.pop("id"): one for one in self._ask("callAll", **asked)}

    # --- instances

    def create(self, agent: str, class_name: str, instance: str, *arguments: Any, isolated: bool = False) -> Instance:
        """Make an instance, or take one that exists.  Raises `Fault`."""
        asked = {"agent": agent, "className": class_name, "instance": instance, "args": list(arguments)}
        return self._instance(self._ask("create", **asked, isIsolated=isolated))

    def get(self, agent: str, class_name: str, instance: str) -> Instance:
        """Find a shared instance.  Raises `Fault`."""
        return self._instance(self._ask("get", agent=agent, className=class_name, instance=instance))

    def delete(self, agent: str, class_name: str, instance: str) -> bool:
        """Delete an instance; tell whether there was one."""
        return self._ask("delete", agent=agent, className=class_name, instance=instance)

    # --- what it knows

    def agents(self) -> dict[str, Any]:
        """Return what it knows of the agents of its domain."""
        return self._ask("agents")

    def sees(self, agent: str, status: str = "online") -> Client:
        """Wait until it knows an agent in a state, and a class of it."""

        def found() -> bool:
            known = self.agents().get(agent, {})
            return known.get("status") == status and bool(known.get("classes"))

        wait_until(found, what=f"{agent} to be {status}")
        return self

    def knows(self, agent: str, class_name: str, instance: str) -> bool:
        """Tell whether it knows a shared instance at this moment."""
        known = self.agents().get(agent, {"classes": {}})["classes"]
        return instance in known.get(class_name, {"instances": []})["instances"]

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return what it has told of one kind of event ("connect", "reconnect", "offline", "error", "agent"…)."""
        return [one for one in self._program.events if one.get("name") == self._name and one["event"] == event]

    def heard(self, label: str) -> list[list[Any]]:
        """Return the arguments that a listener was called with, oldest first."""
        return [one["arguments"] for one in self.events("heard") if one["label"] == label]

    def wait_for(self, label: str, *arguments: Any) -> None:
        """Wait until a listener has been called with arguments."""
        wait_until(lambda: list(arguments) in self.heard(label), what=f"{label}: {arguments}")

    # --- its end

    def unregister(self, agent: str) -> bool:
        """Clear what is retained of an agent that is offline (npm only); tell whether that was so."""
        return self._ask("unregister", agent=agent)

    def end(self) -> None:
        """Disconnect."""
        self._ask("end")

    def _ask(self, action: str, **arguments: Any) -> Any:
        return self._program.ask(action, name=self._name, **arguments)

    def _instance(self, kept: dict[str, Any]) -> Instance:
        return Instance(self._program, self._name, kept["proxy"], kept["instance"])


class Instance:
    """An instance at an agent, as a client reaches it."""

    def __init__(self, program: Clients, client: str, proxy: Any, name: str) -> None:
        self._program, self._client, self._proxy = program, client, proxy
        self.name = name

    def call(self, function: str, *arguments: Any) -> Any:
        """Call a function.  Raises `Fault`."""
        return self.begin(function, *arguments).result(ANSWER)

    def begin(self, function: str, *arguments: Any) -> Future[Any]:
        """Call a function, and do not wait."""
        asked = {"name": self._client, "proxy": self._proxy, "functionName": function, "args": list(arguments)}
        return self._program.begin("invoke", **asked)


def listener(label: str) -> dict[str, str]:
    """Return what stands for a function; the same function for the same label of a client."""
    return {"listener": label}
