"""What the portal does with the OPC UA server: the nodes of integrations, and the certificates of its clients.

What asks raises `worker_client.Silent` where the server does not answer; what only looks returns None then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

import peewee as pw

from portal import activity, clock, presence, renewal, worker_client
from portal.db import writing
from portal.fields import FieldError
from portal.integrations import Actor
from portal.models import Connection, Integration, tuples
from portal.worker_client import OPCUA, Refused, Silent

_WHOLE = "a whole number from {} to {}".format
SCALARS = {  # the types that a node can be made with, each also as an array, and what is allowed as its value
    "Double": "a number, such as 21.5",
    "Float": "a number, such as 21.5",
    "Boolean": "true or false",
    "String": "any text",
    "Int32": _WHOLE(-(2**31), 2**31 - 1),
    "UInt32": _WHOLE(0, 2**32 - 1),
    "Int16": _WHOLE(-(2**15), 2**15 - 1),
    "UInt16": _WHOLE(0, 2**16 - 1),
    "Int64": _WHOLE(-(2**63), 2**63 - 1),
    "UInt64": _WHOLE(0, 2**64 - 1),
    "SByte": _WHOLE(-128, 127),
    "Byte": _WHOLE(0, 255),
    "DateTime": "a time, such as 2026-01-31T12:00Z",
    "Guid": "such as 123e4567-e89b-12d3-a456-426614174000",
    "ByteString": "0x and hexadecimal digits, or Base64",
    "LocalizedText": "any text",
}
PAGE = 100
MOST_COUNTED = 1_000  # nodes; the server tells no more at once
MOST_ASKED = 50  # integrations whose connections are counted by their security


@dataclass(frozen=True, slots=True)
class Node:
    """A node as its server tells of it."""

    name: str
    node_id: str
    data_type: str
    value: str
    status: str
    at: datetime
    writes: int

    @property
    def key(self) -> str:
        """Return what an address or an element can be named by."""
        return blake2b(self.name.encode("utf-8", "replace"), digest_size=6).hexdigest()

    @property
    def tone(self) -> str:
        """Return how good the value is: "good", "uncertain" or "bad"."""
        return next((tone for tone in ("good", "uncertain") if self.status.lower().startswith(tone)), "bad")


@dataclass(frozen=True, slots=True)
class Nodes:
    """Some nodes by name, where to go on, and how many the integration has."""

    nodes: list[Node]
    cursor: str | None
    total: int


def longer_username(username: str) -> str | None:
    """Return the username of an OPC UA integration that begins with this one and a `/`, if there is one."""
    start = f"{username}/"
    is_longer = pw.fn.SUBSTR(Integration.username, 1, len(start)) == start
    found = Integration.select(Integration.username).where(Integration.type == "opcua", is_longer)
    name: str | None = found.order_by(Integration.username).limit(1).scalar()
    return name


def nodes(integration: Integration, prefix: str = "", cursor: str | None = None, limit: int = PAGE) -> Nodes | None:
    """Return nodes whose names begin with the prefix, after the one of the cursor."""
    found = worker_client.ask(OPCUA, "nodes", integration.id, prefix, limit, cursor)
    return None if found is None else Nodes([_node(**row) for row in found["nodes"]], found["cursor"], found["total"])


def _node(*, source_time: str, **rest: Any) -> Node:
    return Node(at=datetime.fromisoformat(source_time), **rest)


def below(integration: Integration, name: str) -> int | None:
    """Return how many nodes lie below one, at most `MOST_COUNTED`."""
    found = nodes(integration, f"{name}/", limit=MOST_COUNTED)
    return None if found is None else len(found.nodes)


def create_node(integration: Integration, actor: Actor, name: str, data_type: str, value: str) -> None:
    """Make a node with a first value.  Raises `FieldError`, and `Refused` for what is wrong with none of the fields."""
    name = name.strip()
    if not name:
        raise FieldError("name", "A name is required.")
    if data_type.removesuffix("[]") not in SCALARS:
        raise FieldError("type", "Choose one of the types.")
    try:
        worker_client.have(OPCUA, "create_node", integration.id, integration.username, name, data_type, value)
    except Refused as error:
        if not error.field:
            raise
        raise FieldError(error.field, str(error)) from None
    _record("node.created", actor, name, integration)


def allowed(data_type: str) -> str:
    """Return what is allowed as a value of a type, in words; "" for a type that there is not."""
    one = SCALARS.get(data_type.removesuffix("[]"), "")
    array = "values in brackets, such as [1, 2, 3], each " if one and data_type.endswith("[]") else ""
    return f"{array}{one}"


def delete_node(integration: Integration, actor: Actor, name: str) -> None:
    """Delete a node with everything below it.  Raises `Refused`."""
    worker_client.have(OPCUA, "delete_node", integration.id, name)
    _record("node.deleted", actor, name, integration)


# --- certificates


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """The certificate of the server."""

    application_uri: str
    fingerprint: str
    thumbprint: str
    not_after: datetime
    pem: str

    @property
    def renewed_at(self) -> datetime:
        return renewal.planned(self.not_after)


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """The certificate of a client; `first_seen` is None for one that an operator put there."""

    fingerprint: str
    trusted: bool
    subject: str
    application_uri: str
    not_before: datetime
    not_after: datetime
    first_seen: datetime | None
    last_seen: datetime | None
    address: str

    @property
    def name(self) -> str:
        return self.subject or self.application_uri or self.fingerprint[:16]

    @property
    def colons(self) -> str:
        """Return the fingerprint as openssl shows it."""
        return ":".join(self.fingerprint[at : at + 2] for at in range(0, len(self.fingerprint), 2)).upper()


def certificate() -> OwnCertificate | None:
    """Return the server's own certificate."""
    found = worker_client.ask(OPCUA, "certificate")
    return None if found is None else OwnCertificate(**_timed(found, "not_after"))


