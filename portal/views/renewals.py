"""Renewing the certificate of a server now, instead of on the day that it would be."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue

from portal import certificates, renewal, session
from portal.views import banners
from portal.views.current import settings
from portal.views.pieces import question

blueprint = Blueprint("renewals", __name__, url_prefix="/server/certificate/<any(mqtt, opcua):part>")
blueprint.before_request(session.required)


@blueprint.get("/renew")
def confirm(part: str) -> ResponseReturnValue:
    """Ask before clients have to trust another certificate."""
    return question("_confirm_renewal.html", part=part)


@blueprint.post("/renew")
def renew(part: str) -> ResponseReturnValue:
    """Renew the certificate."""
    certificates.renew(part, settings(), session.actor())
    banners.notices().forget()
    flash(f"The certificate of {renewal.OF[part]} is renewed.")
    return redirect(url_for("server.page", _anchor=banners.PLACES[part]), 303)
