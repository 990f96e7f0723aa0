"""The OPC UA server on the server page: its certificate, what is switched on, and the certificates of its clients."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from portal import clock, opcua, session, switches
from portal.integrations import Actor
from portal.views import banners, polls
from portal.views.current import by_htmx, settings
from portal.views.pieces import question
from portal.worker_client import Refused

blueprint = Blueprint("opcua", __name__)
blueprint.before_request(session.required)

SHOWN = 100  # certificates of clients
# What is asked about before it is done: it cuts somebody off, or gives something away.
ASKED = {("OPCUA_ALLOW_NONE", "off"), ("OPCUA_ALLOW_PLAINTEXT", "on"), ("OPCUA_REQUIRE_TRUST", "on")}
FORMATS = {"pem": "application/x-pem-file", "der": "application/pkix-cert"}


# --- the server's certificate, and its switches


@blueprint.get("/server/opcua")
def part() -> ResponseReturnValue:
    """Return this part of the page; 204 when it is what the browser shows already."""
    shown = _context()
    return polls.answer("_opcua.html", shown, shown["opcua_version"])


@blueprint.get("/server/opcua/certificate.<any(pem, der):format>")
def certificate(format: str) -> ResponseReturnValue:
    """Hand out the server's certificate, which is no secret, for clients that are to trust it."""
    found = opcua.certificate()
    if found is None:
        abort(404)
    body = found.pem if format == "pem" else ssl.PEM_cert_to_DER_cert(found.pem)
    headers = {"Content-Disposition": f'attachment; filename="gatehouse-opcua.{format}"'}
    return Response(body, content_type=FORMATS[format], headers=headers)


@blueprint.get("/server/opcua/switch/<setting>/<any(on, off):to>")
def confirm_switch(setting: str, to: str) -> ResponseReturnValue:
    """Ask before turning a switch."""
    if setting not in switches.SWITCHES:
        abort(404)
    counts = setting == "OPCUA_ALLOW_NONE" and to == "off"
    open_ones = opcua.count_without_security(clock.now()) if counts else None
    return question(
        "_confirm_switch.html", setting=setting, to=to, open_ones=open_ones, stand=switches.read(settings())
    )


@blueprint.post("/server/opcua/switch/<setting>/<any(on, off):to>")
def turn(setting: str, to: str) -> ResponseReturnValue:
    """Turn a switch."""
    if setting not in switches.SWITCHES:
        abort(404)
    try:
        switches.turn(setting, to == "on", session.actor(), settings())
    except switches.Fixed as error:
        raise Refused(str(error)) from None
    return _done("_opcua.html", _context, "opcua")


# --- the certificates of clients


@blueprint.get("/server/opcua/certificates")
def certificates() -> ResponseReturnValue:
    """Return this part of the page; 204 when it is what the browser shows already."""
    shown = _certificates_context()
    return polls.answer("_client_certificates.html", shown, shown["clients_version"])


@blueprint.post("/server/opcua/certificates/<fingerprint>/trust")
def trust(fingerprint: str) -> ResponseReturnValue:
    """Let clients with this certificate in."""
    return _change(opcua.trust, fingerprint)


@blueprint.get("/server/opcua/certificates/<fingerprint>/distrust")
def confirm_distrust(fingerprint: str) -> ResponseReturnValue:
    """Ask before a certificate is not trusted any more."""
    return _asked_about("distrust", fingerprint)


@blueprint.post("/server/opcua/certificates/<fingerprint>/distrust")
def distrust(fingerprint: str) -> ResponseReturnValue:
    """Put a certificate back into quarantine."""
    return _change(opcua.distrust, fingerprint)


@blueprint.get("/server/opcua/certificates/<fingerprint>/delete")
def confirm_delete(fingerprint: str) -> ResponseReturnValue:
    """Ask before a certificate is forgotten."""
    return _asked_about("delete", fingerprint)


@blueprint.post("/server/opcua/certificates/<fingerprint>/delete")
def delete(fingerprint: str) -> ResponseReturnValue:
    """Forget a certificate."""
    return _change(opcua.delete_certificate, fingerprint)


# --- what these share


def context() -> dict[str, Any]:
    """Return what both parts of the page show."""
    return _context() | _certificates_context()


def _context() -> dict[str, Any]:
    fixed, stand = settings().switches, switches.read(settings())
    found = opcua.certificate() if settings().opcua_port is not None else None
    shown = {"opcua_port": settings().opcua_port, "own": found, "stand": stand, "fixed": fixed, "asked": ASKED}
    seen = {**shown, "banners": banners.now()}
    return {**seen, "opcua_version": polls.version(seen)}


def _certificates_context() -> dict[str, Any]:
    port = settings().opcua_port
    found = opcua.client_certificates() if port is not None else []
    stand = switches.read(settings())
    seen = {"opcua_port": port, "clients": found, "stand": stand}
    return seen | {"now": clock.now(), "most_shown": SHOWN, "clients_version": polls.version(seen)}


def _change(act: Callable[[str, Actor], None], fingerprint: str) -> ResponseReturnValue:
    act(fingerprint, session.actor())
    return _done("_client_certificates.html", _certificates_context, "client-certificates")


def _done(template: str, shown: Callable[[], dict[str, Any]], place: str) -> ResponseReturnValue:
    """Answer a change with the part of the page that shows it."""
    if by_htmx():
        return render_template(template, **shown())
    return redirect(url_for("server.page", _anchor=place), 303)


def _asked_about(verb: str, fingerprint: str) -> ResponseReturnValue:
    found = opcua.client_certificate(fingerprint)
    return question("_confirm_certificate.html", verb=verb, certificate=found, stand=switches.read(settings()))
