"""What goes wrong, as problem details (RFC 9457): what happened, and which input it is about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from portal import hub, patient, worker_client
from portal.handover import Away

TYPE = "application/problem+json"
CHALLENGES = ('Basic realm="Gatehouse", charset="UTF-8"', 'Bearer realm="Gatehouse"')
AWAY = "the protocol servers do not answer; nothing is known to have been done"
DETAILS = {
    404: "there is nothing at this address",
    405: "this address cannot be used this way; see the header Allow",
    413: "the body is too large",
    500: "something went wrong here; it is in the log",
}
ROOM = "room"  # what the protocols worker names where nothing is wrong with a message but that it cannot be kept
FIELDS = {"filters": "filter"}  # what the protocols worker calls otherwise

Place = Mapping[str, str]  # of an input: {"parameter": name}, {"header": name}, or {"pointer": into the body}


class Problem(Exception):
    """What the client is told, and about which of its inputs."""

    def __init__(
        self, status: int, detail: str, place: Place | None = None, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.place = place
        self.headers = headers or {}


def parameter(name: str) -> Place:
    """Return the place of a parameter in the path or the query."""
    return {"parameter": name}


def header(name: str) -> Place:
    """Return the place of a header."""
    return {"header": name}


def pointer(*tokens: str | int) -> Place:
    """Return a place in the body as a JSON Pointer (RFC 6901, in a URI fragment)."""
    escaped = (str(token).replace("~", "~0").replace("/", "~1") for token in tokens)
    return {"pointer": "#" + "".join(f"/{token}" for token in escaped)}


def init_blueprint(blueprint: Blueprint) -> None:
    """Answer what a view of the API raises."""
    blueprint.register_error_handler(Problem, answer)
    blueprint.register_error_handler(HTTPException, of_http)
    blueprint.register_error_handler(hub.Unauthorized, _unauthorized)
    blueprint.register_error_handler(hub.Forbidden, _forbidden)
    blueprint.register_error_handler(hub.Fault, _fault)
    blueprint.register_error_handler(worker_client.Refused, _refused)
    blueprint.register_error_handler(worker_client.Silent, _away)
    blueprint.register_error_handler(Away, _away)


def answer(problem: Problem) -> Response:
    """Return a problem as a response."""
    told: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.place is not None:
        told["errors"] = [{"detail": problem.detail, **problem.place}]
    return Response(json.dumps(told), problem.status, dict(problem.headers), content_type=TYPE)


def of_http(error: HTTPException) -> Response:
    """Return what the framework says as a problem."""
    status = error.code or 500
    kept = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    return answer(Problem(status, DETAILS.get(status, error.name.lower()), headers=kept))


def _unauthorized(error: hub.Unauthorized) -> Response:
    response = answer(Problem(401, "a valid username and password of an HTTP integration are needed"))
    for challenge in CHALLENGES:
        response.headers.add("WWW-Authenticate", challenge)
    return response


def _forbidden(error: hub.Forbidden) -> Response:
    place = parameter("topic" if (request.view_args or {}).get("topic") == error.topic else "filter")
    return answer(Problem(403, f"your permissions do not open {error.topic[:60]!r}", place))


def _fault(error: hub.Fault) -> Response:
    headers = {"Retry-After": str(error.retry)} if error.retry else {}
    return Response(json.dumps(error.told), error.told["status"], headers, content_type=TYPE)


def _refused(error: worker_client.Refused) -> Response:
    if error.field == "match":
        return answer(
            Problem(412, str(error), header("If-Match" if "If-Match" in request.headers else "If-None-Match"))
        )
    name = error.field.rpartition("/")[2]  # of messages/0/topic it is the topic
    if name == ROOM:
        return answer(Problem(507, str(error)))
    return answer(Problem(422, str(error), parameter(FIELDS.get(name, name))))


def _away(error: Exception) -> Response:
    return answer(Problem(503, AWAY, headers={"Retry-After": str(patient.RETRY_AFTER)}))
