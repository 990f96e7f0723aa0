"""Sealed passwords, generated credentials, and the snapshot that logins are checked against."""

from __future__ import annotations

import math
import re

import pytest

from portal import credentials
from portal.credentials import Entry, Sealer, SealError, Snapshot, derive_key

KEY = "a key for tests, long enough"


@pytest.mark.parametrize("password", ["p", "p\u00e4ss w\u00f6rd", "x" * 256])
def test_a_sealed_password_can_be_opened_again(password):
    assert Sealer(KEY).open(Sealer(KEY).seal(password)) == password


def test_a_sealed_password_does_not_hold_the_password_and_is_new_each_time():
    sealer = Sealer(KEY)
    first, second = sealer.seal("secret password"), sealer.seal("secret password")
    assert first != second
    assert b"secret" not in first


def test_another_key_does_not_open_a_password():
    with pytest.raises(SealError, match="another SECRET_KEY"):
        Sealer("another key for tests").open(Sealer(KEY).seal("secret"))


def test_any_changed_byte_is_noticed():
    sealed = Sealer(KEY).seal("secret")
    for index in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[index] ^= 1
        with pytest.raises(SealError):
            Sealer(KEY).open(bytes(damaged))


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01short", b"\x02" + b"x" * 40])
def test_what_is_no_sealed_password_is_refused(sealed):
    with pytest.raises(SealError):
        Sealer(KEY).open(sealed)


def test_the_database_drivers_kinds_of_bytes_can_be_opened():
    sealed = Sealer(KEY).seal("secret")
    assert Sealer(KEY).open(memoryview(sealed)) == "secret"
    assert Sealer(KEY).open(bytearray(sealed)) == "secret"


def test_no_two_purposes_share_a_key():
    assert derive_key(KEY, b"one") != derive_key(KEY, b"another")
    assert derive_key(KEY, b"one") == derive_key(KEY, b"one")


def test_a_generated_password_has_at_least_128_bits_and_no_look_alikes():
    assert len(set(credentials.ALPHABET)) == len(credentials.ALPHABET)
    bits = credentials.PASSWORD_CHARACTERS * math.log2(len(credentials.ALPHABET))
    assert bits >= 128
    passwords = {credentials.generate_password() for _ in range(1000)}
    assert len(passwords) == 1000
    seen = set("".join(passwords))
    assert seen == set(credentials.ALPHABET)
    assert not seen & set("0Oo1lI")


def test_a_generated_username_is_an_adjective_and_a_surname():
    names = {credentials.generate_username() for _ in range(500)}
    assert len(names) > 450
    assert all(re.fullmatch(r"[a-z]+_[a-z]+", name) for name in names)


def test_a_username_gets_a_number_after_others_were_taken():
    assert re.fullmatch(r"[a-z]+_[a-z]+_\d+", credentials.generate_username(5))


@pytest.fixture
def snapshot() -> Snapshot:
    return Snapshot()


def entry(snapshot: Snapshot, id: int, username: str, password: bytes = b"secret", revision: int = 1):
    return Entry(id, username, "mqtt", True, snapshot.digest(password), revision)


def test_the_right_password_matches_and_another_does_not(snapshot):
    known = entry(snapshot, 1, "turing")
    snapshot.put([known])
    assert snapshot.check("turing", b"secret") == (known, True)
    assert snapshot.check("turing", b"Secret") == (known, False)
    assert snapshot.check("turing", b"") == (known, False)


def test_an_unknown_username_matches_nothing(snapshot):
    assert snapshot.check("nobody", b"secret") == (None, False)


def test_an_entry_without_a_usable_password_matches_nothing(snapshot):
    snapshot.put([Entry(1, "turing", "mqtt", True, b"", 1)])
    assert snapshot.check("turing", b"")[1] is False
    assert snapshot.check("turing", b"secret")[1] is False


def test_a_digest_is_worth_nothing_in_another_process(snapshot):
    assert snapshot.digest(b"secret") != Snapshot().digest(b"secret")
    assert snapshot.digest(b"secret") != b"secret"


def test_a_renamed_entry_is_not_found_by_its_old_name(snapshot):
    snapshot.put([entry(snapshot, 1, "old")])
    snapshot.put([entry(snapshot, 1, "new", revision=2)])
    assert snapshot.check("old", b"secret") == (None, False)
    assert snapshot.check("new", b"secret")[1]
    assert (list(snapshot.ids()), snapshot.get(1).revision) == ([1], 2)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_entries_can_swap_their_names_in_one_step(snapshot, order):
    snapshot.put([entry(snapshot, 1, "a", b"first"), entry(snapshot, 2, "b", b"second")])
    swapped = [entry(snapshot, 1, "b", b"first", 2), entry(snapshot, 2, "a", b"second", 2)]
    snapshot.put([swapped[index] for index in order])
    assert snapshot.check("b", b"first")[0].id == 1
    assert snapshot.check("a", b"second")[0].id == 2
    assert not snapshot.check("a", b"first")[1]


def test_a_name_can_move_from_a_removed_entry_to_a_new_one(snapshot):
    snapshot.put([entry(snapshot, 1, "a")])
    snapshot.put([entry(snapshot, 2, "a", b"second")])
    snapshot.remove([1])
    assert snapshot.check("a", b"second")[0].id == 2
    assert snapshot.get(1) is None


def test_a_removed_entry_is_gone_and_removing_it_again_does_nothing(snapshot):
    snapshot.put([entry(snapshot, 1, "a")])
    snapshot.remove([1])
    snapshot.remove([1])
    assert snapshot.check("a", b"secret") == (None, False)
    assert not snapshot.ids()
