"""What a grant opens to one client."""

import pytest

from protocols.access import Access
from protocols.contract import Grant


def access(*filters: str, username: str = "ada", client_id: str = "c1") -> Access:
    return Access(Grant(1, username, filters, filters), client_id)


def test_the_username_and_the_client_identifier_are_put_in() -> None:
    one = access("dev/%u/%c/#", "all/+", "%c")
    assert one.may_publish("dev/ada/c1/x") and one.may_publish("all/x") and one.may_publish("c1")
    assert not one.may_publish("dev/ada/c2/x") and not one.may_publish("dev/%u/%c/x")
    assert one.may_subscribe("dev/ada/c1/+") and not one.may_subscribe("dev/+/c1/x")


def test_filters_without_placeholders_are_shared_by_all_clients() -> None:
    grant = Grant(1, "ada", ("a/#",), ("b/#",))
    assert Access(grant, "c")._publish is grant.publish
    assert Access(grant, "c")._subscribe is grant.subscribe


@pytest.mark.parametrize("value", ["+", "#", "a+", "x/#", "$SYS", "\0assigned", ""])
@pytest.mark.parametrize("topic_filter", ["%c", "dev/%c", "dev/%c/#", "%c/#"])
def test_a_client_identifier_never_widens_a_filter(value: str, topic_filter: str) -> None:
    one = access(topic_filter, "own", client_id=value)
    for name in ("dev/other", "dev/other/x", "other", "x/y", f"dev/{value}", value or "dev/"):
        assert not one.may_publish(name)
        assert not one.may_subscribe(name)
    assert one.may_publish("own"), "the other filters hold"


@pytest.mark.parametrize("value", ["+", "#", "a/+", "$SYS"])
def test_a_username_never_widens_a_filter(value: str) -> None:
    one = access("%u/#", "dev/%u", "own", username=value)
    assert not one.may_subscribe("$SYS/#") and not one.may_subscribe("a/b") and not one.may_subscribe(f"dev/{value}")
    assert one.may_publish("own")


def test_a_client_identifier_cannot_reach_below_its_level_but_a_username_may_have_several() -> None:
    assert not access("tenant/%c", client_id="admin/secret").may_subscribe("tenant/admin/secret")
    assert access("%u/#", username="site/line 1").may_publish("site/line 1/x")


def test_a_username_that_looks_like_a_placeholder_stays_what_it_is() -> None:
    one = access("dev/%u/#", username="%c", client_id="c1")
    assert one.may_publish("dev/%c/x") and not one.may_publish("dev/c1/x")


def test_publishing_and_reading_are_granted_apart() -> None:
    one = Access(Grant(1, "ada", publish=("out/#",), subscribe=("in/line/+",)), "c")
    assert one.may_publish("out/x") and not one.may_receive("out/x") and not one.may_subscribe("out/x")
    assert one.may_receive("in/line/x") and one.may_subscribe("in/line/+") and not one.may_publish("in/line/x")
    assert one.may_receive_below("in") and one.may_receive_below("in/line")
    assert not one.may_receive_below("in/line/x") and not one.may_receive_below("out")


def test_dollar_topics_can_be_read_where_they_are_named_and_never_written() -> None:
    one = access("#", "$SYS/#")
    assert one.may_receive("$SYS/x") and one.may_receive_below("$SYS") and not one.may_publish("$SYS/x")
    assert not access("#").may_receive("$SYS/x")


CLOSED = frozenset({"acme.default", "acme.other"})


@pytest.mark.parametrize("filters", [("#",), ("+/#",), ("+/press/__agentInfo__",), ("%u/#",), ("%c/#",), ()])
def test_nothing_but_its_name_opens_a_domain_of_vrpc(filters: tuple[str, ...]) -> None:
    for names in ("acme.default", "x"):
        found = Access(Grant(1, names, filters, filters, closed=CLOSED), names)
        assert not found.may_publish("acme.default/press/__agentInfo__")
        assert not found.may_receive("acme.default/press/__agentInfo__")
        assert not found.may_receive("acme.default") and not found.may_receive_below("acme.default")
        for one in ("acme.default/#", "acme.default/+/__agentInfo__", "acme.default/press/__agentInfo__"):
            assert not found.may_subscribe(one)


def test_a_filter_that_names_a_domain_opens_it_and_no_other() -> None:
    filters = ("#", "acme.default/+/__agentInfo__")
    found = Access(Grant(1, "ada", filters, filters, closed=CLOSED), "c")
    assert found.may_publish("acme.default/press/__agentInfo__") and found.may_receive(
        "acme.default/press/__agentInfo__"
    )
    assert found.may_subscribe("acme.default/+/__agentInfo__") and found.may_receive_below("acme.default")
    assert not found.may_receive("acme.default/press/Press/line1/move")
    assert not found.may_receive("acme.other/press/__agentInfo__") and not found.may_subscribe("acme.other/#")


def test_all_else_is_open_as_ever() -> None:
    found = Access(Grant(1, "ada", ("#",), ("#",), closed=CLOSED), "c")
    assert found.may_publish("plant/a") and found.may_receive("plant/a") and found.may_receive("acme.defaults/a")
    assert found.may_subscribe("#") and found.may_subscribe("+/a") and found.may_subscribe("plant/acme.default/#")
