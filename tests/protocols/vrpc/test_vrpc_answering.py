"""Answers to calls from the portal: which belongs to which call, and how each of them ends."""

from __future__ import annotations

import json

import pytest
from vrpc_bench import AGENT_NAME, KEY, Bench, Calls, result

from protocols.vrpc.calls import Outcome
from protocols.vrpc.live import Who


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
