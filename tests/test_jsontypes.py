"""What a documented type says in JSON."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jsontypes

TYPES = {
    ("string", "String", "str", "std::string", "const std::string&", "string!", "(string)", "char*"): ("string", False),
    ("number", "Number", "float", "double", "float64"): ("number", False),
    ("int", "Integer", "int32_t", "uint8", "unsigned int", "size_t", "long long"): ("integer", False),
    ("boolean", "bool"): ("boolean", False),
    ("Object", "object.<string, number>", "dict", "dict[str, int]", "std::map<std::string, int>"): ("object", False),
    ("Array", "Array.<String>", "string[]", "list[int]", "List", "typing.List[str]", "std::vector<int>"): (
        "array",
        False,
    ),
    ("?string", "string|null", "Optional[str]", "str or None", "(string|undefined)", "string | None"): ("string", True),
    ("any", "*", "", "Press", "string|number", "function", "Promise.<string>", "|", "[]["): ("", False),
    ("null", "Optional[Press]"): ("", True),
}


@pytest.mark.parametrize(("type", "said"), [(one, said) for types, said in TYPES.items() for one in types])
def test_a_type_is_read_as_its_author_meant_it(type, said):
    assert jsontypes.kind_of(type) == said


@pytest.mark.parametrize(
    ("kind", "fitting", "others"),
    [
        ("string", ["", "a"], [1, None, True, [], {}]),
        ("number", [1, 1.5, -0.0], ["1", None, True, []]),
        ("integer", [1, 2.0, 10**30], [1.5, "1", None, False, float("inf")]),
        ("boolean", [True, False], [0, 1, "true", None]),
        ("object", [{}], [[], "{}", None]),
        ("array", [[], [1]], [{}, "[]", None]),
        ("", [1, "a", None, True, [], {}], []),
    ],
)
def test_a_value_fits_a_kind_or_not(kind, fitting, others):
    assert [value for value in fitting if not jsontypes.fits(kind, value)] == []
    assert [value for value in others if jsontypes.fits(kind, value)] == []


@given(st.text())
def test_no_type_breaks_it(type):
    kind, _ = jsontypes.kind_of(type)
    assert kind in {"", *jsontypes.KINDS}
