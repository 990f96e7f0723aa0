"""The portal with a few addresses more, at which HTTP clients come in as plainly as can be."""

from __future__ import annotations

from flask import Blueprint, request

from app import create_app
from portal import handover, hub, security
from portal.handover import Away
from portal.hub import Caller, Outgoing
from portal.patient import SOCKET, WAITED, HandedOver
from portal.views.current import settings
from portal.worker_client import Silent

blueprint = Blueprint("door", __name__, url_prefix="/door")


def caller() -> Caller:
    login = request.authorization
    username, password = (login.username, login.password) if login is not None else (None, None)
    waited = request.environ[WAITED]
    secret = password.encode() if password is not None else None
    return Caller(username, secret, request.remote_addr or "", waited, request.user_agent.string)


@blueprint.errorhandler(hub.Unauthorized)
def unauthorized(error: hub.Unauthorized) -> tuple[dict[str, str], int]:
    return {"title": "Unauthorized"}, 401


@blueprint.errorhandler(Silent)
@blueprint.errorhandler(Away)
def away(error: Exception) -> tuple[dict[str, str], int]:
    return {"title": "Service Unavailable"}, 503


@blueprint.get("/me")
def me() -> dict[str, object]:
    return {"username": hub.me(caller()).username, "waited": request.environ[WAITED]}


@blueprint.get("/put/<path:topic>/<payload>")
def put(topic: str, payload: str) -> dict[str, object]:
    return {"numbers": hub.publish(caller(), [Outgoing(topic, payload.encode())])}


@blueprint.get("/stream/<path:topic>")
def stream(topic: str) -> None:
    ticket = hub.enter(caller(), [topic])
    after = request.args.get("after", type=int)
    handover.stream(settings(), request.environ[SOCKET], ticket, security.HEADERS, after=after)
    raise HandedOver


@blueprint.get("/poll/<path:topic>")
def poll(topic: str) -> None:
    ticket = hub.enter(caller(), [topic])
    number, seconds = request.args.get("number", 0, int), request.args.get("seconds", 30.0, float)
    wish = {"topic": topic, "number": number, "seconds": seconds, "raw": False}
    handover.poll(settings(), request.environ[SOCKET], ticket, security.HEADERS, **wish)
    raise HandedOver


app = create_app()
app.register_blueprint(blueprint)
