"""What single services answer: in pieces, as much as was asked for, once more, or not at all."""

from __future__ import annotations

import pytest
from asyncua import ua

from tests.protocols.opcua.attacks import STATE
from tests.protocols.opcua.opcua_wire import fault


def test_browsing_goes_on_in_pieces(start) -> None:
    client = start().client()
    request = browse(ua.ObjectIds.Server)
    (whole,) = client.ask(request).Results
    request.Parameters.RequestedMaxReferencesPerNode = 3
    (piece,) = client.ask(request).Results
    found = list(piece.References)
    while piece.ContinuationPoint:
        assert len(piece.References) == 3
        more = ua.BrowseNextRequest()
        more.Parameters.ContinuationPoints = [piece.ContinuationPoint]
        more.Parameters.ReleaseContinuationPoints = False
        (piece,) = client.ask(more).Parameters.Results
        found += piece.References
    assert found == whole.References and len(found) > 3


def test_a_session_keeps_few_pieces_waiting(start) -> None:
    client = start(continuation_points=2).client()
    request = browse(ua.ObjectIds.Server)
    request.Parameters.RequestedMaxReferencesPerNode = 1
    first, _ = client.ask(request).Results[0], client.ask(request).Results[0]
    assert client.ask(request).Results[0].StatusCode.value == ua.StatusCodes.BadNoContinuationPoints
    release = ua.BrowseNextRequest()
    release.Parameters.ContinuationPoints = [first.ContinuationPoint]
    release.Parameters.ReleaseContinuationPoints = True
    client.ask(release)
    assert client.ask(request).Results[0].StatusCode.is_good()
    release.Parameters.ContinuationPoints = [b"made up", None]
    codes = [result.StatusCode.value for result in client.ask(release).Parameters.Results]
    assert codes == [ua.StatusCodes.BadContinuationPointInvalid] * 2


def test_all_nodes_of_one_request_share_one_answer(start) -> None:
    client = start(references=10).client()
    request = browse(ua.ObjectIds.Server)
    request.Parameters.NodesToBrowse *= 5
    results = client.ask(request).Results
    assert sum(len(result.References) for result in results) == 10
    assert all(result.ContinuationPoint for result in results)


def test_a_path_to_and_fro_does_not_multiply(start) -> None:
    client = start().client()
    there = ua.RelativePathElement(TargetName=ua.QualifiedName("Server"), IsInverse=False)
    back = ua.RelativePathElement(TargetName=ua.QualifiedName("Objects"), IsInverse=True)
    request = ua.TranslateBrowsePathsToNodeIdsRequest()
    path = ua.BrowsePath(StartingNode=ua.NodeId(ua.ObjectIds.ObjectsFolder))
    path.RelativePath.Elements = [there, back] * 100
    request.Parameters.BrowsePaths = [path]
    (result,) = client.ask(request).Results
    assert [target.TargetId for target in result.Targets] == [ua.NodeId(ua.ObjectIds.ObjectsFolder)]


def test_a_filter_that_cannot_be_used_is_refused_alone(start) -> None:
    client = start().client()
    number = client.subscribe().SubscriptionId
    (wrong,) = client.monitor(number, STATE, Filter=ua.EventFilter())
    assert wrong.StatusCode.value == ua.StatusCodes.BadMonitoredItemFilterUnsupported
    (right,) = client.monitor(number, STATE, Filter=ua.DataChangeFilter(DeadbandType=1, DeadbandValue=1.0))
    assert right.StatusCode.is_good()


def test_what_waits_is_sent_in_answers_of_the_size_asked_for(start) -> None:
    client = start().client()
    request = ua.CreateSubscriptionRequest()
    request.Parameters.RequestedPublishingInterval, request.Parameters.MaxNotificationsPerPublish = 50, 2
    request.Parameters.PublishingEnabled = True
    number = client.ask(request).Parameters.SubscriptionId
    client.monitor(number, *[STATE] * 5)
    sizes, more = [], True
    while more:
        result = client.publish()
        sizes += [len(part.MonitoredItems) for part in result.NotificationMessage.NotificationData]
        more = result.MoreNotifications or not sizes
    assert sizes == [2, 2, 1]


def test_what_was_not_acknowledged_can_be_asked_for_again(start) -> None:
    client = start().client()
    client.monitor(client.subscribe().SubscriptionId, STATE)
    result = client.publish()
    request = ua.RepublishRequest()
    request.Parameters.SubscriptionId = result.SubscriptionId
    request.Parameters.RetransmitSequenceNumber = result.NotificationMessage.SequenceNumber
    assert client.ask(request).NotificationMessage.NotificationData
    request.Parameters.RetransmitSequenceNumber = 99
    assert fault(lambda: client.ask(request)) == ua.StatusCodes.BadMessageNotAvailable


@pytest.mark.parametrize(
    "service",
    [
        ua.RegisterServerRequest,
        ua.RegisterServer2Request,
        ua.FindServersOnNetworkRequest,
        ua.HistoryUpdateRequest,
        ua.QueryFirstRequest,
    ],
)
def test_what_is_not_served_is_refused(start, service: type) -> None:
    running = start()
    assert fault(lambda: running.wire().open().ask(service())) == ua.StatusCodes.BadSessionIdInvalid
    assert fault(lambda: running.client().ask(service())) == ua.StatusCodes.BadServiceUnsupported


def test_a_request_with_the_token_of_another_session_is_refused(start) -> None:
    running = start()
    client, other = running.client(), running.client("bob")
    client.token = other.token
    assert fault(lambda: client.value(STATE)) == ua.StatusCodes.BadSessionIdInvalid


def browse(number: int) -> ua.BrowseRequest:
    """Return a request to browse a standard node both ways."""
    request = ua.BrowseRequest()
    description = ua.BrowseDescription(NodeId=ua.NodeId(number), BrowseDirection=ua.BrowseDirection.Both)
    description.ResultMask = 63
    request.Parameters.NodesToBrowse = [description]
    return request
