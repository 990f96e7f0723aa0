"""The page *Live data*: the tree, the search, one topic; publishing and deleting; odd topics; and nobody answers."""

from __future__ import annotations

import html
import re
from urllib.parse import quote

import pytest

from portal.models import Activity
from tests.portal.visitor import ADA, HTMX

LONGEST = "z" * 65_535
MARKUP = '"><script>alert(1)</script>'


def shown(answer) -> str:
    return html.unescape(answer.text)


def names(answer) -> list[str]:
    """Return what the tree lists, levels without a value with a slash behind them."""
    return re.findall(
        r'<(?:a|span) class="mono(?: name| quiet)"[^>]*>([^<]*)</(?:a|span)>\s*</span></td>', shown(answer)
    )


def row(answer, name: str) -> str:
    """Return the row of a level as the page has it."""
    (found,) = [one for one in re.findall(r'<tr id="topic-.*?</tr>', answer.text, re.S) if f">{name}<" in one]
    return found


def links(answer) -> list[str]:
    return [html.unescape(found) for found in re.findall(r'href="([^"]+)"', answer.text)]


def happened(kind: str) -> list[tuple[str, str]]:
    return [(event.account, event.detail) for event in Activity.select().where(Activity.kind == kind)]


# --- the tree


def test_the_tree_shows_levels_with_value_time_and_integration(ada, live_hub):
    live_hub.publish("plant/line1/speed", b"1450")
    live_hub.publish("plant/line1", b"on")
    closed = ada.get("/topics")
    assert names(closed) == ["plant/"] and 'aria-expanded="false"' in closed.text
    (opened,) = {link for link in links(closed) if link.startswith("/topics?open=")}
    assert names(ada.get(opened)) == ["plant/", "line1"]
    assert re.search(r'class="twig" href="/topics".*?aria-expanded="true"', ada.get(opened).text), "it closes again"
    answer = ada.get("/topics?open=plant/&open=plant/line1/")
    assert names(answer) == ["plant/", "line1", "speed"]
    told = row(answer, "speed")
    for part in (">1450<", 'href="/integrations?q=plant"', 'datetime="2023-11-14T22:13:21+00:00"', "deep-2"):
        assert part in told, part
    assert ">on<" in row(answer, "line1") and 'aria-expanded="true"' in row(answer, "line1")
    assert "/topics?open=plant/" in links(answer), "the link that closes line1"


def test_what_the_portal_published_has_no_integration(ada, live_hub):
    live_hub.hub.publish("a", b"1")
    assert "/integrations?q=" not in row(ada.get("/topics"), "a")


def test_pages_have_a_hundred_levels(ada, live_hub):
    for number in range(150):
        live_hub.publish(f"n{number:03}")
    first = ada.get("/topics")
    assert names(first)[0] == "n000" and len(names(first)) == 100 and "First page" not in first.text
    (following,) = re.findall(r'id="page-next" href="([^"]+)"', first.text)
    second = ada.get(html.unescape(following))
    assert names(second)[0] == "n100" and len(names(second)) == 50
    assert "First page" in second.text and "page-next" not in second.text


def test_an_open_level_hides_none_of_its_neighbours(ada, live_hub):
    for number in range(150):
        live_hub.publish(f"big/n{number:03}")
    live_hub.publish("small/one")
    answer = ada.get("/topics?open=big/&open=small/")
    assert names(answer) == ["big/", *[f"n{number:03}" for number in range(100)], "small/", "one"]
    (more,) = re.findall(r'class="rest.*?href="([^"]+)"', answer.text, re.S)
    rest = ada.get(html.unescape(more))
    assert names(rest)[0] == "n100" and len(names(rest)) == 50
    assert 'aria-label="Place in the tree"' in rest.text and ">big</a>" in rest.text


def test_rows_are_bounded_however_much_is_open(ada, live_hub):
    for number in range(400):
        live_hub.publish(f"{number // 80}/{number:03}")
    answer = ada.get("/topics?" + "&".join(f"open={top}/" for top in range(5)))
    assert len(names(answer)) == 200 and {"0/", "1/", "2/", "3/", "4/"} < set(names(answer))
    assert answer.text.count("More below") == 3, "what did not fit of the third level, and all of two more"


def test_deep_levels_are_pages_of_their_own(ada, live_hub):
    levels = [f"l{number}" for number in range(20)]
    live_hub.publish("/".join(levels))
    prefixes = ["/".join(levels[: end + 1]) + "/" for end in range(19)]
    answer = ada.get("/topics?" + "&".join(f"open={prefix}" for prefix in prefixes[:8]))
    assert names(answer)[-1] == "l8/" and "/topics?at=" + prefixes[8] in links(answer)
    inside = ada.get(f"/topics?at={prefixes[18]}")
    assert names(inside) == ["l19"] and ">l18</a>" in inside.text and ">l0</a>" not in inside.text


