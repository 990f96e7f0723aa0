"""Fields made from documented parameters, and the arguments made from what is typed into them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal import arguments
from portal.arguments import MORE, Unfit
from portal.vrpc_told import Function, Param


def param(name: str, type: str = "", *, optional: bool = False, default: str | None = None) -> Param:
    return Param(name, type, "", optional, default)


def read(params: list[Param], *texts: str, more: str = "") -> str:
    typed = {f"arg-{number}": text for number, text in enumerate(texts)}
    return arguments.read(arguments.fields(tuple(params)), typed | {MORE: more})


def errors(params: list[Param], *texts: str, more: str = "") -> dict[str, str]:
    with pytest.raises(Unfit) as unfit:
        read(params, *texts, more=more)
    return unfit.value.errors


@pytest.mark.parametrize(
    ("type", "typed", "said"),
    [
        ("string", "hello", '"hello"'),
        ("string", " hello ", '" hello "'),
        ("string", "21.5", '"21.5"'),
        ("string", "null", '"null"'),
        ("string", '{"a": 1}', json.dumps('{"a": 1}')),
        ("string", '"hello"', '"hello"'),
        ("string", '""', '""'),
        ("string", 'say "hi"', '"say \\"hi\\""'),
        ("string", "two\r\nlines", '"two\\nlines"'),
        ("number", " 1.50 ", "1.50"),
        ("number", "1e400", "1e400"),
        ("integer", "12345678901234567890123", "12345678901234567890123"),
        ("integer", "2.0", "2.0"),
        ("boolean", "true", "true"),
        ("object", '{"a": [1]}', '{"a": [1]}'),
        ("Array.<string>", '["a"]', '["a"]'),
        ("any", '"a"', '"a"'),
        ("", "null", "null"),
        ("?number", "null", "null"),
    ],
)
def test_what_is_typed_is_sent_as_it_was_typed(type, typed, said):
    assert read([param("a", type)], typed) == f"[{said}]"


@pytest.mark.parametrize(
    ("type", "typed", "message"),
    [
        ("string", '"open', "This is no JSON: unterminated string"),
        ("string", '"a" b', "This is no JSON: extra data"),
        ("number", "x", "This has to be a number, such as 21.5."),
        ("number", "true", "This has to be a number"),
        ("number", "NaN", "This has to be a number"),
        ("integer", "1.5", "This has to be a whole number"),
        ("boolean", "yes", "This has to be true or false."),
        ("object", "[1]", "This has to be a JSON object"),
        ("object", "{a: 1}", "at line 1, column 2"),
        ("array", "1", "This has to be a JSON array"),
        ("any", "hello", "A text stands in quotes."),
        ("any", '{"a": 1, "a": 2}', "an object names 'a' twice"),
        ("any", "[" * 200 + "]" * 200, "nested deeper than 100 levels"),
        ("number", "null", "This has to be a number"),
        ("number", " ", "A value is required."),
        ("string", "", 'An empty text is typed "".'),
    ],
)
def test_what_does_not_fit_is_said_at_its_field(type, typed, message):
    assert message in errors([param("a", type)], typed)["arg-0"]


def test_every_field_that_is_wrong_is_named():
    assert errors([param("a", "number"), param("b"), param("c", "number")], "x", "1", "", more="1").keys() == {
        "arg-0",
        "arg-2",
        MORE,
    }


def test_optional_ones_left_empty_are_left_out_and_before_others_stand_for_their_default():
    params = [param("a"), param("b", optional=True), param("c", "number", default="5"), param("d", optional=True)]
    assert read(params, "1") == "[1]"
    assert read(params, "1", "", "", "2") == "[1,null,5,2]"
    assert read(params, "1", "", "", "", more="[3, 4]") == "[1,null,5,null,3, 4]"


def test_any_number_of_arguments_are_typed_as_an_array():
    for rest in (param("...values", "number"), param("*values"), param("values", "...number")):
        assert read([param("a"), rest], "1", "[2, 3]") == "[1,2, 3]"
        assert read([param("a"), rest], "1", " [ ] ") == read([param("a"), rest], "1") == "[1]"
        assert "JSON array of arguments" in errors([param("a"), rest], "1", "2")["arg-1"]


def test_without_documentation_all_arguments_are_one_array():
    assert read([], more='[1, "two"]') == '[1, "two"]' and read([]) == "[]"
    assert "no JSON" in errors([], more="[1")[MORE]


def test_parts_of_an_object_are_told_with_it_and_those_by_name_not_at_all():
    names = ("options", "options.speed", "options.axis.name", "rows[].x", "rows", "free.standing", "**more")
    found = arguments.fields(tuple(param(name) for name in names))
    assert [field.param.name for field in found] == ["options", "rows", "free.standing"]
    assert [[one.name for one in field.properties] for field in found] == [
        ["options.speed", "options.axis.name"],
        ["rows[].x"],
        [],
    ]


def test_a_function_cannot_be_given_and_need_not_be():
    params = [param("report", "function"), param("value", "number")]
    assert read(params, "", "1") == "[null,1]" and read(params[:1], "") == "[]"
    assert "cannot be given" in arguments.fields(tuple(params))[0].hint


def test_a_form_knows_when_the_parameters_are_others():
    one, other = (Function("f", True, "", (param(name, "number"),), None) for name in ("a", "b"))
    assert arguments.shape(one) != arguments.shape(other)
    assert arguments.shape(one) == arguments.shape(Function("g", True, "told otherwise", one.params, None))


typed = st.text(st.sampled_from('"[]{},:0123456789.eE-+ \\untrfalsx\n'), max_size=12) | st.text(max_size=6)
types = st.sampled_from(["string", "number", "integer", "boolean", "object", "array", "any", "?string"])


@given(st.lists(st.tuples(types, st.booleans(), typed), max_size=4), typed)
def test_whatever_is_typed_becomes_a_json_array_or_is_refused(fields, more):
    params = [param(f"p{number}", type, optional=optional) for number, (type, optional, _) in enumerate(fields)]
    try:
        said = read(params, *(text for _, _, text in fields), more=more)
    except Unfit as unfit:
        assert unfit.errors
    else:
        assert isinstance(json.loads(said), list)
