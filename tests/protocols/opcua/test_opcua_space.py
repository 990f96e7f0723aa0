"""The seam to the values: what a space is asked, and what becomes of its answers."""

from __future__ import annotations

from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import ServiceError

from protocols.contract import Grant, Traffic
from protocols.opcua.space import StandardSpace
from tests.protocols.opcua.attacks import STATE
from tests.protocols.opcua.opcua_wire import fault

NODE = ua.NodeId("ada/x", 2)
DENIED = ua.StatusCodes.BadUserAccessDenied


class Listening(StandardSpace):
    """Passes everything on, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.entered: list[Grant] = []
        self.permitted: list[dict[int, Grant]] = []
        self.known: dict[int, Grant] = {}
        self.forbidden: set[ua.NodeId] = set()
        self.stopped = False

    async def start(self, server: Any, grants: Any) -> None:
        assert await server.register_namespace("urn:gatehouse:integrations") == 2
        self.known = dict(grants)

    def enter(self, grant: Grant) -> None:
        self.entered.append(grant)

    def permit(self, grants: Any) -> None:
        self.permitted.append(dict(grants))

    def may_read(self, caller: Any, node_id: ua.NodeId) -> bool:
        return node_id not in self.forbidden

    async def stop(self) -> None:
        self.stopped = True

    def __getattribute__(self, name: str) -> Any:
        if name not in SERVICES:
            return super().__getattribute__(name)

        async def service(caller: Any, asked: Any, go_on: Any) -> Any:
            self.asked.append((name, caller.grant.username))
            return await go_on(asked)

        return service


SERVICES = {
    "read",
    "write",
    "browse",
    "translate_browsepaths",
    "add_nodes",
    "delete_nodes",
    "call",
    "create_monitored_items",
    "modify_monitored_items",
    "history_read",
}


def item() -> ua.AddNodesItem:
    made = ua.AddNodesItem(ParentNodeId=ua.NodeId(ua.ObjectIds.ObjectsFolder), NodeClass=ua.NodeClass.Variable)
    made.ReferenceTypeId, made.BrowseName = ua.NodeId(ua.ObjectIds.Organizes), ua.QualifiedName("x", 2)
    made.RequestedNewNodeId = NODE
    made.NodeAttributes = ua.VariableAttributes(
        Value=ua.Variant(1.5), AccessLevel=3, UserAccessLevel=3, DisplayName=ua.LocalizedText("x")
    )
    return made


def requests() -> dict[str, Any]:
    """Return a request for each service that a space is asked about."""
    add, delete, call = ua.AddNodesRequest(), ua.DeleteNodesRequest(), ua.CallRequest()
    add.Parameters.NodesToAdd = [item()]
    delete.Parameters.NodesToDelete = [ua.DeleteNodesItem(NodeId=NODE)]
    call.Parameters.MethodsToCall = [ua.CallMethodRequest(ObjectId=STATE, MethodId=STATE)]
    browse, history = ua.BrowseRequest(), ua.HistoryReadRequest()
    browse.Parameters.NodesToBrowse = [ua.BrowseDescription(NodeId=ua.NodeId(ua.ObjectIds.ObjectsFolder))]
    history.Parameters.HistoryReadDetails = ua.ReadRawModifiedDetails()
    history.Parameters.NodesToRead = [ua.HistoryReadValueId(NodeId=STATE)]
    translate = ua.TranslateBrowsePathsToNodeIdsRequest()
    path = ua.BrowsePath(StartingNode=ua.NodeId(ua.ObjectIds.ObjectsFolder))
    path.RelativePath.Elements = [ua.RelativePathElement(TargetName=ua.QualifiedName("Server"), IsInverse=False)]
    translate.Parameters.BrowsePaths = [path]
    return {
        "add_nodes": add,
        "browse": browse,
        "translate_browsepaths": translate,
        "call": call,
        "history_read": history,
        "delete_nodes": delete,
    }


def test_a_space_is_asked_about_everything_that_touches_a_node(start) -> None:
    space = Listening()
    client = start(values=space).client()
    for request in requests().values():
        client.ask(request)
    client.value(STATE)
    client.write(STATE, 1)
    number = client.subscribe().SubscriptionId
    (made,) = client.monitor(number, STATE)
    modify = ua.ModifyMonitoredItemsRequest()
    modify.Parameters.SubscriptionId = number
    modify.Parameters.ItemsToModify = [ua.MonitoredItemModifyRequest(MonitoredItemId=made.MonitoredItemId)]
    client.ask(modify)
    assert {name for name, _ in space.asked} == SERVICES
    assert {username for _, username in space.asked} == {"ada"}


def test_what_a_space_lets_through_is_done(start) -> None:
    client = start(values=Listening()).client()
    made = client.ask(requests()["add_nodes"]).Results[0]
    assert made.StatusCode.is_good() and client.value(NODE) == 1.5
    assert client.write(NODE, 2.5).is_good() and client.value(NODE) == 2.5
    assert client.ask(requests()["delete_nodes"]).Results[0].is_good()
    assert fault(lambda: client.value(NODE)) == ua.StatusCodes.BadNodeIdUnknown


def test_asyncua_itself_writes_only_what_may_be_written(start) -> None:
    client = start(values=Listening()).client()
    assert client.write(STATE, 1).value == DENIED


def test_without_a_space_nothing_can_be_changed(start) -> None:
    client = start().client()
    asked = requests()
    assert client.ask(asked["add_nodes"]).Results[0].StatusCode.value == DENIED
    assert client.ask(asked["delete_nodes"]).Results[0].value == DENIED
    assert client.ask(asked["call"]).Results[0].StatusCode.value == DENIED
    assert client.write(STATE, 1).value == DENIED
    assert client.ask(asked["browse"]).Results[0].References


@pytest.mark.parametrize("service", ["AddReferences", "DeleteReferences"])
def test_references_cannot_be_changed(start, service: str) -> None:
    client = start(values=Listening()).client()
    request = getattr(ua, f"{service}Request")()
    change = getattr(ua, f"{service}Item")(SourceNodeId=STATE, TargetNodeId=STATE)
    name = "ReferencesToAdd" if service == "AddReferences" else "ReferencesToDelete"
    setattr(request.Parameters, name, [change])
    response = client.ask(request)
    assert (response if service == "AddReferences" else response.Parameters).Results[0].value == DENIED


def test_a_space_may_refuse_a_whole_request(start) -> None:
    space = StandardSpace()

    async def refuse(caller: Any, asked: Any, go_on: Any) -> Any:
        raise ServiceError(ua.StatusCodes.BadUserAccessDenied)

    space.read = refuse
    assert fault(lambda: start(values=space).client().value(STATE)) == DENIED


def test_a_space_that_fails_ends_neither_the_connection_nor_the_server(start, caplog) -> None:
    space = StandardSpace()

    async def fail(caller: Any, asked: Any, go_on: Any) -> Any:
        raise ZeroDivisionError

    space.read = fail
    client = start(values=space).client()
    assert fault(lambda: client.value(STATE)) == ua.StatusCodes.BadInternalError
    assert client.ask(requests()["browse"]).Results[0].References
    assert "ZeroDivisionError" in caplog.text


def test_a_space_knows_who_exists_and_who_came_in(start) -> None:
    space = Listening()
    running = start(values=space)
    running.client()
    assert set(space.known) == {1, 2}
    assert space.entered == [Grant(1, "ada")]
    running.run(running.server.stop())
    assert space.stopped


def test_changed_permissions_reach_callers_before_the_space(start) -> None:
    space = Listening()
    running = start(values=space)
    client = running.client()
    changed = Grant(1, "ada", publish=(), subscribe=("plant/#",))
    callers = []
    space.permit = lambda grants: callers.extend(session.caller.grant for _, session in running.server._sessions())
    running.do(lambda: running.server.permit({1: changed}))
    assert callers == [changed]
    client.value(STATE)


def test_what_may_not_be_read_any_more_is_not_monitored_any_more(start) -> None:
    space = Listening()
    running = start(values=space)
    client = running.client()
    kept = ua.NodeId(ua.ObjectIds.Server_ServiceLevel)
    client.monitor(client.subscribe().SubscriptionId, STATE, kept)
    client.publish()
    space.forbidden = {STATE}
    running.do(lambda: running.server.permit({1: Grant(1, "ada")}))
    (part,) = client.publish().NotificationMessage.NotificationData
    (told,) = part.MonitoredItems
    assert told.ClientHandle == 0 and told.Value.StatusCode.value == DENIED
    (info,) = running.do(lambda: running.server.connections(1))
    assert (info.monitored_items, info.subscriptions) == (1, ((kept.to_string(), 0),))


def test_values_and_traffic_are_counted(start) -> None:
    running = start(values=Listening())
    client = running.client()
    client.value(STATE)
    client.write(STATE, 1)
    (info,) = running.do(lambda: running.server.connections(1))
    assert (info.values_read, info.values_written) == (1, 1)
    assert running.do(lambda: running.server.connections(2)) == []
    first = running.do(running.server.traffic)
    assert first[1].messages_in >= 4 and first[1].bytes_out > 0
    assert running.do(running.server.traffic) == {}
    client.value(STATE)
    client.close()
    running.presence.wait_for(2)
    assert running.do(running.server.traffic)[1].messages_in == 1, "what a closed connection had is counted too"
    assert Traffic() not in first.values()
