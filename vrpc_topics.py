"""What the portal and the protocols share of VRPC: which domains are legal, and whom the topic of a Will tells of."""

from __future__ import annotations

import re
from typing import NamedTuple

AGENT, CLIENT = "agent", "client"
ROLES = (AGENT, CLIENT, "both")
AGENT_INFO, CLIENT_INFO = "__agentInfo__", "__clientInfo__"
CLASS_INFO, CONCISE_INFO = "__classInfo__", "__classInfoConcise__"
DOMAIN_LENGTH = 128
NAME_LENGTH = 200
FALLBACK = "gatehouse"
_CLIENT_ID = re.compile(r"v[ae]3[0-9a-f]{16}(?:[0-9a-f]{4})?|vc3[\w-]{8}[0-9a-f]{12}", re.ASCII)
_EDGE_CLIENT_ID = re.compile(r"ve3[0-9a-f]{20}", re.ASCII)


class Identity(NamedTuple):
    """Who a session is: an agent by its name, a client by its host and its own id, which are its reply topic."""

    domain: str
    kind: str  # AGENT or CLIENT
    name: str  # of a client "host/id"

    @property
    def place(self) -> str:
        """Return the topic that all topics of this agent or client lie below; a client gets its replies there."""
        return f"{self.domain}/{self.name}"


def identity(will_topic: str) -> Identity | None:
    """Return whom a Will's topic tells of: `D/A/__agentInfo__` an agent, `D/host/id/__clientInfo__` a client."""
    levels = will_topic.split("/")
    *names, last = levels
    if len(levels) not in (3, 4) or domain_fault(names[0]) or not all(map(is_name, names[1:])):
        return None
    if (len(levels), last) == (3, AGENT_INFO):
        return Identity(names[0], AGENT, names[1])
    if (len(levels), last) == (4, CLIENT_INFO):
        return Identity(names[0], CLIENT, f"{names[1]}/{names[2]}")
    return None


def guess(client_id: str, username: str) -> tuple[str, str] | None:
    """Return the role that a client identifier has the form of, and the domain before the / of a username, or "".

    For clients that have no Will: the packages on PyPI and npm, and Edge Connectors, make client identifiers of these
    forms.
    """
    if not _CLIENT_ID.fullmatch(client_id):
        return None
    domain, slash, _ = username.partition("/")
    return (CLIENT if client_id.startswith("vc3") else AGENT), ("" if not slash or domain_fault(domain) else domain)


def is_edge_connector(client_id: str) -> bool:
    """Say whether a client identifier has the form that agents of Edge Connectors give themselves."""
    return _EDGE_CLIENT_ID.fullmatch(client_id) is not None


def is_name(level: str) -> bool:
    """Say whether a level can be the name of an agent, a class, an instance, a host or a client."""
    is_reserved = level.startswith("__") and level.endswith("__")
    return 0 < len(level) <= NAME_LENGTH and not is_reserved and not any(one in level for one in "/+#")


def domain_fault(domain: str) -> str:
    """Say why this is no domain, or return ""."""
    if not domain:
        return "A domain is required."
    if len(domain) > DOMAIN_LENGTH:
        return f"A domain has at most {DOMAIN_LENGTH} characters."
    if not domain.isprintable():
        return "A domain cannot hold control or invisible characters."
    if any(one in domain for one in "/+#*"):  # a star is refused by the packages on PyPI and npm
        return "A domain is one level of a topic, without /, +, # and *."
    if domain.startswith("$"):
        return "A domain cannot start with $: such topics are the server's own."
    if domain != domain.strip():
        return "A domain cannot start or end with a space."
    return ""


def default_domain(email: str) -> str:
    """Return the domain of a team whose first account has this e-mail address; "" stands for none."""
    local = email.partition("@")[0].strip().lstrip("$")
    name = "".join("-" if one in "/+#*" or not one.isprintable() else one for one in local)
    return f"{name[:64] or FALLBACK}.default"
