"""Styles and scripts: our own and those of packages, compressed, under addresses that change with their content."""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, request, url_for
from markupsafe import Markup

from portal.edge.choices import CONNECTORS, TARGETS
from portal.kinds import KINDS
from portal.wording import UNKNOWN, WORDINGS

STATIC = Path(__file__).parent.parent / "static"
YEAR = 365 * 24 * 3600
WORTH_COMPRESSING = 1400  # bytes: what fits into one packet anyway
PAGE_LEVEL = 3
TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}

blueprint = Blueprint("assets", __name__)


def _package(name: str, *parts: str) -> Traversable:
    return files(name).joinpath("static", *parts)


FILES: dict[str, Traversable] = {
    "bootstrap.css": _package("flask_bootstrap", "bootstrap5", "css", "bootstrap.min.css"),
    "htmx.js": _package("js_lib_htmx", "htmx", "htmx.min.js"),
    "gatehouse.css": STATIC / "gatehouse.css",
    "parts.css": STATIC / "parts.css",
    "live.css": STATIC / "live.css",
    "edge.css": STATIC / "edge.css",
    "widths.css": STATIC / "widths.css",
    "morph.js": STATIC / "morph.js",
    "live.js": STATIC / "live.js",
    "gatehouse.js": STATIC / "gatehouse.js",
    "theme.js": STATIC / "theme.js",
    "favicon.svg": STATIC / "favicon.svg",
}

SYMBOL = re.compile(r'<symbol [^>]*viewBox="([^"]+)" id="([^"]+)">(.*?)</symbol>', re.DOTALL)
ICONS = frozenset(
    """arrow-clockwise arrow-down-short arrow-repeat arrow-up-circle arrow-up-short box-arrow-right broadcast
    calendar-event check-lg chevron-down chevron-right circle-half clock-history copy diagram-3 door-closed
    door-open download exclamation-triangle eye eye-slash hdd-network info-circle hourglass-split layout-sidebar
    list lock-fill moon-stars pencil person-circle plug plus-lg search send shield-lock-fill sun trash3 unlock
    x-lg""".split()
) | {
    *(kind.icon for kind in KINDS.values()),
    *(wording.icon for wording in (*WORDINGS.values(), UNKNOWN)),
    *(choice.icon for choice in CONNECTORS.values()),
    *(target.icon for target in TARGETS.values()),
}


def init_app(app: Flask) -> None:
    """Serve the files, and let templates name them and draw icons."""
    app.register_blueprint(blueprint)
    app.add_template_global(asset_url, "asset")
    app.add_template_global(icon)
    app.add_template_global(icon_sheet)
    app.after_request(_compress)


@blueprint.get("/assets/<version>/<name>")
def file(version: str, name: str) -> Response:
    """Answer a file, which never changes under this address."""
    if name not in FILES or version != _version(name):
        abort(404)
    accepted = request.accept_encodings.quality("gzip") > 0
    response = Response(_compressed(name) if accepted else _content(name))
    response.mimetype = TYPES[name.rpartition(".")[2]]
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
    if accepted:
        response.headers["Content-Encoding"] = "gzip"
    return response


def asset_url(name: str) -> str:
    """Return the address of a file."""
    return url_for("assets.file", version=_version(name), name=name)


def icon(name: str) -> Markup:
    """Return one of Bootstrap's icons, hidden from screen readers; its shape is in the page's icon sheet."""
    return _icons()[name]


@cache
def icon_sheet() -> Markup:
    """Return the shapes of all icons, once for each page: inline in every row they would weigh more than the rest."""
    sprite = _package("flask_bootstrap", "bootstrap5", "icons", "bootstrap-icons.svg").read_text("utf-8")
    found = {name: (box, shape) for box, name, shape in SYMBOL.findall(sprite) if name in ICONS}
    if missing := ICONS - found.keys():
        raise LookupError(f"there are no icons named {', '.join(sorted(missing))}")
    symbols = (
        f'<symbol id="i-{name}" viewBox="{box}">{shape}</symbol>' for name, (box, shape) in sorted(found.items())
    )
    return Markup(f'<svg class="icon-sheet" aria-hidden="true">{"".join(symbols)}</svg>')  # noqa: S704 - a package's file


@cache
def _icons() -> dict[str, Markup]:
    svg = '<svg class="icon" aria-hidden="true"><use href="#i-{}"></use></svg>'
    return {name: Markup(svg.format(name)) for name in ICONS}  # noqa: S704 - names of this module


def _compress(response: Response) -> Response:
    """Compress pages, which repeat themselves from row to row.

    A password is only ever in the answer to a POST, and those stay as they are: the length of a compressed page that
    holds a secret beside what somebody else chose could betray it.
    """
    if response.mimetype != "text/html" or response.is_streamed or "Content-Encoding" in response.headers:
        return response
    accepted = request.accept_encodings.quality("gzip") > 0
    if request.method == "GET" and accepted and response.content_length > WORTH_COMPRESSING:
        response.set_data(gzip.compress(response.get_data(), PAGE_LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    response.headers.add("Vary", "Accept-Encoding")
    return response


def _content(name: str) -> bytes:
    return FILES[name].read_bytes()


@cache
def _compressed(name: str) -> bytes:
    return gzip.compress(_content(name), 9, mtime=0)


@cache
def _version(name: str) -> str:
    return hashlib.blake2b(_content(name), digest_size=8).hexdigest()
