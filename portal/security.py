"""What every response and every changing request is held to: headers, CSRF tokens, and trust in proxies."""

from __future__ import annotations

from flask import Flask, Request, Response, abort, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from portal.config import Settings

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
API = "/api/"  # where every path begins that programs call, which bring their credentials with each request
YEAR = 365 * 24 * 3600

csrf = CSRFProtect()


class Sessions(SecureCookieSessionInterface):
    """Session cookies that are Secure exactly where the page was served over TLS; the API has none."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return None if request.path.startswith(API) else super().open_session(app, request)

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def init_app(app: Flask, settings: Settings) -> None:
    """Hold the application to the rules of this module."""
    app.session_interface = Sessions()
    app.config.update(
        SESSION_COOKIE_NAME="gatehouse",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=None,
    )
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    app.before_request(_hold_to_utf8)
    csrf.init_app(app)
    app.after_request(_set_headers)


def headers() -> dict[str, str]:
    """Return what the response to this request has to say."""
    return HEADERS | {"Strict-Transport-Security": f"max-age={YEAR}"} if request.is_secure else HEADERS


def _hold_to_utf8() -> None:
    """Refuse an address that is not in UTF-8; the API does so by itself, to those who may come in."""
    if not request.path.startswith(API):
        try:
            (request.environ["PATH_INFO"] + request.environ.get("QUERY_STRING", "")).encode("latin-1").decode()
        except UnicodeDecodeError:
            abort(400)


def _set_headers(response: Response) -> Response:
    for name, value in headers().items():
        response.headers.setdefault(name, value)
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response
