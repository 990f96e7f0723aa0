"""A client of asyncua's on loopback: the whole way from the socket to the value."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from asyncua import ua

from tests.protocols.opcua.values.values_bed import Bed, Listener, eventually, node, refusal

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


async def test_what_a_node_says_of_itself_survives_a_restart(bed: Bed) -> None:
    client = await bed.client()
    for name, made, found in (("x", ua.NodeClass.Variable, _variable()), ("f", ua.NodeClass.Object, _object())):
        item = ua.AddNodesItem(
            ParentNodeId=ua.NodeId("ada", 2),
            ReferenceTypeId=ua.NodeId(ua.ObjectIds.Organizes),
            BrowseName=ua.QualifiedName(name, 2),
            NodeClass=made,
            NodeAttributes=found,
        )
        (result,) = await client.uaclient.add_nodes([item])
        assert result.StatusCode.is_good()
    await bed.restart()
    client = await bed.client()
    for name in ("x", "f"):
        assert await node(client, f"ada/{name}").read_display_name() == ua.LocalizedText("Nice", "en")
        assert await node(client, f"ada/{name}").read_description() == ua.LocalizedText("It is")
    assert await node(client, "ada/x").read_value() == 1.0
    (variable,) = await node(client, "ada").get_references(nodeclassmask=ua.NodeClass.Variable)
    assert variable.DisplayName == ua.LocalizedText("Nice", "en")


def _variable() -> ua.VariableAttributes:
    found = ua.VariableAttributes(Value=ua.Variant(1.0), DisplayName=ua.LocalizedText("Nice", "en"))
    found.Description = ua.LocalizedText("It is")
    return found


def _object() -> ua.ObjectAttributes:
    return ua.ObjectAttributes(DisplayName=ua.LocalizedText("Nice", "en"), Description=ua.LocalizedText("It is"))


async def test_the_capabilities_are_told(bed: Bed) -> None:
    client = await bed.client()
    limits, ids = bed.space.limits, ua.ObjectIds
    expected = {
        ids.HistoryServerCapabilities_AccessHistoryDataCapability: True,
        ids.HistoryServerCapabilities_AccessHistoryEventsCapability: False,
        ids.HistoryServerCapabilities_ReplaceDataCapability: False,
        ids.HistoryServerCapabilities_MaxReturnDataValues: limits.history_answer,
        ids.Server_ServerCapabilities_MaxStringLength: limits.value_bytes,
    }
    for number, value in expected.items():
        assert await client.get_node(ua.NodeId(number)).read_value() == value


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
