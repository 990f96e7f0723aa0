"""Agents that answer pages as the protocols worker does, at a Unix socket in a thread of the tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from portal import unix, worker_client
from portal.worker_client import MQTT
from protocols.answers import Answers
from protocols.contract import Refused
from protocols.looper import Looper

DOMAIN = "acme.default"
SINCE = 1_700_000_000.0


def param(name: str, type: str = "", description: str = "", optional: bool = False, default: str | None = None) -> dict:
    return {"name": name, "type": type, "description": description, "optional": optional, "default": default}


def function(
    name: str,
    *params: dict,
    is_static: bool = False,
    reads: bool = False,
    description: str = "",
    ret: dict | None = None,
) -> dict:
    return {
        "name": name,
        "is_static": is_static,
        "description": description,
        "params": list(params),
        "ret": ret,
        "reads": reads,
    }


class LiveAgents:
    """What the pages ask of the protocols worker; `stop` takes it away."""

    def __init__(self, folder: Path) -> None:
        self.agents: dict[tuple[str, str], dict[str, Any]] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.outcomes: dict[str, dict[str, Any]] = {}
        self.watched: dict[str, list[dict[str, Any]]] = {}
        self.refuses: tuple[str, str] | None = None
        self.answers: dict[str, Any] = {}  # what functions return at once, by their name
        self._looper: Looper | None = Looper("agents")
        self._looper.start()
        names = ("agents", "agent", "call", "create", "delete", "result", "watch", "events", "unwatch", "remove")
        asked = (*names, "hand_over")
        self._answers = Answers({f"vrpc_{name}": getattr(self, f"_{name}") for name in asked}, {})
        self._looper.run(self._answers.start(unix.listen_as(folder, MQTT)), 20)

    def stop(self) -> None:
        if self._looper is not None:
            self._looper.run(self._answers.stop(), 20)
            self._looper.stop(5)
            self._looper = None
        worker_client._forget()

    # --- what tests say

    def add(self, agent: str, *classes: dict, domain: str = DOMAIN, online: bool = True, **more: Any) -> None:
        """Have an agent."""
        self.agents[domain, agent] = {
            "domain": domain, "agent": agent, "status": "online" if online else "offline", "hostname": "cell4",
            "version": "1.2.3", "v": 3, "integration_id": 0, "integration": "", "address": "192.0.2.7",
            "client_id": "va3", "since": SINCE, "fault": "", "twins": None, "claim": None,
            "info": list(classes), **more,
        }  # fmt: skip

    def ends(self, state: str = "done", value: Any = None, **more: Any) -> None:
        """Say what comes of the last call."""
        result = json.dumps(value)
        told = {"state": state, "promise": False, "result": result, "size": len(result), "error": "", "seconds": 0.25}
        self.outcomes[f"c{len(self.calls)}"] = told | more

    # --- what is asked

    def _agents(self) -> list[dict[str, Any]]:
        return [self._told(self.agents[name]) for name in sorted(self.agents)]

    def _agent(self, domain: str, agent: str, class_name: str | None) -> dict[str, Any] | None:
        found = self.agents.get((domain, agent))
        if found is None:
            return None
        return self._told(found) | {
            "info": [one if one["name"] == class_name else _closed(one) for one in found["info"]]
        }

    def _told(self, agent: dict[str, Any]) -> dict[str, Any]:
        classes = agent["info"]
        return {name: value for name, value in agent.items() if name != "info"} | {
            "classes": len(classes),
            "functions": sum(one["function_count"] for one in classes),
            "instances": sum(one["instance_count"] for one in classes),
        }

    def _begin(self, *call: Any) -> dict[str, str]:
        if self.refuses:
            raise Refused(*self.refuses)
        self.calls.append(call)
        function = call[4] if len(call) > 4 else ""
        if function in self.answers:
            self.ends(value=self.answers[function])
        else:
            self.ends("waiting")
        return {"call": f"c{len(self.calls)}"}

    def _call(self, *call: Any) -> dict[str, str]:
        return self._begin(*call)

    def _create(self, *call: Any) -> dict[str, str]:
        return self._begin("create", *call)

    def _delete(self, *call: Any) -> dict[str, str]:
        return self._begin("delete", *call)

    def _result(self, call: str) -> dict[str, Any] | None:
        return self.outcomes.get(call)

    def _watch(self, *event: str) -> dict[str, str]:
        if self.refuses:
            raise Refused(*self.refuses)
        self.watched["/".join(event)] = []
        return {"watch": "/".join(event)}

    def _events(self, watch: str, after: int) -> dict[str, Any] | None:
        found = self.watched.get(watch)
        return None if found is None else {"state": "live", "error": "", "events": found, "dropped": 0}

    def _unwatch(self, watch: str) -> None:
        self.watched.pop(watch, None)

    def _remove(self, domain: str, agent: str) -> None:
        if self.agents[domain, agent]["status"] == "online":
            raise Refused("The agent is online.")
        del self.agents[domain, agent]

    def _hand_over(self, domain: str, agent: str, integration_id: int) -> None:
        found = self.agents[domain, agent]
        if found["claim"] is None or found["claim"]["integration_id"] != integration_id:
            raise Refused("It does not ask any more.")
        found |= {"claim": None, "integration_id": integration_id}


def a_class(
    name: str, *functions: dict, constructors: tuple[dict, ...] = (), instances: tuple[str, ...] = (), fault: str = ""
) -> dict:
    return {
        "name": name, "fault": fault, "reading": False,
        "function_count": len(functions), "instance_count": len(instances),
        "functions": list(functions), "constructors": list(constructors), "instances": list(instances),
    }  # fmt: skip


def _closed(one: dict[str, Any]) -> dict[str, Any]:
    return {name: one[name] for name in ("name", "fault", "function_count", "instance_count")}