def test_a_level_that_is_gone_is_said(ada, live_hub):
    live_hub.publish("a")
    assert "nothing below this level any more" in ada.get("/topics?at=b/").text


def test_without_any_value_the_page_says_how_to_get_one_in(ada, live_hub):
    answer = ada.get("/topics")
    assert "No values yet" in answer.text
    for line in ("mosquitto_pub", "-u USERNAME", "opc.tcp://", "curl -u", "/api/v1/values/"):
        assert line in shown(answer), line


# --- searching


def test_a_search_finds_topics_by_any_part_in_any_case(ada, live_hub):
    for topic in ("plant/line1/Speed", "plant/line2/speed", "plant/state"):
        live_hub.publish(topic)
    assert names(ada.get("/topics?q=sPEED")) == ["plant/line1/Speed", "plant/line2/speed"]
    assert "No topic with a value contains" in ada.get("/topics?q=zz").text
    answer = ada.get("/topics/table?q=state", headers={**HTMX, "HX-Trigger": "search"})
    assert names(answer) == ["plant/state"] and answer.headers["HX-Replace-Url"] == "/topics?q=state"


def test_a_search_has_pages_too(ada, live_hub):
    for number in range(250):
        live_hub.publish(f"n{number:03}")
    seen, path = [], "/topics?q=n"
    while path:
        answer = ada.get(path)
        seen += names(answer)
        following = re.findall(r'id="page-next" href="([^"]+)"', answer.text)
        path = html.unescape(following[0]) if following else ""
    assert seen == [f"n{number:03}" for number in range(250)]


# --- polling


def version(answer) -> str:
    (found,) = re.findall(r'id="topics".*?data-version="(\w+)"', answer.text, re.S)
    return found


def test_a_poll_is_answered_when_something_shown_changed_and_only_then(ada, live_hub):
    live_hub.publish("a/b")
    live_hub.publish("c", b"1")
    seen = version(ada.get("/topics?topic=c"))
    live_hub.publish("a/b", b"not shown")
    assert ada.get(f"/topics/table?topic=c&v={seen}", headers=HTMX).status_code == 204
    live_hub.publish("c", b"2")
    answer = ada.get(f"/topics/table?topic=c&v={seen}", headers=HTMX)
    assert answer.status_code == 200 and "<html" not in answer.text and ">2<" in row(answer, "c")
    assert "HX-Push-Url" not in answer.headers
    live_hub.hub.delete("c")
    assert "has no value now" in ada.get(f"/topics/table?topic=c&v={version(answer)}", headers=HTMX).text


def test_a_click_is_an_address(ada, live_hub):
    live_hub.publish("a b/ü", b"1")
    answer = ada.get(f"/topics/table?open={quote('a b/')}&topic={quote('a b/ü')}", headers=HTMX)
    assert answer.headers["HX-Push-Url"] == "/topics?open=a%20b/&topic=a%20b/%C3%BC"
    assert names(ada.get(answer.headers["HX-Push-Url"])) == ["a b/", "ü"]


# --- one topic


def test_a_topic_is_shown_with_its_recent_values_and_a_picture_of_numbers(ada, live_hub):
    for number in (20.5, 22, 21):
        live_hub.publish("oven", str(number).encode())
    live_hub.publish("oven", b'"hot"')
    live_hub.publish("oven", b"23", retain=True)
    text = shown(ada.get("/topics?topic=oven"))
    assert ">\n23</pre>" in text and "published as retained" in text and "Recent values <b>5</b>" in text
    assert "The last 4 numbers lie between 20.5 and 23." in text and text.count('class="plot-hover"') == 4
    assert 'data-at="2023-11-14T22:13:25+00:00">22:13:25 UTC: 23<' in text
    assert 'class="deep-0 selected" aria-current="true"' in text


def test_what_is_no_number_has_no_picture(ada, live_hub):
    live_hub.publish("a", b"true")
    live_hub.publish("a", b"[1]")
    assert '<svg viewBox="0 0 600' not in ada.get("/topics?topic=a").text


def test_a_deleted_value_is_in_the_recent_ones(ada, live_hub):
    live_hub.publish("a", b"1")
    live_hub.hub.delete("a")
    live_hub.publish("a", b"2")
    assert '<i class="quiet">deleted</i>' in ada.get("/topics?topic=a").text


