"""Calls from the portal: what is sent, which answer belongs to which call, and how each of them ends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from vrpc_bench import AGENT_NAME, DOMAIN, KEY, PLACE, Bench

from protocols.contract import Refused
from protocols.vrpc.calls import Outcome
from protocols.vrpc.live import Who


class Calls:
    """Calls in process, and how they ended."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.ended: list[Outcome] = []

    def begin(self, agent: str = AGENT_NAME, timeout: float | None = None) -> int:
        call = self.bench.vrpc.call
        return call(DOMAIN, agent, "Press", "", "add", "[1]", timeout, self.ended.append)


@pytest.fixture
def bench():
    return Bench().online()


@pytest.fixture
def calls(bench):
    return Calls(bench)


def result(bench: Bench, call: dict[str, str]) -> Any:
    return bench.do["vrpc_result"](call["call"])


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


# --- answers


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"r": {"a": [1, 2.50]}}, '{"a": [1, 2.5]}'),
        ({"r": None}, "null"),
        ({}, "null"),
        ({"r": 5, "e": None}, "5"),
        ({"r": float("nan")}, "null"),
        ({"r": "<b>\ud800"}, '"<b>\\ud800"'),
        ({"r": "__vrpc::not-serializable__"}, '"__vrpc::not-serializable__"'),
    ],
)
def test_an_answer_is_the_result_as_json_text(bench, calls, said, text):
    calls.begin()
    bench.time += 0.5
    bench.answer(**said)
    assert calls.ended == [Outcome("done", text, "", 0.5)]


def test_a_result_is_the_very_text_that_came(bench, calls):
    calls.begin()
    request = bench.sent[0][1]
    bench.reply(request["s"], f'{{"r":[1e400, 0.10,  "\\u00e9"] , "i" : "{request["i"]}"}}'.encode())
    assert calls.ended[0].result == '[1e400, 0.10,  "\\u00e9"]'


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ({"message": "too much", "cause": {}}, "too much"),
        ("Could not find context: x", "Could not find context: x"),
        ({"code": 5}, '{"code": 5}'),
        ({}, "an error without a message"),  # an error to clients of npm, to which all objects are true
        ([], "[]"),
        ({"message": ""}, "an error without a message"),
        ({"message": "x" * 10_000}, "x" * 4_000),
        (True, "true"),
        ({"message": "\ud800"}, "?"),
    ],
)
def test_an_error_is_its_message(bench, calls, error, shown):
    calls.begin()
    bench.answer(e=error)
    assert (calls.ended[0].state, calls.ended[0].error, calls.ended[0].result) == ("failed", shown, "")


def test_a_promise_is_waited_for(bench, calls):
    call = calls.begin()
    request = bench.sent[0][1]
    bench.answer(r="__p__add-0")
    assert (calls.ended, bench.vrpc.caller.is_promised(call)) == ([], True)
    bench.answer(r=1)
    assert calls.ended == [], "its request was answered already"
    bench.reply(request["s"], {"i": "__p__add-0", "r": 3})
    bench.reply(request["s"], {"i": "__p__add-0", "r": 4})
    assert [one.result for one in calls.ended] == ["3"]


def test_a_promise_may_be_broken(bench, calls):
    calls.begin()
    bench.answer(r="__p__add-0").reply(bench.sent[0][1]["s"], {"i": "__p__add-0", "e": {"message": "no"}})
    assert (calls.ended[0].state, calls.ended[0].error) == ("failed", "no")


def test_the_promises_of_two_agents_may_be_called_alike(bench, calls):
    bench.online("other", Who("c2", 8, "u", "192.0.2.2", "x"))
    for agent in (AGENT_NAME, "other"):
        calls.begin(agent)
        bench.answer(r="__p__add-0")
    first, second = (request["s"] for _, request in bench.sent)
    assert first != second
    bench.reply(second, {"i": "__p__add-0", "r": "second"})
    bench.reply(first, {"i": "__p__add-0", "r": "first"})
    assert [one.result for one in calls.ended] == ['"second"', '"first"']


def test_one_promise_for_two_calls_fails_the_second(bench, calls):
    for _ in range(2):
        calls.begin()
        bench.answer(r="__p__add-0")
    assert "the same promise twice" in calls.ended[0].error


def test_answers_may_come_in_another_order(bench, calls):
    calls.begin()
    calls.begin()
    for _, request in reversed(bench.sent):
        bench.reply(request["s"], {"i": request["i"], "r": request["i"]})
    assert [json.loads(one.result) for one in calls.ended] == [request["i"] for _, request in reversed(bench.sent)]


def test_an_agent_that_answers_twice_is_heard_once(bench, calls):
    calls.begin()
    bench.answer(r=1).answer(r=2)
    assert [one.result for one in calls.ended] == ["1"]


