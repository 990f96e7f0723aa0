"""Accounts: hashed passwords, failed logins, and the first account."""

from __future__ import annotations

import stat

import pytest
from argon2 import PasswordHasher

from portal import accounts, clock
from portal.accounts import NotFound, Throttled
from portal.config import SettingError
from portal.fields import FieldError
from portal.models import Account, Activity
from tests.support import databases
from tests.support.databases import in_threads

ADA = "ada@example.com"
PASSWORD = "correct horse"
HERE = "192.0.2.7"
REAL_HASHER = accounts._hasher


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch):
    """Hash with little memory and time: the tests do not attack the hashes."""
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(accounts, "_hasher", quick)
    monkeypatch.setattr(accounts, "_decoy", quick.hash("decoy"))


@pytest.fixture
def ada(database, actor) -> Account:
    return accounts.create(actor, ADA, PASSWORD)


def test_the_real_hashes_are_argon2id_with_the_cost_that_owasp_recommends():
    hashed = REAL_HASHER.hash("x")
    assert hashed.startswith("$argon2id$")
    assert "m=19456,t=2,p=1" in hashed


def test_an_account_logs_in_with_its_password(ada):
    account = accounts.log_in(ADA, PASSWORD, HERE)
    assert account.id == ada.id
    assert Account.get_by_id(ada.id).last_login is not None
    row = Activity.select().order_by(Activity.id.desc()).get()
    assert (row.kind, row.account, row.address) == (accounts.LOGGED_IN, ADA, HERE)


def test_the_password_is_not_in_the_database(ada):
    rows = [str(row.__data__) for model in (Account, Activity) for row in model.select()]
    assert PASSWORD not in "".join(rows)
    assert ada.password_hash.startswith("$argon2id$")


def test_an_email_address_is_recognised_in_any_case(ada):
    assert accounts.log_in(" ADA@example.com ", PASSWORD, HERE).id == ada.id


@pytest.mark.parametrize(
    ("email", "password"),
    [(ADA, "wrong"), (ADA, ""), (ADA, PASSWORD + "x"), ("eve@example.com", PASSWORD), ("", "")],
)
def test_a_wrong_login_is_refused_and_recorded_without_the_password(ada, email, password):
    assert accounts.log_in(email, password, HERE) is None
    row = Activity.select().order_by(Activity.id.desc()).get()
    assert (row.kind, row.account, row.address) == (accounts.REFUSED, email, HERE)
    assert not password or password not in row.detail


def test_an_unknown_address_costs_as_much_as_a_wrong_password(ada, monkeypatch):
    verified = []
    monkeypatch.setattr(accounts, "_verify", lambda hashed, _: verified.append(hashed))
    accounts.log_in("eve@example.com", PASSWORD, HERE)
    accounts.log_in(ADA, "wrong", HERE)
    assert len(verified) == 2 and verified[0] != verified[1]
    assert all(hashed.startswith("$argon2id$") for hashed in verified)


def test_a_very_long_password_is_refused_without_being_hashed_whole(ada):
    assert accounts.log_in(ADA, "x" * 1_000_000, HERE) is None


def test_failed_logins_for_one_account_are_throttled_even_with_the_right_password(ada):
    for _ in range(accounts.MAX_FAILURES_PER_EMAIL):
        assert accounts.log_in(ADA, "wrong", HERE) is None
    with pytest.raises(Throttled):
        accounts.log_in(ADA, PASSWORD, HERE)


def test_throttling_is_for_one_address_and_ends_by_itself(ada, monkeypatch):
    for _ in range(accounts.MAX_FAILURES_PER_EMAIL):
        accounts.log_in(ADA, "wrong", HERE)
    assert accounts.log_in(ADA, PASSWORD, "198.51.100.1")
    later = clock.now() + accounts.THROTTLE_WINDOW
    monkeypatch.setattr(clock, "now", lambda: later)
    assert accounts.log_in(ADA, PASSWORD, HERE)


def test_guessing_at_many_accounts_from_one_address_is_throttled(ada):
    for number in range(accounts.MAX_FAILURES_PER_ADDRESS):
        accounts.log_in(f"eve{number}@example.com", "wrong", HERE)
    with pytest.raises(Throttled):
        accounts.log_in(ADA, PASSWORD, HERE)


