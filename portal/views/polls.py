"""What a part of a page that asks for itself is answered with: nothing, while the browser shows it as it is."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue

NEXT = "X-Next-Poll"


def version(*seen: object) -> str:
    """Return a trace of what is shown, which differs when that does."""
    return blake2b(repr(seen).encode("utf-8", "replace"), digest_size=8).hexdigest()


def is_shown(version: str) -> bool:
    """Tell whether the browser shows this already, as its address says."""
    return request.args.get("v") == version


def answer(template: str, shown: dict[str, Any], version: str, *, then: str = "") -> ResponseReturnValue:
    """Return a part; 204 when it is what the browser shows already.

    `then` is what it asks for next time, where that changes: a part that is sent says it itself.
    """
    if is_shown(version):
        return "", 204, {NEXT: then} if then else {}
    return render_template(template, **shown)
