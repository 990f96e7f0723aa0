"""Calls from the portal: what is sent, what is refused before, and what a page is told of a result."""

from __future__ import annotations

import json

import pytest
from vrpc_bench import AGENT_NAME, DOMAIN, KEY, PLACE, Bench, Calls, result

from protocols.contract import Refused

# --- requests


def test_a_static_function_is_called_as_clients_of_npm_do(bench):
    bench.do["vrpc_call"](*KEY, "Press", "", "add", "[1, 1e400, 12345678901234567890]")
    ((topic, request),) = bench.sent
    assert topic == f"{PLACE}/Press/__static__/add"
    assert request["s"].split("/")[:2] == [DOMAIN, "__gatehouse__"] and len(request["s"].split("/")[2]) == 8
    assert (request["c"], request["f"], request["v"]) == ("Press", "add", 3)
    assert request["a"] == [1, float("inf"), 12345678901234567890], "arguments are passed on as the text they are"


def test_a_function_of_an_instance_is_called_with_that_as_its_context(bench):
    bench.do["vrpc_call"](*KEY, "Press", "p1", "strike", "[]")
    ((topic, request),) = bench.sent
    assert (topic, request["c"]) == (f"{PLACE}/Press/p1/strike", "p1")


@pytest.mark.parametrize(("arguments", "sent"), [("[]", ["p2"]), (" [ 5, {}] ", ["p2", 5, {}])])
def test_an_instance_is_created_with_its_name_before_the_arguments(bench, arguments, sent):
    call = bench.do["vrpc_create"](*KEY, "Press", "p2", arguments)
    ((topic, request),) = bench.sent
    assert (topic, request["a"]) == (f"{PLACE}/Press/__static__/__createShared__", sent)
    bench.answer(r="p2")
    assert result(bench, call)["result"] == '"p2"'


def test_an_instance_is_deleted_by_name(bench):
    bench.do["vrpc_delete"](*KEY, "Press", "p2")
    ((topic, request),) = bench.sent
    assert (topic, request["a"]) == (f"{PLACE}/Press/__static__/__delete__", ["p2"])


@pytest.mark.parametrize("arguments", ["", "{}", "5", "[1", "[NaN]", "[-Infinity]", "[" * 100_000, "[]]", "[1] + [2]"])
@pytest.mark.parametrize("action", ["vrpc_call", "vrpc_create"])
def test_arguments_that_are_no_json_array_are_refused(bench, action, arguments):
    names = (*KEY, "Press", "p2", "add") if action == "vrpc_call" else (*KEY, "Press", "p2")
    with pytest.raises(Refused) as refused:
        bench.do[action](*names, arguments)
    assert (refused.value.field, bench.sent) == ("arguments", [])


@pytest.mark.parametrize("text", [f"__e__{DOMAIN}/raspi/ab12cd34", "__f__x"])
@pytest.mark.parametrize("action", ["vrpc_call", "vrpc_create"])
def test_a_text_that_would_be_taken_for_a_callback_is_refused(bench, action, text):
    names = (*KEY, "Press", "p2", "add") if action == "vrpc_call" else (*KEY, "Press", "p2")
    with pytest.raises(Refused, match="would be taken for a callback") as refused:
        bench.do[action](*names, json.dumps([1, text]))
    assert (refused.value.field, bench.sent) == ("arguments", [])


@pytest.mark.parametrize("name", ["a/b", "+", "#", "x" * 300, "__agentInfo__", "a\0", "\ud800"])
@pytest.mark.parametrize("field", ["class_name", "instance", "function"])
def test_what_can_be_no_name_is_refused(bench, field, name):
    names = {"class_name": "Press", "instance": "p1", "function": "add", field: name}
    with pytest.raises(Refused) as refused:
        bench.do["vrpc_call"](*KEY, *names.values(), "[]")
    assert (refused.value.field, bench.sent) == (field, [])
    with pytest.raises(Refused):
        bench.do["vrpc_create"](*KEY, "Press", name, "[]")


