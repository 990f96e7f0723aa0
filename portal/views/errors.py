"""Pages for what went wrong: what happened, then what to do."""

from __future__ import annotations

import logging

from flask import Flask, Response, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import BadHost, HTTPException, NotFound

from portal import db, worker_client
from portal.api import problems
from portal.credentials import SealError
from portal.integrations import NotFound as IntegrationNotFound
from portal.security import API

log = logging.getLogger(__name__)

WORDS = {
    400: ("This request could not be understood", "Go back, reload the page, and try again."),
    404: ("There is no such page", "It may have been deleted. The list shows what there is."),
    405: ("This page cannot be used this way", "Go back to the list."),
    413: ("This was too much at once", "Send less text, and try again."),
    500: (
        "Something went wrong here",
        "It is in the log. Try again; if it stays, restart Gatehouse.",
    ),
}
UNAVAILABLE = "The database cannot be used right now"
SILENT = "The server that this is asked of does not answer"
NOTHING_SAVED = "Nothing was changed. Try again in a moment; if it stays, see the log."


def init_app(app: Flask) -> None:
    """Answer every error with a page, for HTMX with a message, and for programs with a problem."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(CSRFError, _csrf_error)
    app.register_error_handler(IntegrationNotFound, _gone)
    app.register_error_handler(worker_client.Refused, _refused)
    app.register_error_handler(worker_client.Silent, _silent)
    app.register_error_handler(SealError, _sealed)
    for unavailable in db.Unavailable:
        app.register_error_handler(unavailable, _unavailable)


def _http_error(error: HTTPException) -> Response:
    if request.path.startswith(API):
        return problems.of_http(error)
    code = error.code or 500
    title, advice = WORDS.get(code, (error.name, "Go back, and try again."))
    return _page(code, title, advice)


def _csrf_error(error: CSRFError) -> Response:
    return _page(400, "This page was open for too long", "Reload it, and try again.")


def _gone(error: IntegrationNotFound) -> Response:
    return _page(NotFound.code, "This integration is gone", "It was deleted meanwhile.")


def _refused(error: worker_client.Refused) -> Response:
    return _page(409, "This cannot be done", str(error))


def _silent(error: worker_client.Silent) -> Response:
    return _page(503, SILENT, "Try again in a moment; if it stays, see the log.")


def _sealed(error: SealError) -> Response:
    return _page(409, "This cannot be done", f"A password that it needs cannot be read: {error}.")


def _unavailable(error: Exception) -> Response:
    log.error("%s %r: the database cannot be used: %s", request.method, request.path, error)
    response = _page(503, UNAVAILABLE, NOTHING_SAVED)
    response.headers["Retry-After"] = "5"
    return response


def _page(code: int, title: str, advice: str) -> Response:
    """Return the message: whole for a browser, as plain text for HTMX, which shows it as a notice.

    Plain, too, for a host that is none: there are no addresses for the links of a page then.
    """
    if request.headers.get("HX-Request") or isinstance(request.routing_exception, BadHost):
        response = make_response(f"{title}. {advice}", code)
        response.mimetype = "text/plain"
        return response
    return make_response(render_template("error.html", title=title, advice=advice), code)
