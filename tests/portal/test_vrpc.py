"""What pages ask about agents is what the protocols worker answers."""

from __future__ import annotations

import inspect

import pytest

from portal import vrpc, worker_client
from portal.integrations import Actor
from portal.models import Integration
from portal.vrpc import Callee
from protocols.vrpc.limits import Limits
from protocols.vrpc.vrpc import Vrpc

ACTOR = Actor("ada@example.com", "192.0.2.8")
CALLEE = Callee("d", "a", "C", "i", "f")
ASKED = {
    "agents": lambda: vrpc.agents(),
    "agent": lambda: vrpc.opened("d", "a", None),
    "call": lambda: vrpc.call(ACTOR, CALLEE, "[]", 1.0),
    "create": lambda: vrpc.create(ACTOR, CALLEE, "[]", None),
    "delete": lambda: vrpc.delete(ACTOR, CALLEE),
    "result": lambda: vrpc.outcome("c1"),
    "watch": lambda: vrpc.watch(CALLEE, "changed"),
    "events": lambda: vrpc.events("w1"),
    "unwatch": lambda: vrpc.unwatch("w1"),
    "hand_over": lambda: vrpc.hand_over(ACTOR, "d", "a", Integration(id=7)),
    "remove": lambda: vrpc.remove(ACTOR, "d", "a"),
}


class Asked(Exception):
    """What was asked."""


@pytest.mark.parametrize("name", ASKED)
def test_a_question_fits_the_action_that_answers_it(name, monkeypatch):
    def have(part, action, *arguments):
        assert (part, action) == ("mqtt", f"vrpc_{name}")
        action = actions[action]
        inspect.signature(action).bind(*arguments)
        raise Asked

    actions = Vrpc(Limits(), float, str).actions()
    monkeypatch.setattr(worker_client, "have", have)
    with pytest.raises(Asked):
        ASKED[name]()


def test_every_action_is_asked():
    assert Vrpc(Limits(), float, str).actions().keys() == {f"vrpc_{name}" for name in ASKED}
