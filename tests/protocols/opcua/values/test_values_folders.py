"""A client of asyncua's on loopback: whose folders and nodes it finds, makes and deletes."""

from __future__ import annotations

import pytest
from asyncua import ua

from protocols.contract import Grant
from tests.protocols.opcua.values.values_bed import ADA, BOB, Bed, Listener, eventually, node, refusal

T = ua.VariantType


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
        ("a/", "BadNodeIdInvalid"),
        ("a/x/", "BadNodeIdInvalid"),
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
