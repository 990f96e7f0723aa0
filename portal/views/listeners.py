"""Where clients connect: the listeners and the certificate of the server page, and what /mqtt says to a browser."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, request
from flask.typing import ResponseReturnValue
from flask_login import login_required

from portal import certificate, connect, listeners
from portal.certificate import Certificate
from portal.config import SettingError
from portal.connect import Trust
from portal.listeners import Listener
from portal.views import banners
from portal.views.current import settings

blueprint = Blueprint("listeners", __name__)

NO_PAGE = (
    "MQTT over WebSocket is at this address, with the subprotocol mqtt: it is for MQTT clients, not for browsing.\n"
)


@blueprint.get("/server/certificate.pem")
@login_required  # type: ignore[untyped-decorator]
def pem() -> ResponseReturnValue:
    """Hand out the certificate, which is no secret, for clients that are to trust it."""
    try:
        found = certificate.read(settings())
    except SettingError:
        abort(404)
    headers = {"Content-Disposition": f'attachment; filename="{connect.PEM}"'}
    return Response(found.pem, content_type="application/x-pem-file", headers=headers)


@blueprint.get(listeners.PATH)
def mqtt() -> ResponseReturnValue:
    """Tell a browser what is here: a WebSocket for MQTT never gets as far as this (see `portal.handover`)."""
    if not settings().mqtt_web:
        abort(404)
    return Response(NO_PAGE, 426, {"Upgrade": "websocket", "Connection": "Upgrade"}, content_type="text/plain")


def context() -> dict[str, Any]:
    """Return what _listeners.html shows."""
    found, problem = _certificate()
    return {
        "listeners": ways(),
        "certificate": found,
        "certificate_problem": problem,
        "banners": banners.now(),
    }


def ways(protocol: str | None = None) -> list[Listener]:
    """Return the listeners, of one protocol or of all, as this browser's machine would reach them."""
    host, port = _host_and_port()
    found = listeners.of(settings(), host, port, web_is_secure=request.is_secure)
    return [listener for listener in found if protocol in {None, listener.protocol}]


def trust() -> Trust | None:
    """Return what clients have to know of the certificate."""
    found, _ = _certificate()
    return Trust(found.signs_itself, found.names, found.fingerprint) if found is not None else None


def _certificate() -> tuple[Certificate | None, str]:
    """Return the certificate, if there is one, or why it cannot be shown."""
    if not settings().needs_certificate:
        return None, ""
    try:
        return certificate.read(settings()), ""
    except SettingError as error:
        return None, str(error)


def _host_and_port() -> tuple[str, int]:
    """Return the host and port that the browser reached the portal by."""
    name = request.host
    host, _, port = name.rpartition(":") if name.rpartition(":")[2].isdigit() else (name, "", "")
    return host.strip("[]"), int(port or (443 if request.is_secure else 80))
