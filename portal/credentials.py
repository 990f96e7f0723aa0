"""Credentials: generate, seal, reveal, and the snapshot that the protocol servers check logins against.

Passwords can be shown in the portal, so they are sealed (AES-256-GCM, NIST SP 800-38D), not hashed.  The key is derived
from SECRET_KEY by HKDF-SHA256 (RFC 5869) and never enters the database.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Iterable, KeysView
from dataclasses import dataclass
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from portal.words import ADJECTIVES, SURNAMES

# No look-alikes (0 O o, 1 l I), and nothing that a shell reads as more than a letter.
ALPHABET = "23456789abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
PASSWORD_CHARACTERS = 24  # of 56: 139 bits
NONCE_BYTES = 12
FORMAT = b"\x01"
PURPOSE = b"gatehouse integration password"
DIGEST_PURPOSE = b"gatehouse password digest"


class SealError(Exception):
    """A sealed password cannot be opened: it was sealed with another key, or is damaged."""


def derive_key(secret_key: str, purpose: bytes) -> bytes:
    """Return 32 bytes for one purpose, so that no two uses of SECRET_KEY share a key."""
    return HKDF(hashes.SHA256(), 32, salt=None, info=purpose).derive(secret_key.encode())


class Sealer:
    """Seals and opens the passwords of integrations."""

    def __init__(self, secret_key: str) -> None:
        self._cipher = AESGCM(derive_key(secret_key, PURPOSE))
        self._digest_key = derive_key(secret_key, DIGEST_PURPOSE)

    def digest(self, password: bytes) -> bytes:
        """Return what tells a password from others, on every node, and is useless without SECRET_KEY."""
        return blake2b(password, key=self._digest_key, digest_size=16).digest()

    def seal(self, password: str) -> bytes:
        """Return format byte, nonce, ciphertext and tag."""
        nonce = os.urandom(NONCE_BYTES)
        return FORMAT + nonce + self._cipher.encrypt(nonce, password.encode(), PURPOSE)

    def open(self, sealed: bytes) -> str:
        """Return the password; raises `SealError`."""
        sealed = bytes(sealed)
        if sealed[:1] != FORMAT:
            raise SealError("sealed password of an unknown format")
        nonce, box = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, box, PURPOSE).decode()
        except (InvalidTag, ValueError) as error:
            raise SealError("password was sealed with another SECRET_KEY, or is damaged") from error


def generate_password() -> str:
    """Return a random password of more than 128 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(PASSWORD_CHARACTERS))


def generate_username(attempt: int = 0) -> str:
    """Return adjective_surname; from the third attempt on, when those were taken, with a number behind it."""
    name = f"{secrets.choice(ADJECTIVES)}_{secrets.choice(SURNAMES)}"
    return name if attempt < 2 else f"{name}_{secrets.randbelow(10 ** (attempt + 1))}"


@dataclass(frozen=True, slots=True)
class Entry:
    """What the snapshot knows of one integration; the password is kept as a keyed digest."""

    id: int
    username: str
    type: str
    active: bool
    digest: bytes
    revision: int
    publish: tuple[str, ...] = ("#",)
    subscribe: tuple[str, ...] = ("#",)
    deactivation: int = 0  # the revision of the last change that deactivated it
    domain: str = ""  # of VRPC
    role: str = ""


class Snapshot:
    """The credentials of every integration, in memory.

    It is replaced entry by entry by one thread and read by others: each step is one operation on a dictionary.
    """

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._nobody = self.digest(os.urandom(16))
        self._by_username: dict[str, Entry] = {}
        self._by_id: dict[int, Entry] = {}

    def digest(self, password: bytes) -> bytes:
        """Return what is compared instead of the password: of one length, and useless outside this process."""
        return blake2b(password, key=self._key, digest_size=32).digest()

    def ids(self) -> KeysView[int]:
        """Return the id of every integration."""
        return self._by_id.keys()

    def entries(self) -> list[Entry]:
        """Return every integration."""
        return list(self._by_id.values())

    def get(self, integration_id: int) -> Entry | None:
        """Return the entry of an integration, or None."""
        return self._by_id.get(integration_id)

    def named(self, username: str) -> Entry | None:
        """Return the entry of this username, or None."""
        return self._by_username.get(username)

    def check(self, username: str, password: bytes) -> tuple[Entry | None, bool]:
        """Return the entry of this username, and whether the password is its own, in constant time."""
        entry = self._by_username.get(username)
        expected = entry.digest if entry is not None else self._nobody
        matches = hmac.compare_digest(expected, self.digest(password))
        return entry, matches and entry is not None

    def remove(self, integration_ids: Iterable[int]) -> None:
        """Forget integrations that are no more."""
        for integration_id in integration_ids:
            self._drop(self._by_id.pop(integration_id, None))

    def put(self, entries: Iterable[Entry]) -> None:
        """Add or replace integrations; a username may move from one to another within one call."""
        entries = list(entries)
        for entry in entries:
            self._drop(self._by_id.get(entry.id))
        for entry in entries:
            self._by_id[entry.id] = entry
            self._by_username[entry.username] = entry

    def _drop(self, entry: Entry | None) -> None:
        if entry is not None and self._by_username.get(entry.username) is entry:
            del self._by_username[entry.username]