def client_certificates() -> list[ClientCertificate] | None:
    """Return the certificates of clients, those in quarantine first."""
    found = worker_client.ask(OPCUA, "client_certificates")
    times = ("not_before", "not_after", "first_seen", "last_seen")
    return None if found is None else [ClientCertificate(**_timed(row, *times)) for row in found]


def client_certificate(fingerprint: str) -> ClientCertificate:
    """Return one of them.  Raises `Refused`."""
    found = client_certificates()
    if found is None:
        raise Silent
    for one in found:
        if one.fingerprint == fingerprint:
            return one
    raise Refused("This certificate is not there any more.")


def trust(fingerprint: str, actor: Actor) -> None:
    """Let clients with this certificate in.  Raises `Refused`."""
    _act("trust", "certificate.trusted", fingerprint, actor)


def distrust(fingerprint: str, actor: Actor) -> None:
    """Put a certificate back into quarantine.  Raises `Refused`."""
    _act("distrust", "certificate.distrusted", fingerprint, actor)


def delete_certificate(fingerprint: str, actor: Actor) -> None:
    """Forget a certificate.  Raises `Refused`."""
    _act("delete_certificate", "certificate.deleted", fingerprint, actor)


def _act(action: str, kind: str, fingerprint: str, actor: Actor) -> None:
    found = client_certificate(fingerprint)
    worker_client.have(OPCUA, action, fingerprint)
    _record(kind, actor, f"{found.name} ({fingerprint[:16]}…)")


def _timed(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return row | {name: datetime.fromisoformat(row[name]) for name in names if row[name] is not None}


# --- switches


def count_without_security(now: datetime) -> int | None:
    """Return how many open connections use security policy None; None if that cannot be told."""
    by_integration: dict[int, list[str]] = {}
    open_ones = Connection.select(Connection.integration, Connection.id).where(
        Connection.protocol == OPCUA, Connection.integration.in_(presence.online_ids(now))
    )
    for integration_id, connection_id in tuples(open_ones):
        by_integration.setdefault(integration_id, []).append(connection_id)
    if len(by_integration) > MOST_ASKED:
        return None
    answers = [worker_client.ask(OPCUA, "connections", *asked) for asked in by_integration.items()]
    if None in answers:
        return None
    return [known["security_mode"] for answer in answers for known in answer].count("None")


def _record(kind: str, actor: Actor, detail: str, integration: Integration | None = None) -> None:
    with writing():
        activity.record(
            kind,
            clock.now(),
            integration=integration,
            account=actor.name,
            address=actor.address,
            protocol=OPCUA,
            detail=activity.printable(detail),
        )
