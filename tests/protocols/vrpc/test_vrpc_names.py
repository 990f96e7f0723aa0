"""What the topics of VRPC say, and which domains are legal."""

from __future__ import annotations

import pytest

from protocols.vrpc import names
from protocols.vrpc.names import AGENT, CLIENT, Identity, Info


@pytest.mark.parametrize(
    ("topic", "found"),
    [
        ("acme.default/press/__agentInfo__", Identity("acme.default", AGENT, "press")),
        ("acme.default/raspi/ab12cd34/__clientInfo__", Identity("acme.default", CLIENT, "raspi/ab12cd34")),
        ("ünï/prés se/__agentInfo__", Identity("ünï", AGENT, "prés se")),
        ("a/b/__clientInfo__", None),  # a client has a host and an id
        ("a/b/c/__agentInfo__", None),
        ("a/b/c/__classInfo__", None),
        ("a/b/c/d/__clientInfo__", None),
        ("a//__agentInfo__", None),
        ("/b/__agentInfo__", None),
        ("$SYS/b/__agentInfo__", None),
        ("a/__agentInfo__/__agentInfo__", None),
        ("a/b/__classInfo__/__clientInfo__", None),
        ("a/+/__agentInfo__", None),
        ("a/b/__agentinfo__", None),
        (f"a/{'b' * 200}/__agentInfo__", Identity("a", AGENT, "b" * 200)),
        (f"a/{'b' * 201}/__agentInfo__", None),
        (f"a/b/{'c' * 201}/__clientInfo__", None),
        ("__agentInfo__", None),
        ("", None),
    ],
)
def test_a_will_tells_who_a_session_is(topic: str, found: Identity | None) -> None:
    assert names.identity(topic) == found


def test_the_place_of_a_client_is_where_its_replies_go() -> None:
    found = names.identity("acme.default/raspi/ab12cd34/__clientInfo__")
    assert found is not None and found.place == "acme.default/raspi/ab12cd34"


@pytest.mark.parametrize(
    ("topic", "found"),
    [
        ("d/a/__agentInfo__", Info("__agentInfo__", "d", "a")),
        ("d/a/C/__classInfo__", Info("__classInfo__", "d", "a", "C")),
        ("d/a/C/__classInfoConcise__", Info("__classInfoConcise__", "d", "a", "C")),
        ("d/h/i/__clientInfo__", Info("__clientInfo__", "d", "h", "i")),
        ("d/a/C/x/__classInfo__", None),
        ("d/a/__classInfo__", None),
        ("d/a/C/__agentInfo__", None),
        ("d//C/__classInfo__", None),
        ("$x/a/C/__classInfo__", None),
        ("d/a/C/__static__", None),
        ("d/a/x__agentInfo__", None),
        ("", None),
    ],
)
def test_an_info_topic_says_of_what_it_tells(topic: str, found: Info | None) -> None:
    assert names.parse(topic) == found
    assert found is None or topic.endswith(names.ENDING)


def test_topics_that_are_made_are_read_back() -> None:
    made = [names.agent_topic("d", "a"), *names.class_topics("d", "a", "C")]
    assert all(topic.endswith(names.ENDING) for topic in made)
    assert names.parse(names.agent_topic("d", "a")) == Info("__agentInfo__", "d", "a")
    kinds = [names.parse(topic) for topic in names.class_topics("d", "a", "C")]
    assert kinds == [Info("__classInfo__", "d", "a", "C"), Info("__classInfoConcise__", "d", "a", "C")]


@pytest.mark.parametrize("domain", ["acme.default", "vrpc", "ünï codé", "a" * 128, "a$b"])
def test_one_plain_level_is_a_domain(domain: str) -> None:
    assert names.domain_fault(domain) == ""


@pytest.mark.parametrize(
    ("domain", "word"),
    [
        ("", "required"),
        ("a/b", "one level"),
        ("a+", "one level"),
        ("#", "one level"),
        ("a*", "one level"),
        ("$SYS", "$"),
        ("a\x00", "control"),
        ("a\n", "control"),
        (" a", "space"),
        ("a" * 129, "128"),
    ],
)
def test_what_is_no_domain_is_said(domain: str, word: str) -> None:
    assert word in names.domain_fault(domain)
