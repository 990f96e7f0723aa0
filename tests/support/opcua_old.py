"""The old `opcua` client, told what to do by tests/support/opcua.py: a line of JSON for each action and answer."""

from __future__ import annotations

import json
import logging
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from opcua import Client, ua

clients: dict[str, Client] = {}
lock = threading.Lock()


def say(**line: Any) -> None:
    with lock:
        sys.stdout.write(json.dumps(line, default=str) + "\n")
        sys.stdout.flush()


class Handler:
    """Tells the values that come."""

    def __init__(self, name: str) -> None:
        self._name = name

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        status = data.monitored_item.Value.StatusCode
        say(name=self._name, event="value", value=value if status.is_good() else status.name)


def connect(name: str, url: str, mode: str, policy: str, **asked: Any) -> None:
    client = Client(url, timeout=asked.get("patience", 10))
    client.name = "opcua"
    client.application_uri = asked["uri"]
    client.set_user(asked["username"])
    client.set_password(asked["password"])
    if mode != "None":
        files = [asked[file] for file in ("certificate", "key", "server") if file in asked]
        client.set_security_string(",".join([policy, mode, *files]))
    client.connect()
    clients[name] = client
    threading.Thread(target=watch, args=(name, client), daemon=True).start()


def watch(name: str, client: Client) -> None:
    """Tell when the socket is closed, which the client itself does not."""
    client.uaclient._uasocket._thread.join()
    say(name=name, event="lost")


def read(name: str, node: str) -> Any:
    return clients[name].get_node(node).get_value()


def write(name: str, node: str, type: str, value: Any) -> None:
    variant = ua.Variant(value, ua.VariantType[type])
    clients[name].get_node(node).set_attribute(ua.AttributeIds.Value, ua.DataValue(variant))


def publish(name: str, object: str, path: str, type: str, value: Any) -> None:
    method = ua.NodeId.from_string(f"{object}/publish")
    clients[name].get_node(object).call_method(method, path, ua.Variant(value, ua.VariantType[type]))


def add(name: str, object: str, path: str, type: str, value: Any) -> None:
    clients[name].get_node(object).add_variable(2, path, value, ua.VariantType[type])


def remove(name: str, node: str) -> None:
    _, (status,) = clients[name].delete_nodes([clients[name].get_node(node)])
    status.check()


def history(name: str, node: str) -> list[Any]:
    now = datetime.now(UTC).replace(tzinfo=None)  # it knows no others
    found = clients[name].get_node(node).read_raw_history(now - timedelta(days=1), now + timedelta(days=1))
    return [one.Value.Value for one in found]


def subscribe(name: str, node: str, interval: int) -> None:
    subscription = clients[name].create_subscription(interval, Handler(name))
    subscription.subscribe_data_change(clients[name].get_node(node))


def close(name: str) -> None:
    clients.pop(name).disconnect()


actions = {one.__name__: one for one in (connect, read, write, publish, add, remove, history, subscribe, close)}


def main() -> None:
    logging.disable()
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            say(answer=actions[asked.pop("action")](**asked))
        except Exception as error:  # whatever a foreign client raises
            say(fault=f"{type(error).__name__}: {error}")


main()