def test_an_agent_that_is_offline_or_unknown_is_not_called(bench, calls):
    bench.leave()
    for agent in (AGENT_NAME, "nobody"):
        with pytest.raises(Refused) as refused:
            calls.begin(agent)
        assert refused.value.field == "agent"
    assert (bench.sent, calls.ended) == ([], [])


def test_a_function_that_nobody_listens_to_fails_soon(bench, calls):
    bench.subscribed = set()
    calls.begin()
    bench.wait(0.9)
    assert calls.ended == []
    bench.wait(0.2)
    (outcome,) = calls.ended
    assert outcome.state == "unusable"
    assert outcome.error == f"the agent does not listen to {AGENT_NAME}/Press/__static__/add"


def test_a_function_that_is_listened_to_a_moment_later_is_called_once(bench, calls):
    """Agents of PyPI say that an instance is made before they subscribe to its functions."""
    bench.subscribed = set()
    calls.begin()
    bench.subscribed = None
    bench.wait(0.1).wait(0.1)
    assert len(bench.sent) == 2, "in vain, and then to somebody"
    bench.answer(r=1)
    assert calls.ended[0].state == "done"


def test_a_call_that_nobody_listened_to_may_be_abandoned_or_its_agent_leave(bench, calls):
    bench.subscribed = set()
    bench.vrpc.abandon(calls.begin())
    calls.begin()
    bench.leave().wait(2)
    assert [one.state for one in calls.ended] == ["gone"]


def test_more_calls_than_the_limit_are_refused():
    bench = Bench(calls=1).online()
    calls = Calls(bench)
    calls.begin()
    with pytest.raises(Refused, match="Too many calls"):
        calls.begin()
    bench.answer(r=1)
    calls.begin()
    assert bench.exceeded("VRPC_CALLS") == 1


# --- results for pages


def test_a_page_asks_how_far_a_call_has_come(bench):
    call = bench.do["vrpc_call"](*KEY, "Press", "", "add", "[1, 2]", 5)
    bench.time += 1
    waiting = {"state": "waiting", "promise": False, "result": "", "size": 0, "error": "", "seconds": 1}
    assert result(bench, call) == waiting
    bench.answer(r="__p__add-0")
    assert (result(bench, call)["state"], result(bench, call)["promise"]) == ("promised", True)
    bench.reply(bench.sent[0][1]["s"], {"i": "__p__add-0", "r": 3})
    bench.time += 1
    assert result(bench, call) == waiting | {"state": "done", "promise": True, "result": "3", "size": 1}
    bench.wait(58)
    assert result(bench, call)
    bench.wait(2)
    assert result(bench, call) is None


def test_a_page_is_told_the_beginning_of_a_large_result():
    bench = Bench(result_bytes=10).online()
    call = bench.do["vrpc_call"](*KEY, "Press", "", "add", "[]")
    request = bench.sent[0][1]
    bench.reply(request["s"], f'{{"i": "{request["i"]}", "r": "xxxxxxxxé{"x" * 90}"}}'.encode())
    assert (result(bench, call)["result"], result(bench, call)["size"]) == ('"xxxxxxxx', 102)


def test_of_too_many_results_the_oldest_are_forgotten():
    bench = Bench(results=2).online()
    calls = [bench.do["vrpc_call"](*KEY, "Press", "", "add", "[]") for _ in range(3)]
    for _, request in bench.sent:
        bench.reply(request["s"], {"i": request["i"], "r": 1})
    bench.wait(0.1)
    assert [result(bench, call) is None for call in calls] == [True, False, False]
    assert len(bench.vrpc._desk) == 2


def test_results_are_bounded_in_bytes():
    bench = Bench(results_bytes=25).online()
    calls = [bench.do["vrpc_call"](*KEY, "Press", "", "add", "[]") for _ in range(3)]
    for _, request in bench.sent:
        bench.reply(request["s"], {"i": request["i"], "r": "x" * 8})
    bench.wait(0.1)
    assert [result(bench, call) is None for call in calls] == [True, False, False]


def test_a_class_that_is_read_does_not_matter_for_calls(bench, calls):
    bench.tell(f"{AGENT_NAME}/Press/__classInfo__", b"broken")
    calls.begin()
    bench.answer(r=1)
    assert calls.ended[0].state == "done"
