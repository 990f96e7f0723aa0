"""The download of an Edge Connector or of a fleet: where it connects to, the archive, and what to do with it."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from portal.edge import archive, ways
from portal.edge.choices import CONNECTORS, TARGETS
from portal.edge.plan import Plan
from portal.edge.ways import Server, Way
from portal.fields import FieldError
from portal.models import EdgeConnector, EdgeFleet
from portal.views import listeners


def first() -> dict[str, str]:
    """Return what the form has before anything is typed: how this browser has reached the portal."""
    found = offered()
    host = next((one.host for one in listeners.ways("mqtt")), "")
    return {"host": host, "way": found[0].key if found else "", "port": ""}


def offered() -> list[Way]:
    """Return the ways to this server."""
    return ways.of(listeners.ways("mqtt"), listeners.trust())


def typed() -> dict[str, str]:
    """Return what was typed."""
    return {name: request.form.get(name, "") for name in ("host", "way", "port")}


def read(typed: dict[str, str]) -> Server:
    """Return where it is to connect to.  Raises `FieldError`."""
    return ways.read(typed, offered())


def archive_of(made: EdgeConnector | EdgeFleet, name: str, domain: str, server: Server, **secrets: str) -> Response:
    """Return the archive, as an answer that nobody keeps."""
    plan = _plan(made, name, domain, server, **secrets)
    headers = {"Content-Disposition": f'attachment; filename="{archive.filename(plan)}"', "Cache-Control": "no-store"}
    kind = "application/zip" if plan.is_for_windows else "application/gzip"
    return Response(archive.build(plan), content_type=kind, headers=headers)


def context(
    made: EdgeConnector | EdgeFleet | None, name: str, domain: str, typed: dict[str, str], error: FieldError | None
) -> dict[str, Any]:
    """Return what _edge_download.html shows."""
    found = offered()
    shown: dict[str, Any] = {"typed": typed, "ways": found, "errors": {error.field: error.message} if error else {}}
    if made is None or not found:
        return shown | {"steps": (), "made": made}
    plan = _plan(made, name, domain, Server("localhost", found[0].port, found[0]))
    file = archive.filename(plan)
    return shown | {
        "made": made,
        "file": file,
        "steps": ways.steps(plan.label, file, made.target),
        "target": TARGETS.get(made.target),
        "labels": [CONNECTORS[kind].label for kind in made.connectors if kind in CONNECTORS],
        "HERE": ways.HERE,
    }


def _plan(
    made: EdgeConnector | EdgeFleet,
    name: str,
    domain: str,
    server: Server,
    *,
    username: str = "",
    password: str = "",
    token: str = "",
) -> Plan:
    way = server.way
    return Plan(
        name=name,
        domain=domain,
        connectors=tuple(kind for kind in made.connectors if kind in CONNECTORS),
        target=made.target,
        host=server.host,
        port=server.port,
        transport=way.transport,
        fingerprint=way.fingerprint,
        username=username,
        password=password,
        token=token,
    )
