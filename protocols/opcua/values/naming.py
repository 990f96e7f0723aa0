"""Node ids and names of integrations' nodes.

The node id of the node `name` of an integration is `ns=2;s=<username>/<name>`; its folder is `ns=2;s=<username>`.
In a node id, `/` and `%` in a username are written as %2F and %25, so that the first `/` always ends the username:
the node `b/c` of `a` is `a/b/c`, and the node `c` of `a/b` is `a%2Fb/c`.

An integration may spell its own node ids with its username as it is.  For it alone, whatever begins with that is its
own, and a node of another integration with such an id does not exist: see `Reader`.
"""

from __future__ import annotations

import re

from asyncua import ua

from protocols.opcua.values.errors import Refused
from protocols.opcua.values.limits import ValueLimits
from protocols.topics import is_carried

NAMESPACE_URI = "urn:gatehouse:integrations"
NAMESPACE = 2
ROOT = ua.NodeId(1, NAMESPACE)  # Objects/Integrations
METHOD = "publish"  # in each integration's own folder; what is below it are its arguments

# Halves of characters, and what makes a topic filter of a topic: a node's name is the end of its topic.
_FORBIDDEN = re.compile("[\x00\ud800-\udfff+#]")


def escape(username: str) -> str:
    """Return a username as node ids spell it."""
    if "/" in username or "%" in username:
        return username.replace("%", "%25").replace("/", "%2F")
    return username


def identifier(escaped: str, name: str) -> str:
    """Return the identifier of a node; of the folder of an integration, if the name is empty."""
    return f"{escaped}/{name}" if name else escaped


def node_id(text: str) -> ua.NodeId:
    """Return the node id of an identifier."""
    return ua.NodeId(text, NAMESPACE, ua.NodeIdType.String)


def is_ours(node_id: ua.NodeId) -> bool:
    """Say whether a node id is one of an integration's nodes, if it is one at all."""
    return bool(node_id.NamespaceIndex == NAMESPACE and node_id.NodeIdType is ua.NodeIdType.String)


def topic(username: str, name: str) -> str:
    """Return the topic that a node is."""
    return f"{username}/{name}"


def is_reserved(name: str) -> bool:
    """Say whether a name is the method's, or one of its arguments'."""
    return name == METHOD or name.startswith(f"{METHOD}/")


def check_name(name: str, limits: ValueLimits) -> str:
    """Return a name that a node can have; raise Refused for any other."""
    if not name or len(name) > limits.name_bytes or _FORBIDDEN.search(name) or not is_carried(name):
        raise Refused(
            ua.StatusCodes.BadNodeIdInvalid, "a name is empty, too long, or has characters that none may have"
        )
    if len(name.encode()) > limits.name_bytes:
        raise Refused(ua.StatusCodes.BadNodeIdInvalid, f"a name has more than {limits.name_bytes} bytes")
    levels = name.split("/")
    if "" in levels:
        raise Refused(ua.StatusCodes.BadNodeIdInvalid, "a level of a name is empty")
    if len(levels) > limits.name_levels:
        raise Refused(ua.StatusCodes.BadNodeIdInvalid, f"a name has more than {limits.name_levels} levels")
    if is_reserved(name):
        raise Refused(ua.StatusCodes.BadNodeIdExists, f"the name {METHOD} is the method's")
    return name
