"""Accounts: the people who log in to the portal.  Passwords are hashed with argon2id (RFC 9106)."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from portal import activity, clock, fields
from portal.config import SettingError, Settings, write_once
from portal.db import connected, writing
from portal.fields import FieldError
from portal.integrations import Actor
from portal.models import Account, Activity, Revision

LOGGED_IN = "account.login"
REFUSED = "account.refused"

THROTTLE_WINDOW = timedelta(minutes=15)
MAX_FAILURES_PER_EMAIL = 5  # from one address
MAX_FAILURES_PER_ADDRESS = 30

# 19 MiB and two passes, the least that OWASP's Password Storage Cheat Sheet recommends for argon2id: several logins at
# once must not exhaust the memory of a Raspberry Pi.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Verified against when the e-mail address is unknown, so that both answers take the same time.
_decoy = _hasher.hash(secrets.token_urlsafe(16))


class NotFound(LookupError):
    """There is no such account."""


class Throttled(Exception):
    """Too many failed logins; wait before the next."""


def exist() -> bool:
    """Tell whether there is any account."""
    return bool(Account.select().exists())


def create(actor: Actor, email: str, password: str, *, first: bool = False) -> Account:
    """Add an account.  With `first`, only if there is none yet.  Raises `FieldError`."""
    email = fields.email(email)
    hashed = _hasher.hash(fields.account_password(password))
    with writing():
        Revision.bump("accounts")
        if first and exist():
            raise FieldError("email", "The first account exists already; log in with it.")
        if Account.select().where(Account.email == email).exists():
            raise FieldError("email", "There is an account with this e-mail address already.")
        now = clock.now()
        account = Account.create(email=email, password_hash=hashed, created_at=now)
        activity.record("account.created", now, account=actor.name, address=actor.address, detail=email)
    return account


def set_password(actor: Actor, email: str, password: str) -> str:
    """Give an account another password, which logs it out everywhere; return its e-mail address as it is stored.

    Raises `FieldError` or `NotFound`.
    """
    email = fields.email(email)
    hashed = _hasher.hash(fields.account_password(password))
    with writing():
        changed = Account.update(password_hash=hashed).where(Account.email == email).execute()
        if not changed:
            raise NotFound(f"no account has the e-mail address {email!r}")
        activity.record(
            "account.password-changed",
            clock.now(),
            account=actor.name,
            address=actor.address,
            detail=email,
        )
    return email


def log_in(email: str, password: str, address: str) -> Account | None:
    """Return the account if the password is its own, else None; both are recorded.  Raises `Throttled`."""
    email = email.strip().lower()[: activity.MAX_TEXT]
    attempt, now = _count_attempt(email, address)
    account = Account.get_or_none(Account.email == email)
    matches = _verify(account.password_hash if account else _decoy, password)
    if account is None or not matches:
        return None
    with writing():
        Account.update(last_login=now).where(Account.id == account.id).execute()
        Activity.update(kind=LOGGED_IN).where(Activity.id == attempt).execute()
    return account


def _count_attempt(email: str, address: str) -> tuple[int, datetime]:
    """Record an attempt as refused before its password is looked at, so that those that come at once count, too.

    Return its row and its time.
    """
    with writing():
        Revision.bump("accounts")
        now = clock.now()  # only here: attempts that waited for each other have different times
        if (
            _failures(now, address=address) >= MAX_FAILURES_PER_ADDRESS
            or _failures(now, address=address, email=email) >= MAX_FAILURES_PER_EMAIL
        ):
            raise Throttled
        return activity.record(REFUSED, now, account=email, address=address), now


def _failures(now: datetime, *, address: str, email: str | None = None) -> int:
    """Count failed logins from an address in the window until now, for one e-mail address or for all."""
    query = Activity.select().where(
        Activity.kind == REFUSED, Activity.at.between(now - THROTTLE_WINDOW, now), Activity.address == address
    )
    if email is not None:
        query = query.where(Activity.account == email)
    return int(query.count())


def _verify(hashed: str, password: str) -> bool:
    try:
        return _hasher.verify(hashed, password[: fields.SECRET_MAX_LENGTH + 1])
    except (VerificationError, InvalidHashError):
        return False


def create_from_settings(settings: Settings) -> Account | None:
    """Create the first account from ADMIN_EMAIL and ADMIN_PASSWORD, unless there is one already."""
    with connected():
        if exist() or settings.admin_email is None or settings.admin_password is None:
            return None
        try:
            actor = Actor("ADMIN_EMAIL")
            return create(actor, settings.admin_email, settings.admin_password, first=True)
        except FieldError as error:
            if exist():  # another node was quicker
                return None
            raise SettingError(f"ADMIN_{error.field.upper()}: {error.message}") from error


def setup_token(settings: Settings) -> str | None:
    """Return the one-time token that the set-up page asks for; None once there is an account."""
    path = _token_path(settings)
    if exist():
        path.unlink(missing_ok=True)
        return None
    write_once(path, secrets.token_urlsafe(24))
    return path.read_text("ascii").strip()


def is_setup_token(settings: Settings, token: str) -> bool:
    """Tell whether this is the one-time token, in constant time."""
    expected = setup_token(settings)
    return expected is not None and secrets.compare_digest(expected.encode(), token.strip().encode())


def _token_path(settings: Settings) -> Path:
    return settings.data_dir / "setup-token"
