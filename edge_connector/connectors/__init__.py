"""Which connectors there are.  A module, and the libraries that it needs, is only imported when one is configured."""

from __future__ import annotations

import importlib

from edge_connector.connectors.base import Connector
from edge_connector.errors import ConfigFault
from edge_connector.settings import Table

KINDS = {
    "files": "Files",
    "http": "HTTP",
    "modbus": "Modbus",
    "mqtt": "MQTT",
    "opcua": "OPCUA",
    "s7": "S7",
    "serial": "Serial",
    "sql": "SQL",
    "system": "System",
}


def make(name: str, table: Table) -> Connector:
    """Return a connector as it is configured.  Raises `ConfigFault`."""
    kind = table.choice("kind", tuple(KINDS))
    try:
        module = importlib.import_module(f"{__name__}.{kind}")
    except ModuleNotFoundError as error:
        needed = f"edge_connector/requirements/{kind}.txt"
        raise ConfigFault(f"{table.place} needs a package that is not installed ({error.name}); see {needed}") from None
    found: Connector = getattr(module, KINDS[kind])(name, table)
    table.done()
    return found
