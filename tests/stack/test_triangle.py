"""MQTT, OPC UA and HTTP clients write each type of the table in docs/values.md, and the other two read it."""

from __future__ import annotations

import base64
import json
import math
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from asyncua import ua
from asyncua.sync import Client, ThreadLoop

from payloads import BYTES, JSON, TEXT
from tests.protocols.opcua.topics.topics_bed import Mqtt
from tests.support.processes import wait_until
from tests.support.stack import HOST, Stack

pytestmark = pytest.mark.stack

T = ua.VariantType
MOMENT = datetime(2026, 11, 25, 12, tzinfo=UTC)
BY_ITSELF = {bool: T.Boolean, int: T.Int64, float: T.Double, str: T.String, bytes: T.ByteString}


class Row(NamedTuple):
    """A line of the table: how MQTT and HTTP have a value, OPC UA as a topic, and as a node of a type of its own."""

    name: str
    content_type: str
    payload: bytes
    topic: Any  # its type in `BY_ITSELF`
    node: ua.Variant | None = None  # None where OPC UA clients do not write it so


def typed(payload: str, topic: Any, kind: T, value: Any = None) -> Row:
    """Return the line of a scalar, whose value is the topic's unless it is another one."""
    return Row(kind.name, JSON, payload.encode(), topic, ua.Variant(topic if value is None else value, kind))


TABLE = [
    typed("true", True, T.Boolean),
    typed("-5", -5, T.SByte),
    typed("200", 200, T.Byte),
    typed("-30000", -30_000, T.Int16),
    typed("60000", 60_000, T.UInt16),
    typed("-70000", -70_000, T.Int32),
    typed("4000000000", 4_000_000_000, T.UInt32),
    typed("-9223372036854775808", -(2**63), T.Int64),
    typed("18446744073709551615", 2.0**64, T.UInt64, 2**64 - 1),
    typed("0.5", 0.5, T.Float),
    typed("1e+300", 1e300, T.Double),
    typed('"Grüße \\"x\\""', 'Grüße "x"', T.String),
    typed('"2026-11-25T12:00:00Z"', "2026-11-25T12:00:00Z", T.DateTime, MOMENT),
    typed('"00000000-0000-0000-0000-000000000001"', str(uuid.UUID(int=1)), T.Guid, uuid.UUID(int=1)),
    typed('"<a/>"', "<a/>", T.XmlElement, ua.XmlElement("<a/>")),
    typed('"ns=2;s=x"', "ns=2;s=x", T.NodeId, ua.NodeId("x", 2)),
    typed('"nsu=urn:x;i=5"', "nsu=urn:x;i=5", T.ExpandedNodeId, ua.ExpandedNodeId(5, 0, NamespaceUri="urn:x")),
    typed("2150957056", 0x80350000, T.StatusCode, ua.StatusCode(0x80350000)),
    typed('"2:name"', "2:name", T.QualifiedName, ua.QualifiedName("name", 2)),
    typed(*['{"Locale":"de","Text":"hallo"}'] * 2, T.LocalizedText, ua.LocalizedText("hallo", "de")),
    typed(
        *['{"UaTypeId":"ns=4;i=7","UaEncoding":1,"UaBody":"AQI="}'] * 2,
        T.ExtensionObject,
        ua.ExtensionObject(ua.NodeId(7, 4), b"\x01\x02"),
    ),
    Row("bytes", BYTES, b"\x00\xff", b"\x00\xff", ua.Variant(b"\x00\xff", T.ByteString)),
    Row("NaN", JSON, b'"NaN"', "NaN", ua.Variant(math.nan, T.Double)),
    Row("infinity", JSON, b'"-Infinity"', "-Infinity", ua.Variant(-math.inf, T.Float)),
    Row("no string", JSON, b"null", "null", ua.Variant(None, T.String)),
    Row("array", JSON, b"[1,2]", "[1,2]", ua.Variant([1, 2], T.Int32)),
    Row("matrix", JSON, b"[[0.5,1.0]]", "[[0.5,1.0]]", ua.Variant([[0.5, 1.0]], T.Double, [1, 2])),
    Row("array of bytes", JSON, b'["YQ=="]', '["YQ=="]', ua.Variant([b"a"], T.ByteString)),
    Row("object", JSON, b'{"a": [1, 2]}', '{"a": [1, 2]}'),
    Row("large integer", JSON, b"9223372036854775808", 2.0**63),
    Row("number with an exponent", JSON, b"1e3", 1_000.0),
    Row("number beyond all", JSON, b"1e400", "1e400"),
    Row("half a pair", JSON, rb'"\ud800"', r'"\ud800"'),
    Row("text", TEXT, b"closed", b"closed"),
    Row("no JSON", TEXT, b"NaN", b"NaN"),
    Row("nothing", TEXT, b"", b""),
]