def test_tries_that_come_at_once_are_throttled_too(ada):
    results = in_threads(*[lambda n=n: accounts.log_in(ADA, f"guess{n}", HERE) for n in range(12)])
    assert sum(result is None for result in results) == accounts.MAX_FAILURES_PER_EMAIL, results
    assert sum(isinstance(result, Throttled) for result in results) == 12 - accounts.MAX_FAILURES_PER_EMAIL


def test_right_passwords_do_not_use_up_the_tries(ada):
    for _ in range(accounts.MAX_FAILURES_PER_EMAIL * 2):
        assert accounts.log_in(ADA, PASSWORD, HERE)


def test_an_address_has_one_account_in_any_case(ada, actor):
    with pytest.raises(FieldError) as caught:
        accounts.create(actor, "ADA@example.com", PASSWORD)
    assert caught.value.field == "email"


@pytest.mark.parametrize(("email", "password", "field"), [("ada", PASSWORD, "email"), (ADA, "short", "password")])
def test_an_unusable_value_is_refused_at_its_field(database, actor, email, password, field):
    with pytest.raises(FieldError) as caught:
        accounts.create(actor, email, password)
    assert caught.value.field == field
    assert not accounts.exist()


def test_a_created_account_is_recorded(ada):
    row = Activity.get()
    assert (row.kind, row.account, row.detail) == ("account.created", "ada@example.com", ADA)


def test_of_two_first_accounts_at_once_one_is_refused(database, actor):
    results = in_threads(
        *[lambda n=n: accounts.create(actor, f"first{n}@example.com", PASSWORD, first=True) for n in range(4)]
    )
    assert sum(isinstance(result, FieldError) for result in results) == 3, results
    assert Account.select().count() == 1


def test_of_two_equal_accounts_at_once_one_is_refused(database, actor):
    results = in_threads(*[lambda: accounts.create(actor, ADA, PASSWORD)] * 3)
    assert sum(isinstance(result, FieldError) for result in results) == 2, results


def test_a_changed_password_is_the_only_one_that_works(ada, actor):
    accounts.set_password(actor, ADA, "battery staple")
    assert accounts.log_in(ADA, PASSWORD, HERE) is None
    assert accounts.log_in(ADA, "battery staple", HERE)


def test_changing_the_password_of_nobody_says_so(database, actor):
    with pytest.raises(NotFound, match="eve@example.com"):
        accounts.set_password(actor, "eve@example.com", PASSWORD)
    assert Activity.select().count() == 0


def with_admin(database, password: str = PASSWORD):
    from portal import config

    return config.load({**database.environ, "ADMIN_EMAIL": ADA, "ADMIN_PASSWORD": password})


def test_the_settings_make_the_first_account_only(database):
    assert accounts.create_from_settings(with_admin(database)).email == ADA
    assert accounts.create_from_settings(with_admin(database, "another password")) is None
    assert accounts.log_in(ADA, PASSWORD, HERE)


def test_without_the_settings_no_account_is_made(database):
    assert accounts.create_from_settings(database.settings) is None
    assert not accounts.exist()


def test_settings_that_make_no_account_name_the_variable(database):
    with pytest.raises(SettingError, match="^ADMIN_PASSWORD: .*at most 256"):
        accounts.create_from_settings(with_admin(database, "x" * 257))


def test_the_setup_token_stays_the_same_until_there_is_an_account(database, actor):
    token = accounts.setup_token(database.settings)
    assert len(token) >= 32
    assert accounts.setup_token(database.settings) == token
    assert accounts.is_setup_token(database.settings, f" {token}\n")
    for wrong in ("", token[:-1], token + "x", "\u00e4"):
        assert not accounts.is_setup_token(database.settings, wrong)
    path = database.settings.data_dir / "setup-token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    accounts.create(actor, ADA, PASSWORD)
    assert accounts.setup_token(database.settings) is None
    assert not path.exists()
    assert not accounts.is_setup_token(database.settings, token)


def test_nothing_secret_of_these_tests_is_the_products(database):
    assert database.settings.secret_key == databases.SECRET_KEY
