"""Read of integrations' nodes (Part 4, 5.11.2)."""

from __future__ import annotations

from asyncua import ua

from protocols.opcua.values import attributes, naming, ranges
from protocols.opcua.values.errors import Refused
from protocols.opcua.values.reader import Reader

_BINARY = (None, "", "Default Binary")


def check(asked: ua.ReadValueId) -> None:
    """Raise Refused for a DataEncoding or an IndexRange that there is not."""
    if asked.DataEncoding is not None and asked.DataEncoding.Name not in _BINARY:
        raise Refused(ua.StatusCodes.BadDataEncodingUnsupported)
    if asked.IndexRange:
        ranges.parse(asked.IndexRange)


def read(reader: Reader, asked: ua.ReadValueId, times: ua.TimestampsToReturn) -> ua.DataValue:
    """Return an attribute of an integration's node, or of the reader's own method."""
    identifier = asked.NodeId.Identifier
    node = reader.find(identifier)
    if node is not None:
        found = attributes.read(node, asked.AttributeId, reader)
    else:
        folder, name = reader.place(identifier)
        if folder is not reader.folder or not naming.is_reserved(name):
            return attributes.refusal(ua.StatusCodes.BadNodeIdUnknown)
        found = attributes.read_method(reader.folder, name, asked.AttributeId)
    try:
        check(asked)
    except Refused as refused:
        return attributes.refusal(refused.code)
    return ranges.shown(found, asked.IndexRange, times)
