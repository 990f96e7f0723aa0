"""Conditional requests (RFC 9110, 13): which value a change is meant for."""

from __future__ import annotations

import re

from flask import request

NUMBER = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)
NOTHING = -1  # the number of no message


def match() -> list[int] | None:
    """Return the numbers of which the value has to have one, as `hub.publish` takes them; None without a condition."""
    environ = request.environ
    if "HTTP_IF_MATCH" in environ:
        if request.if_match.star_tag:
            return []
        return [int(tag) for tag in request.if_match.as_set() if NUMBER.fullmatch(tag or "")] or [NOTHING]
    return [0] if "HTTP_IF_NONE_MATCH" in environ and request.if_none_match.star_tag else None
