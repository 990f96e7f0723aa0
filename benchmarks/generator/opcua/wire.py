"""The messages of OPC UA that the load sends, and the parts of answers that it looks at (OPC 10000-6).

Requests are encoded once: in what goes over a channel without security only the sequence number and the request id
change from one to the next.  asyncua encodes what is sent rarely.
"""

from __future__ import annotations

import os
import struct
from functools import lru_cache
from typing import Any

from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from benchmarks.generator.clients import LoadError

HEADER = 24  # of a message: type and size, channel, token, sequence number, request id
IDS = struct.Struct("<II")  # the last two, at
IDS_AT = 16
RESULT_AT = 16  # in the body of a response: the ServiceResult of its header
RESULTS_AT = 28  # and where the header ends
SIZE_AT = 4
DOUBLE = struct.Struct("<d")

_NOTHING = b"\xff\xff\xff\xff"  # a null string, byte string or array
_NO_TOKEN = b"\x00\x00"  # the null node id
_HANDLE = b"\x01\x00\x00\x00"
_NONCE = bytes(range(32))
_BUFFER = 65_535
_NODE_ID_SIZES = {0: 2, 1: 4, 2: 7, 4: 19}  # by encoding; 3 and 5 have a length
_NAME = "Gatehouse benchmark"
APPLICATION_URI = "urn:gatehouse:benchmark"


def hello(url: str) -> bytes:
    """Return HEL."""
    body = struct.pack("<IIIII", 0, _BUFFER, _BUFFER, 0, 0) + string(url)
    return b"HELF" + struct.pack("<I", 8 + len(body)) + body


def open_plain() -> bytes:
    """Return OPN for a channel without security."""
    params = struct.pack("<IIII", 0, 0, 1, 0) + struct.pack("<I", 3_600_000)  # Issue, None, an empty nonce
    body = request(ua.ObjectIds.OpenSecureChannelRequest_Encoding_DefaultBinary, _NO_TOKEN, params)
    security = string("http://opcfoundation.org/UA/SecurityPolicy#None") + _NOTHING * 2
    rest = bytes(4) + security + IDS.pack(1, 1) + body
    return b"OPNF" + struct.pack("<I", 8 + len(rest)) + rest


def channel_of(answer: bytes) -> bytes:
    """Return the channel and the token of a plain OPN's answer, as messages name them."""
    check_kind(answer, b"OPNF")
    (length,) = struct.unpack_from("<I", answer, 12)
    start = 12 + 4 + length + 8 + IDS.size  # with two null strings after the policy
    check_good(answer[start:])
    return answer[start + RESULTS_AT + 4 : start + RESULTS_AT + 12]


def message(channel: bytes, number: int, body: bytes) -> bytearray:
    """Return a message over a plain channel."""
    return bytearray(
        b"MSGF" + struct.pack("<I", HEADER + len(body)) + channel + IDS.pack(number + 1, number + 1) + body
    )


def request(number: int, token: bytes, params: bytes) -> bytes:
    """Return the body of a request in the session of a token."""
    header = token + struct.pack("<q", 0) + _HANDLE + bytes(4) + _NOTHING + bytes(4) + b"\x00\x00\x00"
    return b"\x01\x00" + struct.pack("<H", number) + header + params


def check_kind(answer: bytes, kind: bytes) -> None:
    """Raise LoadError if a message is of another kind, or in parts."""
    if answer[:4] != kind:
        raise LoadError(f"{answer[:80]!r} where {kind.decode()} was expected")


def check_good(body: bytes) -> None:
    """Raise LoadError for a response that is a fault."""
    (code,) = struct.unpack_from("<I", body, RESULT_AT)
    if code:
        raise LoadError(f"a request was answered by {ua.status_codes.get_name_and_doc(code)[0]}")


# --- the session


def create_session(url: str, certificate: bytes | None) -> bytes:
    """Return the parameters of CreateSession; a nonce must not come twice."""
    return _create_session(url, certificate).replace(_NONCE, os.urandom(len(_NONCE)))


@lru_cache
def _create_session(url: str, certificate: bytes | None) -> bytes:
    client = ua.ApplicationDescription(
        ApplicationUri=APPLICATION_URI,
        ApplicationName=ua.LocalizedText(_NAME),
        ApplicationType=ua.ApplicationType.Client,
    )
    params = ua.CreateSessionParameters(
        ClientDescription=client,
        EndpointUrl=url,
        SessionName=_NAME,
        ClientNonce=_NONCE,
        ClientCertificate=certificate,
        RequestedSessionTimeout=60_000,
    )
    return bytes(struct_to_binary(params))


def session_of(body: bytes) -> tuple[bytes, bytes]:
    """Return a new session's token, as requests name it, and the server's nonce."""
    start = RESULTS_AT + node_id_size(body, RESULTS_AT)
    end = start + node_id_size(body, start)
    (length,) = struct.unpack_from("<I", body, end + 8)
    return body[start:end], body[end + 12 : end + 12 + length]


