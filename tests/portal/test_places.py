"""What is looked at, as an address says it: it comes back the same, and never grows too long."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from portal.topics import Row
from portal.views import places
from portal.views.places import Place

REQUEST_LINE = 4_094  # bytes that gunicorn takes
text = st.text(st.characters(exclude_categories=["Cs"]))
short = st.text(st.sampled_from("aä/ ~\x01"), max_size=20)
huge = st.builds(
    lambda part, times: part * times, st.sampled_from(["~", "/", "ä", "a", "\U0001f600"]), st.integers(0, 5_000)
)


def arguments(query: str) -> MultiDict[str, str]:
    """Return what a server reads from an address after a browser has spelled it anew."""
    anew = urlencode(parse_qsl(query.removeprefix("?"), keep_blank_values=True))
    return MultiDict(parse_qsl(anew, keep_blank_values=True))


@given(
    at=short, opened=st.lists(short.map(lambda one: f"{one}/"), unique=True, max_size=5).map(tuple),
    search=short, after=short, topic=st.none() | short.filter(bool),
)  # fmt: skip
def test_a_place_comes_back_from_its_address(at, opened, search, after, topic):
    place = Place(f"{at}/", opened, search, after, topic)
    found = arguments(place.query())
    assert places.read(found, places.topic_of(found)) == place


@given(at=huge, opened=st.lists(huge | text, max_size=20), search=huge | text, after=huge | text, topic=huge | text)
def test_an_address_is_never_too_long(at, opened, search, after, topic):
    pairs = [("at", f"{at}/"), ("q", search), ("after", after), ("topic", topic)]
    pairs += [("open", f"{one}/") for one in opened]
    place = places.read(MultiDict(pairs), topic or None)
    toggled = place.toggled(Row(0, topic, topic, None, has_children=True)) or ""
    for query in (place.query(), place.query(topic=topic or None), toggled):
        spelled = urlencode(parse_qsl(query.removeprefix("?"), keep_blank_values=True)).replace("~", "%7E")
        assert len(f"GET /topics/table?{spelled}&v=0123456789abcdef HTTP/1.1") < REQUEST_LINE


def test_what_no_page_links_to_is_left_out():
    assert places.read(MultiDict([("at", "a"), ("open", "b"), ("topic", "")])) == Place()


def test_the_levels_that_were_opened_last_stay_open():
    many = tuple(f"level{number}/" for number in range(200))
    place = places.read(MultiDict([("open", one) for one in many]))
    assert 20 < len(place.opened) < 200 and place.opened == many[-len(place.opened) :]
    grown = places.read(arguments(place.toggled(Row(0, "", "newest-level", None, has_children=True))))
    assert grown.opened[-1] == "newest-level/" and place.opened[0] not in grown.opened
    closed = places.read(arguments(grown.toggled(Row(0, "", "newest-level", None, has_children=True, is_open=True))))
    assert "newest-level/" not in closed.opened
