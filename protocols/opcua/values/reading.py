"""Read of integrations' nodes (Part 4, 5.11.2)."""

from __future__ import annotations

from asyncua import ua

from protocols.opcua.values import attributes, naming, ranges
from protocols.opcua.values.reader import Reader

_BINARY = (None, "", "Default Binary")


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
    if asked.DataEncoding.Name not in _BINARY:
        return attributes.refusal(ua.StatusCodes.BadDataEncodingUnsupported)
    return ranges.shown(found, asked.IndexRange, times)
