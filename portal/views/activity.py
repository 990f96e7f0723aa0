"""The activity page: what happened, newest first."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from portal import activity, session
from portal.wording import GROUPS

blueprint = Blueprint("activity", __name__)
blueprint.before_request(session.required)

PAGE_ROWS = 50


@blueprint.get("/activity")
def page() -> ResponseReturnValue:
    """Show one page of what happened."""
    group = request.args.get("show", "")
    before = request.args.get("before", "")
    rows = activity.read(
        kinds=GROUPS.get(group),
        before=int(before) if before.isascii() and before.isdigit() and len(before) < 18 else None,
        limit=PAGE_ROWS + 1,
    )
    more = rows[PAGE_ROWS - 1].id if len(rows) > PAGE_ROWS else None
    return render_template("activity.html", rows=rows[:PAGE_ROWS], more=more, group=group, groups=GROUPS)
