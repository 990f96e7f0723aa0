"""How the web worker tells that a request has arrived whole."""

from __future__ import annotations

import pytest

from portal.heads import MOST_BODY, MOST_HEAD, Refusal, wanted

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nContent-Length: %s\r\n\r\n"


@pytest.mark.parametrize("data", [b"G", b"\r\n", GET[:-1], GET[:-2], b"GET / HTTP/1.1\n\n", POST[:-3] % b"5"])
def test_an_incomplete_head_is_waited_for(data):
    assert wanted(data) is None


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (GET, len(GET)),
        (GET + GET, len(GET)),
        (b"GET / HTTP/1.0\r\n\r\n", 18),
        (GET.replace(b"/ ", b"/?content-length:9 "), len(GET) + 17),
        (b"\r\n" + GET, len(GET) + 2),
    ],
)
def test_a_request_without_a_body_ends_with_its_head(data, size):
    assert wanted(data) == size


@pytest.mark.parametrize(
    ("length", "body"),
    [
        (b"0", 0),
        (b"5", 5),
        (b" 5 ", 5),
        (b"000000000000005", 5),
        (b"%d" % MOST_BODY, MOST_BODY),
        (b"%d" % (MOST_BODY + 1), MOST_BODY),
        (b"9" * 5000, MOST_BODY),
        (b"", 0),
        (b"-1", 0),
        (b"5, 5", 0),
        (b"\xb2", 0),
    ],
)
@pytest.mark.parametrize("name", [b"Content-Length", b"content-length", b"CONTENT-LENGTH"])
def test_a_body_is_waited_for_as_far_as_the_portal_accepts_it(name, length, body):
    head = (POST % length).replace(b"Content-Length", name)
    assert wanted(head) == wanted(head + b"x" * 5) == len(head) + body


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "411"),
        (b"GET /" + b"x" * MOST_HEAD, "431"),
        (b"GET /" + b"x" * MOST_HEAD + b"\r\n\r\n", "431"),
        (b"\x16\x03\x01\x02\x00", "400"),
    ],
)
def test_what_no_thread_should_wait_for_is_refused(data, status):
    with pytest.raises(Refusal, match=status):
        wanted(data)


def test_a_head_is_found_wherever_it_was_cut():
    for cut in range(len(GET)):
        assert wanted(GET[:cut]) is None
        assert wanted(GET, cut) == len(GET)
