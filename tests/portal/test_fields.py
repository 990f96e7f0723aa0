"""What may be typed into a field."""

from __future__ import annotations

import pytest

from portal import fields
from portal.fields import FieldError


@pytest.mark.parametrize(
    "text",
    ["a", "brave_turing", "plant/line 1", "site:2@example.com", "x.y", "m\u00fcller", "\u6e29\u5ea6", "u" * 128],
)
def test_a_legal_username_stays_as_it_is(text):
    assert fields.username(text) == text


@pytest.mark.parametrize(
    "text",
    ["", " ", " a", "a ", "a\n", "a\tb", "a\0b", "a\x7fb", "a\u200bb", "a\u202eb", "a\xa0b", "u" * 129, "\ud800"],
)
def test_an_illegal_username_is_refused_at_its_field(text):
    with pytest.raises(FieldError) as caught:
        fields.username(text)
    assert caught.value.field == "username"
    assert caught.value.message == str(caught.value)


@pytest.mark.parametrize("text", ["p", " leading and trailing ", "p\u00e4ss", "x" * 256])
def test_a_legal_password_stays_as_it_is(text):
    assert fields.password(text) == text


@pytest.mark.parametrize("text", ["", "a\nb", "a\0", "x" * 257, "\udcff"])
def test_an_illegal_password_is_refused_at_its_field_and_not_repeated(text):
    with pytest.raises(FieldError) as caught:
        fields.password(text)
    assert caught.value.field == "password"
    assert not text or text not in str(caught.value)


def test_a_note_becomes_one_line():
    assert fields.note("  two\r\nlines\t of text ") == "two lines of text"
    assert fields.note("") == ""


@pytest.mark.parametrize("text", ["x" * 501, "a\0b", "a\u202eb"])
def test_an_illegal_note_is_refused_at_its_field(text):
    with pytest.raises(FieldError) as caught:
        fields.note(text)
    assert caught.value.field == "note"


def test_an_email_address_is_compared_in_lower_case():
    assert fields.email(" Ada@Example.COM ") == "ada@example.com"


@pytest.mark.parametrize("text", ["", "ada", "@example.com", "ada@", "a b@c", "a@b@c", "a@" + "x" * 254, "a@b\0"])
def test_what_is_no_email_address_is_refused_at_its_field(text):
    with pytest.raises(FieldError) as caught:
        fields.email(text)
    assert caught.value.field == "email"


@pytest.mark.parametrize("text", ["", "1234567", "x" * 257])
def test_an_account_needs_a_password_of_some_length(text):
    with pytest.raises(FieldError) as caught:
        fields.account_password(text)
    assert caught.value.field == "password"


def test_an_account_may_have_any_long_password():
    assert fields.account_password("correct horse") == "correct horse"


@pytest.mark.parametrize(
    "text",
    [
        "#",
        "+",
        "/",
        "plant/#",
        "+/a/+/#",
        "/plant//x/",
        "$SYS/#",
        "%u",
        "plant/%u/%c/x",
        "a-%u-b/%c",
        "%x",
        "two words/é/中",
        "x" * 1000,
        "$shared/x",
    ],
)
def test_a_legal_topic_filter_is_taken_as_it_is(text):
    assert fields.topic_filters("subscribe", [text]) == (text,)


def test_topic_filters_are_one_a_line_without_empty_lines_and_repeats():
    assert fields.topic_filters("publish", ["", " a ", "b", "\t", "a", ""]) == ("a", "b")
    assert fields.topic_filters("publish", []) == fields.topic_filters("publish", [""]) == ()
    assert len(fields.topic_filters("publish", [f"t/{n}" for n in range(100)] * 2)) == 100


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("plant/#/x", "# stands alone"),
        ("plant#", "# stands alone"),
        ("#/#", "# stands alone"),
        ("##", "# stands alone"),
        ("plant/a+/x", r"\+ stands for a whole level"),
        ("++", r"\+ stands for a whole level"),
        ("%u+", r"\+ stands for a whole level"),
        ("$share/group/plant/#", r"without \$share"),
        ("$share", r"without \$share"),
        ("a\0b", "control"),
        ("a\u202eb", "control"),
        ("\ud800", "control"),
        ("x" * 1001, "at most 1,000 characters"),
    ],
)
def test_a_wrong_topic_filter_is_refused_with_its_line(text, fault):
    with pytest.raises(FieldError, match=fault) as caught:
        fields.topic_filters("subscribe", ["plant/#", "", text])
    assert caught.value.field == "subscribe"
    assert caught.value.message.startswith(f"Line 3 ({text[:60]})")


def test_too_many_topic_filters_are_refused():
    with pytest.raises(FieldError, match="at most 100 filters, not 101"):
        fields.topic_filters("publish", [f"t/{n}" for n in range(101)])


def test_no_client_publishes_to_the_topics_of_the_server():
    with pytest.raises(fields.FieldError, match=r"Line 1 .*only subscribe"):
        fields.topic_filters("publish", ["$SYS/#"])
    assert fields.topic_filters("subscribe", ["$SYS/#"]) == ("$SYS/#",)