def test_an_agent_that_never_answers_is_late(bench, calls):
    calls.begin(timeout=2.5)
    calls.begin()
    bench.wait(2)
    assert calls.ended == []
    bench.wait(0.6)
    assert [(one.state, one.error) for one in calls.ended] == [("late", "no answer within 2.5 seconds")]
    bench.answer(r="__p__add-0").wait(28)
    assert [one.state for one in calls.ended] == ["late", "late"], "promises are no way around the longest time"
    bench.reply(bench.sent[0][1]["s"], {"i": "__p__add-0", "r": 1})
    assert len(calls.ended) == 2


@pytest.mark.parametrize(("timeout", "seconds"), [(0.0, 0.1), (-5, 0.1), (1_000, 30), (None, 30)])
def test_a_timeout_is_kept_within_its_bounds(bench, calls, timeout, seconds):
    calls.begin(timeout=timeout)
    bench.wait(seconds - 0.01)
    assert calls.ended == []
    bench.wait(0.02)
    assert calls.ended[0].state == "late"


def test_a_call_to_an_agent_that_goes_offline_fails_at_once(bench, calls):
    calls.begin()
    call = bench.do["vrpc_call"](*KEY, "Press", "", "add", "[]")
    bench.leave()
    assert (calls.ended[0].state, calls.ended[0].error) == ("gone", "the agent went offline")
    assert (result(bench, call)["state"], result(bench, call)["error"]) == ("failed", "the agent went offline")
    bench.online()
    bench.answer(r=1)
    assert len(calls.ended) == 1


def test_a_call_that_is_abandoned_is_heard_of_no_more(bench, calls):
    call = calls.begin()
    bench.vrpc.abandon(call)
    bench.answer(r=1).wait(60)
    bench.vrpc.abandon(call)
    assert (calls.ended, len(bench.vrpc.caller)) == ([], 0)


def test_an_answer_that_cannot_be_read_fails_its_call(bench, calls):
    for broken in ('{{"i": "{}", "r": ', '{{"i": "{}", "r": ' + "[" * 100_000, '{{"i": "{}", "r": 1}} x'):
        calls.begin()
        request = bench.sent[-1][1]
        bench.reply(request["s"], broken.format(request["i"]).encode())
        assert (calls.ended[-1].state, calls.ended[-1].error[:26]) == ("unusable", "the answer cannot be read:")


@pytest.mark.parametrize(
    "payload", [b"", b"no json", b"\xff", b"{}", b'{"i": 5}', b'{"i": "x", "r": 1}', b"[" * 100_000]
)
def test_what_answers_no_call_is_counted_and_nothing_else(bench, calls, payload):
    calls.begin()
    bench.reply(bench.sent[0][1]["s"], payload)
    assert (calls.ended, bench.vrpc.caller.unheard) == ([], 1)
    bench.answer(r=1)
    assert calls.ended[0].result == "1"


def test_the_id_of_a_call_inside_of_something_else_is_no_answer(bench, calls):
    calls.begin()
    request = bench.sent[0][1]
    bench.reply(request["s"], {"i": "x", "a": [{"i": request["i"]}], "r": 2})
    assert calls.ended == []


def test_an_answer_above_the_limit_fails_its_call():
    bench = Bench(reply_bytes=1_000).online()
    calls = Calls(bench)
    calls.begin()
    bench.answer(r="x" * 1_000)
    assert (calls.ended[0].state, "VRPC_REPLY_BYTES" in calls.ended[0].error) == ("unusable", True)
    assert bench.exceeded("VRPC_REPLY_BYTES") == 1


def test_a_flood_of_answers_is_looked_at_in_many_turns_and_bounded():
    bench = Bench(messages=10, inbox_bytes=10_000).online()
    calls = Calls(bench)
    calls.begin()
    topic = bench.sent[0][1]["s"]
    for _ in range(1_000):
        bench.vrpc.heard(topic, b'{"i": "nobody", "r": 1}')
    bench.turns = 0
    bench.run()
    assert bench.turns == 10_000 // 23 // 10 + 1
    assert bench.exceeded("VRPC_REPLY_BYTES") == 1_000 - 10_000 // 23
    bench.answer(r=1)
    assert calls.ended[0].state == "done"


def test_nothing_is_kept_of_answers_when_nobody_waits(bench):
    topic = f"{bench.filters[0][:-1]}00000001"
    for _ in range(5):
        bench.vrpc.heard(topic, b"x" * 1_000)
    assert (bench.vrpc.caller.unheard, bench.vrpc.caller._inbox_bytes) == (5, 0)


def test_another_agent_cannot_answer(bench, calls):
    """It would have to guess the topic, and it cannot use that of another domain."""
    calls.begin()
    request = bench.sent[0][1]
    identifier = request["s"].split("/")[2]
    bench.reply(f"other.domain/__gatehouse__/{identifier}", {"i": request["i"], "r": "forged"})
    assert calls.ended == []


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