def node_id_size(data: bytes, at: int) -> int:
    """Return how many bytes a node id takes."""
    kind = data[at]
    if kind in _NODE_ID_SIZES:
        return _NODE_ID_SIZES[kind]
    return 7 + max(0, int.from_bytes(data[at + 3 : at + 7], "little", signed=True))


def activate_session(policy_id: str, username: str, secret: bytes, sealed_by: str, signature: bytes) -> bytes:
    """Return the parameters of ActivateSession; `sealed_by` is the algorithm that the password is encrypted with."""
    algorithm = string(sealed_by) if sealed_by else _NOTHING
    token = string(policy_id) + string(username) + struct.pack("<I", len(secret)) + secret + algorithm
    identity = b"\x01\x00\x44\x01\x01" + struct.pack("<I", len(token)) + token  # UserNameIdentityToken, binary
    return (signature or _NOTHING * 2) + bytes(4) + _NOTHING + identity + _NOTHING * 2


def string(text: str) -> bytes:
    """Return a String."""
    data = text.encode()
    return struct.pack("<I", len(data)) + data


# --- values


def read(node_id: str) -> bytes:
    """Return the parameters of Read, of one value with its times."""
    asked = ua.ReadValueId(NodeId=ua.NodeId.from_string(node_id), AttributeId=ua.AttributeIds.Value)
    params = ua.ReadParameters(TimestampsToReturn=ua.TimestampsToReturn.Both, NodesToRead=[asked])
    return bytes(struct_to_binary(params))


def write(*node_ids: str, value: float = 1.0) -> bytes:
    """Return the parameters of Write, of a Double; the value are the last 8 bytes."""
    items = [
        ua.WriteValue(
            NodeId=ua.NodeId.from_string(node_id),
            AttributeId=ua.AttributeIds.Value,
            Value=ua.DataValue(ua.Variant(value, ua.VariantType.Double), StatusCode=None),
        )
        for node_id in node_ids
    ]
    data = bytes(struct_to_binary(ua.WriteParameters(NodesToWrite=items)))
    if not data.endswith(DOUBLE.pack(value)):
        raise LoadError("a Write that does not end with its value")
    return data


def create_subscription(interval: float) -> bytes:
    """Return the parameters of CreateSubscription."""
    params = ua.CreateSubscriptionParameters(
        RequestedPublishingInterval=interval,
        RequestedLifetimeCount=10_000,
        RequestedMaxKeepAliveCount=100,
        PublishingEnabled=True,
    )
    return bytes(struct_to_binary(params))


def subscription_of(body: bytes) -> tuple[int, float]:
    """Return a new subscription's id, and its publishing interval."""
    number, interval = struct.unpack_from("<Id", body, RESULTS_AT)
    return int(number), float(interval)


def create_item(subscription: int, node_id: str) -> bytes:
    """Return the parameters of CreateMonitoredItems, for each change of one value."""
    wanted: Any = ua.MonitoringParameters(ClientHandle=1, SamplingInterval=0.0, QueueSize=10, DiscardOldest=True)
    item = ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=ua.NodeId.from_string(node_id), AttributeId=ua.AttributeIds.Value),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=wanted,
    )
    params = ua.CreateMonitoredItemsParameters(subscription, ua.TimestampsToReturn.Both, [item])
    return bytes(struct_to_binary(params))


def check_results(body: bytes) -> None:
    """Raise LoadError if the first result of a response is a StatusCode that is not good."""
    check_good(body)
    count, code = struct.unpack_from("<iI", body, RESULTS_AT)
    if count < 1 or code:
        raise LoadError(f"{count} results, the first {ua.status_codes.get_name_and_doc(code)[0]}")


def check_double(body: bytes) -> None:
    """Raise LoadError if the answer to Read is anything but one good Double."""
    start, end = RESULTS_AT + 6, RESULTS_AT + 6 + DOUBLE.size
    count, mask, kind = struct.unpack_from("<iBB", body, RESULTS_AT)
    if count != 1 or kind != ua.VariantType.Double.value or not mask & 1 or (mask & 2 and any(body[end : end + 4])):
        raise LoadError(f"a value was answered by {body[start - 6 :].hex()}")


def publish(subscription: int = 0, acknowledged: int = 0) -> bytes:
    """Return the parameters of Publish, with one acknowledgement or none."""
    return struct.pack("<iII", 1, subscription, acknowledged) if acknowledged else _NOTHING


def sequence_number_of(body: bytes) -> int:
    """Return the sequence number of a notification message."""
    (available,) = struct.unpack_from("<i", body, RESULTS_AT + 4)
    (number,) = struct.unpack_from("<I", body, RESULTS_AT + 8 + 4 * max(0, available) + 1)
    return int(number)
