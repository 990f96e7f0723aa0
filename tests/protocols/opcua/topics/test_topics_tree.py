"""Topics of the hub as nodes: found, read and written, each client as far as it may."""

from __future__ import annotations

from typing import Any

import pytest
from asyncua import ua
from asyncua.ua import AttributeIds as A

from protocols.contract import Grant
from tests.protocols.opcua.topics.topics_bed import TOPICS, Seen
from tests.support.processes import wait_until

ODD = ["/", "//", "/a", "a/", "a//b", " ", "a;b=c", "ns=3;s=x", "Ü/ö", "a%2Fb", '"', "a\\b", "x" * 1_000, "publish/x"]


def identifiers(nodes: list[Any]) -> list[Any]:
    return [node.nodeid.Identifier for node in nodes]


def test_every_topic_is_found_from_the_root_with_odd_names_and_empty_levels(main, mqtt, opcua):
    other = mqtt("bob")
    for topic in ODD:
        other.publish(topic, b'"here"')
    client = opcua("ada")
    found = {}

    def walk(node: Any) -> None:
        for child in node.get_children():
            value = client.value(child)
            if child.read_node_class() == ua.NodeClass.Variable:
                found[child.nodeid.Identifier] = value
            assert child.get_parent().nodeid == node.nodeid
            walk(child)

    walk(client.node(TOPICS))
    assert found == dict.fromkeys(ODD, "here")
    for topic in ODD:
        path = [ua.QualifiedName(level, 3) for level in topic.split("/")]
        assert client.node(TOPICS).get_child(path).nodeid == ua.NodeId(topic, 3)
    assert client.client.nodes.objects.get_child(["3:Topics", "3:Ü", "3:ö"]).nodeid == ua.NodeId("Ü/ö", 3)


def test_the_attributes_of_a_topic_and_of_a_level_above(main, linked, mqtt, opcua):
    linked.door.answers["ada"] = Grant(1, "ada", ("plant/speed",), ("#",))
    mqtt("bob").publish("plant/speed", b"1.5")
    mqtt("bob").publish("plant/other", b"on")
    client = opcua("ada")
    node, other, above = (client.node(topic) for topic in ("plant/speed", "plant/other", "plant"))
    found = [one.Value.Value for one in node.read_attributes([A.BrowseName, A.DisplayName, A.Description, A.NodeClass])]
    assert found == [ua.QualifiedName("speed", 3), ua.LocalizedText("speed"), ua.LocalizedText("plant/speed"), 2]
    assert node.read_data_type_as_variant_type() == ua.VariantType.Double
    assert other.read_data_type_as_variant_type() == ua.VariantType.ByteString
    assert node.read_value_rank() == ua.ValueRank.Scalar
    assert node.get_user_access_level() == {0, 1, 2}
    assert other.get_user_access_level() == {0, 2}
    assert above.read_node_class() == ua.NodeClass.Object
    assert node.read_type_definition() == ua.NodeId(ua.ObjectIds.BaseDataVariableType)
    assert above.read_type_definition() == ua.NodeId(ua.ObjectIds.FolderType)
    for attribute in (A.Value, A.IsAbstract):
        found = client.client.get_node(above.nodeid).read_attributes([attribute])
        assert found[0].StatusCode.name == "BadAttributeIdInvalid"


def test_many_topics_come_in_pieces_in_order(main, opcua):
    main.do(lambda: [main.hub.publish(f"many/{number:04}", b"1") for number in range(1_500)])
    client = opcua("ada")
    names = [f"many/{number:04}" for number in range(1_500)]
    asked = ua.BrowseParameters(
        View=ua.ViewDescription(),
        RequestedMaxReferencesPerNode=400,
        NodesToBrowse=[
            ua.BrowseDescription(
                NodeId=ua.NodeId("many", 3),
                BrowseDirection=ua.BrowseDirection.Forward,
                ReferenceTypeId=ua.NodeId(ua.ObjectIds.HierarchicalReferences),
                IncludeSubtypes=True,
            )
        ],
    )
    session = client.client.aio_obj.uaclient
    (result,) = client.client.tloop.post(session.browse(asked))
    pieces = [result]
    while pieces[-1].ContinuationPoint:
        parameters = ua.BrowseNextParameters(False, [pieces[-1].ContinuationPoint])
        pieces += client.client.tloop.post(session.browse_next(parameters))
    assert [len(piece.References) for piece in pieces] == [400, 400, 400, 300]
    assert [one.NodeId.Identifier for piece in pieces for one in piece.References] == names
    assert identifiers(client.node("many").get_children()) == names


