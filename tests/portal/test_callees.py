"""What is looked at of an agent, as an address says it: it comes back the same, and never grows too long."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import NotFound

from portal import vrpc
from portal.views import callees, places
from portal.views.callees import Place
from portal.vrpc_told import Agent, Class, Function, Opened

REQUEST_LINE = 4_094  # bytes that gunicorn takes
odd = st.text(st.sampled_from("aä/ ~%?#.&=+;\u202e\x01\U0001f600"), max_size=20)
broken = odd.map(lambda text: f"{text}\ud800{text}")
huge = st.builds(lambda part, times: part * times, odd.filter(bool), st.integers(0, 3_000))


def arguments(query: str) -> MultiDict[str, str]:
    """Return what a server reads from an address after a browser has spelled it anew."""
    anew = urlencode(parse_qsl(query.removeprefix("?"), keep_blank_values=True))
    return MultiDict(parse_qsl(anew, keep_blank_values=True))


def known(monkeypatch, place: Place) -> None:
    """Have the agent of a place, with others that begin alike."""
    agents = [
        Agent(domain, agent, True, "", "", 0, "", "", "", None, 0, 0, 0, "", None, None)
        for domain in (f"{place.domain}x", place.domain)
        for agent in (f"{place.agent}x", place.agent)
    ]
    functions = tuple(Function(f"{place.function}{end}", True, "", (), None) for end in ("x", ""))
    instances = (f"{place.instance}x", place.instance or "")
    classes = tuple(Class(f"{place.class_name}{end}", "", True, 2, 2, functions, (), instances) for end in ("x", ""))
    monkeypatch.setattr(vrpc, "agents", lambda: agents)
    monkeypatch.setattr(vrpc, "opened", lambda domain, agent, class_name: Opened(agents[-1], classes))


@given(
    names=st.tuples(odd | huge, odd | huge, *[odd | huge | broken] * 3),
    overload=st.integers(0, 999), act=st.sampled_from(["", *callees.ACTS]), search=odd, event=odd,
)  # fmt: skip
def test_a_place_comes_back_from_its_address_whatever_its_names_are(names, overload, act, search, event):
    domain, agent, class_name, instance, function = names
    place = Place(domain, agent, class_name, instance, function, overload, act, search, event, "c1", "w1")
    with pytest.MonkeyPatch.context() as patched:
        known(patched, place)
        assert callees.read(arguments(place.query())).place == place


@given(names=st.tuples(*[huge | broken] * 5), search=huge, event=huge)
def test_an_address_is_never_too_long(names, search, event):
    search, event = (places.beginning(text, callees.SHORT) for text in (search, event))
    place = Place(*names, 999, "create", search, event, "c" * callees.LONGEST_ID, "w" * callees.LONGEST_ID)
    spelled = urlencode(parse_qsl(place.query().removeprefix("?"), keep_blank_values=True)).replace("~", "%7E")
    assert len(f"POST /agents/one/parts?{spelled}&v=0123456789abcdef HTTP/1.1") < REQUEST_LINE


def test_a_long_name_that_is_not_there_any_more_is_left_out(monkeypatch):
    place = Place("d", "a", "c" * 9_000, "i" * 9_000, "f" * 9_000)
    monkeypatch.setattr(vrpc, "opened", lambda domain, agent, class_name: None)
    assert callees.read(arguments(place.query())) == callees.Look(Place("d", "a"), None)
    monkeypatch.setattr(vrpc, "agents", list)
    assert callees.read(arguments(Place("d", "a" * 9_000).query())).opened is None


def test_an_address_without_an_agent_is_no_page():
    with pytest.raises(NotFound):
        callees.read(MultiDict([("domain", "d")]))
