"""Which arguments fit what is documented."""

from __future__ import annotations

from typing import Any

import pytest

from protocols.vrpc.fitting import NUMBER, fault, life_cycle_fault


def function(*params: tuple[str, Any] | tuple[str, Any, bool]) -> dict[str, Any]:
    return {"params": [{"name": one[0], "type": one[1], "optional": len(one) > 2 and one[2]} for one in params]}


@pytest.mark.parametrize(
    ("stated", "fitting", "others"),
    [
        ("string", ["", "a"], [1, True, None, [], {}]),
        ("Number", [1, 1.5, -2e300], ["1", False, None]),
        ("int", [1, 2.0, -(10**20)], [1.5, "1", True, float("inf")]),
        ("boolean", [True], [0, "true", None]),
        ("Array<string>", [[], ["a"]], ["a", {}]),
        ("string|null", ["a", None], [1]),
        ("?number", [1, None], ["1"]),
        ("string|number", ["a", 1, None], []),
        ("*", [1, "a", None], []),
        ("Foo", [1, "a", None], []),
        ("_empty", [1, "a"], []),
        ("", [1], []),
        (None, [1, None], []),
    ],
)
def test_a_type_that_is_known_is_held_to(stated: Any, fitting: list[Any], others: list[Any]) -> None:
    for argument in fitting:
        assert fault([function(("x", stated))], [argument]) is None, argument
    for argument in others:
        found = fault([function(("x", stated))], [argument])
        assert found is not None and found[0] == 0 and found[1].startswith("x has to be "), argument


def test_the_number_of_arguments_is_held_to_what_is_documented() -> None:
    three = function(("a", "string"), ("b", "number"), ("c", "number", True))
    assert fault([three], ["a", 1]) is None
    assert fault([three], ["a", 1, None]) is None
    assert fault([three], ["a"]) == (NUMBER, "there are 1, and the function takes 2 to 3: a, b, c")
    assert fault([three], ["a", 1, 2, 3]) == (NUMBER, "there are 4, and the function takes 2 to 3: a, b, c")
    assert fault([three], ["a", 1, "2"]) == (2, "c has to be number")


def test_the_last_parameter_may_stand_for_many() -> None:
    for many in (("rest", "...number"), ("*rest", "int")):
        one = function(("a", "string"), many)
        assert fault([one], ["a"]) is None
        assert fault([one], ["a", 1, 2, 3]) is None
        found = fault([one], ["a", 1, "2"])
        assert found is not None and found[0] == 2
        assert fault([one], []) == (NUMBER, f"there are 0, and the function takes 1 or more: a, {many[0]}")


def test_parts_of_a_parameter_and_functions_are_no_arguments() -> None:
    one = function(("options", "Object"), ("options.speed", "number"), ("items[].name", "string"), ("**more", "any"))
    assert fault([one], [{"speed": 1}, "a"]) is None
    assert fault([one], [{"speed": 1}]) == (NUMBER, "there are 1, and the function takes 2: options, items[].name")
    deep = function(("a", "Object"), ("a.b", "Object"), ("a.b.c", "number"), ("list", "Object[]"), ("list[].x", "any"))
    assert fault([deep], [{}, []]) is None
    assert fault([function(("value", "any"), ("report", "function"))], [1]) is None


def test_a_parameter_with_a_default_may_be_missing() -> None:
    assert fault([{"params": [{"name": "a", "type": "number", "optional": False, "default": "3"}]}], []) is None


def test_of_what_is_not_documented_nothing_is_said() -> None:
    assert fault([function()], [1, "a", None]) is None
    assert fault([], [1]) is None


def test_one_overload_that_fits_is_enough() -> None:
    both = [function(("a", "string")), function(("a", "number"), ("b", "number"))]
    assert fault(both, ["a"]) is None
    assert fault(both, [1, 2]) is None
    assert fault(both, [True]) == (NUMBER, "there are 1, and the function takes 2: a, b")


@pytest.mark.parametrize("text", ["__f__done-1", "__e__D/A/C/i:tick-1"])
def test_a_text_that_an_agent_would_make_a_callback_of_is_refused(text: str) -> None:
    found = fault([function()], ["a", text])
    assert found is not None and found[0] == 1 and "callback" in found[1]
    assert fault([function()], [[text]]) is None  # agents look at the arguments themselves only


@pytest.mark.parametrize(
    ("name", "arguments", "at"),
    [
        ("__createShared__", ["p1", 20], None),
        ("__createShared__", ["p1"], None),
        ("__createShared__", [], NUMBER),
        ("__createShared__", [1], 0),
        ("__createShared__", ["+"], 0),
        ("__createShared__", ["a/b"], 0),
        ("__createShared__", [""], 0),
        ("__createShared__", ["__static__"], 0),
        ("__createShared__", ["p1", "20"], 1),
        ("__createShared__", ["p1", 20, 1], NUMBER),
        ("__createShared__", ["p1", "__f__x"], 1),
        ("__createShared__", ["__e__acme/host/id"], 0),
        ("__delete__", ["p1"], None),
        ("__delete__", ["p1", 1], NUMBER),
        ("__callAll__", ["adjust", 20], None),
        ("__callAll__", ["adjust", "20"], 1),
        ("__callAll__", ["adjust"], NUMBER),
        ("__callAll__", ["add", 1], NUMBER),
        ("__callAll__", ["constructor"], NUMBER),
    ],
)
def test_functions_that_every_class_has_take_a_name_first(name: str, arguments: list[Any], at: int | None) -> None:
    adjust = function(("pressure", "number")) | {"name": "adjust", "is_static": False}
    add = function(("a", "number")) | {"name": "add", "is_static": True}
    its_class = {"functions": [adjust, add], "constructors": [function(("pressure", "number", True))]}
    found = life_cycle_fault(name, its_class, arguments)
    assert (found[0] if found else None) == at
