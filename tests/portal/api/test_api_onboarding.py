"""/onboarding: clients that ask to come in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from portal.patient import Later
from protocols.contract import Given, Login, Wait
from tests.portal.api.api_bed import Bed

KNOCKS = Wait(0.5, knocks=True)


def knock(bed: Bed, body: Any = None, **options: Any) -> Any:
    data = body if body is None or isinstance(body, bytes) else json.dumps(body)
    return bed.ask("POST", "/onboarding", data=data, **{"content_type": "application/json", **options})


def test_an_unknown_client_asks_under_its_own_name_and_is_told_to_ask_again(bed: Bed) -> None:
    bed.door.waits = [KNOCKS]
    answer = knock(bed, {"name": "Press 4"}, user="press")
    assert (answer.status_code, answer.headers["Retry-After"]) == (202, "2")
    assert answer.get_json() == {"state": "waiting", "username": "press"}
    assert (bed.door.logins[-1].username, bed.door.logins[-1].name) == ("press", "Press 4")


def test_who_may_come_in_is_told_so(bed: Bed) -> None:
    answer = knock(bed)
    assert (answer.status_code, answer.get_json()) == (200, {"state": "approved", "username": "ada"})


def test_a_login_that_has_to_wait_waits_first(bed: Bed) -> None:
    bed.door.waits = [Wait(0.5)]
    with pytest.raises(Later) as later:
        knock(bed, user="press")
    assert later.value.seconds == 0.5


def test_with_the_window_closed_it_is_a_refused_login(bed: Bed) -> None:
    answer = knock(bed, user="press")
    assert answer.status_code == 401 and "password" not in answer.get_json()
    answer = knock(bed, user=None)
    assert answer.status_code == 401
    assert bed.door.logins[-1].username is None, "nothing that was made for it is counted against anybody"


@pytest.mark.parametrize("options", [{"user": None}, {"user": ""}])
def test_a_client_without_a_username_is_given_one_and_told_so(bed: Bed, options: dict) -> None:
    asked: list[Login] = []
    bed.server._api._door._give = lambda login: asked.append(login) or Given("vast_turing_402", "made up")
    answer = knock(bed, {"name": "Press 4"}, **options)
    assert (answer.status_code, answer.headers["Retry-After"]) == (202, "2")
    assert answer.get_json() == {"state": "waiting", "username": "vast_turing_402", "password": "made up"}
    assert asked[0].name == "Press 4" and bed.door.logins == [], "one answer is all that it gets"


@pytest.mark.parametrize("stated", ["Basic !", "Digest x"])
def test_credentials_that_cannot_be_read_are_not_replaced_by_others(bed: Bed, stated: str) -> None:
    bed.server._api._door._give = lambda login: Given("vast_turing_402", "made up")
    assert knock(bed, user=None, headers={"Authorization": stated}).status_code == 401


@pytest.mark.parametrize(
    ("body", "status", "place"),
    [
        (b"{", 400, "#"),
        ([], 422, "#"),
        ({"password": "x"}, 422, "#"),
        ({"name": 4}, 422, "#/name"),
        ({"name": "x" * 201}, 422, "#/name"),
    ],
)
def test_what_is_wrong_is_said_to_who_is_in(bed: Bed, body: Any, status: int, place: str) -> None:
    answer = knock(bed, body)
    assert answer.status_code == status
    assert answer.get_json()["errors"][0]["pointer"] == place
    assert knock(bed, body, user="press").status_code == 401


def test_another_content_type_and_a_long_body_are_refused(bed: Bed) -> None:
    assert knock(bed, {"name": "x"}, content_type="text/plain").status_code == 415
    assert knock(bed, b" " * 5_000).status_code == 413
    assert knock(bed, content_type=None).status_code == 200
