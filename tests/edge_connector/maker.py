"""Connectors, made as the agent makes them from its configuration file."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, Generic, TypeVar

from edge_connector.connectors.base import Connector
from edge_connector.settings import Table

Made = TypeVar("Made", bound=Connector)


class Maker(Generic[Made]):
    """Makes connectors of one kind, each from the usual values of its table and its own; closes them at the end."""

    def __init__(self, kind: type[Made], name: str, **usual: Any) -> None:
        self._kind = kind
        self._name = name
        self._usual = usual
        self._made = ExitStack()

    def __enter__(self) -> Maker[Made]:
        return self

    def __exit__(self, *_: object) -> None:
        self._made.close()

    def __call__(self, **values: Any) -> Made:
        table = Table(f"connectors.{self._name}", self._usual | values)
        made = self._kind(self._name, table)
        self._made.callback(made.close)
        table.done()
        return made