def test_a_binary_value_is_shown_in_digits_with_its_size_and_handed_out_whole(ada, live_hub):
    whole = bytes(range(256)) * 300
    live_hub.publish("frame", whole)
    answer = ada.get("/topics?topic=frame")
    assert "00 01 02" in row(answer, "frame") and "77 kB" in row(answer, "frame")
    text = shown(answer)
    assert "000008  08 09 0a 0b 0c 0d 0e 0f  ........" in text and "000040  40 41 42 43 44 45 46 47  @ABCDEFG" in text
    assert "AAECAwQFBgcICQ" in text and "This is the beginning: the value has 77 kB." in text
    download = ada.get("/topics/value?topic=frame")
    assert download.data == whole and "attachment" in download.headers["Content-Disposition"]
    assert download.headers["Content-Type"] == "application/octet-stream"


def test_a_large_text_is_cut_and_handed_out_whole(ada, live_hub):
    whole = "lörem ipsum " * 60_000
    live_hub.publish("text", whole.encode())
    answer = ada.get("/topics?topic=text")
    assert len(answer.text) < 60_000 and "This is the beginning: the value has 780 kB." in answer.text
    assert ada.get("/topics/value?topic=text").data.decode() == whole


def test_a_value_that_is_too_large_for_an_answer_is_shown_and_not_handed_out(ada, live_hub):
    live_hub.publish("huge", b"x" * (16 * 1024 * 1024))
    assert "This is the beginning: the value has 17 MB." in ada.get("/topics?topic=huge").text
    answer = ada.get("/topics/value?topic=huge")
    assert answer.status_code == 409 and "too large to be handed out" in answer.text
    live_hub.publish("huge", b"y" * (12 * 1024 * 1024))
    assert len(ada.get("/topics/value?topic=huge").data) == 12 * 1024 * 1024


def test_a_small_value_is_not_called_a_beginning(ada, live_hub):
    for payload in (b"21.5", "käse".encode(), b"\xff" * 512, b""):
        live_hub.publish("a", payload)
        assert "This is the beginning" not in ada.get("/topics?topic=a").text, payload


def test_a_topic_without_value_has_nothing_to_hand_out(ada, live_hub):
    assert ada.get("/topics/value?topic=a").status_code == 404
    assert ada.get("/topics/value").status_code == 404
    assert "This topic has no value now." in ada.get("/topics?topic=a").text


# --- odd topics and values


def test_markup_is_shown_as_text(ada, live_hub):
    live_hub.publish(f"{MARKUP}/x", b"<img src=x onerror=alert(1)>")
    inside = quote(f"{MARKUP}/x")
    for path in ("/topics?q=script", f"/topics?topic={inside}", f"/topics/delete?topic={inside}"):
        answer = ada.get(path)
        assert "<script>" not in answer.text and "<img" not in answer.text
        assert MARKUP in shown(answer)


def test_levels_that_are_empty_or_have_spaces_at_their_ends_can_be_seen(ada, live_hub):
    live_hub.publish("//x")
    live_hub.publish(" a / ")
    answer = ada.get(f"/topics?open=/&open=//&open={quote(' a /')}")
    assert names(answer) == ["(empty)/", "(empty)/", "x", "␣a␣/", "␣"]


def test_what_cannot_be_seen_is_spelled(ada, live_hub):
    live_hub.publish("\u202eevil", b"\xe2\x80\xae1")
    assert names(ada.get("/topics")) == [r"\u202eevil"] and r"\u202e1" in ada.get("/topics").text


def test_the_longest_topic_has_an_address_and_can_be_deleted(ada, live_hub):
    live_hub.publish(LONGEST, b"there")
    live_hub.publish(LONGEST[:-1], b"another")
    answer = ada.get("/topics")
    assert len(answer.text) < 60_000 and "… (65,535 bytes)" in answer.text
    named = {link for link in links(answer) if "digest=" in link}
    (address,) = {link for link in named if ">\nthere</pre>" in shown(ada.get(link))}
    assert len(address) < 4_000
    panel = shown(ada.get(address))
    assert ">\nthere</pre>" in panel and "(65,535 bytes)" in panel
    (confirm,) = {link for link in links(ada.get(address)) if link.startswith("/topics/delete?")}
    assert ada.post(confirm).status_code == 303
    assert live_hub.hub.get(LONGEST) is None and live_hub.hub.get(LONGEST[:-1]) is not None
    assert len(happened("topic.deleted")[0][1]) <= 256


def test_long_levels_are_opened_by_a_search(ada, live_hub):
    live_hub.publish("w" * 3_000 + "/below")
    answer = ada.get("/topics")
    assert "The levels below are found by a search." in answer.text and 'twig"' in answer.text
    assert len(names(ada.get("/topics?q=below"))) == 1


