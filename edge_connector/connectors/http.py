"""Servers of HTTP."""

from __future__ import annotations

import base64
import ipaddress
import json
import re
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpcore

from edge_connector.connectors.base import Connector
from edge_connector.connectors.http_guard import PORTS, Guard, Network, Origin
from edge_connector.described import offered
from edge_connector.errors import ConfigFault, Refused
from edge_connector.settings import Table

MIB = 1024 * 1024
REDIRECTS = {301, 302, 303, 307, 308}
MOST_REDIRECTS = 5
HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
OWN_HEADERS = {"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "accept-encoding"}
SECRET_HEADERS = {"authorization", "cookie", "proxy-authorization"}


class HTTP(Connector):
    """Requests to the servers that the configuration names, and nowhere else; redirects as well."""

    def __init__(self, name: str, table: Table) -> None:
        super().__init__(name, table)
        self._seconds = table.number("seconds", 10, low=0.1, high=600)
        self._most = table.integer("bytes", MIB // 2, low=1, high=64 * MIB)
        self._methods = [one.upper() for one in table.texts("methods", ["GET", "HEAD"])]
        self._headers: dict[Origin, dict[str, str]] = {}
        networks: dict[str, list[Network]] = {}
        for one in table.rows("servers"):
            origin = _origin(one)
            self._headers[origin] = one.strings("headers", {})
            networks.setdefault(origin.host, []).extend(_networks(one))
            one.done()
        self._guard = Guard(networks, self._seconds)
        self._tls = _context(table)

    @offered(reads=True)
    def get(self, url: str, headers: Mapping[str, Any] = {}) -> Any:
        """Gets what is at an address: JSON as what it says, text as text, anything else as base64

        :param url: Address, on a server that the configuration names
        :param headers: Headers of the request
        :returns: What the server sent; a fault if its status is 400 or above
        """
        found = self._request("GET", url, headers, b"")
        if found["status"] >= 400:
            raise Refused(f"the server answered with status {found['status']}")
        if found["type"].partition(";")[0].strip().endswith("json"):
            try:
                return json.loads(found["body"])
            except ValueError:
                raise Refused("the server sent what it calls JSON, and is not") from None
        return found["body"]

    @offered()
    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, Any] = {},
        body: Any = None,
    ) -> dict[str, Any]:
        """Makes a request

        :param method: GET, or another one that the configuration allows
        :param url: Address, on a server that the configuration names
        :param headers: Headers of the request
        :param body: Text; anything else is sent as JSON; null for none
        :returns: status, headers, type, encoding (utf-8 or base64), body, url
        """
        data = b"" if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        if not isinstance(body, str | None) and "content-type" not in {key.lower() for key in headers}:
            headers = {**headers, "Content-Type": "application/json"}
        return self._request(method.upper(), url, headers, data)

    def _request(self, method: str, url: str, headers: Mapping[str, Any], body: bytes) -> dict[str, Any]:
        wanted = _checked(headers)
        for _ in range(MOST_REDIRECTS + 1):
            if method not in self._methods:  # a redirect may change it
                raise Refused(f"{method[:20]} is not allowed here; {', '.join(self._methods)} are")
            found = self._once(method, url, wanted, body)
            place = found["headers"].get("location")
            if found["status"] not in REDIRECTS or not place:
                return found
            before, url = _parts(url)[0], urljoin(url, place)
            if _parts(url)[0] != before:
                wanted = {key: one for key, one in wanted.items() if key.lower() not in SECRET_HEADERS}
            if found["status"] == 303 or (found["status"] in {301, 302} and method == "POST"):
                method, body = "GET", b""
        raise Refused(f"the server redirects more than {MOST_REDIRECTS} times")

    def _once(self, method: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
        origin, target = _parts(url)
        if origin not in self._headers:
            raise Refused(f"{origin} is not among the servers of the agent's configuration")
        given = {"Accept-Encoding": "identity", "User-Agent": "edge-connector", **headers, **self._headers[origin]}
        given["Host"] = origin.authority
        at = httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=target)
        try:
            # A new connection for each request: it is made to an address that was looked at just now.
            with (
                httpcore.ConnectionPool(self._tls, network_backend=self._guard) as pool,
                pool.stream(method, at, headers=list(given.items()), content=body) as response,
            ):
                return self._taken(url, response)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            raise Refused(f"{origin}: {error or type(error).__name__}") from None

    def _taken(self, url: str, response: httpcore.Response) -> dict[str, Any]:
        data = bytearray()
        for piece in response.iter_stream():
            data += piece
            if len(data) > self._most:
                raise Refused(f"the server sends more than {self._most} bytes")
        headers = {key.decode("latin-1").lower(): one.decode("latin-1") for key, one in response.headers}
        try:
            text, encoding = data.decode(), "utf-8"
        except UnicodeDecodeError:
            text, encoding = base64.b64encode(data).decode(), "base64"
        return {
            "status": response.status,
            "headers": headers,
            "type": headers.get("content-type", ""),
            "encoding": encoding,
            "body": text,
            "url": url,
        }


def _parts(url: str) -> tuple[Origin, str]:
    """Return where an address leads, and what is asked for there.  Raises `Refused`."""
    if not url.isascii() or any(one in url for one in " \t\r\n\0\\"):
        raise Refused("an address holds ASCII characters only, and no spaces")
    try:
        found = urlsplit(url)
        port = found.port or PORTS[found.scheme]
    except (KeyError, ValueError):
        raise Refused(f"{url[:200]!r} is no address of http or https") from None
    if not found.hostname or found.username is not None or found.password is not None:
        raise Refused("an address has a host, and no username")
    target = f"{found.path or '/'}{'?' + found.query if found.query else ''}"
    return Origin(found.scheme, found.hostname.rstrip("."), port), target


def _checked(headers: Mapping[str, Any]) -> dict[str, str]:
    for key, value in headers.items():
        if not HEADER.fullmatch(key) or key.lower() in OWN_HEADERS:
            raise Refused(f"{key[:60]!r} cannot be given as a header")
        if not isinstance(value, str) or not value.isprintable() or not value.isascii() or len(value) > 8192:
            raise Refused(f"header {key} has to be printable ASCII text")
    return dict(headers)


def _origin(table: Table) -> Origin:
    url = table.text("url")
    try:
        origin, target = _parts(url)
    except Refused as error:
        raise table.fault("url", f"cannot be used: {error}") from None
    if target != "/":
        raise table.fault("url", "is a server: it has no path")
    return origin


def _networks(table: Table) -> list[Network]:
    try:
        return [ipaddress.ip_network(one) for one in table.texts("networks", [])]
    except ValueError as error:
        raise table.fault("networks", str(error)) from None


def _context(table: Table) -> ssl.SSLContext:
    ca = table.text("ca", "")
    try:
        return ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigFault(f"{table.place}.ca cannot be read: {error}") from None
