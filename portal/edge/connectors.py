"""What can be done with Edge Connectors: each is an integration, and what it was downloaded with."""

from __future__ import annotations

from collections.abc import Sequence

from portal import activity, clock, fields, integrations
from portal.credentials import Sealer
from portal.db import writing
from portal.edge.choices import CONNECTORS, TARGETS, unfit
from portal.fields import FieldError
from portal.integrations import Actor
from portal.models import EdgeConnector, EdgeFleet, Integration

CREATED, JOINED, REMOVED = "edge.created", "edge.joined", "edge.removed"


def create(
    actor: Actor, sealer: Sealer, *, name: str, domain: str, connectors: Sequence[str], target: str
) -> Integration:
    """Add an Edge Connector with a generated password; its name is its username.  Raises `FieldError`."""
    name = fields.edge_name("name", name)
    check_choice(connectors, target)
    with writing():
        made = integrations.create(actor, sealer, "edge", username=name, domain=domain)
        EdgeConnector.create(integration=made, connectors=connectors, target=target)
        _record(CREATED, made, actor)
    return made


def check_choice(connectors: Sequence[str], target: str) -> None:
    """Raise `FieldError` for what a download cannot be made of."""
    if unknown := [one for one in connectors if one not in CONNECTORS]:
        raise FieldError("connectors", f"There is no connector {unknown[0][:60]!r}.")
    if target not in TARGETS:
        raise FieldError("target", f"A target is one of {', '.join(TARGETS)}.")
    if labels := unfit(list(connectors), target):
        raise FieldError("target", f"{', '.join(labels)} cannot be used on {TARGETS[target].label}.")


def join(fleet: EdgeFleet, sealer: Sealer, *, username: str, password: str, address: str) -> Integration:
    """Add a new member of a fleet, which said itself what it is called, in the transaction that holds the fleet.

    Raises `FieldError`.
    """
    actor = Actor(f"fleet {fleet.prefix}", address)
    given = {"username": username, "password": password, "note": f"fleet {fleet.prefix}", "domain": fleet.domain}
    made = integrations.create(actor, sealer, "edge", **given)
    EdgeConnector.create(integration=made, fleet=fleet, connectors=fleet.connectors, target=fleet.target)
    _record(JOINED, made, actor)
    return made


def row(integration_id: int) -> EdgeConnector | None:
    """Return what an integration was downloaded with; None for one that was made in another way."""
    found: EdgeConnector | None = EdgeConnector.get_or_none(EdgeConnector.integration == integration_id)
    return found


def remove(integration_id: int, actor: Actor) -> Integration:
    """Delete an Edge Connector's integration, which cuts it off, and what it has retained.  Raises `NotFound`."""
    with writing():
        gone = integrations.delete(integration_id, actor)
        _record(REMOVED, gone, actor)
    return gone


def _record(kind: str, integration: Integration, actor: Actor) -> None:
    activity.record(kind, clock.now(), integration=integration, account=actor.name, address=actor.address)