def test_each_client_sees_what_it_may_read_and_its_own_folder(main, linked, mqtt, opcua):
    linked.door.answers["ada"] = Grant(1, "ada", ("plant/set",), ("plant/+/speed",))
    other = mqtt("bob")
    for topic in ("plant/a/speed", "plant/a/other", "ada/x", "bob/x", "plant/set"):
        other.publish(topic, b"1")
    client = opcua("ada")
    assert identifiers(client.node(TOPICS).get_children()) == ["ada", "plant"]
    assert identifiers(client.node("plant").get_children()) == ["plant/a"]
    assert identifiers(client.node("plant/a").get_children()) == ["plant/a/speed"]
    assert [client.value(client.node(topic)) for topic in ("plant/a/speed", "ada/x")] == [1, 1]
    for hidden in ("plant/a/other", "bob/x", "bob", "plant/set", "none"):
        assert client.value(client.node(hidden)) == "BadNodeIdUnknown"
        assert client.node(hidden).get_children() == []
        with pytest.raises(ua.uaerrors.BadNodeIdUnknown):
            client.node(hidden).read_raw_history()
        with pytest.raises(ua.uaerrors.BadNodeIdUnknown):
            client.client.create_subscription(50, Seen()).subscribe_data_change(client.node(hidden))
        with pytest.raises(ua.uaerrors.BadNoMatch):
            client.node(TOPICS).get_child([ua.QualifiedName(level, 3) for level in hidden.split("/")])


def test_a_write_publishes_where_the_filters_allow_it(main, linked, mqtt, opcua):
    linked.door.answers["ada"] = Grant(1, "ada", ("plant/+",), ())
    other, client = mqtt("bob", "#"), opcua("ada")
    client.node("plant/new").write_value(ua.Variant(1.5, ua.VariantType.Float))
    client.node("ada/x").write_value("text")
    assert [other.next() for _ in range(2)] == [("plant/new", b"1.5", False), ("ada/x", b'"text"', False)]
    assert main.do(lambda: main.hub.get("plant/new").integration_id) == 1
    wait_until(lambda: client.value(client.own("ada/x")) == "text")
    for topic, code in (("plant/a/b", "BadUserAccessDenied"), ("bob/x", "BadUserAccessDenied")):
        with pytest.raises(getattr(ua.uaerrors, code)):
            client.node(topic).write_value(1.0)
    for topic in ("plant/+", "$SYS/x", "a\0b", "plant/\x01", "plant/\x85", "plant/\ufffe"):
        with pytest.raises(ua.uaerrors.BadNodeIdUnknown):
            client.node(topic).write_value(1.0)
    with pytest.raises(ua.uaerrors.BadWriteNotSupported):
        client.node("plant/new").write_value(ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadSensorFailure)))
    with pytest.raises(ua.uaerrors.BadNotWritable):
        client.node("plant/new").write_attribute(A.DisplayName, ua.DataValue(ua.Variant(ua.LocalizedText("x"))))
    with pytest.raises(ua.uaerrors.BadOutOfRange):
        client.node("plant/new").write_value(300_000 * "x")
    assert other.messages.empty()


def test_who_reads_after_a_write_reads_what_was_written(opcua):
    client = opcua("ada")
    node = client.node("ada/x")
    for number in range(50):
        node.write_value(number)
        assert node.read_value() == number


def test_history_is_that_of_the_hub_with_deletions(main, mqtt, opcua):
    other, client = mqtt("bob"), opcua("ada")
    for payload in (b"1", b"2.5", b'"on"', b""):
        other.publish("plant/x", payload, retain=True)
    other.publish("plant/x", b"5")
    found = client.node("plant/x").read_raw_history()
    assert [one.Value.Value if one.StatusCode.is_good() else one.StatusCode.name for one in found] == [
        5,
        "BadNoData",
        "on",
        2.5,
        1,
    ]
    times = [one.SourceTimestamp for one in found]
    assert times == sorted(times, reverse=True)
    some = client.node("plant/x").read_raw_history(numvalues=2)
    assert [one.Value.Value for one in some] == [5, None]


def test_a_deleted_topic_is_gone(main, mqtt, opcua):
    other, client = mqtt("bob"), opcua("ada")
    other.publish("plant/x", b"1", retain=True)
    assert client.value(client.node("plant/x")) == 1
    other.publish("plant/x", b"", retain=True)
    assert client.value(client.node("plant/x")) == "BadNodeIdUnknown"
    assert client.node(TOPICS).get_children() == []


@pytest.mark.parametrize("identifier", [2, 3, "$SYS", "a+b", "#", "x" * 70_000])
def test_what_is_no_topic_does_not_exist(opcua, identifier: Any):
    client = opcua("ada")
    assert client.value(client.node(ua.NodeId(identifier, 3))) == "BadNodeIdUnknown"


def test_standard_nodes_values_and_topics_can_be_asked_for_at_once(main, mqtt, opcua):
    mqtt("bob").publish("plant/x", b"1")
    client = opcua("ada")
    client.own("ada/x").write_value(2)
    state = client.client.get_node(ua.ObjectIds.Server_ServerStatus_State)
    nodes = [client.node("plant/x"), state, client.own("ada/x"), client.node("plant/x"), client.own("ada/x")] * 5
    assert client.client.read_values(nodes) == [1, 0, 2, 1, 2] * 5
    client.client.write_values([client.node("plant/x"), client.own("ada/x"), client.node("ada/y")], [5, 6, 7])
    assert client.client.read_values([client.node("plant/x"), client.own("ada/x"), client.node("ada/y")]) == [5, 6, 7]
