"""Visits Gatehouse's pages as a browser without JavaScript does, over one connection."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from types import TracebackType
from urllib.parse import urlencode

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str


class Browser:
    """Keeps the session cookie, and sends the CSRF token of the last page."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = HTTPConnection(host, port, timeout=15)
        self._cookies: dict[str, str] = {}
        self._token = ""

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def log_in(self, email: str, password: str) -> None:
        """Log in, and open the list of integrations."""
        self.get("/login")
        answer = self.post("/login", email=email, password=password)
        if answer.status != 303:
            raise RuntimeError(f"the login was answered by {answer.status}")
        self.get("/integrations")

    def get(self, path: str) -> Answer:
        """Fetch a page or a fragment."""
        return self._send("GET", path)

    def post(self, path: str, **form: str) -> Answer:
        """Send a form; a redirect is not followed."""
        return self._send("POST", path, urlencode({"csrf_token": self._token, **form}))

    def _send(self, method: str, path: str, body: str | None = None) -> Answer:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        text = response.read().decode()
        for header in response.headers.get_all("Set-Cookie", []):
            self._cookies |= {name: morsel.value for name, morsel in SimpleCookie(header).items()}
        if found := _TOKEN.search(text):
            self._token = found[1]
        return Answer(response.status, text)
