"""docs/mqtt-conformance.md says the truth: every statement once, every test there, and the tests say the same."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "mqtt-conformance.md"
STACK = HERE.parents[1] / "stack"  # tests of the whole product
SHARED = HERE.parent / "test_topics.py"  # of what all servers share
VERSIONS = {"3.1.1": "statements_3_1_1.txt", "5.0": "statements_5.txt"}

NUMBER = r"\d+\.\d+\.\d+-\d+"
CLAIM = re.compile(rf"(3\.1\.1|5\.0): ((?:{NUMBER}[ .\n]*)+)")

each_version = pytest.mark.parametrize("version", VERSIONS)


@dataclass(frozen=True)
class Row:
    statement: str
    asks: str
    binds: str
    covered: str

    @property
    def tests(self) -> list[str]:
        return re.findall(r"`([^`]+)`", self.covered)


def rows(version: str) -> list[Row]:
    """Return the rows of a version's table."""
    section = PAGE.read_text().split(f"## MQTT {version}\n")[1].split("\n## ")[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in section.splitlines() if "[MQTT-" in line
    ]
    return [Row(found[0].removeprefix("[MQTT-").rstrip("]"), *found[1:]) for found in cells]


def statements(version: str) -> dict[str, str]:
    """Return who is bound by each statement of a standard."""
    lines = (HERE / "conformance" / VERSIONS[version]).read_text().splitlines()
    return dict(line.split() for line in lines)  # type: ignore[misc]


@cache
def documented_tests() -> dict[str, str]:
    """Return every test of the broker as file::name, with its docstring."""
    found = {}
    for path in [*HERE.rglob("test_*.py"), *STACK.glob("test_*.py"), SHARED]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found[f"{path.name}::{node.name}"] = ast.get_docstring(node) or ""
    return found


def claims() -> set[tuple[str, str, str]]:
    """Return (version, statement, test) for what the docstrings of the conformance tests name."""
    names = {path.name for path in (HERE / "conformance").glob("test_*.py")}
    return {
        (version, number, test)
        for test, text in documented_tests().items()
        if test.split("::")[0] in names
        for version, numbers in CLAIM.findall(text)
        for number in re.findall(NUMBER, numbers)
    }


@each_version
def test_every_statement_appears_once_with_who_it_binds(version: str) -> None:
    found = rows(version)
    assert [statement for statement, count in Counter(row.statement for row in found).items() if count > 1] == []
    assert {row.statement: row.binds for row in found} == statements(version)
    assert [row.statement for row in found if not row.asks] == []


@each_version
def test_every_named_test_exists(version: str) -> None:
    known = documented_tests()
    assert [(row.statement, test) for row in rows(version) for test in row.tests if test not in known] == []


@each_version
def test_every_statement_that_binds_the_server_has_a_test_or_says_why_not(version: str) -> None:
    for row in rows(version):
        if row.tests:
            assert re.fullmatch(r"`[^`]+`(<br>`[^`]+`)*", row.covered), row
        elif row.binds == "client":
            assert row.covered == "client only", row
        else:
            assert re.fullmatch(r"not applicable: \w.+", row.covered), row


def test_the_page_and_the_tests_name_the_same_statements() -> None:
    named = {(version, row.statement, test) for version in VERSIONS for row in rows(version) for test in row.tests}
    files = {test.split("::")[0] for _, _, test in claims()}
    assert sorted(claims() - named) == []
    assert sorted(one for one in named - claims() if one[2].split("::")[0] in files) == []


def test_every_conformance_test_names_a_statement() -> None:
    files = {path.name for path in (HERE / "conformance").glob("test_*.py")}
    silent = [
        test for test, text in documented_tests().items() if test.split("::")[0] in files if not CLAIM.search(text)
    ]
    assert silent == []
