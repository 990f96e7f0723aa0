"""The services of an active session (OPC 10000-4, section 5), by the number of their request.

What is not in this table is not served: RegisterServer and its kind, HistoryUpdate, Query.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from asyncua import ua

from protocols.opcua.session import Session

_Ids = ua.ObjectIds


class Service(NamedTuple):
    """How one request is decoded and answered."""

    parameters: Any  # what to decode
    answer: Callable[[Session, Any], Awaitable[Any]]  # returns the response
    operations: str = ""  # the parameter that lists what to do


def _results(service: str, response: Any, given: str = "") -> Callable[..., Awaitable[Any]]:
    """Return an `answer` that calls a session's service and puts its list into a response."""

    async def answer(session: Session, params: Any) -> Any:
        results = await getattr(session, service)(getattr(params, given) if given else params)
        made = response()
        (made if hasattr(made, "Results") else made.Parameters).Results = results
        return made

    return answer


async def _modify_subscription(session: Session, params: Any) -> Any:
    return ua.ModifySubscriptionResponse(Parameters=session.modify_subscription(params))


async def _republish(session: Session, params: Any) -> Any:
    return ua.RepublishResponse(NotificationMessage=session.republish(params))


async def _register_nodes(session: Session, params: Any) -> Any:
    result = ua.RegisterNodesResult(RegisteredNodeIds=params.NodesToRegister)
    return ua.RegisterNodesResponse(Parameters=result)


async def _unregister_nodes(session: Session, params: Any) -> Any:
    return ua.UnregisterNodesResponse()


SERVICES: dict[int, Service] = {
    _Ids.ReadRequest_Encoding_DefaultBinary: Service(
        ua.ReadParameters, _results("read", ua.ReadResponse), "NodesToRead"
    ),
    _Ids.WriteRequest_Encoding_DefaultBinary: Service(
        ua.WriteParameters, _results("write", ua.WriteResponse), "NodesToWrite"
    ),
    _Ids.BrowseRequest_Encoding_DefaultBinary: Service(
        ua.BrowseParameters, _results("browse", ua.BrowseResponse), "NodesToBrowse"
    ),
    _Ids.BrowseNextRequest_Encoding_DefaultBinary: Service(
        ua.BrowseNextParameters, _results("browse_next", ua.BrowseNextResponse), "ContinuationPoints"
    ),
    _Ids.TranslateBrowsePathsToNodeIdsRequest_Encoding_DefaultBinary: Service(
        ua.TranslateBrowsePathsToNodeIdsParameters,
        _results("translate_browsepaths_to_nodeids", ua.TranslateBrowsePathsToNodeIdsResponse, given="BrowsePaths"),
        "BrowsePaths",
    ),
    _Ids.RegisterNodesRequest_Encoding_DefaultBinary: Service(
        ua.RegisterNodesParameters, _register_nodes, "NodesToRegister"
    ),
    _Ids.UnregisterNodesRequest_Encoding_DefaultBinary: Service(
        ua.UnregisterNodesParameters, _unregister_nodes, "NodesToUnregister"
    ),
    _Ids.AddNodesRequest_Encoding_DefaultBinary: Service(
        ua.AddNodesParameters, _results("add_nodes", ua.AddNodesResponse, given="NodesToAdd"), "NodesToAdd"
    ),
    _Ids.DeleteNodesRequest_Encoding_DefaultBinary: Service(
        ua.DeleteNodesParameters, _results("delete_nodes", ua.DeleteNodesResponse), "NodesToDelete"
    ),
    _Ids.AddReferencesRequest_Encoding_DefaultBinary: Service(
        ua.AddReferencesParameters,
        _results("add_references", ua.AddReferencesResponse, given="ReferencesToAdd"),
        "ReferencesToAdd",
    ),
    _Ids.DeleteReferencesRequest_Encoding_DefaultBinary: Service(
        ua.DeleteReferencesParameters,
        _results("delete_references", ua.DeleteReferencesResponse, given="ReferencesToDelete"),
        "ReferencesToDelete",
    ),
    _Ids.CallRequest_Encoding_DefaultBinary: Service(
        ua.CallParameters, _results("call", ua.CallResponse, given="MethodsToCall"), "MethodsToCall"
    ),
    _Ids.HistoryReadRequest_Encoding_DefaultBinary: Service(
        ua.HistoryReadParameters, _results("history_read", ua.HistoryReadResponse), "NodesToRead"
    ),
    _Ids.ModifySubscriptionRequest_Encoding_DefaultBinary: Service(
        ua.ModifySubscriptionParameters, _modify_subscription
    ),
    _Ids.SetPublishingModeRequest_Encoding_DefaultBinary: Service(
        ua.SetPublishingModeParameters,
        _results("set_publishing_mode", ua.SetPublishingModeResponse),
        "SubscriptionIds",
    ),
    _Ids.DeleteSubscriptionsRequest_Encoding_DefaultBinary: Service(
        ua.DeleteSubscriptionsParameters,
        _results("delete_subscriptions", ua.DeleteSubscriptionsResponse, given="SubscriptionIds"),
        "SubscriptionIds",
    ),
    _Ids.CreateMonitoredItemsRequest_Encoding_DefaultBinary: Service(
        ua.CreateMonitoredItemsParameters,
        _results("create_monitored_items", ua.CreateMonitoredItemsResponse),
        "ItemsToCreate",
    ),
    _Ids.ModifyMonitoredItemsRequest_Encoding_DefaultBinary: Service(
        ua.ModifyMonitoredItemsParameters,
        _results("modify_monitored_items", ua.ModifyMonitoredItemsResponse),
        "ItemsToModify",
    ),
    _Ids.SetMonitoringModeRequest_Encoding_DefaultBinary: Service(
        ua.SetMonitoringModeParameters,
        _results("set_monitoring_mode", ua.SetMonitoringModeResponse),
        "MonitoredItemIds",
    ),
    _Ids.DeleteMonitoredItemsRequest_Encoding_DefaultBinary: Service(
        ua.DeleteMonitoredItemsParameters,
        _results("delete_monitored_items", ua.DeleteMonitoredItemsResponse),
        "MonitoredItemIds",
    ),
    _Ids.RepublishRequest_Encoding_DefaultBinary: Service(ua.RepublishParameters, _republish),
}
