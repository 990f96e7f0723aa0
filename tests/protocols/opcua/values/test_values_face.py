"""The portal's lists, and what an account creates and deletes."""

from __future__ import annotations

import pytest
from asyncua import ua

from protocols.contract import Refused as CannotBeDone
from protocols.opcua.values.errors import Unreadable
from protocols.opcua.values.face import Face, NodeInfo
from protocols.opcua.values.nodes import Nodes
from tests.protocols.opcua.values.values_pure import NOW, later, make_nodes, refused, value


@pytest.fixture
def nodes() -> Nodes:
    return make_nodes(nodes=1_000)


@pytest.fixture
def face(nodes: Nodes) -> Face:
    return Face(nodes, lambda: NOW)


def test_a_node_is_shown_with_type_value_status_and_time(nodes: Nodes, face: Face) -> None:
    folder = nodes.adopt(1, "a/b")
    nodes.publish(folder, "line/x", value([1.0, 2.0], at=later(-1)), NOW)
    nodes.publish(folder, "bad", value(None, code=ua.StatusCodes.BadSensorFailure), NOW)
    page = face.nodes(1)
    assert page.nodes == (
        NodeInfo("bad", "ns=2;s=a%2Fb/bad", "", "", "BadSensorFailure", "2026-05-01T12:00:00.000Z", 1),
        NodeInfo("line/x", "ns=2;s=a%2Fb/line/x", "Double[]", "[1.0, 2.0]", "Good", "2026-05-01T11:59:59.000Z", 1),
    )
    assert (page.cursor, page.total) == (None, 2)


@pytest.mark.parametrize("limit", [1, 7, 100, 10_000, 0, -5])
def test_pages_lead_through_all_nodes_once(nodes: Nodes, face: Face, limit: int) -> None:
    folder = nodes.adopt(1, "a")
    for number in range(50):
        nodes.publish(folder, f"x/{number:02}", value(number), NOW)
        nodes.publish(folder, f"y/{number:02}", value(number), NOW)
    seen, cursor = [], None
    for _ in range(60):
        page = face.nodes(1, prefix="x/", limit=limit, cursor=cursor)
        assert page.total == 100
        seen += [info.name for info in page.nodes]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [f"x/{number:02}" for number in range(50)]


def test_a_cursor_outlives_its_node(nodes: Nodes, face: Face) -> None:
    folder = nodes.adopt(1, "a")
    for name in "abc":
        nodes.publish(folder, name, value(1), NOW)
    cursor = face.nodes(1, limit=2).cursor
    nodes.delete(folder.nodes["b"])
    assert [info.name for info in face.nodes(1, cursor=cursor).nodes] == ["c"]


def test_an_integration_that_never_came_has_no_nodes(face: Face) -> None:
    assert face.nodes(7) == face.nodes(7, prefix="x", cursor="y")
    assert face.nodes(7).nodes == ()


def test_an_account_creates_and_deletes_a_node(nodes: Nodes, face: Face) -> None:
    info = face.create(1, "a", "line/x", "Int16", "7")
    assert (info.node_id, info.data_type, info.value, info.status) == ("ns=2;s=a/line/x", "Int16", "7", "Good")
    assert refused(lambda: face.create(1, "a", "line/x", "Int16", "7")) == "BadNodeIdExists"
    face.delete(1, "line/x")
    assert nodes.count == 0
    assert refused(lambda: face.delete(1, "line/x")) == "BadNodeIdUnknown"
    assert refused(lambda: face.delete(9, "line/x")) == "BadNodeIdUnknown"


def test_what_an_account_types_is_checked(nodes: Nodes, face: Face) -> None:
    with pytest.raises(Unreadable, match="this is no Int16"):
        face.create(1, "a", "x", "Int16", "70000")
    assert refused(lambda: face.create(1, "a", "x//y", "Int16", "7")) == "BadNodeIdInvalid"
    assert nodes.count == 0


@pytest.mark.parametrize(
    ("typed", "message", "field"),
    [
        (("x//y", "Int16", "7"), "A level of a name is empty.", "name"),
        (("taken", "Int16", "7"), "There is a node 'taken' already.", "name"),
        (("publish", "Int16", "7"), "The name publish is the method's.", "name"),
        (("x", "Int16", "70000"), "This is no Int16.", "value"),
        (("x", "Byte[]", "[1, 2"), "This is no Byte[].", "value"),
        (("x", "String", "a" * 100), "A value has 105 bytes, more than 64.", "value"),
        (("a/b/c/d", "Int16", "7"), "This integration has as many nodes as it may.", ""),
    ],
)
def test_an_account_is_told_which_input_is_refused_and_why(typed: tuple[str, ...], message: str, field: str) -> None:
    nodes = make_nodes(nodes=3, value_bytes=64)
    create = Face(nodes, lambda: NOW).actions()["create_node"]
    create(1, "a", "taken", "Int16", "7")
    with pytest.raises(CannotBeDone) as caught:
        create(1, "a", *typed)
    assert (str(caught.value), caught.value.field) == (message, field)
    assert nodes.count == 1
