"""Node ids of topics, and of the levels above them.

The topic `a/b` is `ns=3;s=a/b`, in the folder `ns=3;s=a`.  A level may be empty, as in `/a` and `a//b`: the place
above `/a` would have an empty node id, which OPC UA takes for none, and has a number instead.
"""

from __future__ import annotations

from asyncua import ua

from protocols.topics import name_fault

NAMESPACE_URI = "urn:gatehouse:topics"
NAMESPACE = 3
ROOT = ua.NodeId(1, NAMESPACE)  # Objects/Topics
ROOT_NAME = ua.QualifiedName("Topics", NAMESPACE)
NAMELESS = ua.NodeId(2, NAMESPACE)  # the empty first level
_EMPTY = "(empty)"
_MOST_BYTES = 65_535


def is_ours(node_id: ua.NodeId) -> bool:
    """Tell whether a node id is of a topic, or of a level above one, if there is any such."""
    return bool(node_id.NamespaceIndex == NAMESPACE and node_id != ROOT)


def place(node_id: ua.NodeId) -> str | None:
    """Return the topic, or the levels above one, that a node id stands for; None for one that stands for none."""
    if node_id == NAMELESS:
        return ""
    text = node_id.Identifier
    if not isinstance(text, str) or text.startswith("$") or "\0" in text or name_fault(text):
        return None
    try:
        return text if len(text.encode()) <= _MOST_BYTES else None
    except UnicodeEncodeError:  # half a surrogate pair
        return None


def node_id(topic: str) -> ua.NodeId:
    """Return the node id of a topic, or of the levels above one."""
    return ua.NodeId(topic, NAMESPACE, ua.NodeIdType.String) if topic else NAMELESS


def parent(topic: str) -> ua.NodeId:
    """Return the node id of what is above."""
    above, slash, _ = topic.rpartition("/")
    return node_id(above) if slash else ROOT


def below(above: str | None, level: str) -> str:
    """Return the topic of a level below others, or with None below the root."""
    return level if above is None else f"{above}/{level}"


def browse_name(topic: str) -> ua.QualifiedName:
    """Return the last level."""
    return ua.QualifiedName(topic.rpartition("/")[2], NAMESPACE)


def display_name(topic: str) -> ua.LocalizedText:
    """Return the last level, as people are shown it."""
    return ua.LocalizedText(topic.rpartition("/")[2] or _EMPTY)
