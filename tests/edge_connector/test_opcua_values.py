"""Values of OPC UA as JSON has them, and back."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from asyncua import ua

from edge_connector import wire
from edge_connector.connectors.opcua_values import plain, told, typed
from edge_connector.errors import Refused

Kind = ua.VariantType
GUID = "09087e75-8e5e-499b-954f-f2a9603db28a"


@pytest.mark.parametrize(
    ("value", "kind", "there"),
    [
        (True, Kind.Boolean, True),
        (255, Kind.Byte, 255),
        (2**64 - 1, Kind.UInt64, 2**64 - 1),
        (str(-(2**63)), Kind.Int64, -(2**63)),
        (1, Kind.Double, 1.0),
        ("x", Kind.String, "x"),
        ("2026-01-31T13:00:00+01:00", Kind.DateTime, datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (GUID, Kind.Guid, uuid.UUID(GUID)),
        ("AP8=", Kind.ByteString, b"\0\xff"),
        ("ns=2;s=Speed", Kind.NodeId, ua.NodeId("Speed", 2)),
        ("2:Motor", Kind.QualifiedName, ua.QualifiedName("Motor", 2)),
        ("Motor", Kind.LocalizedText, ua.LocalizedText("Motor")),
        ([], Kind.Float, []),
        ([[1, 2], [3, 4]], Kind.Int32, [[1, 2], [3, 4]]),
    ],
)
def test_a_value_of_json_becomes_one_of_the_type(value: Any, kind: Any, there: Any) -> None:
    found = typed(value, kind, 2 if isinstance(value, list) else -1)
    assert (found.VariantType, found.Value) == (kind, there)
    assert typed(plain(found.Value), kind, 2 if isinstance(value, list) else -1).Value == there


@pytest.mark.parametrize(
    ("value", "kind"),
    [(True, "Boolean"), (7, "Int64"), (1.5, "Double"), ("x", "String"), ([[1.5]], "Double")],
)
def test_where_any_type_fits_it_is_the_nearest(value: Any, kind: str) -> None:
    assert typed(value, Kind.Variant, -2).VariantType.name == kind


@pytest.mark.parametrize(
    ("value", "kind", "why"),
    [
        (None, Kind.Variant, "has no type of OPC UA"),
        ({}, Kind.Variant, "has no type of OPC UA"),
        ([], Kind.Variant, "has no type of OPC UA"),
        ({}, Kind.ExtensionObject, "type ExtensionObject cannot be written"),
        (-1, Kind.UInt64, "from 0 to 18446744073709551615"),
        ("1e3", Kind.Int64, "is no Int64"),
        ("²", Kind.Int64, "is no Int64"),
        (float("nan"), Kind.Int32, "is no Int32"),
        (2**2000, Kind.Double, "is no Double"),
        (True, Kind.Double, "is no Double"),
        ("x", Kind.Guid, "is no Guid"),
        ("x", Kind.NodeId, "is no NodeId"),
    ],
)
def test_what_is_no_value_of_a_type_is_refused(value: Any, kind: Any, why: str) -> None:
    with pytest.raises(Refused, match=why):
        typed(value, kind, -2)


def test_structures_are_objects_and_all_else_can_be_said_in_json() -> None:
    status = ua.StatusCode(ua.StatusCodes.BadNotFound)
    found = plain([ua.EUInformation(UnitId=7, DisplayName=ua.LocalizedText("mm")), ua.Variant(1), status, Kind.Int32])
    assert found[0]["UnitId"] == 7
    assert found[0]["DisplayName"] == "mm"
    assert found[1:] == [1, "BadNotFound", 6]
    raw = ua.ExtensionObject(ua.NodeId(1, 2), b"\0")
    assert plain(raw)["TypeId"] == "ns=2;i=1"
    assert plain(raw)["Body"] == "AA=="
    assert json.loads(wire.encode(plain([float("inf"), 2**63, b"\xff"]))) == [None, 2**63, "/w=="]


def test_a_value_is_told_unless_its_status_is_bad() -> None:
    taken = datetime(2026, 1, 31, 12)
    uncertain = ua.StatusCode(ua.StatusCodes.UncertainLastUsableValue)
    found = told(ua.DataValue(ua.Variant([1], Kind.Int16), uncertain, taken, datetime(9999, 12, 31, 23, 59, 59)))
    assert found == {
        "value": [1],
        "type": "Int16[]",
        "status": "UncertainLastUsableValue",
        "source_time": "2026-01-31T12:00:00+00:00",
        "server_time": None,
    }
    bad = told(ua.DataValue(ua.Variant(1), ua.StatusCode(ua.StatusCodes.BadSensorFailure)))
    assert (bad["value"], bad["type"], bad["status"]) == (None, None, "BadSensorFailure")
    assert told(ua.DataValue())["status"] == "Good"
