"""What is shown of a class, whoever has written its info, and what is done with one that cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from vrpc_bench import AGENT_NAME, Bench, class_info

FULL, CONCISE = f"{AGENT_NAME}/Press/__classInfo__", f"{AGENT_NAME}/Press/__classInfoConcise__"


def opened(info: Any, **limits: float) -> dict[str, Any]:
    return Bench(**limits).online().tell(FULL, info).opened()


def param(name: str, type: str = "", **changes: Any) -> dict[str, Any]:
    return {"name": name, "type": type, "description": "", "optional": False, "default": None, **changes}


def test_a_class_of_npm():
    info = class_info()
    info["meta"]["strike"] = {
        "description": "Makes strokes",
        "params": [{"name": "force", "type": "number", "optional": True, "defaultValue": "1", "description": "in kN"}],
        "ret": {"description": "How many", "type": "number"},
    }
    info["meta"]["__createShared__"] = {
        "description": "A press",
        "params": [{"name": "instanceName", "type": "string"}, {"name": "pressure", "type": "number"}],
        "ret": None,
    }
    found = opened(info)
    names = [(one["name"], one["is_static"]) for one in found["functions"]]
    assert names == [("add", True), ("on", False), ("off", False), ("strike", False)], (
        "life cycle functions are left out"
    )
    assert found["functions"][3] == {
        "name": "strike",
        "is_static": False,
        "description": "Makes strokes",
        "params": [param("force", "number", optional=True, default="1", description="in kN")],
        "ret": {"type": "number", "description": "How many"},
        "reads": False,
    }
    (constructor,) = found["constructors"]
    assert constructor["params"] == [param("pressure", "number")], "its first parameter is the instance's name"
    assert (constructor["description"], found["instances"]) == ("A press", ["p1"])


def test_what_an_agent_says_only_reads():
    meta = {"read": {"reads": True}, "write": {"reads": False}, "odd": {"reads": "yes"}, "plain": {}}
    found = opened(class_info(staticFunctions=[], memberFunctions=list(meta), meta=meta))
    assert [(one["name"], one["reads"]) for one in found["functions"]] == [
        ("read", True),
        ("write", False),
        ("odd", False),
        ("plain", False),
    ]


def test_a_class_of_python():
    info = class_info(
        staticFunctions=["add"],
        memberFunctions=["add"],
        meta={
            "add": {
                "description": "Adds",
                "params": [
                    {"name": "a", "optional": False, "description": None, "type": "int", "default": None},
                    {"name": "b", "optional": True, "description": "More", "type": "_empty", "default": "None"},
                    {"name": "unit", "optional": True, "description": "", "type": "str", "default": "5"},
                ],
                "ret": None,
            }
        },
    )
    found = opened(info)
    assert [one["is_static"] for one in found["functions"]] == [True, False], "which it is, the agent does not say"
    assert found["functions"][0]["params"] == [
        param("a", "int"),
        param("b", optional=True, default="null", description="More"),
        param("unit", "str", optional=True, default='"5"'),
    ]


def test_overloads_of_cpp_are_functions_of_their_own():
    info = class_info(
        staticFunctions=["__createShared__-string:number", "__delete__-string"],
        memberFunctions=["add-number", "add-number:number", "stop"],
        meta={
            "add-number": {"description": "Adds one", "params": [{"name": "a", "type": "number"}], "ret": {}},
            "__createShared__-string:number": {"description": "An adder", "params": None, "ret": None},
        },
    )
    found = opened(info)
    assert [(one["name"], one["description"]) for one in found["functions"]] == [
        ("add", "Adds one"),
        ("add", ""),
        ("stop", ""),
    ]
    assert found["functions"][1]["params"] == [param("argument 1", "number"), param("argument 2", "number")]
    assert found["constructors"][0]["params"] == [param("argument 2", "number")]


@pytest.mark.parametrize(
    ("type", "stated", "expected"),
    [
        ("number", "5", "5"),
        ("boolean", "True", "true"),
        ("string", "'a b'", '"a b"'),
        ("string", '"a\'b"', '"a\'b"'),
        ("string", "", '""'),
        ("", "undefined", None),
        ("object", '{"a": 1}', '{"a": 1}'),
        ("number", "NaN", '"NaN"'),
        ("number", "[" * 3_000, json.dumps("[" * 3_000)),
        ("number", 7, "7"),
        ("number", ["x" * 5_000], None),
    ],
)
def test_a_default_is_json_text(type, stated, expected):
    said = {"params": [{"name": "a", "type": type, "optional": True, "defaultValue": stated}]}
    (found,) = opened(class_info(meta={"add": said}))["functions"][0]["params"]
    assert found["default"] == expected


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"memberFunctions": None}, "its memberFunctions are no list"),
        ({"staticFunctions": {"a": 1}}, "its staticFunctions are no list"),
        ({"instances": "p1"}, "its instances are no list"),
    ],
)
def test_a_class_without_its_lists_is_a_fault_of_that_class(changes, fault):
    bench = Bench().online().tell(FULL, class_info(**changes))
    assert (bench.opened()["fault"], bench.agent["fault"]) == (fault, "")


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (b"no json", "no JSON object"),
        (b"", None),
        (b"[]", "no JSON object"),
        (b"\xff", "UTF-8"),
        (b'{"className": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"meta": {"a": ' + b'{"a":' * 10_000, "nested too deeply"),
        (b'{"className": "A"', ", is missing"),
        (b'{"className" "A"}', ": is missing"),
        (b'{className: "A"}', "a key is missing"),
        (json.dumps(class_info()).encode() + b"{}", "something follows it"),
        (b'{"meta": {"a": 1 "b": 2}}', ", is missing"),
        (b"{}", "memberFunctions"),
    ],
)
def test_an_info_that_is_no_json_is_a_fault_of_that_class(payload, fault):
    bench = Bench().online().tell(f"{AGENT_NAME}/Good/__classInfo__", class_info("Good")).tell(FULL, payload)
    if fault is None:
        assert bench.agent["classes"] == 1
        return
    found = bench.opened()
    assert fault in found["fault"]
    assert (found["functions"], found["instances"], found["function_count"], found["reading"]) == ([], [], 0, False)
    assert bench.opened("Good")["fault"] == ""
    assert bench.tell(FULL, class_info()).opened()["fault"] == ""


def test_what_has_a_wrong_shape_is_left_out():
    info = class_info(
        instances=["ok", 5, None, "", "a/b", "+", "x" * 300, "\ud800", "a\0b"],
        memberFunctions=["ok", {}, "a/b", "#", "__xInfo__", "\udfff"],
        staticFunctions=[["x"], "also"],
        meta={
            "ok": "no object",
            "also": {"params": [5, {"name": 7, "type": ["x"], "optional": "yes"}], "ret": "x", "description": []},
        },
    )
    found = opened(info)
    assert found["instances"] == ["ok"]
    assert [one["name"] for one in found["functions"]] == ["also", "ok"]
    assert found["functions"][0]["params"] == [param("")]
    assert (found["functions"][0]["ret"], found["functions"][0]["description"]) == (None, "")
    assert opened(class_info(meta=[1, 2]))["functions"][0]["params"] == []


def test_html_in_names_stays_text():
    name = "<img src=x onerror=alert(1)>"
    found = opened(class_info(instances=[name], memberFunctions=[name], meta={name: {"description": name}}))
    assert (found["instances"], found["functions"][1]["description"]) == ([name], name)


def test_what_is_shown_of_a_class_is_bounded_and_what_is_counted_is_not():
    info = class_info(
        instances=[f"i{number}" for number in range(20)],
        memberFunctions=[f"f{number}" for number in range(20)],
        meta={"f0": {"description": "x" * 100, "params": [{"name": "a"}] * 50}},
        staticFunctions=[],
    )
    found = opened(info, functions=5, instances=6, text=10, params=7)
    assert (len(found["functions"]), len(found["instances"])) == (5, 6)
    assert (len(found["functions"][0]["params"]), len(found["functions"][0]["description"])) == (7, 10)
    assert (found["function_count"], found["instance_count"]) == (20, 20)


def test_a_text_that_many_overloads_share_is_not_shown_without_end():
    names = [f"f-{number}" for number in range(100)]
    said = {"f": {"description": "x" * 1_000, "params": [{"name": "a"}] * 10}}
    found = opened(class_info(staticFunctions=[], memberFunctions=names, meta=said), documentation=10_000)
    shown = [bool(one["description"]) for one in found["functions"]]
    assert (sum(shown), shown[:5], len(shown)) == (5, [True] * 5, 100)
    assert {len(one["params"]) for one in found["functions"]} == {10, 0}


def test_a_class_that_is_opened_is_read_once():
    bench = Bench().online().tell(FULL, class_info())
    before = bench.reads
    bench.opened()
    bench.opened()
    assert bench.reads == before + 1


def test_a_class_info_above_the_limit_is_not_read_and_counted():
    bench = Bench(class_bytes=1_000).online().tell(FULL, class_info(instances=["x" * 20] * 100))
    assert "VRPC_CLASS_BYTES" in bench.opened()["fault"]
    assert bench.exceeded("VRPC_CLASS_BYTES") == 2, "counting it and opening it"


# --- in steps


def large(functions: int) -> dict[str, Any]:
    names = [f"f{number}" for number in range(functions)]
    meta = {name: {"description": "x" * 200, "params": [], "ret": None} for name in names}
    return class_info(memberFunctions=names, meta=meta)


def test_a_large_info_is_read_in_steps_and_shown_when_it_is_read():
    bench = Bench(step=10_000, at_once=10_000).online()
    bench.tell(CONCISE, class_info(memberFunctions=["a"] * 7))
    bench.turns = 0
    bench.retain(f"acme.default/{FULL}", json.dumps(large(1_000)).encode())
    assert (bench.opened()["reading"], bench.opened()["functions"]) == (True, [])
    bench.run()
    assert bench.turns > 20
    found = bench.opened()
    assert (found["reading"], len(found["functions"])) == (False, 1_001)
    assert found["function_count"] == 8, "counted by the concise info, which is read more quickly"


def test_an_info_that_changes_while_it_is_read_is_read_anew():
    bench = Bench(step=10_000, at_once=10_000).online()
    bench.retain(f"acme.default/{FULL}", json.dumps(large(1_000)).encode())
    assert bench.opened()["reading"]
    for _ in range(3):
        bench.turn()
    bench.tell(FULL, class_info(memberFunctions=["only"]))
    assert [one["name"] for one in bench.opened()["functions"]] == ["add", "only"]
    assert bench.agent["functions"] == 2


def test_a_class_that_is_gone_while_it_is_read_is_gone():
    bench = Bench(step=1_000, at_once=1_000).online()
    bench.retain(f"acme.default/{FULL}", json.dumps(large(100)).encode())
    assert bench.opened()["reading"]
    bench.turn()
    bench.tell(FULL, b"")
    assert bench.vrpc.agent("acme.default", AGENT_NAME, "Press")["info"] == []


def test_only_so_many_described_classes_are_kept():
    bench = Bench(described=len(json.dumps(class_info())) * 2).online()
    for name in "ABC":
        bench.tell(f"{AGENT_NAME}/{name}/__classInfo__", class_info(name))
        bench.opened(name)
    assert [one.name for one in bench.vrpc.registry.reader._described] == ["B", "C"]
    bench.opened("B")
    bench.opened("A")
    assert [one.name for one in bench.vrpc.registry.reader._described] == ["B", "A"], "the one used longest ago went"
