"""What the topics of VRPC say: who a session is, and of what an info message tells."""

from __future__ import annotations

from typing import NamedTuple

from vrpc_topics import (
    AGENT,
    AGENT_INFO,
    CLASS_INFO,
    CLIENT,
    CLIENT_INFO,
    CONCISE_INFO,
    ROLES,
    Identity,
    domain_fault,
    identity,
    is_name,
)

__all__ = [
    "AGENT",
    "AGENT_INFO",
    "CLASS_INFO",
    "CLIENT",
    "CLIENT_INFO",
    "CONCISE_INFO",
    "ENDING",
    "ROLES",
    "Identity",
    "Info",
    "agent_topic",
    "class_topics",
    "domain_fault",
    "is_class_info",
    "identity",
    "is_info",
    "is_name",
    "parse",
    "teller",
]

ENDING = "__"  # of every topic on which somebody tells of themselves, and of few others


class Info(NamedTuple):
    """What an info topic tells of: an agent, one of its classes, or a client."""

    kind: str  # the last level: AGENT_INFO, CLASS_INFO, CONCISE_INFO or CLIENT_INFO
    domain: str
    name: str  # of the agent; of a client its host
    part: str = ""  # the class; of a client its own id


def parse(topic: str) -> Info | None:
    """Return what a topic tells of, if it is an info topic."""
    if not topic.endswith(("/" + AGENT_INFO, *_OF_FOUR)):
        return None
    *names, kind = topic.split("/")
    if len(names) != (2 if kind == AGENT_INFO else 3) or domain_fault(names[0]) or not all(map(is_name, names[1:])):
        return None
    return Info(kind, *names)


def teller(topic: str) -> Identity | None:
    """Return who tells of itself on a topic, if it is an info topic."""
    info = parse(topic)
    if info is None:
        return None
    if info.kind == CLIENT_INFO:
        return Identity(info.domain, CLIENT, f"{info.name}/{info.part}")
    return Identity(info.domain, AGENT, info.name)


def is_info(level: str) -> bool:
    """Say whether the last level of a topic is one on which somebody tells of themselves."""
    return level.startswith("__") and level.endswith(_INFOS)


def is_class_info(topic: str) -> bool:
    """Say whether an agent tells of a class on this topic: a document, which is no value that others work with."""
    return topic.endswith(_OF_A_CLASS) and topic.count("/") == 3


def agent_topic(domain: str, agent: str) -> str:
    """Return the topic on which an agent says whether it is online."""
    return f"{domain}/{agent}/{AGENT_INFO}"


def class_topics(domain: str, agent: str, class_name: str) -> tuple[str, str]:
    """Return the topics on which an agent tells of a class: with the documentation, and without."""
    return f"{domain}/{agent}/{class_name}/{CLASS_INFO}", f"{domain}/{agent}/{class_name}/{CONCISE_INFO}"


_INFOS = ("Info__", "InfoConcise__")
_OF_A_CLASS = (f"/{CLASS_INFO}", f"/{CONCISE_INFO}")
_OF_FOUR = (*_OF_A_CLASS, f"/{CLIENT_INFO}")
