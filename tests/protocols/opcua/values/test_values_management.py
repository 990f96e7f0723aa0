"""AddNodes and DeleteNodes, item by item."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asyncua import ua
from asyncua.ua.uaprotocol_auto import ObjectAttributes, VariableAttributes

from protocols.opcua.values import attributes, management, naming
from protocols.opcua.values.kinds import Kind
from protocols.opcua.values.nodes import Nodes
from protocols.opcua.values.reader import Reader
from tests.protocols.opcua.values.values_pure import NOW, make_nodes, reader, refused, value

Ids, T, Mask = ua.ObjectIds, ua.VariantType, ua.NodeAttributesMask
VALUE_AND_TYPE = Mask.Value | Mask.DataType | Mask.ValueRank


@pytest.fixture
def nodes() -> Nodes:
    return make_nodes()


@pytest.fixture
def ada(nodes: Nodes) -> Reader:
    return reader(nodes, "ada", "bob/#")


def variable(
    content: Any = 1.0, variant_type: Any = None, data_type: Any = None, rank: int = -1, mask: int = VALUE_AND_TYPE
) -> VariableAttributes:
    found = content if isinstance(content, ua.Variant) else ua.Variant(content, variant_type)
    wanted = data_type or ua.NodeId(found.VariantType.value)
    return VariableAttributes(SpecifiedAttributes=mask, Value=found, DataType=wanted, ValueRank=rank)


def item(name: str = "x", parent: str = "ada", new_id: Any = None, **more: Any) -> ua.AddNodesItem:
    """Return a request for a variable; `more` replaces what it says."""
    asked = ua.AddNodesItem(
        ParentNodeId=naming.node_id(parent),
        ReferenceTypeId=ua.NodeId(Ids.HasComponent),
        RequestedNewNodeId=new_id if new_id is not None else ua.NodeId(0, 2),
        BrowseName=ua.QualifiedName(name, 2),
        NodeClass=ua.NodeClass.Variable,
        NodeAttributes=variable(),
        TypeDefinition=ua.NodeId(Ids.BaseDataVariableType),
    )
    for field, content in more.items():
        setattr(asked, field, content)
    return asked


def test_a_node_is_named_by_its_parent_and_its_browse_name(nodes: Nodes, ada: Reader) -> None:
    assert management.add(nodes, ada, item("x"), NOW).identifier == "ada/x"
    assert management.add(nodes, ada, item("y", "ada/x"), NOW).identifier == "ada/x/y"
    assert management.add(nodes, ada, item("a/b"), NOW).identifier == "ada/a/b"


def test_a_node_has_the_node_id_that_is_asked_for(nodes: Nodes, ada: Reader) -> None:
    node = management.add(nodes, ada, item("z", new_id=naming.node_id("ada/line/z")), NOW)
    assert node.identifier == "ada/line/z"
    assert management.add(nodes, ada, item("z", "ada/line", naming.node_id("ada/line/z/z")), NOW).name == "line/z/z"


def test_a_folder_stays_when_it_is_empty(nodes: Nodes, ada: Reader) -> None:
    asked = item("f", NodeClass=ua.NodeClass.Object, NodeAttributes=ObjectAttributes())
    asked.TypeDefinition, asked.ReferenceTypeId = ua.NodeId(Ids.FolderType), ua.NodeId(Ids.Organizes)
    node = management.add(nodes, ada, asked, NOW)
    assert node.is_kept and not node.is_variable
    nodes.delete(nodes.publish(ada.folder, "f/x", value(1), NOW))
    assert nodes.find("ada/f") is node


@pytest.mark.parametrize(
    ("attributes", "content", "kind"),
    [
        (variable(1.5), 1.5, Kind(T.Double)),
        (variable(2, T.Int32, ua.NodeId(Ids.Double)), 2.0, Kind(T.Double)),
        (variable([1, 2], T.Int32, ua.NodeId(Ids.Float)), [1.0, 2.0], Kind(T.Float, 1)),
        (variable("a", T.String, ua.NodeId(Ids.LocaleId)), "a", Kind(T.String)),
        (variable(1, T.Int32, ua.NodeId(Ids.Number)), 1, Kind(T.Int32)),
        (variable(1, T.Int32, ua.NodeId("own", 7)), 1, Kind(T.Int32)),
        (variable(None, data_type=ua.NodeId(Ids.Double)), None, Kind(T.Double)),
        (variable(None, data_type=ua.NodeId(Ids.Double), rank=1), None, Kind(T.Double, 1)),
        (variable(None, data_type=ua.NodeId(Ids.Double), rank=0), None, Kind(T.Double, 1)),
        (variable(None, data_type=ua.NodeId(Ids.BaseDataType)), None, None),
        (variable(5.0, mask=Mask.DataType), None, Kind(T.Double)),
        (variable(5.0, mask=0), None, None),
    ],
)
def test_the_kind_is_that_of_the_value_and_the_data_type(
    nodes: Nodes, ada: Reader, attributes: Any, content: Any, kind: Kind | None
) -> None:
    node = management.add(nodes, ada, item(NodeAttributes=attributes), NOW)
    assert (node.value.Value.Value, node.kind) == (content, kind)
    assert node.value.StatusCode.name == ("Good" if content is not None else "BadWaitingForInitialData")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (item(parent="bob"), "BadUserAccessDenied"),
        (item(parent="bob/x"), "BadUserAccessDenied"),
        (item(parent="carl"), "BadParentNodeIdInvalid"),
        (item(parent="ada/missing"), "BadParentNodeIdInvalid"),
        (item(ParentNodeId=naming.ROOT), "BadUserAccessDenied"),
        (item(ParentNodeId=ua.NodeId(Ids.ObjectsFolder)), "BadUserAccessDenied"),
        (item(NodeClass=ua.NodeClass.Method), "BadNodeClassInvalid"),
        (item(ReferenceTypeId=ua.NodeId(Ids.HasTypeDefinition)), "BadReferenceTypeIdInvalid"),
        (item(TypeDefinition=ua.NodeId(Ids.FolderType)), "BadTypeDefinitionInvalid"),
        (item(NodeAttributes=ObjectAttributes()), "BadNodeAttributesInvalid"),
        (item(NodeAttributes=ua.ExtensionObject()), "BadNodeAttributesInvalid"),
        (item(NodeAttributes=variable(300, T.Int32, ua.NodeId(Ids.Byte))), "BadOutOfRange"),
        (item("n", NodeAttributes=variable(ua.Variant([ua.Variant(1)], T.Variant))), "BadTypeMismatch"),
        (item(""), "BadBrowseNameInvalid"),
        (item("a", new_id=naming.node_id("ada/b")), "BadBrowseNameInvalid"),
        (item("a", "ada/x", naming.node_id("ada/a")), "BadParentNodeIdInvalid"),
        (item("a", new_id=naming.node_id("bob/a")), "BadUserAccessDenied"),
        (item("a", new_id=ua.NodeId(7, 2)), "BadNodeIdRejected"),
        (item("a", new_id=ua.NodeId("ada/a", 1)), "BadNodeIdRejected"),
        (item("x"), "BadNodeIdExists"),
        (item("publish"), "BadNodeIdExists"),
        (item("a//b"), "BadNodeIdInvalid"),
        (item("a\n"), "BadNodeIdInvalid"),
    ],
)
def test_what_cannot_be_added_is_refused_and_leaves_nothing(
    nodes: Nodes, ada: Reader, asked: ua.AddNodesItem, code: str
) -> None:
    nodes.publish(ada.folder, "x", value(1), NOW)
    nodes.publish(nodes.adopt(2, "bob"), "x", value(1), NOW)
    assert refused(lambda: management.add(nodes, ada, asked, NOW)) == code
    assert nodes.count == 2


@pytest.mark.parametrize(
    ("node_id", "code"),
    [
        (naming.node_id("ada"), "BadUserAccessDenied"),
        (naming.node_id("bob/x"), "BadUserAccessDenied"),
        (naming.node_id("carl/x"), "BadNodeIdUnknown"),
        (naming.node_id("ada/missing"), "BadNodeIdUnknown"),
        (naming.node_id("ada/publish"), "BadNodeIdUnknown"),
        (naming.ROOT, "BadUserAccessDenied"),
        (ua.NodeId(Ids.Server), "BadUserAccessDenied"),
    ],
)
def test_what_cannot_be_deleted_is_refused(nodes: Nodes, ada: Reader, node_id: ua.NodeId, code: str) -> None:
    nodes.publish(ada.folder, "x", value(1), NOW)
    nodes.publish(nodes.adopt(2, "bob"), "x", value(1), NOW)
    assert refused(lambda: delete(nodes, ada, node_id)) == code
    assert nodes.count == 2


def delete(nodes: Nodes, ada: Reader, node_id: ua.NodeId, meanwhile: Callable[[], object] = lambda: None) -> None:
    async def give_turn() -> None:
        meanwhile()

    asyncio.run(management.delete(nodes, ada, node_id, give_turn))


def test_others_have_their_turns_while_a_large_folder_is_deleted(nodes: Nodes, ada: Reader) -> None:
    for number in range(450):
        nodes.publish(ada.folder, f"large/{number % 3}/{number}", value(number), NOW)
    nodes.publish(ada.folder, "other", value(1), NOW)
    left: list[int] = []
    delete(nodes, ada, naming.node_id("ada/large"), lambda: left.append(nodes.count))
    assert left == [355, 255, 155, 55]
    assert set(ada.folder.nodes) == {"other"}
    assert nodes.bytes == ada.folder.bytes


def test_what_is_added_to_a_folder_while_it_is_deleted_goes_with_it(nodes: Nodes, ada: Reader) -> None:
    for number in range(250):
        nodes.publish(ada.folder, f"large/{number}", value(number), NOW)
    delete(nodes, ada, naming.node_id("ada/large"), lambda: nodes.publish(ada.folder, "large/new/deep", value(1), NOW))
    assert nodes.count == 0


def test_a_folder_that_somebody_else_deletes_meanwhile_is_deleted_once(nodes: Nodes, ada: Reader) -> None:
    for number in range(250):
        nodes.publish(ada.folder, f"large/{number}", value(number), NOW)

    def meanwhile() -> None:
        nodes.delete(ada.folder.nodes["large"])
        nodes.publish(ada.folder, "large/again", value(1), NOW)

    delete(nodes, ada, naming.node_id("ada/large"), meanwhile)
    assert set(ada.folder.nodes) == {"large", "large/again"}


# --- DisplayName and Description

TEXTS = Mask.DisplayName | Mask.Description


def described(display_name: str | None, description: str | None, mask: int = VALUE_AND_TYPE | TEXTS) -> Any:
    found = variable(mask=mask)
    found.DisplayName, found.Description = ua.LocalizedText(display_name, "en"), ua.LocalizedText(description)
    return found


def test_a_node_says_what_it_was_added_with(nodes: Nodes, ada: Reader) -> None:
    before = nodes.bytes
    plain = management.add(nodes, ada, item("plain"), NOW)
    weight = nodes.bytes - before
    node = management.add(nodes, ada, item("fancy", NodeAttributes=described("Nice", "It is")), NOW)
    assert attributes.display_name(node) == ua.LocalizedText("Nice", "en")
    assert attributes.description(node) == ua.LocalizedText("It is")
    assert attributes.display_name(plain) == ua.LocalizedText("plain")
    assert attributes.description(plain) == ua.LocalizedText("")
    taken = nodes.bytes - before - 2 * weight
    assert taken > len("Nice" + "en" + "It is"), "it takes room"
    nodes.delete(node)
    assert nodes.bytes - before == weight and node.folder.bytes == weight
    folder = ObjectAttributes(SpecifiedAttributes=TEXTS, DisplayName=ua.LocalizedText("Hall"))
    asked = item("f", NodeClass=ua.NodeClass.Object, TypeDefinition=ua.NodeId(Ids.FolderType), NodeAttributes=folder)
    assert attributes.display_name(management.add(nodes, ada, asked, NOW)) == ua.LocalizedText("Hall")


@pytest.mark.parametrize("given", [described("Nice", "It is", VALUE_AND_TYPE), described(None, "")])
def test_what_is_not_specified_is_what_the_name_says(nodes: Nodes, ada: Reader, given: Any) -> None:
    node = management.add(nodes, ada, item("x", NodeAttributes=given), NOW)
    assert node.texts is None and attributes.display_name(node) == ua.LocalizedText("x")


@pytest.mark.parametrize("given", [described("z" * 1_100, ""), described("", "\u00fc" * 513)])
def test_long_texts_are_refused_and_nothing_is_made(nodes: Nodes, ada: Reader, given: Any) -> None:
    asked = item("x", NodeAttributes=given)
    assert refused(lambda: management.add(nodes, ada, asked, NOW)) == "BadNodeAttributesInvalid"
    assert nodes.count == 0


def test_texts_without_room_are_refused() -> None:
    nodes = make_nodes(values_bytes=1_500)
    asked = item("x", NodeAttributes=described("z" * 1_000, ""))
    assert refused(lambda: management.add(nodes, reader(nodes, "ada"), asked, NOW)) == "BadOutOfMemory"
    assert nodes.count == nodes.bytes == 0
