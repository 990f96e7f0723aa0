"""A visitor of the pages, asked for without a browser."""

from __future__ import annotations

import re

ADA, PASSWORD = "ada@example.com", "correct horse"
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
HTMX = {"HX-Request": "true"}
OPEN = {"/login", "/setup", "/mqtt", "/api/v1/", "/api/v1/openapi.json"}


class Visitor:
    """A browser without JavaScript; with `htmx`, what HTMX would send."""

    def __init__(self, flask_app) -> None:
        self.client = flask_app.test_client()
        self.token = ""

    def get(self, path: str, **options):
        return self._seen(self.client.get(path, **options))

    def post(self, path: str, form: dict | None = None, *, token: str | None = None, **options):
        data = {"csrf_token": self.token if token is None else token, **(form or {})}
        return self._seen(self.client.post(path, data=data, **options))

    def log_in(self, email: str = ADA, password: str = PASSWORD, query: str = ""):
        self.get("/login")
        answer = self.post(f"/login{query}", {"email": email, "password": password})
        if answer.status_code == 303:
            self.get("/integrations")
        return answer

    def _seen(self, answer):
        found = TOKEN.search(answer.get_data().decode("utf-8", "replace"))
        if found:
            self.token = found[1]
        return answer


def paths(flask_app, method: str) -> list[str]:
    """Return an address for each route of a method that visitors have."""
    found = []
    for rule in flask_app.url_map.iter_rules():
        is_for_visitors = rule.endpoint not in {"static", "assets.file"} and not rule.endpoint.startswith("api.")
        if method in rule.methods and is_for_visitors:
            path = re.sub(r"<any\(.*?\):field>", "note", re.sub(r"<any\((\w+),.*?\):(?!field)\w+>", r"\1", rule.rule))
            found.append(re.sub(r"<int:id>|<\w+>", "1", path))
    assert len(found) > 5
    return found