@pytest.mark.parametrize(
    "query", ["at=%00", "open=%00/", "q=%ff", "topic=%2B/%23", "digest=zz", "digest=00", "after=%01"]
)
def test_an_address_that_nobody_made_breaks_nothing(ada, live_hub, query):
    live_hub.publish("a")
    for path in ("/topics", "/topics/table", "/topics/delete", "/topics/value"):
        assert ada.get(f"{path}?{query}").status_code in (200, 404, 409), path


# --- publishing


def test_what_is_published_arrives_and_is_recorded(ada, live_hub):
    heard = []
    live_hub.hub.listen(
        ["#"], type("Ear", (), {"heard": lambda self, messages: heard.extend(messages)})(), lambda _: True
    )
    ada.get("/topics")
    form = {"topic": "oven/set", "value": "line 1\r\nline 2", "qos": "1", "retain": "on"}
    answer = ada.post("/topics?open=oven/", form)
    assert answer.location == "/topics?open=oven/&topic=oven/set"
    live_hub.hub.settle()
    ((_, topic, payload, retain, integration_id, _),) = heard
    assert (topic, payload, retain, integration_id) == ("oven/set", b"line 1\nline 2", True, 0)
    assert happened("topic.published") == [(ADA, "oven/set with QoS 1, retained")]
    assert "published to oven/set with QoS 1, retained" in ada.get("/activity").text


@pytest.mark.parametrize(
    ("form", "field", "message"),
    [
        ({"topic": ""}, "topic", "A topic is required"),
        ({"topic": "a/+"}, "topic", "A topic cannot hold + or #"),
        ({"topic": "a/#"}, "topic", "A topic cannot hold + or #"),
        ({"topic": "$SYS/a"}, "topic", "Topics that begin with $ are the server"),
        ({"topic": "ä" * 32_768}, "topic", "A topic has at most 65,535 bytes, not 65,536."),
        ({"topic": "a\0b"}, "topic", "A topic cannot hold the character U+0000."),
        ({"topic": "a\x01"}, "topic", r"Topic name 'a\x01' contains a control character or a non-character."),
        ({"qos": "3"}, "qos", "QoS is 0, 1 or 2."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_typed_is_lost(ada, live_hub, form, field, message):
    ada.get("/topics")
    answer = ada.post("/topics", {"topic": "a", "value": "<typed>", "qos": "2", "retain": "on"} | form)
    text = shown(answer)
    assert answer.status_code == 422 and re.search(rf'id="{field}-note" role="alert">{re.escape(message)}', text)
    assert "\n<typed></textarea>" in text and 'name="retain" checked' in text and " open>" in text
    assert form.get("qos") == "3" or '<option value="2" selected>' in text
    assert not happened("topic.published") and live_hub.hub.get("a") is None


def test_publish_here_fills_the_topic_in(ada, live_hub):
    live_hub.publish("oven/set", b"1")
    (link,) = {link for link in links(ada.get("/topics?topic=oven/set")) if "&to=" in link}
    assert 'id="publish-topic" name="topic" value="oven/set"' in ada.get(link).text


# --- deleting


def test_deleting_asks_once_and_is_recorded(ada, live_hub):
    live_hub.publish("oven", b"1", retain=True)
    question = ada.get("/topics/delete?q=ov&topic=oven")
    assert "Delete the value of" in question.text and "gone for good" in question.text
    assert question.text.index("Keep it") < question.text.index(">Delete</button>")
    assert "<html" not in ada.get("/topics/delete?topic=oven", headers=HTMX).text
    assert ada.post("/topics/delete?q=ov&topic=oven").location == "/topics?q=ov"
    assert live_hub.hub.get("oven") is None and happened("topic.deleted") == [(ADA, "oven")]
    ada.post("/topics/delete?q=ov&topic=oven")
    assert "oven had no value any more." in ada.get("/topics").text
    assert len(happened("topic.deleted")) == 1


# --- nobody answers


def test_the_page_says_when_the_protocol_servers_are_away(ada, live_hub):
    live_hub.publish("a")
    ada.get("/topics")
    live_hub.stop()
    answer = ada.get("/topics?open=b/&topic=a&digest=00")
    assert 'data-poll="/topics/table?open=b/"' in answer.text, "it goes on with what was looked at"
    answer = ada.get("/topics?topic=a")
    assert answer.status_code == 200 and "The protocol servers do not answer." in answer.text
    answer = ada.post("/topics", {"topic": "a", "value": "typed", "qos": "0"})
    assert answer.status_code == 503 and "\ntyped</textarea>" in answer.text and 'role="alert"' in answer.text
    assert ada.post("/topics/delete?topic=a").status_code == 503
    assert ada.get("/topics/value?topic=a").status_code == 503
    assert not happened("topic.published") and not happened("topic.deleted")
