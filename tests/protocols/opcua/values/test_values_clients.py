"""A client of asyncua's on loopback: the whole way from the socket to the value."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from asyncua import ua

from protocols.contract import Grant
from tests.protocols.opcua.values.values_bed import ADA, BOB, Bed, Listener, eventually, node, refusal

T = ua.VariantType
WHEN = datetime(2026, 2, 3, 4, 5, 6, 789_000, tzinfo=UTC)
VALUES = [
    (True, T.Boolean),
    (-128, T.SByte),
    (255, T.Byte),
    (-32_768, T.Int16),
    (65_535, T.UInt16),
    (-(2**31), T.Int32),
    (2**32 - 1, T.UInt32),
    (-(2**63), T.Int64),
    (2**64 - 1, T.UInt64),
    (0.5, T.Float),
    (0.1, T.Double),
    ("grün", T.String),
    (WHEN, T.DateTime),
    (UUID(int=7), T.Guid),
    (b"\0\xff", T.ByteString),
    (ua.LocalizedText("hallo", "de"), T.LocalizedText),
    (ua.QualifiedName("q", 3), T.QualifiedName),
    (ua.NodeId("x", 5), T.NodeId),
    (ua.StatusCode(0x80020000), T.StatusCode),
    ([1.5, 2.5], T.Double),
    ([], T.Int32),
    (["a", None], T.String),
    ([[1, 2, 3], [4, 5, 6]], T.Int32),
    (ua.ExtensionObject(ua.NodeId(4711, 9), b"\1\2\3"), T.ExtensionObject),
    (ua.Range(1.0, 2.0), T.ExtensionObject),
]


@pytest.mark.parametrize(("value", "variant_type"), VALUES, ids=lambda one: getattr(one, "name", ""))
async def test_a_value_is_read_as_it_was_written(bed: Bed, value: object, variant_type: ua.VariantType) -> None:
    one = node(await bed.client(), "ada/x")
    await one.write_value(ua.Variant(value, variant_type, is_array=isinstance(value, list)))
    found = await one.read_data_value()
    assert found.Value.Value == value
    assert found.Value.VariantType == variant_type
    assert await one.read_data_type() == ua.NodeId(variant_type.value)
    assert found.Value.is_array == isinstance(value, list)


async def test_source_time_and_status_are_kept_and_the_servers_time_is_its_own(bed: Bed) -> None:
    one = node(await bed.client(), "ada/x")
    uncertain = ua.StatusCode(ua.StatusCodes.UncertainLastUsableValue)
    await one.write_value(ua.DataValue(ua.Variant(1.0), uncertain, WHEN, WHEN))
    asked = ua.ReadParameters(0, ua.TimestampsToReturn.Both, [ua.ReadValueId(one.nodeid, ua.AttributeIds.Value)])
    (found,) = await one.session.read(asked)
    assert (found.Value.Value, found.StatusCode, found.SourceTimestamp) == (1.0, uncertain, WHEN)
    assert found.ServerTimestamp > WHEN


async def test_of_a_bad_value_there_is_only_the_status(bed: Bed) -> None:
    one = node(await bed.client(), "ada/x")
    await one.write_value(1.0)
    await one.write_value(ua.DataValue(ua.Variant(2.0), ua.StatusCode(ua.StatusCodes.BadSensorFailure)))
    found = await one.read_data_value(raise_on_bad_status=False)
    assert (found.Value.Value, found.StatusCode.name) == (None, "BadSensorFailure")
    assert await refusal(one.write_value("text")) == "BadTypeMismatch", "the type is remembered"


async def test_numbers_fit_into_a_double(bed: Bed) -> None:
    one = node(await bed.client(), "ada/x")
    await one.write_value(1.0)
    for value, variant_type in ((2, T.Int32), (3.5, T.Float), (4, T.Byte)):
        await one.write_value(ua.Variant(value, variant_type))
        found = await one.read_data_value()
        assert (found.Value.Value, found.Value.VariantType) == (float(value), T.Double)


async def test_nodes_are_found_by_browsing_and_by_path(bed: Bed) -> None:
    ada = await bed.client()
    await node(ada, "ada/line1/temperature").write_value(20.5)
    await node(ada, "ada/speed").write_value(1)
    objects = ada.nodes.objects
    root = await objects.get_child("2:Integrations")
    (folder,) = await root.get_children()
    assert folder.nodeid.to_string() == "ns=2;s=ada"
    names = [(await one.read_browse_name()).Name for one in await folder.get_children()]
    assert names == ["publish", "line1", "speed"]
    found = await objects.get_child(["2:Integrations", "2:ada", "2:line1", "2:temperature"])
    assert found.nodeid.to_string() == "ns=2;s=ada/line1/temperature"
    assert await found.read_value() == 20.5
    assert await (await found.get_parent()).get_path(as_string=True) == [
        "0:Root", "0:Objects", "2:Integrations", "2:ada", "2:line1",
    ]  # fmt: skip
    assert await root.get_child("2:ada/2:speed".split("/")) == node(ada, "ada/speed")
    assert [str(one) for one in await folder.get_variables()] == ["ns=2;s=ada/speed"]


async def test_every_attribute_of_a_variable_can_be_read(bed: Bed) -> None:
    ada = await bed.client()
    one = node(ada, "ada/x")
    await one.write_value([1.0, 2.0])
    asked = [ua.AttributeIds.NodeId, ua.AttributeIds.NodeClass, ua.AttributeIds.BrowseName, ua.AttributeIds.DisplayName,
             ua.AttributeIds.DataType, ua.AttributeIds.ValueRank, ua.AttributeIds.ArrayDimensions,
             ua.AttributeIds.AccessLevel, ua.AttributeIds.UserAccessLevel, ua.AttributeIds.Historizing]  # fmt: skip
    found = [one.Value.Value for one in await one.read_attributes(asked)]
    assert found == [
        ua.NodeId("ada/x", 2), ua.NodeClass.Variable, ua.QualifiedName("x", 2), ua.LocalizedText("x"),
        ua.NodeId(11), 1, [0], 0x67, 0x67, True,
    ]  # fmt: skip
    assert await refusal(one.read_attribute(ua.AttributeIds.Executable)) == "BadAttributeIdInvalid"
    assert await node(ada, "ada").read_node_class() == ua.NodeClass.Object


async def test_the_method_publishes(bed: Bed) -> None:
    ada = await bed.client()
    folder = node(ada, "ada")
    await folder.call_method("2:publish", "line1/speed", ua.Variant(7, T.Int16))
    assert (await node(ada, "ada/line1/speed").read_data_value()).Value == ua.Variant(7, T.Int16)
    (arguments,) = await (await folder.get_child("2:publish")).get_properties()
    assert [one.Name for one in await arguments.read_value()] == ["name", "value"]
    for given, code in (
        (["x"], "BadArgumentsMissing"),
        (["x", 1, 2], "BadTooManyArguments"),
        ([1, 1], "BadInvalidArgument"),
        (["a//b", 1], "BadNodeIdInvalid"),
        (["line1/speed", "text"], "BadTypeMismatch"),
    ):
        assert await refusal(folder.call_method("2:publish", *given)) == code


async def test_the_method_is_ones_own(bed: Bed) -> None:
    bed.permit(Grant(1, "ada", ("#",), ("#",)))
    ada, bob = await bed.client(), await bed.client("bob")
    await node(bob, "bob/x").write_value(1)
    names = [(await one.read_browse_name()).Name for one in await node(ada, "bob").get_children()]
    assert names == ["x"]
    method = ua.NodeId("bob/publish", 2)
    assert await refusal(node(ada, "bob").call_method(method, "x", 2)) == "BadNodeIdUnknown"
    assert await refusal(node(ada, "ada").call_method(method, "x", 2)) == "BadMethodInvalid"
    assert await node(bob, "bob/x").read_value() == 1


async def test_nodes_are_added_and_deleted_in_ones_own_folder(bed: Bed) -> None:
    ada = await bed.client()
    folder = node(ada, "ada")
    line = await folder.add_folder(2, "line1")
    speed = await line.add_variable(2, "speed", 1.5)
    await folder.add_variable(ua.NodeId("ada/line1/torque", 2), ua.QualifiedName("torque", 2), 3, T.Int16)
    assert speed.nodeid.to_string() == "ns=2;s=ada/line1/speed"
    assert await node(ada, "ada/line1/torque").read_value() == 3
    assert await refusal(line.add_variable(2, "speed", 1.5)) == "BadNodeIdExists"
    await ada.delete_nodes([speed])
    assert await refusal(speed.read_value()) == "BadNodeIdUnknown"
    await ada.delete_nodes([line])
    assert await refusal(node(ada, "ada/line1/torque").read_value()) == "BadNodeIdUnknown"
    assert [(await one.read_browse_name()).Name for one in await folder.get_children()] == ["publish"]


async def test_nodes_are_not_added_or_deleted_elsewhere(bed: Bed) -> None:
    bed.permit(Grant(1, "ada", ("#",), ("#",)))
    ada, bob = await bed.client(), await bed.client("bob")
    theirs = node(bob, "bob/x")
    await theirs.write_value(1)
    for parent in (ada.nodes.objects, await ada.nodes.objects.get_child("2:Integrations"), node(ada, "bob")):
        assert await refusal(parent.add_variable(2, "mine", 1)) == "BadUserAccessDenied"
    assert await refusal(ada.nodes.objects.add_variable(ua.NodeId("ada/y", 2), "2:y", 1)) == "BadUserAccessDenied"
    for one in (theirs.nodeid, ua.NodeId("ada", 2), ua.NodeId(ua.ObjectIds.Server), ua.NodeId(1, 2)):
        (code,) = await ada.uaclient.delete_nodes(ua.DeleteNodesParameters([ua.DeleteNodesItem(one)]))
        assert code.name == "BadUserAccessDenied"
    assert await theirs.read_value() == 1


async def test_standard_nodes_are_read_and_never_written(bed: Bed) -> None:
    ada = await bed.client()
    state = ada.get_node(ua.ObjectIds.Server_ServerStatus_State)
    both = await ada.read_values([state, ada.get_node(ua.ObjectIds.Server_NamespaceArray)])
    assert both[1][2] == "urn:gatehouse:integrations"
    assert await refusal(state.write_value(ua.Variant(5, T.Int32))) == "BadNotWritable"
    assert await refusal(ada.nodes.server.write_value(1)) == "BadNotWritable"
    assert await refusal(ada.get_node(ua.NodeId(1, 2)).write_value(1)) == "BadNotWritable"
    assert await refusal(ada.get_node(ua.NodeId(4711, 7)).write_value(1)) == "BadNodeIdUnknown"
    writable = ada.get_node(ua.ObjectIds.Server_ServerDiagnostics_EnabledFlag)
    assert await refusal(writable.write_value(True)) == "BadUserAccessDenied"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ('DB1."temp"', ""),
        ("it's; x=1, ü", ""),
        ("x" * 1_024, ""),
        ("x" * 10_000, "BadNodeIdInvalid"),
        ("a\nb", "BadNodeIdInvalid"),
        ("a//b", "BadNodeIdInvalid"),
        ("/a", "BadNodeIdInvalid"),
        ("a/", "BadUserAccessDenied"),
        ("#", "BadNodeIdInvalid"),
        ("publish", "BadNotWritable"),
        ("publish/x", "BadNotWritable"),
        ("/".join("a" * 33), "BadNodeIdInvalid"),
    ],
)
async def test_a_name_is_accepted_or_refused_with_the_right_code(bed: Bed, name: str, code: str) -> None:
    ada = await bed.client()
    one = node(ada, f"ada/{name}")
    assert await refusal(one.write_value(1)) == code
    assert await refusal(one.read_value()) == ("BadNodeIdUnknown" if code else "") or name == "publish"


async def test_a_foreign_node_without_a_grant_does_not_exist(bed: Bed) -> None:
    ada, bob = await bed.client(), await bed.client("bob")
    theirs = node(bob, "bob/x")
    await theirs.write_value(1)
    seen = node(ada, "bob/x")
    assert await refusal(seen.read_value()) == "BadNodeIdUnknown"
    assert await refusal(seen.read_browse_name()) == "BadNodeIdUnknown"
    assert await node(ada, "bob").get_children() == []
    assert await refusal(seen.read_raw_history()) == "BadNodeIdUnknown"
    for name in ("bob/x", "bob/missing", "nobody/x"):
        assert await refusal(node(ada, name).write_value(2)) == "BadUserAccessDenied"
    root = await ada.nodes.objects.get_child("2:Integrations")
    assert [str(one) for one in await root.get_children()] == ["ns=2;s=ada"]
    assert await refusal(root.get_child(["2:bob", "2:x"])) == "BadNoMatch"
    subscription = await ada.create_subscription(50, Listener())
    assert await refusal(subscription.subscribe_data_change(seen)) == "BadNodeIdUnknown"


async def test_a_grant_opens_foreign_nodes_at_once(bed: Bed) -> None:
    ada, bob = await bed.client(), await bed.client("bob")
    for name in ("line1/x", "line2/x", "y"):
        await node(bob, f"bob/{name}").write_value(1)
    bed.permit(Grant(1, "ada", ("bob/line1/+",), ("bob/line1/#", "bob/y")))
    folder = node(ada, "bob")
    assert [str(one) for one in await folder.get_children()] == ["ns=2;s=bob/line1", "ns=2;s=bob/y"]
    assert await node(ada, "bob/line1/x").read_value() == 1
    await node(ada, "bob/line1/x").write_value(2)
    assert await node(bob, "bob/line1/x").read_value() == 2
    assert await refusal(node(ada, "bob/y").write_value(2)) == "BadUserAccessDenied"
    assert await refusal(node(ada, "bob/line1/new").write_value(2)) == "BadNodeIdUnknown"
    assert await node(ada, "bob/y").read_attribute(ua.AttributeIds.UserAccessLevel) == ua.DataValue(
        ua.Variant(0x05, T.Byte)
    )
    bed.permit(ADA)
    assert await refusal(node(ada, "bob/line1/x").read_value()) == "BadNodeIdUnknown"


async def test_a_subscription_tells_each_change(bed: Bed) -> None:
    ada, other = await bed.client(), await bed.client()
    one = node(ada, "ada/x")
    await one.write_value(1.0)
    listener = Listener()
    subscription = await ada.create_subscription(20, listener)
    handle = await subscription.subscribe_data_change(one, queuesize=10)
    await eventually(lambda: listener.values == [1.0])
    for value in (2.0, 2.0, 3.0):
        await node(other, "ada/x").write_value(value)
    await eventually(lambda: listener.values == [1.0, 2.0, 3.0])
    await one.write_value(ua.DataValue(ua.Variant(), ua.StatusCode(ua.StatusCodes.BadSensorFailure)))
    await eventually(lambda: listener.codes[3:] == ["BadSensorFailure"])
    await ada.delete_nodes([one])
    await eventually(lambda: listener.codes[4:] == ["BadNodeIdUnknown"])
    await one.write_value(4.0)
    await eventually(lambda: listener.values[5:] == [4.0])
    await subscription.unsubscribe(handle)
    await one.write_value(5.0)
    await subscription.delete()
    assert listener.values[5:] == [4.0]
    assert len(bed.space.nodes.find("ada/x").watchers) == 0


async def test_monitored_items_follow_permissions(bed: Bed) -> None:
    bed.permit(Grant(1, "ada", (), ("bob/x",)))
    ada, bob = await bed.client(), await bed.client("bob")
    theirs = node(bob, "bob/x")
    await theirs.write_value(1)
    listener = Listener()
    subscription = await ada.create_subscription(20, listener)
    await subscription.subscribe_data_change(node(ada, "bob/x"), queuesize=10)
    await eventually(lambda: listener.values == [1])
    bed.permit(ADA)
    await eventually(lambda: listener.codes[1:] == ["BadUserAccessDenied"])
    await theirs.write_value(2)
    bed.permit(Grant(1, "ada", (), ("bob/x",)))
    await theirs.write_value(3)
    await eventually(lambda: listener.values == [1, None, 2, 3])


async def test_history_is_read_in_both_directions_and_in_pieces(bed: Bed) -> None:
    one = node(await bed.client(), "ada/x")
    times = [datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC) for second in range(10)]
    for number, moment in enumerate(times):
        await one.write_value(ua.DataValue(ua.Variant(float(number)), SourceTimestamp=moment))

    async def values(*asked: object) -> list[float]:
        return [found.Value.Value for found in await one.read_raw_history(*asked)]

    assert await values(times[2], times[5]) == [2, 3, 4]
    assert await values(times[5], times[2]) == [5, 4, 3]
    assert await values(times[7], None, 2) == [7, 8]
    assert await values(None, times[7], 2) == [6, 5]
    assert await values(None, None, 3) == [9, 8, 7]
    details = ua.ReadRawModifiedDetails(False, times[0], times[9], 4, False)
    first = await one.history_read(details)
    second = await one.history_read(details, first.ContinuationPoint)
    third = await one.history_read(details, second.ContinuationPoint)
    pieces = [[found.Value.Value for found in piece.HistoryData.DataValues] for piece in (first, second, third)]
    assert pieces == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]
    assert third.ContinuationPoint is None


async def test_other_kinds_of_history_are_not_offered(bed: Bed) -> None:
    ada = await bed.client()
    one = node(ada, "ada/x")
    await one.write_value(1.0)
    for details in (ua.ReadRawModifiedDetails(True), ua.ReadAtTimeDetails(), ua.ReadProcessedDetails()):
        assert (await one.history_read(details)).StatusCode.name == "BadHistoryOperationUnsupported"
    details = ua.ReadRawModifiedDetails(False)
    assert (await one.history_read(details, b"x")).StatusCode.name == "BadContinuationPointInvalid"
    assert (await node(ada, "ada").history_read(details)).StatusCode.name == "BadHistoryOperationUnsupported"
    assert (await ada.nodes.server.history_read(details)).StatusCode.name == "BadHistoryOperationUnsupported"
    assert (await node(ada, "ada/missing").history_read(details)).StatusCode.name == "BadNodeIdUnknown"


async def test_values_history_and_folders_survive_a_restart(bed: Bed) -> None:
    ada = await bed.client()
    one = node(ada, "ada/line1/x")
    for value in (1.0, 2.0, 3.0):
        await one.write_value(ua.DataValue(ua.Variant(value), SourceTimestamp=WHEN))
    await node(ada, "ada").add_folder(2, "empty")
    await node(ada, "ada/gone").write_value(1)
    await ada.delete_nodes([node(ada, "ada/gone")])
    await bed.restart()
    ada = await bed.client()
    one = node(ada, "ada/line1/x")
    found = await one.read_data_value()
    assert (found.Value.Value, found.SourceTimestamp) == (3.0, WHEN)
    assert [old.Value.Value for old in await one.read_raw_history(WHEN)] == [1.0, 2.0, 3.0]
    names = {(await child.read_browse_name()).Name for child in await node(ada, "ada").get_children()}
    assert names == {"publish", "line1", "empty"}


async def test_the_nodes_of_an_integration_that_was_deleted_meanwhile_are_gone(bed: Bed) -> None:
    await node(await bed.client(), "ada/x").write_value(1)
    await bed.stop()
    bed.grants = {"bob": BOB, "ada": Grant(3, "ada")}
    await bed.start()
    assert await refusal(node(await bed.client(), "ada/x").read_value()) == "BadNodeIdUnknown"


async def test_a_username_with_slashes_has_a_folder_of_its_own(bed: Bed) -> None:
    everything = ("#",)
    bed.grants.update(
        {name: Grant(number, name, everything, everything) for number, name in enumerate(("a", "a/b"), 3)}
    )
    a, ab = await bed.client("a"), await bed.client("a/b")
    await node(a, "a/b/c").write_value("of a")
    await node(ab, "a/b/c").write_value("of a/b")
    assert await node(a, "a/b/c").read_value() == "of a"
    assert await node(ab, "a/b/c").read_value() == "of a/b"
    assert await node(a, "a%2Fb/c").read_value() == "of a/b"
    assert await node(ab, "a%2Fb/c").read_value() == "of a/b"
    root = await ab.nodes.objects.get_child("2:Integrations")
    assert [str(one) for one in await root.get_children()] == ["ns=2;s=a", "ns=2;s=a%2Fb"]
    assert await node(ab, "a").get_children() == [], "what it would read as its own is not shown as another's"
    found = await root.get_child([ua.QualifiedName("a/b", 2), ua.QualifiedName("c", 2)])
    assert await found.read_value() == "of a/b"


async def test_parts_of_arrays_are_read(bed: Bed) -> None:
    ada = await bed.client()
    one = node(ada, "ada/x")
    await one.write_value([1, 2, 3, 4])

    async def read(index_range: str) -> ua.DataValue:
        asked = ua.ReadValueId(one.nodeid, ua.AttributeIds.Value, index_range)
        return (await ada.uaclient.read(ua.ReadParameters(NodesToRead=[asked])))[0]

    assert (await read("1:2")).Value.Value == [2, 3]
    assert (await read("9")).StatusCode.name == "BadIndexRangeNoData"
    assert (await read("2:1")).StatusCode.name == "BadIndexRangeInvalid"
    written = ua.WriteValue(one.nodeid, ua.AttributeIds.Value, "1", ua.DataValue([9]))
    (code,) = await ada.uaclient.write(ua.WriteParameters([written]))
    assert code.name == "BadWriteNotSupported"


async def test_only_the_times_that_are_asked_for_are_returned(bed: Bed) -> None:
    ada = await bed.client()
    one = node(ada, "ada/x")
    await one.write_value(1.0)
    for times, source, server in (("Source", True, False), ("Server", False, True), ("Neither", False, False)):
        params = ua.ReadParameters(0, ua.TimestampsToReturn[times], [ua.ReadValueId(one.nodeid, ua.AttributeIds.Value)])
        (found,) = await ada.uaclient.read(params)
        assert (found.SourceTimestamp is not None, found.ServerTimestamp is not None) == (source, server)


async def test_an_integration_with_a_new_username_keeps_its_nodes(bed: Bed) -> None:
    ada = await bed.client()
    await node(ada, "ada/x").write_value(1)
    del bed.grants["ada"]
    bed.permit(Grant(1, "ada/new", ("#",), ("#",)))
    assert await node(ada, "ada/new/x").read_value() == 1
    assert await node(ada, "ada%2Fnew/x").read_value() == 1
    assert await refusal(node(ada, "ada/x").read_value()) == "BadNodeIdUnknown"


async def test_a_deleted_integration_leaves_nothing_to_others(bed: Bed) -> None:
    bed.permit(Grant(1, "ada", ("#",), ("#",)))
    ada, bob = await bed.client(), await bed.client("bob")
    await node(bob, "bob/x").write_value(1)
    listener = Listener()
    subscription = await ada.create_subscription(20, listener)
    await subscription.subscribe_data_change(node(ada, "bob/x"))
    await eventually(lambda: listener.values == [1])
    bed.space.forget({2})
    await eventually(lambda: listener.codes[1:] == ["BadNodeIdUnknown"])
    assert await refusal(node(ada, "bob/x").read_value()) == "BadNodeIdUnknown"
    await subscription.delete()


async def test_the_limits_show_what_is_used(bed: Bed) -> None:
    ada = await bed.client()
    await node(ada, "ada/line/x").write_value("text")
    assert await refusal(node(ada, "ada/y").write_value(b"x" * 300_000)) == "BadOutOfRange"
    found = {usage.name: usage for usage in bed.space.usage()}
    assert (found["OPCUA_NODES"].used, found["OPCUA_NODES_TOTAL"].used) == (2, 2)
    assert found["OPCUA_VALUE_BYTES"].used is None and found["OPCUA_VALUE_BYTES"].exceeded == 1
    assert found["OPCUA_VALUES_BYTES"].used == found["OPCUA_VALUES_TOTAL_BYTES"].used > 0
    assert bed.space.is_keeping


async def test_an_encoding_that_is_not_binary_is_refused(bed: Bed) -> None:
    ada = await bed.client()
    await node(ada, "ada/x").write_value(1)
    asked = ua.ReadValueId(ua.NodeId("ada/x", 2), ua.AttributeIds.Value, None, ua.QualifiedName("Default XML"))
    (found,) = await ada.uaclient.read(ua.ReadParameters(NodesToRead=[asked]))
    assert found.StatusCode.name == "BadDataEncodingUnsupported"


async def test_a_request_may_be_about_standard_nodes_and_others(bed: Bed) -> None:
    ada = await bed.client()
    await node(ada, "ada/x").write_value(7)
    names, servers = (
        ada.get_node(one) for one in (ua.ObjectIds.Server_NamespaceArray, ua.ObjectIds.Server_ServerArray)
    )
    found = await ada.read_values([names, node(ada, "ada/x"), servers])
    assert (found[0][2], found[1]) == ("urn:gatehouse:integrations", 7) and found[2]
