"""A web application that has its clients wait, for tests of the web worker: gunicorn tests.support.waiting_app:app."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, request

from portal import config, handover
from portal.patient import SOCKET, WAITED, HandedOver, Later
from tests.support.processes import wait_until

app = Flask(__name__)
runs = 0


@app.route("/later/<float:seconds>", methods=["GET", "POST"])
def later(seconds: float) -> dict[str, object]:
    """Answer once the request has waited for so many seconds, in two steps."""
    global runs
    runs += 1
    body = request.get_data(as_text=True)
    waited = request.environ[WAITED]
    if waited < seconds:
        raise Later(seconds / 2)
    return {"waited": waited, "body": body, "query": request.query_string.decode()}


@app.get("/now")
def now() -> dict[str, object]:
    """Say how often a request of `later` ran."""
    return {"runs": runs, "waited": request.environ[WAITED]}


@app.post("/busy/<name>")
def busy(name: str) -> dict[str, object]:
    """Keep a thread until there is a file of this name."""
    wait_until((Path(config.load().data_dir) / name).exists)
    return {"body": len(request.get_data())}


@app.get("/away/<ticket>")
def away(ticket: str) -> None:
    """Give the client away."""
    handover.stream(config.load(), request.environ[SOCKET], ticket, {"X-Test": "yes"}, after=None)
    raise HandedOver
