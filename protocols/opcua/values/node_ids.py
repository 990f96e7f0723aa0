"""Node ids as texts, and back (Part 6, 5.3.1.10 and 5.3.1.11); asyncua's own reader stops at a `;` in a name."""

from __future__ import annotations

import re
import uuid
from base64 import b64decode
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from asyncua import ua

_FORM = re.compile(r"(?:svr=(\d{1,10});)?(?:ns=(\d{1,5});|nsu=([^;]*);)?([isgb])=(.*)", re.DOTALL)
_LARGEST_INDEX, _LARGEST = 0xFFFF, 0xFFFFFFFF
_READ: dict[str, tuple[Callable[[str], Any], ua.NodeIdType]] = {
    "s": (str, ua.NodeIdType.String),
    "g": (uuid.UUID, ua.NodeIdType.Guid),
    "b": (lambda text: b64decode(text, validate=True), ua.NodeIdType.ByteString),
}


def dump(node_id: ua.NodeId) -> str:
    """Return the text of a node id, or of an expanded one."""
    text = str(ua.NodeId.to_string(node_id))
    if isinstance(node_id, ua.ExpandedNodeId):
        if node_id.NamespaceUri:
            uri = node_id.NamespaceUri.replace("%", "%25").replace(";", "%3B")
            text = f"nsu={uri};{text.partition(';')[2] if node_id.NamespaceIndex else text}"
        if node_id.ServerIndex:
            text = f"svr={node_id.ServerIndex};{text}"
    return text


def load(text: str, *, is_expanded: bool = False) -> ua.NodeId:
    """Return the node id of a text.  Raises ValueError."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("no node id")
    server, index, uri, kind, rest = found.groups()
    space, number = int(index or 0), int(server or 0)
    if space > _LARGEST_INDEX or number > _LARGEST or (not is_expanded and (server or uri is not None)):
        raise ValueError("no node id")
    identifier, id_type = _identifier(kind, rest)
    if is_expanded:
        return ua.ExpandedNodeId(identifier, space, id_type, unquote(uri) if uri is not None else None, number)
    return ua.NodeId(identifier, space, id_type)


def _identifier(kind: str, text: str) -> tuple[Any, ua.NodeIdType]:
    if kind != "i":
        read, id_type = _READ[kind]
        return read(text), id_type
    if not text.isdecimal() or not text.isascii() or int(text) > _LARGEST:
        raise ValueError("no number of a node")
    return int(text), ua.NodeIdType.Numeric
