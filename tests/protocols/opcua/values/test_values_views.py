"""References between integrations' nodes, as a reader browses them."""

from __future__ import annotations

import pytest
from asyncua import ua

from protocols.opcua.values import method, naming
from protocols.opcua.values.nodes import Nodes
from protocols.opcua.values.reader import Reader
from protocols.opcua.values.views import Views
from tests.protocols.opcua.values.values_pure import NOW, make_nodes, reader, value

Ids, Direction = ua.ObjectIds, ua.BrowseDirection


@pytest.fixture
def nodes() -> Nodes:
    nodes = make_nodes()
    for number, username in ((1, "ada"), (2, "bob")):
        for name in ("line/x", "line", "y"):
            nodes.publish(nodes.adopt(number, username), name, value(1), NOW)
    return nodes


@pytest.fixture
def ada(nodes: Nodes) -> Reader:
    return reader(nodes, "ada", "bob/y")


def browse(nodes: Nodes, one: Reader, node_id: ua.NodeId | str, **asked: object) -> list[str]:
    """Return what is found as texts: "+" or "-" for the direction, and the node id."""
    start = naming.node_id(node_id) if isinstance(node_id, str) else node_id
    description = ua.BrowseDescription(start, **{"BrowseDirection": Direction.Both, "NodeClassMask": 0, **asked})
    found = Views(nodes).browse(one, description)
    if not found.StatusCode.is_good():
        return [found.StatusCode.name]
    return [("+" if one.IsForward else "-") + one.NodeId.to_string() for one in found.References]


def test_all_references_of_each_kind_of_node_are_found(nodes: Nodes, ada: Reader) -> None:
    folder_type, variable_type, property_type = (f"+i={number}" for number in (61, 63, 68))
    assert browse(nodes, ada, "ada") == [
        folder_type, "-ns=2;i=1", "+ns=2;s=ada/publish", "+ns=2;s=ada/line", "+ns=2;s=ada/y",
    ]  # fmt: skip
    assert browse(nodes, ada, "ada/line") == [variable_type, "-ns=2;s=ada", "+ns=2;s=ada/line/x"]
    assert browse(nodes, ada, "ada/line/x") == [variable_type, "-ns=2;s=ada/line"]
    assert browse(nodes, ada, "ada/publish") == ["-ns=2;s=ada", "+ns=2;s=ada/publish/InputArguments"]
    assert browse(nodes, ada, "ada/publish/InputArguments") == [property_type, "-ns=2;s=ada/publish"]
    assert browse(nodes, ada, naming.ROOT) == ["+ns=2;s=ada", "+ns=2;s=bob"]


def test_of_others_there_is_what_may_be_read(nodes: Nodes, ada: Reader) -> None:
    assert browse(nodes, ada, "bob", BrowseDirection=Direction.Forward)[1:] == ["+ns=2;s=bob/y"]
    for hidden in ("bob/line", "bob/line/x", "bob/publish", "carl", "ada/publish/x"):
        assert browse(nodes, ada, hidden) == ["BadNodeIdUnknown"]
    assert browse(nodes, reader(nodes, "eve", number=3), naming.ROOT) == ["+ns=2;s=eve"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"BrowseDirection": Direction.Inverse}, ["-ns=2;i=1"]),
        ({"NodeClassMask": ua.NodeClass.Method}, ["+ns=2;s=ada/publish"]),
        ({"NodeClassMask": ua.NodeClass.Variable}, ["+ns=2;s=ada/line", "+ns=2;s=ada/y"]),
        ({"ReferenceTypeId": ua.NodeId(Ids.HasTypeDefinition)}, ["+i=61"]),
        ({"ReferenceTypeId": ua.NodeId(Ids.Organizes)}, ["-ns=2;i=1"]),
        (
            {"ReferenceTypeId": ua.NodeId(Ids.Aggregates), "IncludeSubtypes": True},
            ["+ns=2;s=ada/publish", "+ns=2;s=ada/line", "+ns=2;s=ada/y"],
        ),
        ({"ReferenceTypeId": ua.NodeId(Ids.Aggregates), "IncludeSubtypes": False}, []),
        ({"ReferenceTypeId": ua.NodeId(Ids.NonHierarchicalReferences), "IncludeSubtypes": True}, ["+i=61"]),
        ({"ReferenceTypeId": ua.NodeId("own", 7), "IncludeSubtypes": True}, []),
    ],
)
def test_only_what_is_asked_for_is_found(nodes: Nodes, ada: Reader, asked: dict[str, object], found: list[str]) -> None:
    assert browse(nodes, ada, "ada", **asked) == found


def element(name: str, namespace: int = 2, **more: object) -> ua.RelativePathElement:
    hierarchical = ua.NodeId(Ids.HierarchicalReferences)
    return ua.RelativePathElement(
        **{"ReferenceTypeId": hierarchical, "IsInverse": False, "IncludeSubtypes": True, **more},
        TargetName=ua.QualifiedName(name, namespace),
    )


@pytest.mark.parametrize(
    ("start", "path", "target"),
    [
        (naming.ROOT, [element("ada"), element("line"), element("x")], "ada/line/x"),
        (naming.ROOT, [element("bob"), element("y")], "bob/y"),
        (naming.ROOT, [element("bob"), element("line")], None),
        (naming.ROOT, [element("ada"), element("publish"), element(method.ARGUMENTS, 0)], "ada/publish/InputArguments"),
        (naming.ROOT, [element("bob"), element("publish")], None),
        (naming.node_id("ada"), [element("missing")], None),
        (naming.node_id("ada"), [element("y", 1)], None),
        (naming.node_id("ada"), [element("y", IsInverse=True)], None),
        (naming.node_id("ada"), [element("y", ReferenceTypeId=ua.NodeId(Ids.HasProperty))], None),
        (naming.node_id("ada"), [element("line", ReferenceTypeId=ua.NodeId(Ids.HasComponent))], "ada/line"),
        (naming.node_id("ada/y"), [element("x"), element("y")], None),
    ],
)
def test_a_path_leads_to_a_node_or_nowhere(
    nodes: Nodes, ada: Reader, start: ua.NodeId, path: list[ua.RelativePathElement], target: str | None
) -> None:
    found = Views(nodes).follow(ada, start, path)
    assert found == (naming.node_id(target) if target is not None else None)
