"""Integrations' nodes as topics, between real parts: what is written is published, and the other way round."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from asyncua import ua

from protocols.contract import Grant
from tests.support.processes import wait_until

T = ua.VariantType
MOMENT = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("payload", "variant_type", "value"),
    [
        (b"21", T.Int64, 21),
        (b"21.5", T.Double, 21.5),
        (b"false", T.Boolean, False),
        (b'"on"', T.String, "on"),
        (b'{"a":1}', T.String, '{"a":1}'),
        (b"on", T.ByteString, b"on"),
        (b"", T.ByteString, b""),
    ],
)
def test_a_message_makes_a_node_and_tells_who_watches(main, mqtt, opcua, payload: bytes, variant_type: Any, value: Any):
    client = opcua("ada")
    mqtt("bob").publish("ada/line/new", payload)
    node = client.own("ada/line/new")
    wait_until(lambda: client.value(node) == value)
    assert node.read_data_type_as_variant_type() == variant_type
    assert [one.nodeid for one in client.own("ada/line").get_children()] == [node.nodeid]


def test_a_message_changes_the_kind_of_a_node_it_does_not_fit_and_clients_write_the_new_one(main, mqtt, opcua):
    other, client = mqtt("bob"), opcua("ada")
    node = client.own("ada/x")
    node.write_value(ua.Variant(1, T.Int16))
    seen = client.watch(node)
    other.publish("ada/x", b"2")
    seen.wait_for(1, 2)
    assert node.read_data_type_as_variant_type() == T.Int16
    other.publish("ada/x", b'"off"')
    seen.wait_for(1, 2, "off")
    assert node.read_data_type_as_variant_type() == T.String
    node.write_value("on")
    wait_until(lambda: main.value("ada/x") == b'"on"')
    found = [one.Value.Value for one in node.read_raw_history()]
    assert sorted(found, key=str) == [1, 2, "off", "on"]


def test_the_time_of_a_message_is_its_source_timestamp(main, mqtt, opcua):
    client = opcua("ada")
    mqtt("bob").publish("ada/x", b"1")
    wait_until(lambda: client.value(client.own("ada/x")) == 1)
    told = main.do(lambda: main.hub.get("ada/x")).time
    found = client.own("ada/x").read_data_value().SourceTimestamp
    assert abs((found.replace(tzinfo=UTC) - datetime.fromtimestamp(told, UTC)).total_seconds()) < 0.001


def test_a_deletion_leaves_a_node_without_data_and_its_type(main, mqtt, opcua):
    other, client = mqtt("bob"), opcua("ada")
    other.publish("ada/x", b"1.5", retain=True)
    node = client.own("ada/x")
    wait_until(lambda: client.value(node) == 1.5)
    seen = client.watch(node)
    other.publish("ada/x", b"", retain=True)
    other.publish("ada/none", b"", retain=True)
    seen.wait_for(1.5, "BadNoData")
    other.publish("ada/x", b"2")
    seen.wait_for(1.5, "BadNoData", 2.0)
    assert client.value(client.own("ada/none")) == "BadNodeIdUnknown"


def test_all_writes_are_published_in_order_and_none_comes_back(main, mqtt, opcua):
    other, client = mqtt("bob", "ada/#"), opcua("ada")
    node = client.own("ada/x")
    node.write_value(0)
    seen = client.watch(node, queue=100)
    for number in range(1, 50):
        node.write_value(number)
    assert [other.next()[1] for _ in range(50)] == [b"%d" % number for number in range(50)]
    seen.wait_for(49)
    other.publish("ada/x", b"100")
    seen.wait_for(49, 100)
    assert seen.told == [*range(50), 100]


def test_the_method_addnodes_and_other_integrations_publish_too(main, linked, mqtt, opcua):
    linked.door.answers["bob"] = Grant(2, "bob", ("ada/in",), ("ada/in",))
    other, client = mqtt("slow", "#"), opcua("ada")
    folder = client.own("ada")
    folder.call_method(ua.NodeId("ada/publish", 2), "called", 1.5)
    folder.add_variable(2, "added", 2.5)
    client.own("ada/in").write_value(3.5)
    opcua("bob").own("ada/in").write_value(4.5)
    assert [other.next()[:2] for _ in range(4)] == [
        ("ada/called", b"1.5"),
        ("ada/added", b"2.5"),
        ("ada/in", b"3.5"),
        ("ada/in", b"4.5"),
    ]
    assert main.do(lambda: [one.integration_id for one in main.hub.history("ada/in", 9)]) == [1, 2]


def test_a_bad_value_and_a_refused_write_are_not_published(main, mqtt, opcua):
    other, client = mqtt("bob", "#"), opcua("ada")
    node = client.own("ada/x")
    node.write_value(1.5)
    node.write_value(ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadSensorFailure)))
    with pytest.raises(ua.UaStatusCodeError):
        node.write_value("text")
    with pytest.raises(ua.UaStatusCodeError):
        client.own("bob/x").write_value(1.0)
    node.write_value(2.5)
    assert [other.next()[:2] for _ in range(2)] == [("ada/x", b"1.5"), ("ada/x", b"2.5")]


def test_a_message_belongs_to_the_longest_username_that_its_topic_begins_with(main, linked, mqtt, opcua):
    for number, name in ((11, "a"), (12, "a/b")):
        linked.door.answers[name] = Grant(number, name, (), ())
    short, long = opcua("a"), opcua("a/b")
    other = mqtt("bob", "a/#")
    other.publish("a/b/c", b"1")
    wait_until(lambda: long.value(long.own("a%2Fb/c")) == 1)
    assert short.value(short.own("a/b/c")) == "BadNodeIdUnknown"
    other.publish("a/x", b"2")
    wait_until(lambda: short.value(short.own("a/x")) == 2)
    short.own("a/b/c").write_value(3)  # a node of its own, whose topic is in another's folder, stays its own
    short.own("a/x").write_value(4)
    assert [other.next()[:2] for _ in range(3)] == [("a/b/c", b"1"), ("a/x", b"2"), ("a/x", b"4")]
    assert long.value(long.own("a%2Fb/c")) == 1 and short.value(short.own("a/b/c")) == 3


@pytest.mark.parametrize("name", ["publish", "publish/x", "", "x//y", "x/", "x" * 2_000, "/".join("x" * 40)])
def test_a_topic_that_no_node_can_have_makes_none(main, linked, mqtt, opcua, name: str):
    client, other = opcua("ada"), mqtt("bob")
    other.publish(f"ada/{name}", b"1")
    other.publish("ada/last", b"2")
    wait_until(lambda: client.value(client.own("ada/last")) == 2)
    folder = linked.server._space.nodes.folders[1]
    assert list(folder.nodes) == ["last"]
    assert main.value(f"ada/{name}") == b"1"


def test_a_message_for_which_there_is_no_room_says_so_in_its_node(main, linked, mqtt, opcua):
    client, other = opcua("ada"), mqtt("bob")
    node = client.own("ada/x")
    node.write_value("small")
    wait_until(lambda: main.value("ada/x") == b'"small"')  # else it might be the last
    other.publish("ada/x", b'"' + 300_000 * b"x" + b'"')
    wait_until(lambda: client.value(node) == "BadOutOfRange")
    other.publish("ada/y", b'"' + 300_000 * b"x" + b'"')
    other.publish("ada/x", b'"fits"')
    wait_until(lambda: client.value(node) == "fits")
    assert client.value(client.own("ada/y")) == "BadNodeIdUnknown"


def test_a_folder_finds_the_last_values_of_its_topics_when_it_is_made(main, mqtt, opcua):
    mqtt("bob").publish("ada/line/x", b"7")
    client = opcua("ada")
    wait_until(lambda: client.value(client.own("ada/line/x")) == 7)


def test_a_deleted_folder_takes_nothing_any_more_and_a_renamed_one_follows_its_name(main, linked, mqtt, opcua):
    client, other = opcua("ada"), mqtt("bob")
    client.own("ada/x").write_value(1)
    space = linked.server._space
    linked.do(lambda: linked.server.permit({1: Grant(1, "eve")}))
    other.publish("ada/x", b"2")
    other.publish("eve/x", b"3")
    wait_until(lambda: linked.do(lambda: space.nodes.folders[1].nodes["x"].value.Value.Value) == 3)
    linked.do(lambda: linked.server.disconnect([1], "integration deleted", forget=True))
    other.publish("eve/x", b"4")
    wait_until(lambda: main.value("eve/x") == b"4")
    assert 1 not in space.nodes.folders
    assert not space._hub._filters


def test_whose_message_comes_last_in_the_hub_has_its_value_in_the_node(main, linked):
    """A message that this server hears of after its own write, but came before it, does not keep the node."""
    space = linked.server._space
    linked.do(lambda: space.enter(Grant(1, "ada")))
    wait_until(lambda: linked.do(lambda: not space._catching._behind))

    def write(value: int) -> None:
        node = space.nodes.publish(space.nodes.folders[1], "x", ua.DataValue(ua.Variant(value, T.Int64)), MOMENT)
        space.nodes.outside.wrote(node, 1)

    linked.do(lambda: write(1))
    wait_until(lambda: main.value("ada/x") == b"1")
    for number in range(2, 200, 2):
        # Both at once: which of them is the last one is up to the hub.
        main.looper.call(lambda: main.hub.publish("ada/x", b"%d" % number))  # noqa: B023
        linked.do(lambda: write(number + 1))  # noqa: B023
        wait_until(lambda: linked.do(lambda: not space._folders._pending))
        wait_until(
            lambda: (
                linked.do(lambda: b"%d" % space.nodes.folders[1].nodes["x"].value.Value.Value) == main.value("ada/x")
            ),
        )


def test_the_folder_of_who_is_called_like_a_domain_of_vrpc_has_no_topics_while_there_is_that_domain(
    main, linked, mqtt, opcua
):
    other, client, space = mqtt("bob"), opcua("ada"), linked.server._space
    client.own("ada/x").write_value(1)
    wait_until(lambda: main.value("ada/x") == b"1")
    domains = frozenset({"ada"})
    linked.do(lambda: linked.server.permit({1: Grant(1, "ada", closed=domains)}))
    client.own("ada/x").write_value(2)
    linked.do(lambda: space.enter(Grant(2, "eve", closed=domains)))
    other.publish("ada/y", b"3")
    other.publish("eve/z", b"4")
    wait_until(lambda: linked.do(lambda: "z" in space.nodes.folders[2].nodes))
    assert "y" not in space.nodes.folders[1].nodes
    linked.do(lambda: linked.server.permit({1: Grant(1, "ada")}))
    client.own("ada/z").write_value(5)
    wait_until(lambda: main.value("ada/z") == b"5")
    assert main.value("ada/x") == b"1" and client.value(client.own("ada/x")) == 2