class Triangle:
    """A client of each protocol; the topics are those of the OPC UA client's own nodes."""

    def __init__(self, stack: Stack, opcua: Client) -> None:
        self.plc, device, self._web = stack.add("opcua"), stack.add("mqtt"), stack.add("http")
        stack.flask("integrations", "permit", self.plc["username"], "--publish", "#", "--subscribe", "#")
        opcua.set_user(self.plc["username"])
        opcua.set_password(self.plc["password"])
        opcua.connect()
        self._opcua = opcua
        self._port = stack.port
        self.mqtt = Mqtt(stack.mqtt_port, device["username"], f"{self.plc['username']}/#", password=device["password"])

    def node(self, topic: str, namespace: int) -> Any:
        return self._opcua.get_node(ua.NodeId(topic, namespace))

    def http(self, method: str, path: str, body: bytes | None = None, content_type: str = "") -> tuple[str, bytes]:
        connection = HTTPConnection(HOST, self._port, timeout=10)
        login = base64.b64encode(f"{self._web['username']}:{self._web['password']}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", **({"Content-Type": content_type} if content_type else {})}
        connection.request(method, f"/api/v1/{path}", body, headers)
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        assert response.status in (200, 204), answer
        return response.getheader("Content-Type") or "", answer

    def write(self, writer: str, topic: str, row: Row) -> None:
        if writer == "MQTT":
            self.mqtt.publish(topic, row.payload)
        elif writer == "HTTP":
            self.http("PUT", f"values/{quote(topic, safe='')}", row.payload, row.content_type)
        else:
            self.node(topic, 2).write_value(row.node)


@pytest.fixture(scope="module")
def triangle(stack: Stack) -> Iterator[Triangle]:
    with ThreadLoop() as threads:
        client = Client(f"opc.tcp://{HOST}:{stack.opcua_port}", tloop=threads)
        made = Triangle(stack, client)
        yield made
        made.mqtt.close()
        client.disconnect()


CASES = [(row, writer) for row in TABLE for writer in ("MQTT", "HTTP", "OPC UA") if row.node or writer != "OPC UA"]


@pytest.mark.parametrize(("row", "writer"), CASES, ids=lambda one: one.name if isinstance(one, Row) else one)
def test_what_one_writes_the_other_two_read_as_the_table_says(triangle: Triangle, row: Row, writer: str) -> None:
    topic = f"{triangle.plc['username']}/{row.name}/{writer}"
    node, seen = triangle.node(topic, 2), None
    if row.node and writer != "OPC UA":  # a node that is of that type when the message comes
        node.write_value(row.node)
        assert triangle.mqtt.next() == (topic, row.payload, False)
        seen = node.read_data_value().SourceTimestamp
    triangle.write(writer, topic, row)
    assert triangle.mqtt.next() == (topic, row.payload, False)
    assert triangle.http("GET", f"values/{quote(topic, safe='')}") == (row.content_type, row.payload)
    _, listed = triangle.http("GET", f"values?prefix={quote(topic, safe='')}")
    assert in_a_list(row) in listed.decode()
    becomes(triangle.node(topic, 3), BY_ITSELF[type(row.topic)], row.topic)
    if row.node:
        wait_until(lambda: node.read_data_value().SourceTimestamp != seen, what="the message to come to the node")
        becomes(node, row.node.VariantType, row.node.Value)
    else:
        becomes(node, BY_ITSELF[type(row.topic)], row.topic)


def in_a_list(row: Row) -> str:
    """Return how a value stands among others in JSON."""
    if row.content_type == JSON:
        return f'"value": {row.payload.decode()}'
    if row.content_type == TEXT:
        return f'"text": {json.dumps(row.payload.decode())}'
    return f'"base64": "{base64.b64encode(row.payload).decode()}"'


def becomes(node: Any, kind: T, value: Any) -> None:
    """Wait until a node has a type and a value."""
    found: list[Any] = []

    def is_there() -> bool:
        read = node.read_data_value(raise_on_bad_status=False)
        found.append((read.StatusCode.name, read.Value and (read.Value.VariantType, comparable(read.Value.Value))))
        return bool(found[-1][1] == (kind, comparable(value)))

    wait_until(is_there, what=f"{kind.name} {value!r}; there is {found[-1:]}")


def comparable(value: Any) -> Any:
    """Return what is equal for equal values; NaN is none."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    return value
