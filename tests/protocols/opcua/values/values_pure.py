"""What tests without sockets need: nodes that nothing keeps, and values at stated times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asyncua import ua

from protocols.contract import Grant
from protocols.opcua.values.errors import Refused
from protocols.opcua.values.keeper import NoKeeper
from protocols.opcua.values.limits import ValueLimits
from protocols.opcua.values.nodes import Nodes
from protocols.opcua.values.reader import Reader

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def make_nodes(**limits: int) -> Nodes:
    return Nodes(ValueLimits(**limits), NoKeeper())


def reader(nodes: Nodes, username: str = "ada", *filters: str, number: int = 1, client_id: str = "c") -> Reader:
    """Return a reader whose grant has the same filters both ways."""
    return Reader(nodes, Grant(number, username, filters, filters), client_id)


def value(
    content: Any, variant_type: ua.VariantType | None = None, at: datetime | None = None, code: int = 0
) -> ua.DataValue:
    variant = content if isinstance(content, ua.Variant) else ua.Variant(content, variant_type)
    return ua.DataValue(variant, ua.StatusCode(code), at)


def refused(call: Callable[[], object]) -> str:
    """Return the name of the StatusCode that a call is refused with."""
    with pytest.raises(Refused) as caught:
        call()
    return ua.StatusCode(caught.value.code).name
