"""The document of the API, and its page: both say what there is."""

from __future__ import annotations

import re
from typing import Any

import pytest

from portal.api.page import prose, shape
from portal.api.schemas import MOST
from tests.portal.api.api_bed import Bed

OPERATIONS = {
    "get /agents": "agent_list",
    "get /agents/{agent}": "agent",
    "get /agents/{agent}/{class_name}": "agent_class",
    "post /agents/{agent}/{class_name}/{function}": "call",
    "get /me": "me",
    "get /messages": "follow",
    "post /messages": "publish",
    "post /onboarding": "knock",
    "get /values": "values",
    "get /values/{topic}": "value",
    "put /values/{topic}": "write",
    "delete /values/{topic}": "delete",
    "get /history/{topic}": "history",
}


def document(bed: Bed) -> Any:
    answer = bed.get("/openapi.json", user=None)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    return answer.get_json()


def operations(found: Any) -> dict[str, Any]:
    return {
        f"{method} {path.removeprefix('/api/v1')}": operation
        for path, operations in found["paths"].items()
        for method, operation in operations.items()
        if method != "parameters"
    }


def test_every_operation_is_in_the_document_under_its_own_name(bed: Bed) -> None:
    found = operations(document(bed))
    assert {name: operation["operationId"] for name, operation in found.items()} == OPERATIONS
    rules = [rule for rule in bed.app.url_map.iter_rules() if rule.endpoint.startswith("api.")]
    served = {(method.lower(), rule.endpoint[4:]) for rule in rules for method in rule.methods - {"HEAD", "OPTIONS"}}
    assert served == {(name.split()[0], view) for name, view in OPERATIONS.items()}


def test_every_operation_says_which_problems_it_may_answer(bed: Bed) -> None:
    found = document(bed)
    for name, operation in operations(found).items():
        assert {"401", "414", "503"} <= operation["responses"].keys(), name
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                component = found["components"]["responses"][response["$ref"].rpartition("/")[2]]
                by_gunicorn = status == "414"
                assert list(component["content"]) == ["text/html" if by_gunicorn else "application/problem+json"]
    assert found["security"] == [{"basic": []}, {"bearer": []}]


def test_what_is_checked_is_what_is_described(bed: Bed) -> None:
    found = operations(document(bed))
    parameters = {one["name"]: one for one in found["get /values"]["parameters"]}
    assert parameters["limit"]["schema"]["maximum"] == MOST == 1000
    assert bed.get("/values?limit=1000").status_code == 200
    assert bed.get("/values?limit=1001").status_code == 422
    array = found["post /messages"]["requestBody"]["content"]["application/json"]["schema"]["oneOf"][1]
    assert array["maxItems"] == MOST


def test_the_page_shows_every_operation_with_a_line_to_copy(bed: Bed) -> None:
    answer = bed.get("/", user=None, base_url="https://gatehouse.example.com")
    assert answer.status_code == 200 and "default-src 'none'" in answer.headers["Content-Security-Policy"]
    text = answer.text
    for name in OPERATIONS:
        method, _, path = name.partition(" ")
        assert re.search(f'<b>{method.upper()}</b><span class="mono">{re.escape(path)}</span>', text), name
    assert 'data-copy-text="URL=https://gatehouse.example.com/api/v1"' in text
    assert text.count("data-copy-text=") == 2 + len(OPERATIONS)
    assert not re.search(r"<script(?![^>]*\ssrc=\"/assets/)|\sstyle=|\son[a-z]+=", text)
    assert bed.get("", user=None).location.endswith("/api/v1/")


def test_text_of_the_document_is_shown_as_text() -> None:
    assert prose("`a<b>` & <i>") == "<code>a&lt;b&gt;</code> &amp; &lt;i&gt;"


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}, "integer; 1 to 1,000; 100 by default"),
        ({"type": "boolean", "default": False}, "boolean; false by default"),
        ({"type": ["string", "null"], "default": None}, "string or null"),
        ({}, "any"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Value"}}, "array of Value"),
        ({"oneOf": [{"$ref": "#/x/A"}, {"type": "string"}]}, "A or string"),
        ({"type": "integer", "enum": [0, 1, 2]}, "integer; 0, 1, 2"),
    ],
)
def test_a_schema_is_told_in_words(schema: dict[str, Any], words: str) -> None:
    assert shape(schema) == words


def test_errors_of_the_pages_stay_pages(bed: Bed) -> None:
    for path in ("/nothing", "/apis"):
        answer = bed.client.get(path)
        assert (answer.status_code, answer.mimetype) == (404, "text/html")
